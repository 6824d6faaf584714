#!/usr/bin/env bats
# capdiff on what a transparent proxy recorded: both legs go to the server's address, and by TPROXY they have
# the very same ends.

# namespaces.bash and helper.bash set $port, $started and others.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load namespaces

# Of start_server and record_calls.
scheme=http serving=() trusting=()

# start_server: agent_b and a recorder beside it.
start_server() {
    start b.log "Listening on" ip netns exec "$server" "$BIN_DIR/agent_b" --listen '[::]:0' "${serving[@]}"
    port=$(listening_on b.log)
    port=${port##*:}
    start recorder.log "recording" ip netns exec "$server" "$record" server.pcap "$port"
    recorder=$started
}

# record_calls DIVERT [OPTION …]: calls of agent_a by both versions of IP, over several connections.
record_calls() {
    local host
    rm -f ./*.pcap x.ndjson
    start_server
    "$@"
    for host in 10.77.2.2 '[fd77:2::2]'; do
        within "$agent" "$BIN_DIR/agent_a" --url "$scheme://$host:$port/tool" "${trusting[@]}" \
            --count 6 --concurrency 3 >a.log 2>&1 ||
            grep -q "the status is 403" a.log
    done
    stop_proxy
    stop "$recorder"
    within "$router" nft delete table inet divert
}

# verdict STATUS PHRASE [OPTION …]
verdict() {
    local expected=$1 phrase=$2
    shift 2
    run "$BIN_DIR/capdiff" "$@" proxy.pcap server.pcap
    echo "$output"
    [ "$status" -eq "$expected" ]
    [[ "$output" == *"$phrase"* ]]
}

# both STATUS PHRASE: with the exchange log and without.
both() {
    verdict "$@" --exchange-log x.ndjson
    verdict "$@"
}

# deeper: a rule that changes a number in every request of a call.
deeper() {
    cat >rules.json <<'END'
{"rules": [{"name": "deeper", "on": "request", "match": {"tool": "analyze_dependency"},
            "do": [{"json_patch": [{"op": "replace", "path": "/arguments/depth", "value": 9}]}]}]}
END
}

same="same: 12 exchanges, byte for byte, in all 3 views"

@test "REDIRECT, wire: the same" {
    record_calls divert --pcap proxy.pcap
    both 0 "$same"
}

@test "REDIRECT, payload: the same" {
    record_calls divert --pcap proxy.pcap --pcap-source payload
    both 0 "$same"
}

@test "TPROXY, wire: the same" {
    record_calls divert_all --pcap proxy.pcap
    both 0 "$same"
}

@test "TPROXY, payload: the same" {
    record_calls divert_all --pcap proxy.pcap --pcap-source payload
    both 0 "$same"
}

@test "what a rule changed is found in the proxy, or declared by the log" {
    deeper
    local how source
    for how in divert divert_all; do
        for source in wire payload; do
            record_calls "$how" --pcap proxy.pcap --pcap-source "$source" --rules rules.json
            verdict 1 "12 in the proxy"
            [[ "$output" == *"@@ request body, byte "*": /arguments/depth @@"* ]]
            verdict 0 "12 differences declared by the exchange log" --exchange-log x.ndjson
        done
    done
}

@test "what a rule changed and the log conceals is found in the proxy" {
    deeper
    local how source
    for how in divert divert_all; do
        for source in wire payload; do
            record_calls "$how" --pcap proxy.pcap --pcap-source "$source" --rules rules.json --conceal deeper
            verdict 1 "12 in the proxy" --exchange-log x.ndjson
            [[ "$output" == *"@@ request body, byte "*": /arguments/depth @@"* ]]
        done
    done
}

@test "a call that the proxy answered itself" {
    cat >rules.json <<'END'
{"rules": [{"name": "no", "on": "request", "match": {"tool": "analyze_dependency"},
            "do": [{"respond": {"status": 403, "body": {"text": "no"}}}]}]}
END
    local how source
    for how in divert divert_all; do
        for source in wire payload; do
            record_calls "$how" --pcap proxy.pcap --pcap-source "$source" --rules rules.json
            verdict 0 "which the proxy answered or ended itself" --exchange-log x.ndjson
        done
    done
}

# speak_tls CA: from now on.
speak_tls() {
    scheme=https serving=(--tls-cert server.pem --tls-key key.pem) trusting=(--ca "$1")
}

@test "TLS that passes is compared as bytes" {
    speak_tls ca.pem
    local how source
    for how in divert divert_all; do
        for source in wire payload; do
            record_calls "$how" --pcap proxy.pcap --pcap-source "$source"
            both 0 "same: 6 exchanges, byte for byte, in all 3 views"
        done
    done
}

@test "TLS that is taken apart: a capture that holds only that is named, and what can be compared is compared" {
    speak_tls lab/ca.pem
    deeper
    local how
    for how in divert divert_all; do
        record_calls "$how" --ca-dir lab --pcap proxy.pcap
        both 3 "inconclusive: 12 connections of proxy.pcap speak TLS, which cannot be read"
        record_calls "$how" --ca-dir lab --pcap proxy.pcap --pcap-source payload
        both 3 "inconclusive: 6 connections of server.pcap speak TLS, which cannot be read"
        [[ "$output" == *"12 exchanges were compared inside the proxy only"* ]]
        record_calls "$how" --ca-dir lab --pcap proxy.pcap --pcap-source payload --rules rules.json --conceal deeper
        both 1 "differ: 12 differences in 12 exchanges (0 compared): 12 in the proxy"
    done
}
