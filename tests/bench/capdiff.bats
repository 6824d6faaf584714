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

# told FILE: what a JSON report says but for how it says it.
told() {
    python3 -c 'import json, sys
report = json.load(open(sys.argv[1]))
for pair in report["pairing"].values():
    pair.clear()
print(json.dumps([report[name] for name in ("verdict", "summary", "views", "quality", "exchanges",
    "differences", "doubts")], sort_keys=True))' "$1"
}

@test "capdiff: how much is held makes no difference" {
    local bench=$BATS_TEST_DIRNAME root name hold
    root=$(cd "$bench/../.." && pwd)
    cd "$BATS_TEST_TMPDIR"
    cc -O2 -I "$root" -o generate "$bench"/{capdiff_generate,traffic,bodies,floods,calls,segments,wire}.c \
        "$root"/lib/{sha256,sha256_thread}.c -lcrypto -luv
    for name in small-bodies pooled equal-pooled repeated renamed connections swapped pipelined; do
        ./generate "$name" 0.04 proxy.pcap server.pcap log >/dev/null
        "$BIN_DIR/capdiff" --hold 1000 --format json --output whole.json proxy.pcap server.pcap || [ $? -eq 1 ]
        for hold in 0 1 2 3 4; do
            "$BIN_DIR/capdiff" --hold "$hold" --format json --output part.json proxy.pcap server.pcap ||
                [ $? -eq 1 ]
            [ "$(told whole.json)" = "$(told part.json)" ] || {
                echo "$name, --hold $hold"
                diff <(told whole.json | tr , '\n') <(told part.json | tr , '\n') | head -20
                return 1
            }
        done
    done
}
