#!/usr/bin/env bats
# What rules do to traffic: mitm_proxy --rules between a raw client and a raw origin.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031

load helper

here="$BATS_TEST_DIRNAME"
data="$BATS_TEST_DIRNAME/../data"
proxy="$BIN_DIR/mitm_proxy"

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# Rules that look at every message, and match none.
write_rules_that_match_nothing() {
    cat >head.json <<'JSON'
{"rules": [
  {"name": "up", "on": "request", "match": {"fields": {"X-Never": "*"}}, "do": [{"replace_body": {"text": ""}}]},
  {"name": "down", "on": "response", "match": {"path": "/never-asked-for"}, "do": [{"respond": {"status": 500}}]}]}
JSON
    cat >body.json <<'JSON'
{"rules": [
  {"name": "up", "on": "request", "match": {"json": {"/never": 1}}, "do": [{"drop": {}}]},
  {"name": "down", "on": "response", "match": {"json": {"/never": 1}}, "do": [{"drop": {}}]}]}
JSON
}

@test "every case of rule actions, whole, in pieces, in other framings and with followers" {
    python3 "$here/actions.py" "$proxy" "$data"/actions/*.txt
}

@test "every case of rule actions, with a payload capture" {
    python3 "$here/actions.py" "$proxy" "$data"/actions/{patch,answers,copies}.txt \
        -- --pcap p.pcap --pcap-source payload
}

@test "random JSON Patches through the proxy do what RFC 6902 says, and nothing else" {
    python3 "$here/actions_random.py" "$proxy"
}

@test "what is done by chance repeats" {
    python3 "$here/actions_chance.py" "$proxy"
}

@test "with rules that match nothing every case passes as without any" {
    write_rules_that_match_nothing
    for cases in "$data"/proxy/*.txt "$data"/http/requests*.txt; do
        python3 "$here/wire.py" "$proxy" "$cases" -- --rules head.json
    done
}

@test "random exchanges pass as they came, though rules look at each head, and at each body" {
    write_rules_that_match_nothing
    for rules in head.json body.json; do
        python3 "$here/wire_random.py" "$proxy" --seed "$RANDOM" --trials 150 -- --rules "$rules"
    done
}

@test "whatever rules, clients and origin do at once, nothing crashes, hangs, is lost or mixed up" {
    python3 "$here/actions_chaos.py" "$proxy" --seed "$RANDOM" --rounds 5
}
