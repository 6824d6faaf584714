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

@test "agent_b does in each case what the RFCs demand of an origin" {
    python3 "$conformance" agent_b "$BIN_DIR/agent_b"
}

@test "agent_a does in each case what the RFCs demand of a client" {
    python3 "$conformance" agent_a "$BIN_DIR/agent_a"
}
