#!/usr/bin/env bats
# Rules by each way into the proxy: what they do to the calls of clients that people use is what they do
# anywhere, the log tells of it, and capdiff takes its word for that and nothing else. The calls, and what
# becomes of them, are in tests/data/clients/tampered.json.

# Each @test is a subshell, and what it sets is for itself alone; clients.bash sets $port and others.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load clients

calls="$BATS_TEST_DIRNAME/../data/clients/tampered.json"

tampered() {
    python3 "$BATS_TEST_DIRNAME/clients_tampered.py" "$@"
}

# tamper HOW SCHEME RECORDING PROXY …: the calls through the PROXY.
tamper() {
    local how=$1 scheme=$2 recording=$3 at_server=server.pcap
    shift 3
    need_clients "$how"
    port=8000 trusted=ca.pem
    [ "$scheme" = http ] || port=8443 trusted=lab/ca.pem at_server=origin.pcap
    tampered rules "$calls" >rules.json
    record_proxy "$recording" "$@" --rules rules.json
    mkdir seen
    "call_$how" seen "$scheme"
    stop_recording
    tampered check "$calls" origin.ndjson x.ndjson seen
    same "$at_server"
    tampered hide x.ndjson >hidden.ndjson
    run "$BIN_DIR/capdiff" --format json --output report.json --exchange-log hidden.ndjson proxy.pcap "$at_server"
    [ "$status" -eq 1 ]
    tampered found "$calls" x.ndjson report.json
}

@test "reverse, plain" {
    tamper reverse http wire on_router --upstream http://10.77.2.2:8000
}

@test "reverse, TLS" {
    tamper reverse https payload on_router --upstream "https://[fd77:2::2]:8443" --upstream-ca ca.pem --ca-dir lab
}

@test "forward, plain: an absolute target, or CONNECT" {
    tamper forward http wire on_router --mode forward --allow '*:8000'
}

@test "forward, TLS" {
    tamper forward https payload on_router --mode forward --allow '*:8443' --upstream-ca ca.pem --ca-dir lab
}

@test "transparent by REDIRECT, plain" {
    tamper directly http wire divert
}

@test "transparent by REDIRECT, TLS" {
    tamper directly https payload divert --ca-dir lab
}

@test "transparent by TPROXY, plain" {
    tamper directly http wire divert_all
}

@test "transparent by TPROXY, TLS" {
    tamper directly https payload divert_all --ca-dir lab
}
