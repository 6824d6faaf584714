#!/usr/bin/env bats
# agent_a and agent_b over TLS, with each other and with curl, openssl and Python.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031
# $started comes from the helper.
# shellcheck disable=SC2154

load helper

setup_file() {
    mkdir "$BATS_FILE_TMPDIR/pki"
    "$BATS_TEST_DIRNAME/../pki" "$BATS_FILE_TMPDIR/pki"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/pki/* .
    printf 'a secret of more than sixteen bytes\n' >secret.txt
}

teardown() {
    stop_all
}

# start_b CERT [OPTION…]: agent_b with that certificate, its port in $port.
start_b() {
    start b.log "Listening on .* with TLS$" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 \
        --tls-cert "$1.pem" --tls-key key.pem "${@:2}"
    port=$(listening_on b.log)
    port=${port##*:}
}

# start_server HOW [CERT]: the same with tls_server.py.
start_server() {
    start server.log "listening on" python3 "$BATS_TEST_DIRNAME/tls_server.py" "${2:-good}.pem" \
        key.pem "$1"
    port=$(listening_on server.log)
    port=${port##*:}
}

# call [OPTION…]: agent_a, which trusts our authority and writes its results to results.ndjson.
call() {
    rm -f results.ndjson
    run "$BIN_DIR/agent_a" --url "https://localhost:$port/tool" --ca ca.pem \
        --results results.ndjson "$@"
    echo "$output"
}

# failed WORD PATTERN: how the only call ended.
failed() {
    [ "$status" -eq 1 ]
    [ "$(jq -r '[.outcome, .word, .attempts] | @tsv' results.ndjson)" = $'failed\t'"$1"$'\t1' ]
    grep -qE "^agent_a: call .* failed: $2" <<<"$output"
}

# carried_out: how many calls agent_b carried out.
carried_out() {
    curl -sS -m 10 --cacert ca.pem "https://localhost:$port/calls" | jq '.carried_out | add // 0'
}

@test "both agents speak TLS, by a name and by an address" {
    local host
    start_b good
    for host in localhost 127.0.0.1; do
        run "$BIN_DIR/agent_a" --url "https://$host:$port/tool" --ca ca.pem --wait 5
        [ "$status" -eq 0 ]
    done
    run "$BIN_DIR/agent_a" --url "https://localhost:$port/tool" --ca ca.pem --count 500 --concurrency 8
    [ "$status" -eq 0 ]
    [ "$(carried_out)" -eq 502 ]
    [ "$(grep -c Refused b.log)" -eq 0 ]
}

@test "the same over IPv6" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen "[::1]:0" --tls-cert good.pem \
        --tls-key key.pem
    run "$BIN_DIR/agent_a" --url "https://$(listening_on b.log)/tool" --ca ca.pem
    [ "$status" -eq 0 ]
}

@test "the environment stands in for the options" {
    start b.log "with TLS" env AGENT_B_LISTEN=127.0.0.1:0 AGENT_B_TLS_CERT=good.pem \
        AGENT_B_TLS_KEY=key.pem AGENT_B_TLS_CLIENT_CA=ca.pem "$BIN_DIR/agent_b"
    SERVER_URL="https://$(listening_on b.log)/tool" AGENT_A_CA=ca.pem AGENT_A_CERT=client.pem \
        AGENT_A_TLS_KEY=key.pem run "$BIN_DIR/agent_a"
    [ "$status" -eq 0 ]
}

@test "a chain is shown whole, and a certificate and its key may stand in one file" {
    start_b chain
    call
    [ "$status" -eq 0 ]
    cat good.pem key.pem >both.pem
    start b.log "with TLS" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 --tls-cert both.pem
    run "$BIN_DIR/agent_a" --url "https://$(listening_on b.log)/tool" --ca ca.pem
    [ "$status" -eq 0 ]
}

@test "agent_a sends nothing to a server whose certificate it does not take" {
    local cert pattern
    while read -r cert pattern; do
        start_b "$cert"
        call
        failed tls_untrusted "no TLS with localhost port [0-9]+: the peer's certificate does not hold: $pattern"
        call --retries 3 --quiet
        failed tls_untrusted "no TLS"
        stop "$started"
        [ "$(grep -c '^\[Agent B\] Refused: tls_failed: 127.0.0.1:[0-9]*: the TLS handshake failed: .*alert' b.log)" -eq 2 ]
        [ "$(grep -c Received b.log)" -eq 0 ]
    done <<'CASES'
expired certificate has expired
wrong-host hostname mismatch
no-name hostname mismatch
self-signed self-signed certificate
untrusted unable to get local issuer certificate
incomplete unable to get local issuer certificate
client unsuitable certificate purpose
CASES
}

@test "a certificate of the system's authorities is not enough for --ca, nor ours without it" {
    start_b good
    run "$BIN_DIR/agent_a" --url "https://localhost:$port/tool" --results results.ndjson
    failed tls_untrusted "no TLS"
    run "$BIN_DIR/agent_a" --url "https://localhost:$port/tool" --results results.ndjson --ca other-ca.pem
    failed tls_untrusted "no TLS"
}

@test "agent_a waits for a server that it trusts, and says why there was none" {
    start_b expired
    call --wait 4
    [ "$status" -eq 1 ]
    [[ "$output" == *"was not ready within 4 s: no TLS with localhost"*"certificate has expired"* ]]
}

@test "agent_b takes only clients of its authorities, where it is told so" {
    start_b good --tls-client-ca ca.pem
    call --cert client.pem --key key.pem
    [ "$status" -eq 0 ]
    call --cert client.pem --tls-key key.pem --count 20 --concurrency 4 --quiet
    [ "$status" -eq 0 ]
    call
    failed tls_failed "no TLS with localhost port [0-9]+: the TLS handshake failed: .*certificate required"
    call --cert bad-client.pem --tls-key key.pem
    failed tls_failed "no answer: .*unknown ca"
    run curl -sS -m 10 --cacert ca.pem "https://localhost:$port/calls"
    [ "$status" -ne 0 ]
    [ "$(curl -sS -m 10 --cacert ca.pem --cert client.pem --key key.pem \
        "https://localhost:$port/calls" | jq '.carried_out | add')" -eq 21 ]
    stop "$started"
    [ "$(grep -c Refused b.log)" -eq 3 ]
    [ "$(grep -c 'Refused: tls_failed: .*: the TLS handshake failed: peer did not return a certificate$' b.log)" -eq 2 ]
    [ "$(grep -c "Refused: .*the peer's certificate does not hold: unable to get local issuer" b.log)" -eq 1 ]
}

@test "defences and TLS together, each with its own key" {
    local profile
    for profile in signed all; do
        start_b good --tls-client-ca ca.pem --defence "$profile" --key secret.txt
        call --cert client.pem --tls-key key.pem --defence "$profile" --key secret.txt --count 5 --quiet
        [ "$status" -eq 0 ]
        printf 'another secret of many bytes\n' >other.txt
        call --cert client.pem --tls-key key.pem --defence "$profile" --key other.txt
        [ "$status" -eq 1 ]
        [ "$(jq -r .word results.ndjson)" = signature_invalid ]
        stop "$started"
    done
}

@test "whoever speaks no TLS is told apart" {
    start_b good
    # A client without TLS.
    run "$BIN_DIR/agent_a" --url "http://localhost:$port/tool" --results results.ndjson
    [ "$status" -eq 1 ]
    run curl -sS -m 10 "http://localhost:$port/healthz"
    [ "$status" -ne 0 ]
    stop "$started"
    [ "$(grep -c 'Refused: tls_failed: .*http request$' b.log)" -eq 2 ]
    # A server without TLS.
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    port=$(listening_on b.log)
    port=${port##*:}
    call
    failed tls_failed "no TLS with localhost port [0-9]+: the TLS handshake failed: "
    # Nobody at all.
    stop "$started"
    call
    failed connect_failed "cannot connect"
}

@test "a handshake that breaks off, or never comes" {
    start_server slam
    call
    failed tls_failed "no TLS with localhost port [0-9]+: connection reset by peer"
    start_server silent
    call --timeout 1
    failed timeout "no connection within 1 s"
    call --timeout 1 --retries 1
    [ "$(jq .attempts results.ndjson)" -eq 2 ]
}

@test "a server that asks for a certificate, goes on without, and does not say so" {
    start_server curious
    call --count 2
    [ "$status" -eq 0 ]
    [ "$(grep -c 'secured TLSv1.3' server.log)" -eq 1 ]
}

@test "agent_b gives a handshake the time that a head has" {
    start_b good
    exec 5<>"/dev/tcp/127.0.0.1/$port"
    wait_for_line b.log 'Refused: tls_failed: .*: it did not come to its end in time' "$started"
    exec 5>&-
    start_b good
    printf '\x16\x03\x01' >"/dev/tcp/127.0.0.1/$port"
    wait_for_line b.log 'Refused: tls_failed: .* closed the connection within the TLS handshake' \
        "$started"
    call
    [ "$status" -eq 0 ]
}

@test "an answer that ends with its connection has to end with close_notify" {
    start_server notify
    call
    [ "$status" -eq 0 ]
    start_server cut
    call
    failed connection_closed "the answer may be cut: .*close_notify"
    start_server whole
    call
    [ "$status" -eq 0 ]
    start_server half
    call
    failed connection_closed "the answer was cut: the server closed the connection before its end"
}

@test "agent_a ends with close_notify, whatever protocol is offered first" {
    start_server length
    call --count 3 --quiet
    [ "$status" -eq 0 ]
    wait_for_line server.log "ended by close_notify" "$started"
    [ "$(grep -c 'secured TLSv1.3 http/1.1' server.log)" -eq 1 ]
    [ "$(grep -c asked server.log)" -eq 3 ]
}

@test "what no call had asked for is no answer, also by TLS" {
    start_server twice
    call --count 3 --quiet
    [ "$status" -eq 0 ]
    [ "$(grep -c secured server.log)" -eq 3 ]
    [ "$(jq -s 'map(.unasked_responses) | add' results.ndjson)" -ge 2 ]
    start_server early
    call
    failed unasked_response "the server sent something on a new connection before the call"
}

@test "curl and openssl find TLS 1.2 and 1.3 and HTTP/1.1, and nothing else" {
    local version
    start_b good
    for version in 1.2 1.3; do
        run curl -sS -m 10 --cacert ca.pem --tls-max "$version" --http2 -o answer -w \
            '%{http_code} %{http_version}' "https://localhost:$port/healthz"
        [ "$output" = "200 1.1" ]
    done
    for version in 1 1_1; do
        run openssl s_client -connect "127.0.0.1:$port" -"tls$version" -cipher DEFAULT@SECLEVEL=0 </dev/null
        [ "$status" -ne 0 ]
        [[ "$output" == *"alert protocol version"* ]]
    done
    run openssl s_client -connect "127.0.0.1:$port" -alpn h2 </dev/null
    [[ "$output" == *"alert no application protocol"* ]]
    run openssl s_client -connect "127.0.0.1:$port" -tls1_2 -cipher AES128-SHA:AES256-GCM-SHA384 </dev/null
    [[ "$output" == *"alert handshake failure"* ]]
    # An absolute form has the scheme.
    run curl -sS -m 10 --cacert ca.pem --request-target "https://localhost:$port/healthz?x" \
        "https://localhost:$port/"
    [ "$output" = '{"status":"ok"}' ]
}

@test "a session is resumed, also that of a client that was known" {
    local version
    start_b good --tls-client-ca ca.pem
    for version in tls1_2 tls1_3; do
        ask=(openssl s_client -connect "127.0.0.1:$port" "-$version" -CAfile ca.pem -cert client.pem
            -key key.pem -ign_eof)
        printf 'GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' |
            "${ask[@]}" -sess_out session >first
        grep -q '^New, TLS' first
        printf 'GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' |
            "${ask[@]}" -sess_in session >second
        grep -q '^Reused, TLS' second
        grep -q '{"status":"ok"}' second
    done
    stop "$started"
}

@test "Python as a client: pipelined calls in any pieces, and one that does not read" {
    start_b good
    python3 - "$port" <<'PYTHON'
import json, random, select, socket, ssl, sys, time
seed = int(time.time())
print("seed", seed)
random.seed(seed)
context = ssl.create_default_context(cafile="ca.pem")
STUCK, LOST = 0.5, 60  # seconds; stuck too early, agent_b is asked for less, and that is all

def call(i, size):
    body = json.dumps({"id": i, "tool_name": "analyze_dependency", "arguments": {"s": "x" * size}})
    return (b"POST /tool HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode()))

class Client:
    """Sends calls in pieces; TLS wants one that was refused once more, and not shorter."""

    def __init__(self, wire, piece):
        plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])), LOST)
        self.connection = context.wrap_socket(plain, server_hostname="localhost",
                                              suppress_ragged_eofs=False)
        self.connection.setblocking(False)
        self.wire, self.piece, self.at, self.end, self.got = wire, piece, 0, 0, bytearray()

    def left(self):
        return len(self.wire) - self.at

    def send(self):
        """False: nothing can be sent now."""
        if self.end == self.at:
            self.end = min(self.at + random.randint(1, self.piece), len(self.wire))
        try:
            self.at += self.connection.send(self.wire[self.at:self.end])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        return True

    def receive(self):
        """False: nothing can be received now."""
        try:
            data = self.connection.recv(65536)
        except ssl.SSLWantReadError:
            return False
        assert data, "agent_b closed"
        self.got += data
        return True

    def wait(self, seconds, read):
        return any(select.select([self.connection] if read else [],
                                 [self.connection] if self.left() else [], [], seconds))

def check(n, size, piece, stubborn=False):
    client = Client(b"".join(call(i, size) for i in range(n)), piece)
    if stubborn:  # agent_b cannot get rid of its answers, and stops to read
        while client.left() and (client.send() or client.wait(STUCK, False)):
            pass
        assert client.left() > 1000000, client.left()
    while not client.got.endswith(b'"}}}') or client.got.count(b'"}}}') < n:
        sent = client.left() and client.send()
        assert client.receive() or sent or client.wait(LOST, True), "nothing moves"
    assert not client.left()
    answers = bytes(client.got).split(b'"}}}')
    assert len(answers) == n + 1 and answers.pop() == b""
    for i, answer in enumerate(answers):
        assert b'{"id":%d,' % i in answer, (i, answer[:300])
        assert answer.endswith(b"x" * size)
    client.connection.settimeout(LOST)
    client.connection.unwrap().close()  # agent_b says close_notify, too

check(200, 10, 50)
check(500, 10, 20000)
check(3, 900000, 5000000)
check(200, 100000, 300000, stubborn=True)
check(3000, 4000, 300000, stubborn=True)
PYTHON
    [ "$(carried_out)" -eq 3903 ]
}

@test "connections that are idle end with close_notify when agent_b stops" {
    start_b good
    python3 - "$port" "$started" <<'PYTHON'
import os, signal, socket, ssl, sys
context = ssl.create_default_context(cafile="ca.pem")
def connect():
    return context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10),
                               server_hostname="localhost", suppress_ragged_eofs=False)
fresh, used = connect(), connect()
used.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
assert used.recv(65536).startswith(b"HTTP/1.1 200")
half = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
os.kill(int(sys.argv[2]), signal.SIGTERM)
assert fresh.recv(10) == b"" and used.recv(10) == b""
half.close()
PYTHON
    wait "$started"
}

@test "scripts/healthz asks by TLS, too" {
    local healthz="$BATS_TEST_DIRNAME/../../scripts/healthz"
    run "$healthz" https://127.0.0.1
    [ "$status" -eq 2 ]
    [[ $output == "usage: healthz HOST PORT"* ]]
    start_b good --tls-client-ca ca.pem
    HEALTHZ_TLS="-cert client.pem -key key.pem" "$healthz" https://127.0.0.1 "$port"
    HEALTHZ_TLS="-cert client.pem -key key.pem" run "$healthz" https://localhost "$port" /calls
    [ "$status" -eq 0 ]
    [ "$(jq .carried_out.deposit <<<"$output")" -eq 0 ]
    run "$healthz" https://127.0.0.1 "$port"
    [ "$status" -ne 0 ]
    run "$healthz" 127.0.0.1 "$port"
    [ "$status" -ne 0 ]
    stop "$started"
    run "$healthz" https://127.0.0.1 "$port"
    [ "$status" -ne 0 ]
}

@test "--keylog: both have the secrets of their connection, for the file's owner alone" {
    touch a.keys
    chmod 644 a.keys
    start_b good --keylog b.keys
    call --keylog a.keys
    [ "$status" -eq 0 ]
    call --keylog a.keys
    [ "$status" -eq 0 ]
    [ "$(stat -c %a a.keys b.keys | sort -u)" = 600 ]
    [ "$(grep -c '^CLIENT_TRAFFIC_SECRET_0 ' a.keys)" -eq 2 ]
    [ "$(sort a.keys)" = "$(sort b.keys)" ]
    # a log that cannot be written costs no call
    call --keylog /dev/full
    [ "$status" -eq 0 ]
    [ "$(grep -c 'the key log lacks secrets: no space left' <<<"$output")" -eq 1 ]
}

@test "noise of any kind does not disturb agent_b" {
    start_b good --tls-client-ca ca.pem
    python3 - "$port" <<'PYTHON'
import random, socket, ssl, sys, time
seed = int(time.time())
print("seed", seed)
random.seed(seed)
for i in range(300):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
    head = random.choice([b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x80\x2e\x01", b"GET "])
    try:
        s.sendall(head + random.randbytes(random.randint(0, 700)))
        if random.random() < 0.5:
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
    except OSError:
        pass
    s.close()
PYTHON
    call --cert client.pem --tls-key key.pem
    [ "$status" -eq 0 ]
    stop "$started"
}

@test "files that cannot be used are named in one line" {
    local arguments words
    while IFS='|' read -r arguments words; do
        # shellcheck disable=SC2086 # words are wanted
        run "$BIN_DIR"/$arguments
        echo "$output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == *"$words"* ]]
    done <<'CASES'
agent_b --tls-cert nowhere.pem|nowhere.pem: no such file
agent_b --tls-cert good.pem|no key for that certificate can be read from good.pem
agent_b --tls-cert good.pem --tls-key other-key.pem|other-key.pem: key values mismatch
agent_b --tls-cert good.pem --tls-key locked-key.pem|locked-key.pem has a password
agent_b --tls-cert good.pem --tls-key key.pem --tls-client-ca key.pem|from key.pem: no certificate
agent_b --tls-cert good.pem --tls-key key.pem --keylog nowhere/b.keys|the key log nowhere/b.keys
agent_b --keylog b.keys|--tls-cert
agent_b --tls-key key.pem|--tls-cert
agent_b --tls-client-ca ca.pem|--tls-cert
agent_a --url https://localhost/ --ca nowhere.pem|nowhere.pem: no such file
agent_a --url https://localhost/ --cert client.pem|no key for that certificate
agent_a --url https://localhost/ --tls-key key.pem|--cert
agent_a --url http://localhost/ --ca ca.pem|https://
agent_a --url http://localhost/ --keylog a.keys|https://
agent_a --url https://localhost/ --keylog .|the key log . cannot be opened
CASES
}
