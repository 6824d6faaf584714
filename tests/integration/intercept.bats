#!/usr/bin/env bats
# TLS on both legs: who is believed, what passes, what is recorded, and what ends how.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $at and $port.
# shellcheck disable=SC2030,SC2031,SC2154

load tls_lab

# start_reverse [OPTION …]: in front of the mirror, by TLS on both legs.
start_reverse() {
    start_proxy --upstream "https://localhost:$port" --ca-dir lab --upstream-ca ca.pem "$@"
}

# call [PATH [OPTION …]]: what curl gets from the proxy by TLS.
call() {
    fetch --cacert lab/ca.pem --resolve "localhost:$proxy_port:127.0.0.1" "${@:2}" \
        "https://localhost:$proxy_port${1:-/tool}"
}

# said NAME: of the last TLS connection that the mirror had: version, protocol, name or again.
said() {
    local -A word=([version]=2 [protocol]=3 [name]=4 [again]=5)
    grep '^secured' mirror.log | tail -n 1 | cut -d' ' -f"${word[$1]}"
}

# handshake [OPTION …]: openssl's s_client with the proxy.
handshake() {
    timeout 20 openssl s_client -connect "$at" "$@" </dev/null 2>&1
}

@test "both legs by TLS: the upstream gets what the client sent" {
    start_mirror good
    start_reverse
    call /tool -d '{"id":1}' -H 'X-Odd:   b' >answer
    grep -qx $'X-Odd:   b\r' answer
    grep -qx $'POST /tool HTTP/1.1\r' answer
    [ "$(said version) $(said protocol) $(said name)" = "TLSv1.3 http/1.1 localhost" ]
    [ "$(logged '[.method, .target, .status, .error, .call_id] | @tsv')" = "POST	/tool	200		1" ]
    stop_proxy
}

