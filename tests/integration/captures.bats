#!/usr/bin/env bats
# What becomes known of packets that are in no capture.

load helper

@test "packets that the wire capture drops: /metrics, the exchange log and the verdict say so" {
    [ "$(id -u)" -eq 0 ] || skip "recording takes root"
    chmod 755 "$BATS_TEST_TMPDIR"
    python3 "$BATS_TEST_DIRNAME/capture_lost.py" "$BIN_DIR/mitm_proxy" "$BIN_DIR/capdiff" "$BATS_TEST_TMPDIR"
}
