#!/usr/bin/env bats
# The exchange log's chain of hashes: what mitm_proxy --hash-chain writes, and what verify-log finds.

# The helper says who was started.
# shellcheck disable=SC2154
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    [ "$(id -u)" -ne 0 ] || chown 65534:65534 . # whom the proxy becomes, to begin files anew
    lab=$BATS_TEST_DIRNAME/../../scripts/lab
}

teardown() {
    stop_all
    ! mountpoint -q small || umount small
}

start_server() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    server=$(listening_on b.log)
}

# Writes x.ndjson.
start_proxy() {
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$server" --exchange-log x.ndjson --hash-chain
    proxy=$started
    url="http://$(listening_on proxy.log | tr -d ,)/tool"
}

call() {
    "$BIN_DIR/agent_a" --url "$url" --quiet --count "$1"
}

# a_log N: x.ndjson with N records.
a_log() {
    start_server
    start_proxy
    call "$1"
    stop "$proxy"
    [ "$(wc -l <x.ndjson)" -eq "$1" ]
}

verify() {
    run "$lab" verify-log "$@"
    echo "$output"
}

whole() {
    verify "$@"
    [ "$status" -eq 0 ] && [[ "$output" = *"whole: "* ]]
}

# broken WORDS ARGUMENT…
broken() {
    verify "${@:2}"
    [ "$status" -eq 1 ] && [[ "$output" = *"$1"* ]]
}

hash_of() {
    tail -n 1 "$1" | tr -d '\n' | sha256sum | cut -d ' ' -f 1
}

@test "each record carries the hash of the line before, and verify-log finds what is not as it was" {
    a_log 9
    whole x.ndjson
    [[ "$output" = *"whole: 9 records, the last with the hash $(hash_of x.ndjson)" ]]
    grep -q "x.ndjson ends with $(hash_of x.ndjson), by 9 records" proxy.log
    [ "$(head -n 1 x.ndjson | jq -r .previous)" = "$(printf '0%.0s' {1..64})" ]
    python3 -B "$BATS_TEST_DIRNAME/log_schema.py" x.ndjson

    sed '4s/"status":200/"status":201/' x.ndjson >changed
    broken "changed line 5 was written behind another line than changed line 4" changed
    sed 4d x.ndjson >removed
    broken "removed line 4 was written behind another line than removed line 3" removed
    sed '1,3d' x.ndjson >begun_late
    broken "begun_late line 1 was written behind a line that is not here" begun_late
    sed '4{h;d};5G' x.ndjson >moved
    broken "moved line 5 was written behind moved line 3, not behind moved line 4" moved
    sed '4p' x.ndjson >twice
    broken "twice line 5 was written behind twice line 3, not behind twice line 4" twice
    sed '4a {"ts":"2026-01-01T00:00:00.000000Z"}' x.ndjson >put_in
    broken "put_in line 5 carries no hash" put_in
    broken "put_in line 6 was written behind put_in line 4, not behind put_in line 5" put_in
    sed '4a nonsense' x.ndjson >nonsense
    broken "nonsense line 5 is no record" nonsense
    cat x.ndjson x.ndjson >again
    broken "again line 10 was written as the first of a log" again
}

@test "random damages are found, each of them" {
    a_log 20
    python3 -B "$BATS_TEST_DIRNAME/hash_chain_random.py" x.ndjson
}

@test "the end, and a log that was written anew, take a hash that was kept elsewhere" {
    a_log 5
    local head other
    head=$(hash_of x.ndjson)
    whole --head "$head" x.ndjson
    head -n 4 x.ndjson >shorter
    whole shorter
    broken "no line has the hash $head" --head "$head" shorter
    other=$(hash_of shorter)
    whole --head "$other" x.ndjson
    [[ "$output" = *"x.ndjson line 4 is the one of --head; 1 behind it are newer"* ]]
    # all of it made up, in one piece
    python3 - <<'END'
import hashlib, re
previous = "0" * 64
with open("x.ndjson") as log, open("forged", "w") as forged:
    for line in log:
        line = re.sub('"previous":"[0-9a-f]*"', f'"previous":"{previous}"', line.replace('"status":200', '"status":201'))
        forged.write(line)
        previous = hashlib.sha256(line.rstrip("\n").encode()).hexdigest()
END
    whole forged
    broken "no line has the hash" --head "$head" forged
}

@test "the chain goes on behind a restart, a rotation, a kill and a torn line" {
    local admin head
    start_server
    start_proxy
    call 3
    stop "$proxy"
    start_proxy
    call 2
    mv x.ndjson x.old
    kill -HUP "$proxy"
    wait_for_line proxy.log "files reopened" "$proxy"
    call 4
    admin=$(sed -n 's/.*admin on \(http[^ ]*\).*/\1/p' proxy.log)
    head=$(curl -sS -m 10 "$admin/log")
    [ "$head" = "{\"head\":\"$(hash_of x.ndjson)\",\"records\":6}" ]
    whole x.old x.ndjson
    [[ "$output" = *"whole: 9 records"* ]]
    broken "x.ndjson line 1 was written behind a line that is not here" x.ndjson
    whole --after "$(hash_of x.old)" x.ndjson
    broken "x.ndjson line 1 was written behind x.old line 5, not behind no line" x.ndjson x.old

    # Killed in the middle of a line: that one stays, cut, and is followed.
    kill -KILL "$proxy"
    wait "$proxy" || true
    truncate -s -40 x.ndjson
    whole x.old x.ndjson
    [[ "$output" = *"note: x.ndjson line 4 is cut: the proxy was stopped while it wrote it"* ]]
    start_proxy
    call 2
    stop "$proxy"
    whole x.old x.ndjson
    [ "$(wc -l <x.ndjson)" -eq 6 ]
    sed '4s/.$//' x.ndjson >shorter
    broken "shorter line 5 was written behind another line than shorter line 4" x.old shorter
}

@test "a line that the disk had no room for breaks no chain" {
    start_server
    mkdir small
    mount -t tmpfs -o size=8k none small 2>/dev/null || skip "a file system of 8 KiB takes root"
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$server" --exchange-log small/x.ndjson --hash-chain
    url="http://$(listening_on proxy.log | tr -d ,)/tool"
    call 40
    grep -q "cannot be written" proxy.log
    mount -o remount,size=64k small
    call 5
    stop "$started"
    verify small/x.ndjson
    umount small
    [ "$status" -eq 0 ]
}

@test "what is no log, and words that are none" {
    local words
    : >empty
    printf 'x\n' >text
    while IFS='|' read -r words said; do
        # shellcheck disable=SC2086 # they are words
        verify $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" = *"$said"* ]]
    done <<'END'
|which log?
missing|missing cannot be read: No such file
empty|empty is empty
--head 12 text|--head wants 64 hexadecimal digits
--hash text|there is no option --hash
.|. cannot be read: Is a directory
END
    broken "text line 1 is no record" text
    run "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --upstream http://127.0.0.1:1 --hash-chain
    [ "$status" -eq 2 ]
    [[ "$output" = *"give its file with --exchange-log"* ]]
}