@test "an upstream that cannot be believed fails closed" {
    local cert
    for cert in expired wrong-host no-name self-signed untrusted incomplete; do
        echo "$cert"
        rm -f x.ndjson
        start_mirror "$cert"
        start_reverse
        run call
        echo "$output"
        [ "$status" -eq 35 ]
        [[ "$output" == *alert* ]]
        wait_logged '.error == "upstream_tls"'
        [ "$(logged '[.method, .status, .upstream_us] | @tsv')" = "		0" ]
        [ "$(grep -c secured mirror.log)" -eq 0 ] || [ "$(said version)" = TLSv1.3 ] # which asks us last
        # in plain HTTP there is an answer
        [ "$(fetch -o body -w '%{http_code}' "http://$at/tool")" = 502 ]
        [ "$(jq -r .error.word body)" = upstream_tls ]
        jq -r .error.reason body
        stop_proxy
        [ "$(logged .error | sort -u)" = upstream_tls ]
        rm -f x.ndjson
        start_reverse --upstream-insecure
        grep -q -- '--upstream-insecure: whoever answers as the upstream is believed' proxy.log
        call | grep -q 'GET /tool'
        stop_proxy
    done
}

@test "a chain that is whole, and certificates for addresses" {
    start_mirror chain
    start_proxy --upstream "https://127.0.0.1:$port" --ca-dir lab --upstream-ca ca.pem
    call | grep -q 'GET /tool'
    [ "$(said name)" = localhost ]
    fetch --cacert lab/ca.pem "https://$at/by-address" | grep -q /by-address
    [ "$(said name)" = None ]
    stop_proxy
}

@test "names beyond ASCII, as A-labels: asked for, checked and stood for" {
    start_mirror idn
    start_reverse
    local name=xn--bcher-kva.example unicode
    for unicode in bücher.example BÜCHER.example "$name"; do
        LC_ALL=C.UTF-8 fetch --cacert lab/ca.pem --resolve "$name:$proxy_port:127.0.0.1" \
            "https://$unicode:$proxy_port/tool" >answer
        grep -qxF "Host: $name:$proxy_port"$'\r' answer
        [ "$(said name)" = "$name" ]
    done
    handshake -servername "$name" -CAfile lab/ca.pem -verify_return_error -verify_hostname "$name" >sent
    openssl x509 -in sent -out leaf.pem
    [ "$(openssl x509 -in leaf.pem -noout -ext subjectAltName | tail -n 1)" = "    DNS:$name" ]
    openssl x509 -in leaf.pem -noout -subject -nameopt utf8 | grep -qx 'subject=CN=bücher'
    openssl verify -x509_strict -purpose sslserver -verify_hostname "$name" -CAfile lab/ca.pem leaf.pem
    # looks alike, is another
    run fetch --cacert lab/ca.pem --resolve "bucher.example:$proxy_port:127.0.0.1" "https://bucher.example:$proxy_port/"
    [ "$status" -eq 35 ]
    wait_logged '.error == "upstream_tls"'
    stop_proxy
}

@test "a CA that may stand for few: for these openssl verifies, for others there is no certificate" {
    "$BIN_DIR/mitm_proxy" ca init narrow --permit localhost --permit 127.0.0.0/8
    start_mirror good # for ::1, too, which is left out
    local host words
    while read -r host words; do
        start_proxy --upstream "https://$host:$port" --ca-dir narrow --upstream-ca ca.pem
        # shellcheck disable=SC2086 # they are words
        handshake $words -CAfile narrow/ca.pem -verify_return_error >sent
        openssl x509 -in sent -out leaf.pem
        openssl verify -x509_strict -purpose sslserver -CAfile narrow/ca.pem leaf.pem
        openssl x509 -in leaf.pem -noout -ext subjectAltName | tail -n 1 >>names
        stop_proxy
    done <<'END'
localhost -servername localhost -verify_hostname localhost
127.0.0.1 -noservername -verify_ip 127.0.0.1
END
    diff names - <<'END'
    DNS:localhost
    IP Address:127.0.0.1
END
    rm x.ndjson
    start_mirror wildcard
    start_reverse --ca-dir narrow
    run fetch --cacert narrow/ca.pem --resolve "a.example.test:$proxy_port:127.0.0.1" "https://a.example.test:$proxy_port/"
    [ "$status" -eq 35 ]
    wait_logged '.error == "client_tls"'
    stop_proxy
}

@test "a client that does not trust the CA gets nothing, and that is recorded" {
    start_mirror good
    start_reverse
    run fetch --cacert ca.pem "https://$at/"
    [ "$status" -eq 60 ]
    wait_logged '.error == "client_tls"'
    # one that ends within the handshake, and one that says nonsense in it
    printf '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00' >nonsense
    timeout 10 python3 - "$proxy_port" <<'END'
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
peer.sendall(open("nonsense", "rb").read())
data = peer.recv(100)
assert data[:1] == b"\x15", data  # an alert
while peer.recv(100):
    pass
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
peer.sendall(open("nonsense", "rb").read()[:8])
peer.shutdown(socket.SHUT_WR)
assert peer.recv(100) == b""
END
    stop_proxy
    [ "$(logged .error)" = "client_tls
client_tls
client_tls" ]
}

@test "the client's certificate is what the upstream has, signed by the lab" {
    start_mirror good
    start_reverse
    handshake -servername localhost -CAfile lab/ca.pem -verify_return_error -verify_hostname localhost >said
    grep -q 'Verification: OK' said
    openssl x509 -in said -noout -subject -ext subjectAltName >leaf
    grep -q 'CN = good' leaf
    grep -q 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1' leaf
    stop_proxy
}

@test "ALPN: only HTTP/1.1 is announced, and HTTP/2 answered by 505" {
    start_mirror good
    start_reverse
    handshake -servername localhost -alpn h2,http/1.1 | grep -q '^ALPN protocol: http/1.1'
    handshake -servername localhost | grep -q '^No ALPN negotiated'
    handshake -servername localhost -alpn h2 | grep -q 'alert no application protocol'
    wait_logged '.error == "client_tls"'
    run fetch --http2-prior-knowledge -o /dev/null "http://$at/"
    [ "$status" -ne 0 ]
    wait_logged '.error == "http_2"'
    printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' |
        timeout 20 openssl s_client -quiet -connect "$at" -servername localhost >answer 2>errors || true
    head -n 1 answer
    head -n 1 answer | grep -q '^HTTP/1.1 505 '
    stop_proxy
    [ "$(logged 'select(.status == 505) | .error')" = $'http_2\nhttp_2' ]
}

@test "a client that speaks no TLS where TLS is spoken, and the other way round" {
    start_mirror good
    start_reverse
    fetch "http://$at/plain" | grep -q 'GET /plain'
    [ "$(said version)" = TLSv1.3 ]
    stop_proxy
    start_mirror
    start_proxy --upstream "http://127.0.0.1:$port" --ca-dir lab
    call /secured | grep -q 'GET /secured'
    fetch "http://$at/plain" | grep -q 'GET /plain'
    stop_proxy
    rm x.ndjson
    # without a CA TLS passes as bytes, and to a plain upstream makes no sense there
    start_mirror good
    start_proxy --upstream "https://localhost:$port" --upstream-ca ca.pem
    fetch --cacert ca.pem --resolve "localhost:$proxy_port:127.0.0.1" "https://localhost:$proxy_port/x" | grep -q /x
    fetch "http://$at/plain" | grep -q 'GET /plain'
    stop_proxy
    [ "$(logged '[.method, .target, .error] | @tsv')" = "	localhost:$port	
GET	/plain	" ]
}

@test "--intercept: all, none, a glob" {
    start_mirror good
    local which name
    for which in none other 'other*'; do
        start_reverse --intercept "$which"
        fetch --cacert ca.pem --resolve "localhost:$proxy_port:127.0.0.1" "https://localhost:$proxy_port/x" | grep -q /x
        stop_proxy
    done
    for which in all LOCALHOST 'l?cal*'; do
        start_reverse --intercept "$which"
        call | grep -q /tool
        for name in localhost LocalHost; do
            handshake -servername "$name" -CAfile lab/ca.pem | grep -q 'Verification: OK'
        done
        stop_proxy
    done
}

@test "sessions are resumed on both legs" {
    start_mirror good
    start_reverse
    local version
    for version in -tls1_2 -tls1_3; do
        printf 'GET /tool HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >request
        timeout 20 openssl s_client -quiet -connect "$at" -servername localhost "$version" \
            -sess_out session <request >answer 2>errors
        grep -q 'GET /tool' answer
        timeout 20 openssl s_client -ign_eof -connect "$at" -servername localhost "$version" \
            -sess_in session <request >answer 2>errors
        grep -q '^Reused, TLSv1' answer
    done
    [ "$(said again)" = again ]
    stop_proxy
}

@test "mutual TLS: an upstream that wants a certificate does not take the proxy for its client" {
    local version
    start b.log "Listening on .* with TLS" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 --tls-cert good.pem \
        --tls-key key.pem --tls-client-ca ca.pem
    port=$(listening_on b.log)
    port=${port##*:}
    # without a proxy it works
    fetch --cacert ca.pem --cert client.pem --key key.pem --resolve "localhost:$port:127.0.0.1" \
        "https://localhost:$port/healthz" >answer
    for version in 1.2 1.3; do
        start_reverse
        for _ in 1 2 3 4 5; do
            run call /healthz --cert client.pem --key key.pem --tls-max "$version" -o body -w '%{http_code}'
            echo "$output"
            [ "$status" -eq 35 ] # the client, which trusts the proxy, has told it nothing
        done
        stop_proxy
        [ "$(logged '[.method, .error] | @tsv' | uniq -c)" = $'      5 \tupstream_tls' ]
        rm x.ndjson
    done
}

@test "an upstream that would like a certificate, and goes on without one" {
    start server.log "^ACCEPT" openssl s_server -accept 127.0.0.1:0 -cert good.pem -key key.pem -verify 1 -www
    port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server.log)
    start_reverse
    call / -o /dev/null
    fetch -o /dev/null "http://$at/"
    stop_proxy
    [ "$(logged '[.status, .error] | @tsv' | uniq -c)" = $'      2 200\t' ]
}

@test "what waits has an end" {
    start mirror.log "listening on" python3 "$BATS_TEST_DIRNAME/tls_server.py" good.pem key.pem silent
    port=$(listening_on mirror.log)
    port=${port##*:}
    start_reverse --connect-timeout 1
    run call /
    [ "$status" -eq 35 ]
    [ "$(logged .error)" = connect_timeout ]
    stop_proxy
    rm x.ndjson
    start_mirror good
    start_reverse --head-timeout 4 --idle-timeout 4
    # a handshake that is not gone on with, one that is and nothing then, and half a hello
    timeout 90 python3 - "$proxy_port" <<'END'
import socket, ssl, sys
def connect():
    return socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context(cafile="lab/ca.pem").wrap_bio(incoming, outgoing, server_hostname="localhost")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = outgoing.read()
for sent in hello, hello[:100]:
    peer = connect()
    peer.sendall(sent)
    while peer.recv(65536):
        pass
peer = ssl.create_default_context(cafile="lab/ca.pem").wrap_socket(connect(), server_hostname="localhost")
assert peer.recv(100) == b""
END
    stop_proxy
    [ "$(logged .error)" = $'request_timeout\nrequest_timeout' ]
}

@test "what is cut is not recorded as whole, and the client sees it cut" {
    start_mirror good
    start_reverse
    call /until-end | grep -q 'GET /until-end'
    run call /cut
    echo "$status $output"
    [ "$status" -ne 0 ]
    run call /half
    [ "$status" -eq 18 ]
    # in plain HTTP, too
    run fetch "http://$at/cut"
    [ "$status" -ne 0 ]
    stop_proxy
    [ "$(logged '[.target, .status, .error] | @tsv')" = "/until-end	200	
/cut	200	response_incomplete
/half	200	response_incomplete
/cut	200	response_incomplete" ]
    [ "$(logged .response_sha256 | grep -c null)" -eq 3 ]
}

@test "a tunnel that is cut is cut on the other side, too, and one that ends is ended" {
    start_mirror good
    start_reverse
    timeout 20 python3 - "$proxy_port" <<'END'
import socket, ssl, sys
context = ssl.create_default_context(cafile="lab/ca.pem")
for target, wanted in (("/upgrade", ""), ("/upgrade-cut", "EOF occurred")):
    plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
    peer = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
    peer.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                 "Upgrade: hello\r\n\r\n".encode())
    got, end = b"", ""
    try:
        while data := peer.recv(1000):
            got += data
    except OSError as error:
        end = str(error)
    print(target, end)
    assert got.endswith(b"\r\n\r\nhello"), got
    assert wanted in end and bool(wanted) == bool(end), end
END
    stop_proxy
}

@test "the key log opens the wire capture of both legs" {
    [ "$(id -u)" -eq 0 ] || skip "recording takes root"
    command -v tshark >/dev/null || skip "tshark is not installed"
    start_mirror good
    start_reverse --keylog keys.log --pcap wire.pcap --pcap-interface lo
    call /tool -d '{"id":"on both legs"}' >answer
    [ "$(stat -c %a keys.log)" = 600 ]
    stop_proxy
    [ "$(grep -cvE '^[A-Z0-9_]+ [0-9a-f]{64} [0-9a-f]+$' keys.log)" -eq 0 ]
    [ "$(grep -c CLIENT_TRAFFIC_SECRET_0 keys.log)" -eq 2 ]
    [ "$(tshark -r wire.pcap -Y http 2>/dev/null | wc -l)" -eq 0 ]
    tshark -r wire.pcap -o "tls.keylog_file:$PWD/keys.log" -d "tcp.port==$port,tls" -d "tcp.port==$proxy_port,tls" \
        -Y 'http.request or http.response' -T fields -e tcp.dstport -e http.request.uri -e http.response.code 2>errors |
        sort >seen
    cat seen
    [ "$(grep -c $'\t/tool\t' seen)" -eq 2 ]
    grep -q "^$proxy_port	/tool" seen
    grep -q "^$port	/tool" seen
    [ "$(grep -c '200$' seen)" -eq 2 ]
}

@test "SIGHUP: a key log that was moved is begun anew, for nobody else to read" {
    [ "$(id -u)" -ne 0 ] || chown 65534:65534 . # whom the proxy becomes
    start_mirror good
    start_reverse --keylog keys.log
    call /tool -d '{}' >answer
    mv keys.log keys.old
    kill -HUP "$proxy"
    wait_for_line proxy.log "files reopened" "$proxy"
    call /tool -d '{}' >answer
    grep -q SECRET keys.old
    grep -q SECRET keys.log
    [ "$(stat -c %a keys.log)" = 600 ]
}

@test "the payload capture has plaintext, of both legs" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    start_mirror good
    start_reverse --pcap plain.pcap --pcap-source payload
    call /tool -d '{"id":"in the clear"}' >answer
    stop_proxy
    tshark -r plain.pcap -d "tcp.port==$port,http" -d "tcp.port==$proxy_port,http" -Y http.request -T fields \
        -e tcp.dstport -e http.request.uri 2>errors | sort >seen
    cat seen
    [ "$(cat seen)" = "$(printf '%s\t/tool\n' "$port" "$proxy_port" | sort)" ]
    [ "$(grep -ac 'in the clear' plain.pcap)" -ge 2 ]
    # and nothing of TLS
    tshark -r plain.pcap -d "tcp.port==$port,http" -d "tcp.port==$proxy_port,http" -Y 'tcp.len > 0' -T fields \
        -e tcp.payload 2>errors | cut -c1-8 | sort >begins
    [ "$(uniq begins)" = $'48545450\n504f5354' ] # HTTP, POST
}

@test "TLS that is too old is refused, and a CA that is not there" {
    start_mirror good
    start_reverse
    handshake -servername localhost -tls1_1 -cipher ALL:@SECLEVEL=0 | grep -q 'alert protocol version'
    stop_proxy
    run "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --upstream http://127.0.0.1:1 --ca-dir none
    [ "$status" -eq 2 ] || [ "$status" -eq 1 ]
    [[ "$output" == "mitm_proxy: --ca-dir none: "* ]]
    run "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --upstream https://127.0.0.1:1 --upstream-ca none
    [ "$status" -ne 0 ]
    [[ "$output" == *none* ]]
}

@test "many handshakes on both legs, new and resumed, cost no memory; certificates stay within their cap" {
    # what AddressSanitizer keeps would be counted: freed memory, and who had it
    ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=0:detect_leaks=1 timeout 300 "$BATS_TEST_DIRNAME/../bench/handshakes" \
        --bin "$BIN_DIR" --count 400 --resumed 200 --nginx-count 0
}

@test "random TLS, and what is nearly that, comes to an end" {
    start_mirror good
    start_reverse --head-timeout 5 --idle-timeout 5 --quiet
    timeout 300 python3 "$BATS_TEST_DIRNAME/tls_random.py" "$proxy_port" "localhost:$port" lab/ca.pem
    stop_proxy
    start_proxy --mode forward --allow "localhost:$port" --ca-dir lab --upstream-ca ca.pem --head-timeout 5 \
        --idle-timeout 5 --quiet --pcap p.pcap --pcap-source payload
    timeout 300 python3 "$BATS_TEST_DIRNAME/tls_random.py" "$proxy_port" "localhost:$port" lab/ca.pem --connect
    stop_proxy
    logged '.error' | sort | uniq -c
}
