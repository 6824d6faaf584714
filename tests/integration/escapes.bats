#!/usr/bin/env bats
# Nothing that comes from the wire reaches a terminal as more than text.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

@test "a hostile call and its answers, through the whole chain and every report: no raw control is left" {
    local hostile=("python3" -B "$BATS_TEST_DIRNAME/hostile.py") found
    "${hostile[@]}" "$BIN_DIR" .
    # These are what it sends, and captures, which are evidence.
    mapfile -t found < <(find . -type f ! -name '*.pcap' ! -name call.json ! -name rules.json)
    [ "${#found[@]}" -gt 100 ]
    "${hostile[@]}" --look "${found[@]}"
    # It has come that far.
    local name
    for name in proxy_agent.log proxy_origin.log agent_b.log a_agent.log a_origin.log held.log \
        proxy_{agent,origin}{,_log}.{text,html,junit} \
        proxy_{agent,origin}_list.log proxy_{agent,origin}{,_log}.json; do
        grep -q -E '\\xe2\\x80\\xae|\\u202e' "$name" || { echo "$name"; return 1; }
    done
    for name in proxy_{agent,origin}.ndjson a_{agent,origin}.results \
        proxy_agent_har/proxy-in.har; do
        grep -q '\\u202e\\u2066' "$name" || { echo "$name"; return 1; }
    done
}
