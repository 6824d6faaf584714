#!/usr/bin/env bats
# Clients that people use, through each way into the proxy, by IPv4 and IPv6: the server gets the bytes
# that it gets without a proxy, the clients see the answers that they see without, and capdiff finds the
# same. The calls are in tests/data/clients/calls.json.
#
# Without a proxy: what is for the router's port 8080 is led to the server by the kernel. Where clients
# take it for a forward proxy, the server answers as one.

# Each @test is a subshell, and what it sets is for itself alone; clients.bash sets $port and others.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load clients

calls="$BATS_TEST_DIRNAME/../data/clients/calls.json"

# without_proxy HOW SCHEME: what there is to be compared with; once for all tests.
without_proxy() {
    local kept="$BATS_FILE_TMPDIR/$1-$2"
    if [ -d "$kept" ]; then
        cp -r "$kept"/* .
        return
    fi
    mkdir expected
    trusted=ca.pem
    originate
    case $1 in
    reverse) lead_past "$port" ;;
    forward) lead_past 8000 ;;
    esac
    "call_$1" expected "$2"
    [ "$1" = directly ] || stop_leading
    stop "$origin" || true
    mv origin.ndjson expected.ndjson
    mkdir "$kept.$$"
    cp -r expected expected.ndjson "$kept.$$"
    mv -T "$kept.$$" "$kept" || true # another was as quick
}

# compare HOW SCHEME CA RECORDING PROXY …: the calls, without the PROXY and through it.
compare() {
    local how=$1 scheme=$2 ca=$3 options=()
    shift 3
    need_clients "$how"
    port=8000
    [ "$scheme" = http ] || port=8443
    without_proxy "$how" "$scheme"
    record_proxy "$@"
    mkdir seen
    trusted=$ca
    "call_$how" seen "$scheme"
    stop_recording
    diff -r expected seen
    [ "$how" != forward ] || options=(--through-proxy)
    python3 "$BATS_TEST_DIRNAME/origin_requests.py" "${options[@]}" expected.ndjson >expected.txt
    python3 "$BATS_TEST_DIRNAME/origin_requests.py" origin.ndjson >seen.txt
    diff expected.txt seen.txt
    [ "$(grep -c '^[A-Z]* [^ ]* HTTP/1.1' seen.txt)" -eq "$(($(jq length "$calls") * 2 * $(clients | wc -l)))" ]
    [ "$(jq -s 'map(.nth) | max' origin.ndjson)" -eq "$(jq 'map(.path == "until-end") | index(true) + 1' "$calls")" ]
}

@test "reverse, plain" {
    compare reverse http ca.pem wire on_router --upstream "http://[fd77:2::2]:8000"
    same server.pcap --client agent.pcap
}

@test "reverse, TLS" {
    compare reverse https lab/ca.pem payload on_router --upstream "https://10.77.2.2:8443" \
        --upstream-ca ca.pem --ca-dir lab
    same origin.pcap
}

@test "forward, plain" {
    compare forward http ca.pem wire on_router --mode forward --allow '*:8000'
    same server.pcap --client agent.pcap
}

@test "forward, TLS that is taken apart" {
    compare forward https lab/ca.pem payload on_router --mode forward --allow '*:8443' \
        --upstream-ca ca.pem --ca-dir lab
    same origin.pcap
}

@test "forward, TLS that passes" {
    compare forward https ca.pem wire on_router --mode forward --allow '*:8443'
    same server.pcap --client agent.pcap
    # the log has to tell of each CONNECT
    grep -v '"method":"CONNECT"' x.ndjson >silent.ndjson
    run "$BIN_DIR/capdiff" --exchange-log silent.ndjson proxy.pcap server.pcap
    [ "$status" -eq 1 ]
    [[ "$output" == *"on the wire, and not in the exchange log"* ]]
}

@test "forward, TLS that fails at either end: the log and the payload capture agree" {
    need_clients forward
    start mirror.log "listening on" ip netns exec "$server" python3 "$BATS_TEST_DIRNAME/mirror_server.py" \
        --host 10.77.2.2 self-signed.pem key.pem
    local stranger
    stranger=$(listening_on mirror.log)
    port=8443 trusted=lab/ca.pem
    record_proxy payload on_router --mode forward --allow '*' --upstream-ca ca.pem --ca-dir lab
    mkdir seen
    call_forward seen https
    run through 10.77.1.1:8080 within "$agent" curl -sS -m 15 --cacert lab/ca.pem "https://$stranger/"
    [ "$status" -eq 35 ]
    run through 10.77.1.1:8080 within "$agent" curl -sS -m 15 --cacert ca.pem "https://10.77.2.2:$port/tool"
    [ "$status" -eq 60 ]
    wait_logged '.error == "client_tls"'
    stop_recording
    [ "$(logged 'select(.error) | [.method, .error] | @tsv')" = $'\tupstream_tls\n\tclient_tls' ]
    same origin.pcap
}

@test "transparent by REDIRECT, plain" {
    compare directly http ca.pem wire divert
    same server.pcap --client agent.pcap
}

@test "transparent by REDIRECT, TLS" {
    compare directly https lab/ca.pem payload divert --ca-dir lab
    same origin.pcap
}

@test "transparent by REDIRECT, TLS that passes" {
    compare directly https ca.pem wire divert
    same server.pcap --client agent.pcap
}

@test "transparent by TPROXY, plain" {
    compare directly http ca.pem wire divert_all
    same server.pcap --client agent.pcap
}

@test "transparent by TPROXY, TLS" {
    compare directly https lab/ca.pem payload divert_all --ca-dir lab
    same origin.pcap
}

@test "transparent by TPROXY, TLS that passes" {
    compare directly https ca.pem wire divert_all
    same server.pcap --client agent.pcap
}
