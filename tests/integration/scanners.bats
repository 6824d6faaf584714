#!/usr/bin/env bats
# What sslscan and testssl.sh call a weakness: nothing, at the proxy's listeners and at agent_b's.
#
# testssl.sh takes its time: it looks at the other listeners only with SCAN_ALL=1.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $port and others.
# shellcheck disable=SC2030,SC2031,SC2154

load tls_lab

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/pki/* .
    # An end that is near would be one.
    openssl req -new -key key.pem -subj /CN=long |
        openssl x509 -req -CA ca.pem -CAkey ca.key -days 200 -set_serial "0x$(openssl rand -hex 15)" -out long.pem 2>/dev/null \
            -extfile <(printf '%s\n' subjectAltName=DNS:localhost,IP:127.0.0.1 extendedKeyUsage=serverAuth keyUsage=digitalSignature)
    start_agent_b
}

start_agent_b() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 --tls-cert long.pem --tls-key key.pem
    port=$(listening_on b.log)
    port=${port##*:}
}

# start_reverse: takes TLS apart in front of agent_b.
start_reverse() {
    start_proxy --upstream "https://localhost:$port" --ca-dir lab --upstream-ca ca.pem --quiet
}

# start_forward: the same by CONNECT, behind a port that asks for it: in $relay_port. testssl.sh can ask,
# but ends its lines by a line feed alone, which is refused.
start_forward() {
    start_proxy --mode forward --allow "localhost:$port" --ca-dir lab --upstream-ca ca.pem --quiet
    cat >relay.py <<'END'
import socket, sys, threading
def carry(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        for end in one, other:
            end.close()
def relay(client):
    proxy = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    proxy.sendall(b"CONNECT localhost:%s HTTP/1.1\r\nHost: localhost:%s\r\n\r\n" % ((sys.argv[2].encode(),) * 2))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += proxy.recv(1) or sys.exit("no answer")
    for ends in (client, proxy), (proxy, client):
        threading.Thread(target=carry, args=ends, daemon=True).start()
server = socket.create_server(("127.0.0.1", 0), backlog=100)
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=relay, args=(server.accept()[0],), daemon=True).start()
END
    start relay.log "listening on" python3 relay.py "$proxy_port" "$port"
    relay_port=$(listening_on relay.log)
    relay_port=${relay_port##*:}
}

# Neither is about TLS: the certificates have no revocation list, since nobody would ask for one, and
# names without DNS have no CAA record there. engine_problem is testssl's own; it does not always see that
# sessions are resumed, which intercept.bats tries.
accepted='engine_problem|cert_revocation|DNS_CAArecord|sessionresumption_.*'

# testssl_finds CA WORDS …: severities and names of findings that are more than information. What it
# says of the answers' fields (-h) is left out: they are the server's.
testssl_finds() {
    timeout 500 testssl --quiet --color 0 --warnings off --openssl-timeout 20 --jsonfile found.json --add-ca "$1" \
        -p -s -f -P -S -U "${@:2}" >said </dev/null || true # the status counts findings
    jq -e 'any(.[]; .id == "TLS1_3" and .severity == "OK")' found.json >/dev/null ||
        { tail said && return 1; }
    jq -r '.[] | select(.severity | IN("OK", "INFO", "DEBUG") | not) | "\(.severity) \(.id): \(.finding)"' found.json |
        grep -vE "^[A-Z]+ ($accepted):" || true
}

have() {
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

@test "sslscan: the proxy's listener, by itself and by CONNECT, and agent_b's" {
    have sslscan
    start_forward
    start_reverse
    local which
    for which in "$port" "$proxy_port" "$relay_port"; do
        [ -z "$(sslscan_finds "localhost:$which")" ]
        grep -q 'TLSv1.0.*disabled' scan
    done
}

@test "sslscan finds what there is: the same with a server that is weak" {
    have sslscan
    openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -days 1 -subj /CN=localhost 2>/dev/null
    start weak.log ACCEPT openssl s_server -accept 127.0.0.1:0 -cert weak.pem -key weak.key \
        -cipher ALL:@SECLEVEL=0 -min_protocol TLSv1 -www
    local weak
    weak=$(sed -n 's/^ACCEPT .*://p' weak.log)
    sslscan_finds "localhost:$weak" >found
    cat found
    grep -q TLSv1.0 found
    grep -q 'RSA Key Strength' found
}

# finds_nothing CA PORT
finds_nothing() {
    rm -f found.json
    run testssl_finds "$1" "localhost:$2"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "testssl.sh: the proxy's listener" {
    have testssl
    start_forward
    start_reverse
    finds_nothing lab/ca.pem "$proxy_port"
    [ "${SCAN_ALL:-}" = 1 ] || return 0
    finds_nothing lab/ca.pem "$relay_port"
    finds_nothing ca.pem "$port"
}
