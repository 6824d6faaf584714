#!/usr/bin/env bats
# --mode forward with clients that people use. The bytes of it: tests/data/proxy/forward.txt.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $at and $port.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load tls_lab

# start_forward [OPTION …]: the environment leads clients through it.
start_forward() {
    start_proxy --mode forward --allow "localhost:$port" --allow "127.0.0.1:$port" \
        --upstream-ca ca.pem "$@"
    export http_proxy="http://$at" HTTP_PROXY="http://$at" HTTPS_PROXY="http://$at"
}

# python_post URL [CA]: what Python requests gets for a call.
python_post() {
    REQUESTS_CA_BUNDLE=${2:-} timeout 20 python3 - "$1" <<'END'
import sys
import requests
answer = requests.post(sys.argv[1], data='{"id":9007199254740993}', timeout=10)
print(answer.status_code)
print(answer.text)
END
}

# node_post URL [CA]
node_post() {
    NODE_EXTRA_CA_CERTS=${2:-} timeout 20 node "$BATS_TEST_DIRNAME/proxy_agent.js" "$1" \
        '{"id":9007199254740993}'
}

# curl_post URL [CA]
curl_post() {
    fetch --cacert "${2:-ca.pem}" -d '{"id":9007199254740993}' -H 'proXy-Note: x' -w '\n%{http_code}' "$1"
}

# mirrored OUTPUT: the call came as it should.
mirrored() {
    echo "$1"
    [[ "$1" == *200* ]]
    grep -qx $'POST /tool?x=1 HTTP/1.1\r' <<<"$1"
    grep -qix "host: localhost:$port"$'\r' <<<"$1"
    grep -q '{"id":9007199254740993}' <<<"$1"
}

each_client() {
    echo curl_post
    python3 -c 'import requests' 2>/dev/null && echo python_post
    command -v node >/dev/null && echo node_post
}

@test "http: curl, Python and Node" {
    start_mirror
    start_forward
    local client clients=0
    for client in $(each_client); do
        "$client" "http://localhost:$port/tool?x=1" >answer
        mirrored "$(cat answer)"
        [ "$(grep -ci '^proxy-' answer)" -eq 0 ]
        clients=$((clients + 1))
    done
    [ "$(logged '[.method, .target, .status, .error] | @tsv' | sort | uniq -c)" = \
        "$(printf '%7d POST\thttp://localhost:%s/tool?x=1\t200\t' "$clients" "$port")" ]
    [ "$(grep -c '"call_id":9007199254740993,' x.ndjson)" -eq "$clients" ]
    [ "$(logged '.changes[] | select(.target) | .target.new' | sort -u)" = "/tool?x=1" ]
    stop_proxy
}

@test "each call of a connection has the address that it went to" {
    start_mirror
    start_forward
    fetch "http://localhost:$port/1" "http://localhost:$port/2" >/dev/null
    [ "$(logged '[.target, .upstream] | @tsv' | sed 's|.*/||')" = $'1\t127.0.0.1:'"$port"$'\n2\t127.0.0.1:'"$port" ]
    [ "$(logged .connection | sort -u | wc -l)" -eq 1 ]
    stop_proxy
}

