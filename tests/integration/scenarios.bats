#!/usr/bin/env bats
# Attacks as data: a few whole ones in the lab without Docker, and what is made of runs.

# $started and $stderr come from the helper and from run.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load helper

root="$BATS_TEST_DIRNAME/../.."

setup() {
    unset LAB_CAPTURE_DIR AGENT_SECRET
    export BIN_DIR
    dir=$BATS_TEST_TMPDIR/capture
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
}

# scenario NAME [OPTION…]: what it says, in $output.
scenario() { "$root/scripts/lab" scenario "$@" --native --capture-dir "$dir"; }

@test "what is made of runs: judgements, evidence, the matrix" {
    "$python" -B "$BATS_TEST_DIRNAME/scenario_judge.py"
}

@test "what is made of captures with TLS in them" {
    "$python" -B "$BATS_TEST_DIRNAME/scenario_tls.py"
}

@test "a corpus is as its schema says" {
    "$python" -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
    "$python" -B "$BATS_TEST_DIRNAME/scenario_corpus.py"
}

@test "the rules of all scenarios are good" {
    local rules
    for rules in "$root"/scripts/scenarios/*/rules.json; do
        "$BIN_DIR/mitm_proxy" --check-rules "$rules"
    done
}

@test "control: nobody notices anything, because nothing was" {
    run -0 --separate-stderr scenario control --defence all
    [ "${#lines[@]}" -eq 6 ]
    [ "${lines[0]}" = "agent_a meant to: deposit 100 into the account client" ]
    [ "${lines[2]}" = "noticed by:       nobody; agent_a accepted the answer" ]
    [ "${lines[3]}" = "a listener read:  on both legs the calls" ]
    [[ ${lines[4]} == *"same: 1 exchange"* ]]
    [ "${lines[5]}" = "verdict:          undisturbed: nothing was attacked" ]
}

@test "argument swap: the ledger shows the theft, and the captures where it was" {
    run -0 --separate-stderr scenario argument-swap
    [ "${#lines[@]}" -eq 6 ]
    [[ ${lines[1]} == *"its ledger: adversary 100" ]]
    [[ ${lines[4]} == *"differ: 2 differences in 1 exchange"*"in the proxy"* ]]
    [ "${lines[5]}" = "verdict:          succeeds: the 100 are in the account adversary" ]
    [ "$(jq '.balances == {"adversary": 100}' "$dir/ledger.json")" = true ]
}

@test "argument swap under a digest: agent_b refuses" {
    run -0 --separate-stderr scenario argument-swap --defence digest
    [ "${lines[2]}" = "noticed by:       agent_b (digest_mismatch); agent_a was told of a refusal (digest_mismatch)" ]
    [ "${lines[5]}" = "verdict:          detected by agent_b" ]
    [ "$(jq -c .balances "$dir/ledger.json")" = '{}' ]
}

@test "the lying proxy: its log says nothing, the captures do" {
    run -0 scenario lying-proxy
    [ "$(jq -c '[.rules, .changes]' "$dir/exchanges.ndjson")" = '[[],[]]' ]
    [ "$(jq -r .verdict "$dir/verdict.json")" = differ ]
}

# needs_tshark: which reads TLS with the agents' keys.
needs_tshark() { command -v tshark >/dev/null || skip "tshark is not installed"; }

@test "TLS that is taken apart: nobody notices, and the agents' keys show what was done" {
    needs_tshark
    run -0 --separate-stderr scenario tls-trusted-ca
    [[ ${lines[1]} == *"its ledger: adversary 100" ]]
    [ "${lines[2]}" = "noticed by:       nobody; agent_a accepted the answer" ]
    [ "${lines[3]}" = "a listener read:  on both legs no call, only agent_b's name, sizes and times" ]
    [[ ${lines[4]} == *"TLS was taken apart. With the agents' keys, differ: 2 differences in 1 exchange"* ]]
    run ! grep -aq deposit "$dir/proxy.pcap" "$dir/agent_http.pcap"
    grep -aq deposit "$dir/tls/plain/proxy.pcap"
    [ "$(jq -r .verdict "$dir/captures.json")" != same ]
}

@test "TLS that nobody takes apart: the same ClientHello, the same bytes, and a listener without the canary" {
    needs_tshark
    run -0 --separate-stderr scenario tls-canary
    [[ ${lines[4]} == *"nobody took TLS apart. With the agents' keys, same: 1 exchange, byte for byte"* ]]
    [ "${lines[5]}" = "verdict:          not possible" ]
}

@test "TLS downgraded: both ends refuse, and say why" {
    needs_tshark
    run -0 --separate-stderr scenario tls-downgrade
    [ "${lines[1]}" = "agent_b:          ended TLS (protocol_version)" ]
    [ "$(jq -r .word "$dir/results.ndjson" | uniq -c)" = "      3 tls_failed" ]
    [[ ${lines[4]} == *"(TLS 1.3 became TLS 1.1, TLS 1.3 became TLS 1.2)"* ]]
}

@test "TLS with Docker is one line and 2" {
    run -2 "$root/scripts/lab" scenario tls-canary --docker --capture-dir "$dir"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"runs without Docker only"* ]]
}

@test "what is not as expected is said, and the status is 1" {
    cp -r "$root/scripts" "$root/capturer" "$BATS_TEST_TMPDIR/"
    sed -i 's/"none": "succeeds"/"none": "not possible"/' \
        "$BATS_TEST_TMPDIR/scripts/scenarios/02-argument-swap/scenario.json"
    run -1 --separate-stderr "$BATS_TEST_TMPDIR/scripts/lab" scenario argument-swap --native --capture-dir "$dir"
    [ "${#lines[@]}" -eq 6 ]
    [ "$stderr" = "not as expected: succeeds, where not possible was expected" ]
}

@test "a lab that does not come up is trouble: one line and 2" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cp "$BIN_DIR"/{agent_a,agent_b,capdiff} "$BATS_TEST_TMPDIR/bin/"
    printf '#!/bin/sh\necho "mitm_proxy: no" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/mitm_proxy"
    chmod +x "$BATS_TEST_TMPDIR/bin/mitm_proxy"
    BIN_DIR=$BATS_TEST_TMPDIR/bin
    run -2 scenario control
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "[lab] control under none: mitm_proxy did not start"* ]]
}

@test "matrix: SIGTERM ends all labs, and leaves nothing" {
    cd "$BATS_TEST_TMPDIR"
    export TMPDIR=$BATS_TEST_TMPDIR
    start matrix.out '^\[  1/' "$root/scripts/lab" matrix "$BATS_TEST_TMPDIR/docs"
    status=0
    stop "$started" || status=$?
    [ "$status" -eq 130 ]
    [ -z "$(pgrep -f -- "$BATS_TEST_TMPDIR/attack-matrix-")" ]
    [ -z "$(find . -name 'attack-matrix*')" ]
}
