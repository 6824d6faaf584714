#!/usr/bin/env bats
# The bench of capdiff, small: what it says and how much memory it takes; no time is judged.

BIN_DIR="${BIN_DIR:-$BATS_TEST_DIRNAME/../../build/bin}"

setup() {
    export TMPDIR=$BATS_TEST_TMPDIR
    unset SCALE MEMORY_MAX
}

@test "capdiff bench: every case has its verdict, its numbers and its memory" {
    run "$BATS_TEST_DIRNAME/capdiff" --quick "$BIN_DIR"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "capdiff bench: a wrong number is seen" {
    cd "$BATS_TEST_TMPDIR"
    printf '#!/bin/sh\nexit 0\n' >capdiff
    chmod +x capdiff
    run "$BATS_TEST_DIRNAME/capdiff" --quick --case keep-alive .
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == *"no report, status 0"* ]]
}

@test "capdiff bench: an interrupted run leaves nothing" {
    local bench status=0
    "$BATS_TEST_DIRNAME/capdiff" --huge 2 "$BIN_DIR" 3>&- &
    bench=$!
    until [ -s "$(echo "$TMPDIR"/capdiff-bench-*/proxy.pcap)" ]; do
        kill -0 "$bench"
        sleep 0.02
    done
    kill "$bench"
    wait "$bench" || status=$?
    [ "$status" -eq 143 ]
    [ -z "$(ls "$TMPDIR")" ]
}
