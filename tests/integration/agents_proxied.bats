#!/usr/bin/env bats
# agent_a through a forward proxy: that of --proxy, or of the environment.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $at and $port.
# shellcheck disable=SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0
load tls_lab

secret=$(printf '%064d' 7)

# start_b [OPTION …]
start_b() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 "$@"
    port=$(listening_on b.log)
    port=${port##*:}
}

start_forward() { start_proxy --mode forward --allow "127.0.0.1:$port" --upstream-ca ca.pem "$@"; }

agent_a() { timeout 20 "$BIN_DIR/agent_a" "$@"; }

# outcome_of WORD [OPTION …]: the call fails with it.
outcome_of() {
    local word=$1
    shift
    rm -f results.ndjson
    run -1 agent_a --results results.ndjson --timeout 10 "$@"
    echo "$output"
    jq -e --arg word "$word" 'any(..; . == $word)' results.ndjson
}

@test "http: calls and /healthz in absolute-form, with and without every defence" {
    local defence
    export AGENT_SECRET=$secret
    for defence in none all; do
        rm -f x.ndjson
        start_b --defence "$defence"
        start_forward
        agent_a --url "http://127.0.0.1:$port/tool?x=1" --proxy "http://$at" --wait 10 --count 3 \
            --defence "$defence"
        stop_proxy
        [ "$(logged '[.method, .target, .status, .error, .changes[].target.new] | @tsv' | sort | uniq -c)" = \
            "      1 GET	http://127.0.0.1:$port/healthz	200		/healthz
      3 POST	http://127.0.0.1:$port/tool?x=1	200		/tool?x=1" ]
    done
}

@test "https: through a tunnel, which is taken apart or not" {
    start_b --tls-cert good.pem --tls-key key.pem
    local intercept ca
    for intercept in none all; do
        rm -f x.ndjson
        start_forward --ca-dir lab --intercept "$intercept"
        [ "$intercept" = none ] && ca=ca.pem || ca=lab/ca.pem
        agent_a --url "https://127.0.0.1:$port/tool" --proxy "$at" --wait 10 --count 20 --concurrency 3 \
            --ca "$ca"
        stop_proxy
        [ "$(logged 'select(.method == "CONNECT") | [.target, .status, .error] | @tsv' | sort -u)" = \
            "127.0.0.1:$port	200	" ]
        [ "$(logged 'select(.method == "POST") | .target' | sort | uniq -c)" = \
            "$([ "$intercept" = none ] || echo '     20 /tool')" ]
    done
    start_forward --ca-dir lab
    outcome_of tls_untrusted --url "https://127.0.0.1:$port/tool" --proxy "$at" --ca ca.pem
    [ "$(grep -c Received b.log)" -eq 40 ]
}

# answering TEXT: a proxy that says nothing else; its port is in $port.
answering() {
    start stub.log "listening on" python3 -c '
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
while True:
    peer, _ = server.accept()
    peer.recv(65536)
    for byte in sys.argv[1].encode().decode("unicode_escape").encode():
        peer.sendall(bytes([byte]))
    peer.close()' "$1"
    port=$(listening_on stub.log)
    port=${port##*:}
}

@test "a proxy that refuses, breaks off, talks nonsense or is not there" {
    start_b
    start_proxy --mode forward --allow 127.0.0.1:1
    outcome_of connect_failed --url "https://127.0.0.1:$port/tool" --proxy "$at"
    [[ $output == *"the proxy 127.0.0.1 port $proxy_port answered CONNECT with 403"* ]]
    outcome_of status --url "http://127.0.0.1:$port/tool" --proxy "$at"
    [[ $output == *"Status: 403"* ]]
    stop_proxy
    outcome_of connect_failed --url "https://127.0.0.1:$port/tool" --proxy "$at"
    [[ $output == *"cannot connect to the proxy 127.0.0.1 port $proxy_port: connection refused"* ]]
    answering 'HTTP/1.1 200'
    outcome_of connection_closed --url https://agent-b/tool --proxy "127.0.0.1:$port"
    [[ $output == *"before the call was sent"* ]]
    answering 'SSH-2.0-x\r\n'
    outcome_of connect_failed --url https://agent-b/tool --proxy "127.0.0.1:$port"
    [[ $output == *"did not open a tunnel"* ]]
    answering 'HTTP/1.1 200 OK\r\n\r\n'
    outcome_of tls_failed --url https://agent-b/tool --proxy "127.0.0.1:$port" --ca ca.pem
}

# asked [OPTION …]: the first line that the proxy at $port got from agent_a, or nothing.
asked() {
    agent_a --timeout 5 "$@" >a.log 2>&1 || true
    sed -n 's/^.*Response JSON: \(.* HTTP\/1.1\) .*/\1/p' a.log
}

@test "the environment's proxies, and for whom they are not" {
    start_mirror # it answers with what it got
    local proxy=http://127.0.0.1:$port url=http://agent-b.test:8000/tool
    local line="POST $url HTTP/1.1"
    [ "$(HTTP_PROXY=$proxy asked --url "$url")" = "$line" ]
    [ "$(http_proxy=127.0.0.1:$port HTTP_PROXY=http://127.0.0.1:1 asked --url "$url")" = "$line" ]
    [ "$(http_proxy='' HTTP_PROXY=$proxy no_proxy=other,b.tes asked --url "$url")" = "$line" ]
    [ "$(HTTP_PROXY=$proxy NO_PROXY='*' AGENT_A_PROXY=$proxy asked --url "$url")" = "$line" ]
    local excepted
    for excepted in '*' agent-b.test 'x, .TEST' test; do
        [ -z "$(HTTP_PROXY=$proxy NO_PROXY=$excepted asked --url "$url")" ]
        grep -q "cannot connect to agent-b.test port 8000" a.log
    done
    [ -z "$(HTTPS_PROXY=$proxy asked --url "$url")" ]
    HTTPS_PROXY=http://127.0.0.1:1 asked --url https://agent-b.test/tool
    grep -q "cannot connect to the proxy 127.0.0.1 port 1" a.log
    [ "$(HTTP_PROXY=http://127.0.0.1:1 asked --url "$proxy/tool")" = "POST /tool HTTP/1.1" ]
}

@test "a proxy that cannot be used is named in one line" {
    run -2 agent_a --url http://agent-b/tool --proxy socks5://127.0.0.1:1080
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"cannot use the proxy 'socks5://127.0.0.1:1080' of --proxy"* ]]
    HTTP_PROXY=https://127.0.0.1:1 run -2 agent_a --url http://agent-b/tool
    [[ $output == *"of HTTP_PROXY: TLS to a proxy is not supported"* ]]
    run -2 agent_a --url "http://agent-b/$(printf '%02035d' 0)" --proxy 127.0.0.1:1
    [ "${#lines[@]}" -eq 1 ]
}
