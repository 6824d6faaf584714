#!/usr/bin/env bats
# What an exchange costs: that the harness works, and that the instructions have not become more.

BENCH=$BATS_TEST_DIRNAME
BIN=${BIN_DIR:-$BENCH/../../build/bin}

@test "an exchange takes no more instructions than the committed figure says" {
    "$BENCH/instructions" "$BIN/mitm_proxy"
}

@test "the harness measures who forwards, and holds what ours recorded to what was served" {
    run "$BENCH/run" --bin "$BIN" --rounds 1 --seconds 1 --only nginx --only "ours, log + payload"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output =~ "ours, log + payload: the origin served "([0-9]+)", the log has "([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -gt 0 ]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    [[ $output == *"log and payload capture "* ]]
}
