#!/usr/bin/env bats
# Files of rules: what mitm_proxy --check-rules says of them, and that the schema says the same.

load helper

setup() {
    data=$(cd "$BATS_TEST_DIRNAME/../data/rules" && pwd)
    cd "$data" || return
}

@test "a good file is said to be one" {
    "$BIN_DIR/mitm_proxy" --check-rules good-steal.json >"$BATS_TEST_TMPDIR/out" \
        2>"$BATS_TEST_TMPDIR/errors"
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = "good-steal.json: 1 rule, no error" ]
    [ ! -s "$BATS_TEST_TMPDIR/errors" ]
    for file in good-*.json; do
        run "$BIN_DIR/mitm_proxy" --check-rules "$file"
        echo "$output"
        [ "$status" -eq 0 ]
        [[ "$output" =~ ^"$file: "[0-9]+" rule"s?", no error"$ ]]
    done
}

@test "a bad file: every error with its place, on stderr, and 2" {
    for file in bad-*.json beyond-*.json; do
        status=0
        "$BIN_DIR/mitm_proxy" --check-rules "$file" >"$BATS_TEST_TMPDIR/out" \
            2>"$BATS_TEST_TMPDIR/errors" || status=$?
        [ "$status" -eq 2 ]
        [ ! -s "$BATS_TEST_TMPDIR/out" ]
        diff -u "${file%.json}.errors" "$BATS_TEST_TMPDIR/errors"
    done
}

@test "a file that cannot be read, or is too large" {
    run "$BIN_DIR/mitm_proxy" --check-rules "$BATS_TEST_TMPDIR/none.json"
    [ "$status" -eq 2 ]
    [[ "$output" == *"none.json: cannot be read: No such file or directory"* ]]
    run "$BIN_DIR/mitm_proxy" --check-rules "$data"
    [ "$status" -eq 2 ]
    [[ "$output" == *": cannot be read: Is a directory"* ]]
    head -c 4194305 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large.json"
    run "$BIN_DIR/mitm_proxy" --check-rules "$BATS_TEST_TMPDIR/large.json"
    [ "$status" -eq 2 ]
    [[ "$output" == *"large.json: is larger than 4194304 bytes"* ]]
}

@test "the schema takes the good files and refuses the bad ones" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
    python3 "$BATS_TEST_DIRNAME/rules_schema.py" "$BATS_TEST_DIRNAME/../../mitm_proxy/rules.schema.json" \
        "$data"
}

@test "JSON Patches as splices: only what is named changes, and means what RFC 6902 says" {
    local cases=$BIN_DIR/../tests/json_splice_cases
    python3 "$BATS_TEST_DIRNAME/json_splice.py" "$cases" --seed 1
    python3 "$BATS_TEST_DIRNAME/json_splice.py" "$cases"
}
