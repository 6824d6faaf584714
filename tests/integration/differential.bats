#!/usr/bin/env bats
# No origin sees more or fewer requests than the exchange log has: tests/differential/.

load helper

differential="$BATS_TEST_DIRNAME/../differential"

@test "the judge knows what agrees, and each way to disagree" {
    python3 -B "$differential/judged.py"
}

@test "random and mutated requests: each origin sees what the log has as passed on, and nothing else" {
    everywhere=
    if [ "${CI:-}" = true ]; then everywhere=--all; fi
    # shellcheck disable=SC2086  # an option or none
    "$differential/run" "$BIN_DIR/mitm_proxy" --seed 3 --streams 300 --seconds 40 $everywhere
}
