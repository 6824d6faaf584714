#!/usr/bin/env bats
# What the docs show is what the programs do.

load helper

docs=$(cd "$BATS_TEST_DIRNAME/../../docs" && pwd)

@test "docs/rules.md: each example does what the page says, and the translation has the same ones" {
    python3 "$BATS_TEST_DIRNAME/docs_rules.py" "$BIN_DIR" "$docs/rules.md" "$docs/rules.ko.md"
}
