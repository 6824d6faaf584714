#!/usr/bin/env bats
# No origin sees more or fewer requests than the exchange log has: tests/differential/.

load helper

differential="$BATS_TEST_DIRNAME/../differential"

@test "the judge knows what agrees, and each way to disagree" {
    python3 -B "$differential/judged.py"
}

# In CI each origin must be there.
everywhere=()
if [ "${CI:-}" = true ]; then everywhere=(--all); fi

@test "random and mutated requests: each origin sees what the log has as passed on, and nothing else" {
    "$differential/run" "$BIN_DIR/mitm_proxy" --seed 3 --streams 300 --seconds 35 "${everywhere[@]}"
}

@test "the same where bodies have a limit, the Host is another, and rules look into each message" {
    cat >"$BATS_TEST_TMPDIR/rules.json" <<'JSON'
{"rules": [
  {"name": "up", "on": "request", "match": {"fields": {"X-Never": "*"}}, "do": [{"replace_body": {"text": ""}}]},
  {"name": "down", "on": "response", "match": {"path": "/never-asked-for"}, "do": [{"respond": {"status": 500}}]}]}
JSON
    "$differential/run" "$BIN_DIR/mitm_proxy" --seed 102 --first 100 --streams 100 "${everywhere[@]}" -- \
        --max-body 20000 --rewrite-host --rules "$BATS_TEST_TMPDIR/rules.json"
}
