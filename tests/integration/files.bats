#!/usr/bin/env bats
# The files that the programs write: who may read them, and where they are not written.

# The helper says who was started.
# shellcheck disable=SC2154
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 000
}

teardown() {
    stop_all
}

# The programs write into the folder $1; one call goes through.
run_lab() {
    mkdir "$1"
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" --exchange-log "$1/x.ndjson" --pcap "$1/p.pcap" \
        --pcap-source payload --keylog "$1/keys.log" --upstream-insecure --ca-dir ca
    proxy=$started
    url="http://$(listening_on proxy.log | tr -d ,)/tool"
    call "$1/results.ndjson"
}

call() {
    "$BIN_DIR/agent_a" --url "$url" --quiet --results "$1"
}

# modes FOLDER: what is in there, and who may what.
modes() {
    stat -c '%n %a' "$1"/* | sed "s|^$1/||"
}

expect() {
    diff <(modes "$1") <(cat)
}

# refused WORDS COMMAND…: one line, which says why, and status 1 or 2
refused() {
    run "${@:2}"
    echo "$output"
    [[ "$status" -eq 1 || "$status" -eq 2 ]] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" = *"$1"* ]]
}

reports() {
    local format
    for format in text json html junit; do
        "$BIN_DIR/capdiff" --format "$format" --output "$2/$format" "$1/p.pcap" "$1/p.pcap"
    done
    "$BIN_DIR/capdiff" --har "$2/har" --annotate "$2/notes.pcapng" --output /dev/null "$1/p.pcap" "$1/p.pcap"
}

@test "what is written is for its owner, whatever the umask; what was there keeps its mode" {
    "$BIN_DIR/mitm_proxy" ca init ca
    run_lab out
    expect out <<'END'
keys.log 600
p.pcap 600
results.ndjson 600
x.ndjson 600
END
    mkdir reports
    reports out reports
    expect reports <<'END'
har 700
html 600
json 600
junit 600
notes.pcapng 600
text 600
END
    [ "$(stat -c %a reports/har/* | sort -u)" = 600 ]

    # After a rotation, too; and a log that its owner lets others read stays so.
    rm out/p.pcap
    chmod 640 out/x.ndjson
    kill -HUP "$proxy"
    wait_for_line proxy.log "files reopened" "$proxy"
    call again.ndjson
    stop "$proxy"
    [ "$(stat -c %a out/p.pcap out/x.ndjson | tr '\n' ' ')" = "600 640 " ]
    [ "$(wc -l <out/x.ndjson)" -eq 2 ]
}

@test "nothing is written through a symbolic link" {
    local bare=("$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --upstream http://127.0.0.1:1)
    "$BIN_DIR/mitm_proxy" ca init ca
    run_lab out
    stop "$started"
    echo precious >kept
    ln -s kept link
    ln -s nowhere dangling
    local link
    for link in link dangling; do
        refused "$link cannot be opened: it is a symbolic link" "${bare[@]}" --exchange-log "$link"
        refused "$link cannot be written: it is a symbolic link" "${bare[@]}" --pcap-source payload --pcap "$link"
        refused "$link cannot be opened: it is a symbolic link" "${bare[@]}" --ca-dir ca --keylog "$link"
        refused "it is a symbolic link" "$BIN_DIR/capdiff" --output "$link" out/p.pcap out/p.pcap
        refused "it is a symbolic link" "$BIN_DIR/capdiff" --annotate "$link" out/p.pcap out/p.pcap
        refused "it is a symbolic link" "$BIN_DIR/agent_a" --url "$url" --results "$link"
    done
    [ "$(cat kept)" = precious ]
    [ ! -e nowhere ]

    # One that is put there later is not followed either: the old file stays.
    run_lab later
    mv later/x.ndjson later/old
    ln -s ../kept later/x.ndjson
    kill -HUP "$proxy"
    wait_for_line proxy.log "x.ndjson cannot be reopened: it is a symbolic link.*the old file stays" "$proxy"
    call again.ndjson
    stop "$proxy"
    [ "$(wc -l <later/old)" -eq 2 ]
    [ "$(cat kept)" = precious ]

    # Folders may be links.
    ln -s out through
    "$BIN_DIR/capdiff" --output through/report out/p.pcap out/p.pcap
    [ -s out/report ]
}

@test "a log may be what the program has open, or a FIFO that nobody empties" {
    "$BIN_DIR/mitm_proxy" ca init ca
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    mkfifo fifo
    local log
    for log in /dev/stdout /dev/fd/1 fifo; do
        start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
            --upstream "http://$(listening_on b.log)" --exchange-log "$log"
        url="http://$(listening_on proxy.log | tr -d ,)/tool"
        "$BIN_DIR/agent_a" --url "$url" --quiet --count 300 # a FIFO holds 64 KiB
        stop "$started"
        if [ "$log" = fifo ]; then
            grep -q 'cannot be written' proxy.log
            grep -q 'lacks [0-9]* records' proxy.log
        else
            [ "$(grep -c '^{"ts"' proxy.log)" -eq 300 ]
        fi
    done
}

@test "what root makes is for whom it becomes" {
    [ "$(id -u)" -eq 0 ] || skip "only root becomes another user"
    "$BIN_DIR/mitm_proxy" ca init ca
    chmod 755 . ..
    mkdir theirs
    chown 4242:4243 theirs
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" --exchange-log theirs/x.ndjson --pcap theirs/p.pcap \
        --pcap-source payload --keylog theirs/keys.log --ca-dir ca
    [ "$(stat -c '%n %u:%g %a' theirs/*)" = $'theirs/keys.log 4242:4243 600\ntheirs/p.pcap 4242:4243 600\ntheirs/x.ndjson 4242:4243 600' ]
    stop "$started"
    # A log that was there is whose it was.
    chown 0:0 theirs/x.ndjson
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" --exchange-log theirs/x.ndjson
    [ "$(stat -c '%u %a' theirs/x.ndjson)" = "0 600" ]
}
