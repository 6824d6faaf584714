#!/usr/bin/env bats
# What the proxy holds, small: nothing is dropped, lost or refused; how late events are is told and not judged.

BIN_DIR="${BIN_DIR:-$BATS_TEST_DIRNAME/../../build/bin}"

held() {
    run "$BATS_TEST_DIRNAME/held" "$@" --bin "$BIN_DIR" --folder "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "held: 1000 connections at once, each with two calls, all on record; 4 KiB each" {
    held connections --count 1000
}

@test "held: one connection too many is refused, and on record; the others stay" {
    held connections --count 200 --max-connections 150
}

@test "held: 500 streams of events, none of which breaks or is silent" {
    held events --count 500 --direct 50 --seconds 5 --lenient
}

@test "held: a payload capture of 500 calls a second has all of them" {
    [ "$(id -u)" -eq 0 ] || skip "recording the origin takes root"
    held capture --source payload --rate 500 --seconds 3
}

@test "held: a wire capture of 500 calls a second has all of them" {
    [ "$(id -u)" -eq 0 ] || skip "recording takes root"
    held capture --source wire --rate 500 --seconds 3
}
