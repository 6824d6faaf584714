#!/usr/bin/env bats
# RFC 9110 and RFC 9112, case by case: tests/conformance/README.md.

load helper

conformance="$BATS_TEST_DIRNAME/../conformance/run.py"

@test "each requirement of RFC 9110 and RFC 9112 has its cases, and each case its requirement" {
    python3 "$conformance" requirements
}

@test "mitm_proxy does in each case what the RFCs demand, whole, byte by byte, and with followers" {
    python3 "$conformance" proxy "$BIN_DIR/mitm_proxy"
}

@test "mitm_proxy does the same where rules look at each message, and a payload capture is made" {
    cat >"$BATS_TEST_TMPDIR/rules.json" <<'JSON'
{"rules": [
  {"name": "up", "on": "request", "match": {"fields": {"X-Never": "*"}}, "do": [{"replace_body": {"text": ""}}]},
  {"name": "down", "on": "response", "match": {"path": "/never-asked-for"}, "do": [{"respond": {"status": 500}}]}]}
JSON
    python3 "$conformance" proxy "$BIN_DIR/mitm_proxy" -- --rules "$BATS_TEST_TMPDIR/rules.json" \
        --pcap "$BATS_TEST_TMPDIR/p.pcap" --pcap-source payload
}

@test "agent_b does in each case what the RFCs demand of an origin" {
    python3 "$conformance" agent_b "$BIN_DIR/agent_b"
}

@test "agent_a does in each case what the RFCs demand of a client" {
    python3 "$conformance" agent_a "$BIN_DIR/agent_a"
}
