#!/usr/bin/env bats
# What rules do to traffic, as capdiff finds it in captures of the proxy itself: with the log, with one
# that is silent, and with one that lies.

load helper

@test "each rule action: explained by the log, found without it, and no lie is believed" {
    python3 "$BATS_TEST_DIRNAME/capdiff_rules.py" "$BIN_DIR/mitm_proxy" "$BIN_DIR/capdiff" \
        "$BATS_TEST_DIRNAME"/../data/actions/*.txt
}

@test "what a rule did that the log is silent about is found" {
    python3 "$BATS_TEST_DIRNAME/capdiff_rules.py" "$BIN_DIR/mitm_proxy" "$BIN_DIR/capdiff" \
        "$BATS_TEST_DIRNAME"/../data/declared/played/*.txt
}

@test "random JSON Patches: what the log says of each comes to what went out, and nothing less does" {
    python3 "$BATS_TEST_DIRNAME/capdiff_random.py" "$BIN_DIR/mitm_proxy" "$BIN_DIR/capdiff"
}