@test "https, intercepted: curl, Python and Node" {
    start_mirror good
    start_forward --ca-dir lab
    local client
    for client in $(each_client); do
        mirrored "$("$client" "https://localhost:$port/tool?x=1" lab/ca.pem)"
    done
    [ "$(logged '[.method, .target, .status, .error] | @tsv' | sort -u)" = \
        "CONNECT	localhost:$port	200	
POST	/tool?x=1	200	" ]
    [ "$(grep -c '"method":"POST".*"call_id":9007199254740993,' x.ndjson)" -eq "$(each_client | wc -l)" ]
    [ "$(logged .changes | sort -u)" = "[]" ]
    # agents that trust the origin's own authority alone are not taken in
    run curl_post "https://localhost:$port/tool" ca.pem
    [ "$status" -eq 60 ]
    wait_logged '.error == "client_tls"'
    stop_proxy
}

@test "https, not intercepted: with --intercept none, and without a CA" {
    local client options
    for options in "--ca-dir lab --intercept none" ""; do
        rm -f x.ndjson
        start_mirror good
        # shellcheck disable=SC2086 # they are words
        start_forward $options
        for client in $(each_client); do
            mirrored "$("$client" "https://localhost:$port/tool?x=1" ca.pem)"
        done
        run fetch --http2 --cacert ca.pem "https://localhost:$port/" # which the mirror agrees to only
        [ "$(grep -c ' h2 ' mirror.log)" -eq 1 ]
        stop_proxy
        [ "$(logged '[.method, .target, .error] | @tsv' | sort -u)" = "	localhost:$port	
CONNECT	localhost:$port	" ]
        [ "$(logged 'select(.method == null) | .request_bytes > 500 and .response_bytes > 1000' | sort -u)" = true ]
    done
}

@test "https: --intercept GLOB goes by the name that is asked for" {
    start_mirror good
    start_forward --ca-dir lab --intercept 'LOCAL*'
    mirrored "$(curl_post "https://localhost:$port/tool?x=1" lab/ca.pem)"
    fetch --cacert ca.pem "https://127.0.0.1:$port/unread" | grep -q /unread
    stop_proxy
    [ "$(logged 'select(.method != "CONNECT") | [.method, .target] | @tsv')" = "POST	/tool?x=1
	127.0.0.1:$port" ]
}

@test "what comes right behind a CONNECT is seen once" {
    start_mirror
    start_forward --pcap p.pcap --pcap-source payload
    timeout 20 python3 - "$proxy_port" "$port" <<'END'
import socket, sys
proxy, port = map(int, sys.argv[1:])
call = b"GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
peer = socket.create_connection(("127.0.0.1", proxy), 10)
peer.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (port, port) + call)
got = b""
while data := peer.recv(65536):
    got += data
assert got.startswith(b"HTTP/1.1 200 Connection established") and got.endswith(call), got
END
    stop_proxy
    # the call itself and its answer, which is the call, on both legs
    [ "$(grep -ao 'GET /behind' p.pcap | wc -l)" -eq 4 ]
}

@test "an https URL without CONNECT" {
    start_mirror good
    start_forward
    printf 'POST https://localhost:%s/tool?x=1 HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\nContent-Length: 23\r\n\r\n{"id":9007199254740993}' \
        "$port" "$port" | timeout 10 python3 -c '
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
peer.sendall(sys.stdin.buffer.read())
while data := peer.recv(65536):
    sys.stdout.buffer.write(data)' "$proxy_port" >answer
    mirrored "$(cat answer)"
    [ "$(cut -d' ' -f1-5 mirror.log | tail -n 1)" = "secured TLSv1.3 http/1.1 localhost new" ]
    stop_proxy
}

@test "intercepted bytes arrive as they were sent" {
    start_mirror good
    start_forward --ca-dir lab
    printf 'pOST /a%%20b?c HTTP/1.1\r\nhOSt:\tlocalhost \r\nX-Odd:   b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n' >sent
    sed -i 's/^pOST/POST/' sent
    timeout 20 openssl s_client -quiet -proxy "$at" -connect "localhost:$port" -servername localhost -CAfile lab/ca.pem \
        -verify_return_error <sent >answer 2>errors
    sed '1,/^\r$/d' answer | cmp - sent
    stop_proxy
}

@test "where it may not go: 403, also for CONNECT" {
    start_mirror
    start_forward --ca-dir lab
    [ "$(fetch -o body -w '%{http_code}' "http://localhost:1/")" = 403 ]
    [ "$(jq -r .error.word body)" = not_allowed ]
    run fetch "https://localhost:1/"
    [ "$status" -ne 0 ]
    [[ "$output" == *403* ]]
    [ "$(logged .error | sort -u)" = not_allowed ]
    stop_proxy
}

@test "an upstream that cannot be believed" {
    local cert
    for cert in expired wrong-host no-name self-signed untrusted incomplete; do
        echo "$cert"
        unset "${!http_@}" HTTP_PROXY HTTPS_PROXY
        rm -f x.ndjson
        start_mirror "$cert"
        start_forward --ca-dir lab
        run fetch --cacert lab/ca.pem "https://localhost:$port/"
        [ "$status" -eq 35 ]
        wait_logged '.error == "upstream_tls"'
        [ "$(logged .error)" = "null
upstream_tls" ]
        stop_proxy
    done
}

@test "names beyond ASCII: curl asks for their A-labels, and so does the proxy" {
    [ "$(id -u)" -eq 0 ] || skip "a hosts file of its own takes root"
    start_mirror idn
    echo "127.0.0.1 xn--bcher-kva.example localhost" >hosts
    start proxy.log "listening on" unshare --mount sh -c 'mount --bind hosts /etc/hosts && exec "$@"' - \
        "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --exchange-log x.ndjson --mode forward \
        --allow 'xn--*.example' --upstream-ca ca.pem --ca-dir lab
    proxy=$started
    at=$(listening_on proxy.log | tr -d ,)
    LC_ALL=C.UTF-8 HTTPS_PROXY="http://$at" fetch --cacert lab/ca.pem "https://bücher.example:$port/tool" >answer
    grep -qxF "Host: xn--bcher-kva.example:$port"$'\r' answer
    LC_ALL=C.UTF-8 HTTPS_PROXY="http://$at" run fetch --cacert lab/ca.pem "https://bucher.example:$port/tool"
    [[ "$output" == *403* ]]
    stop_proxy
    [ "$(logged '[.method, .target, .status, .error] | @tsv')" = "CONNECT	xn--bcher-kva.example:$port	200	
GET	/tool	200	
CONNECT	bucher.example:$port	403	not_allowed" ]
    start_mirror
    start proxy.log "listening on" unshare --mount sh -c 'mount --bind hosts /etc/hosts && exec "$@"' - \
        "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --mode forward --allow 'xn--*.example'
    LC_ALL=C.UTF-8 http_proxy="http://$(listening_on proxy.log | tr -d ,)" \
        fetch "http://bücher.example:$port/tool" | grep -qxF "Host: xn--bcher-kva.example:$port"$'\r'
}

@test "what a forward proxy wants to know" {
    run "$BIN_DIR/mitm_proxy" --mode forward
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy: --mode forward wants to know where calls may go, as in --allow agent-b:8000" ]
}

@test "what a forward proxy changes is declared: capdiff finds the same" {
    [ "$(id -u)" -eq 0 ] || skip "recording takes root"
    command -v tcpdump >/dev/null || skip "tcpdump is not installed"
    local source
    start_mirror
    for source in payload wire; do
        rm -f x.ndjson proxy.pcap server.pcap
        start recorder.log "listening on" tcpdump -i lo --immediate-mode -s 4096 -U -Z root -w server.pcap "tcp port $port"
        local recorder=$started
        start_forward --pcap proxy.pcap --pcap-source "$source" --pcap-interface lo
        for _ in 1 2 3; do
            curl_post "http://localhost:$port/tool?x=1"
        done
        stop_proxy
        until [ "$(tcpdump -r server.pcap 'tcp[tcpflags] & tcp-fin != 0' 2>/dev/null | wc -l)" -ge 6 ]; do
            [ "$SECONDS" -lt 60 ]
        done
        stop "$recorder"
        "$BIN_DIR/capdiff" --exchange-log x.ndjson proxy.pcap server.pcap >said
        grep -q "an option: request target: http://localhost:$port/tool?x=1 became /tool?x=1" said
    done
    # what is declared has to be what was done
    sed 's|"new":"/tool?x=1"|"new":"/other"|' x.ndjson >wrong.ndjson
    run "$BIN_DIR/capdiff" --exchange-log wrong.ndjson proxy.pcap server.pcap
    [ "$status" -eq 1 ]
    [[ "$output" == *"request target, declared as changed, and the wire does not bear it out"* ]]
    [[ "$output" == *"request start line, its target"* ]]
}

@test "rules see what is inside, by whichever way it came" {
    cat >rules.json <<'END'
{"rules": [
  {"name": "patch", "on": "request", "match": {"path": "/tool", "json": {"/id": "old"}},
   "do": [{"json_patch": [{"op": "replace", "path": "/id", "value": "new"}]}]},
  {"name": "again", "on": "request", "match": {"path": "/again"}, "do": [{"replay": {"times": 1}}]},
  {"name": "own", "on": "request", "match": {"path": "/own"},
   "do": [{"respond": {"status": 418, "body": {"text": "own"}}}]}
]}
END
    "$BIN_DIR/mitm_proxy" --check-rules rules.json
    start_mirror good
    local secured=$port
    start_mirror
    start_forward --ca-dir lab --rules rules.json --allow "localhost:$secured"
    local url
    for url in "http://localhost:$port" "https://localhost:$secured"; do
        fetch --cacert lab/ca.pem -d '{"id":"old"}' "$url/tool" | grep -q '{"id":"new"}'
        fetch --cacert lab/ca.pem -d '{"id":"old"}' "$url/again" | grep -q '{"id":"old"}'
        [ "$(fetch --cacert lab/ca.pem -d '{}' "$url/own")" = own ]
    done
    wait_logged '.client == null and .status == 200 and .upstream == "127.0.0.1:'"$secured"'"'
    wait_logged '.client == null and .status == 200 and .upstream == "127.0.0.1:'"$port"'"'
    stop_proxy
    [ "$(logged 'select(.error)')" = "" ]
    [ "$(logged '.rules[]' | sort | uniq -c | awk '{ print $2 $1 }')" = $'again4\nown2\npatch2' ]
}
