#!/usr/bin/env bats
# What an exchange costs: that the harness works, and that the instructions have not become more.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031

BENCH=$BATS_TEST_DIRNAME
BIN=${BIN_DIR:-$BENCH/../../build/bin}

@test "an exchange takes no more instructions than the committed figure says" {
    "$BENCH/instructions" "$BIN/mitm_proxy"
}

# bench COMMAND…: with little load, and a page of its own.
bench() {
    run "$BENCH/$1" "${@:2}" --bin "$BIN" --folder "$BATS_TEST_TMPDIR" --write "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "$status" -eq 0 ]
}

# shows PICTURE…: the page has these, and they are XML.
shows() {
    local picture
    for picture in "$@"; do
        grep -q "(benchmarks/$picture.svg)" "$BATS_TEST_TMPDIR/benchmarks.md"
        python3 -c 'import sys, xml.dom.minidom as dom; dom.parse(sys.argv[1])' \
            "$BATS_TEST_TMPDIR/benchmarks/$picture.svg"
    done
}

@test "the harness measures who forwards, and holds what ours recorded to what was served" {
    bench run calls --rounds 1 --seconds 1 --only nginx --only "ours, log + payload"
    [[ $output =~ "ours, log + payload: the origin served "([0-9]+)", the log has "([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -gt 0 ]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    [[ $output == *"log and payload capture "* ]]
    grep -q "^| CPU time: log and payload capture | nginx | " "$BATS_TEST_TMPDIR/benchmarks.md"
    shows calls
}

@test "the harness measures latency, large bodies that are on record to the byte, and starts" {
    bench run latency bodies start --rounds 1 --seconds 1 --mib 8 --only nginx --only "ours, log*"
    [[ $output == *"added latency, p99, all recorded "*"aim ≤ 150 µs"* ]]
    [[ $output == *"throughput of a large upload, all recorded "* ]]
    [[ $output == *"start to first exchange, all recorded "* ]]
    shows latency bodies start
}

@test "the harness measures how cost grows" {
    bench growth --quick sizes connections exchanges
    [[ $output == *"10,000 exchanges: "* ]]
    shows growth
}
