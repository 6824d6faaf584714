#!/usr/bin/env bats
# Secrets in the exchange log and in capdiff's reports: they are in neither, and both still fit.

# The helper says who was started.
# shellcheck disable=SC2154
load helper

# Every secret that is sent, or put in by a rule, has this word in it.
WORD=hush

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

# A call with secrets in its head and its body goes through a proxy with these options, whose rules are
# those of rules.json: x.ndjson and p.pcap tell of it.
call_through() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" --exchange-log x.ndjson --pcap p.pcap \
        --pcap-source payload --rules rules.json "$@"
    curl -sS -m 30 -H 'Authorization: Bearer hush-one' -H 'Cookie: a=hush-two' -H 'Cookie: b=hush-three' \
        -H 'Proxy-Authorization: Basic hush-four' -H 'X-Key: hush-five' -H 'Content-Type: application/json' \
        -d '{"id":1,"tool_name":"analyze_dependency","arguments":{"user":"u","password":"hush-six","depth":2}}' \
        "http://$(listening_on proxy.log | tr -d ,)/tool" >answer
    stop "$started"
    grep -q '"ok":true' answer
}

write_rules() {
    cat >rules.json <<'END'
{"rules": [{"name": "change", "on": "request", "do": [
    {"set_field": {"name": "Authorization", "value": "Bearer hush-seven"}},
    {"set_field": {"name": "Authorization", "value": "Bearer hush-another"}},
    {"set_field": {"name": "Cookie", "value": "c=hush-nine"}},
    {"remove_field": {"name": "Proxy-Authorization"}},
    {"set_field": {"name": "X-Key", "value": "hush-ten"}},
    {"json_patch": [{"op": "replace", "path": "/arguments/password", "value": "hush-eleven"},
                    {"op": "replace", "path": "/arguments/password", "value": "hush-twelve!"},
                    {"op": "remove", "path": "/arguments/user"}]}]}]}
END
}

redacted=(--redact X-Key --redact /arguments/password --redact /result/echo/password)

# Every report of p.pcap and $1, into the folder $2; the first status that is not 0 and not 1 is told.
reports() {
    local format status=0
    mkdir "$2"
    for format in text json html junit; do
        "$BIN_DIR/capdiff" --format "$format" --output "$2/report.$format" "${@:3}" p.pcap "$1" || status=$?
    done
    "$BIN_DIR/capdiff" --har "$2/har" --output "$2/again" "${@:3}" p.pcap "$1" || status=$?
    for format in text json; do
        # shellcheck disable=SC2046 # words are wanted
        "$BIN_DIR/capdiff" --format "$format" --output "$2/list.$format" $(no_log "${@:3}") "$1"
    done
    # shellcheck disable=SC2046 # words are wanted
    "$BIN_DIR/capdiff" --follow 1 $(no_log "${@:3}") "$1" >"$2/follow"
    return "$status"
}

# What goes with one capture, too.
no_log() {
    local word skip=
    for word; do
        if [ -n "$skip" ]; then skip=; elif [ "$word" = --exchange-log ]; then skip=yes; else echo "$word"; fi
    done
}

hushed() {
    ! grep -r -a "$WORD" "$@"
}

@test "neither the log nor a report has a secret, and what was done to them is declared all the same" {
    write_rules
    call_through "${redacted[@]}"
    hushed x.ndjson proxy.log
    python3 -B "$BATS_TEST_DIRNAME/log_schema.py" x.ndjson
    jq -c '.changes[] | [.field // .pointer, .old, .new]' x.ndjson >changes
    diff changes - <<'END'
["Authorization",{"redacted":15},{"redacted":17}]
["Authorization",{"redacted":17},{"redacted":19}]
["Cookie",{"redacted":24},{"redacted":11}]
["Proxy-Authorization",{"redacted":15},null]
["X-Key",{"redacted":9},{"redacted":8}]
["/arguments/password",{"redacted":10},{"redacted":13}]
["/arguments/password",{"redacted":13},{"redacted":14}]
["/arguments/user","\"u\"",null]
["Content-Length","98","91"]
END
    reports p.pcap same "${redacted[@]}" --exchange-log x.ndjson
    grep -q "^same: .*declared" same/report.text
    grep -q 'became \[redacted 19 bytes\]' same/report.html
    hushed same
}

@test "secrets that differ are told as different, and not shown" {
    echo '{"rules": []}' >rules.json
    call_through "${redacted[@]}"
    sed 's/hush-one/hush-ONE/; s/a=hush-two/a=hush-TWO/; s/hush-six/hush-SIX/; s/"depth":2/"depth":3/' p.pcap >changed.pcap
    run reports changed.pcap differ "${redacted[@]}" --exchange-log x.ndjson
    [ "$status" -eq 1 ]
    hushed differ
    grep -q 'Authorization: \*\*\*\*\*\* \*\*\*\*\*\*\*\*' differ/report.text
    grep -q '/arguments/password' differ/report.text
    grep -q '"user":"u","password":\*\*\*\*\*\*\*\*\*\*,"depth":3' differ/report.text
    # What nobody named is shown, and so is everything where that is wanted.
    run reports changed.pcap less --exchange-log x.ndjson
    grep -q 'hush-SIX' less/report.text
    hushed <(grep -i -a 'authorization\|cookie' less/report.text less/follow less/report.html)
    run reports changed.pcap shown --show-secrets --exchange-log x.ndjson
    grep -q 'Bearer hush-ONE' shown/report.text
    grep -q 'hush-ONE' shown/report.html
    grep -q 'hush-ONE' shown/follow
}

@test "a log that hides a change which is not there, or another one, is found" {
    write_rules
    call_through "${redacted[@]}"
    # The log says of the last value that it is longer, or of the first that it was shorter.
    local edit
    for edit in 's/{"redacted":19}/{"redacted":20}/' 's/"old":{"redacted":15},"new":{"redacted":17}/"old":{"redacted":14},"new":{"redacted":17}/' \
        's/{"redacted":14}/{"redacted":15}/' 's/"old":{"redacted":10}/"old":{"redacted":11}/' 's/"old":{"redacted":24}/"old":{"redacted":23}/'; do
        sed "$edit" x.ndjson >lying.ndjson
        ! cmp -s x.ndjson lying.ndjson
        run "$BIN_DIR/capdiff" --exchange-log lying.ndjson p.pcap p.pcap
        echo "$edit: $output"
        [ "$status" -eq 1 ]
    done
    # What is no such object is not understood, and explains nothing.
    sed 's/{"redacted":19}/{"redacted":"19"}/' x.ndjson >odd.ndjson
    run "$BIN_DIR/capdiff" --exchange-log odd.ndjson p.pcap p.pcap
    [ "$status" -ne 0 ]
}

# send BYTES…: each on a connection of its own, which is then closed; the answers are on stdout.
send() {
    python3 -B - "$(listening_on proxy.log | tr -d ,)" "$@" <<'END'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
for text in sys.argv[2:]:
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            sys.stdout.buffer.write(data)
END
}

@test "no report has a secret of a trailer, of a head that is none, or between the chunks" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" --exchange-log x.ndjson --pcap p.pcap --pcap-source payload
    local post='POST /tool HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\n' call bad=() line
    call='{"id":1,"tool_name":"analyze_dependency","arguments":{"password":"hush-one"}}'
    for line in 'no colon\r\nAuthorization: Bearer hush-two\r\n' 'Cookie: a=hush-three\r\n b=hush-four\r\n' \
        'Cookie : a=hush-five\r\n' 'X: y\rCookie: a=hush-six\r\n' 'Cookie: a=hush-seven'; do
        bad+=("$post$line")
    done
    send "${post}Transfer-Encoding: chunked\r\n\r\n$(printf '%x' "${#call}");a=1\r\n$call\r\n0\r\nCookie: a=hush-eight\r\n\r\n" \
        "${bad[@]}" >answers
    stop "$started"
    [ "$(grep -o 'HTTP/1.1 200' answers | wc -l)" -eq 1 ]
    [ "$(grep -o 'HTTP/1.1 400' answers | wc -l)" -eq 5 ]
    hushed x.ndjson proxy.log
    reports p.pcap same "${redacted[@]}" --exchange-log x.ndjson
    hushed same
    sed 's/;a=1/;a=2/; s/hush-eight/hush-EIGHT/' p.pcap >changed.pcap
    run reports changed.pcap differ "${redacted[@]}"
    [ "$status" -eq 1 ]
    hushed differ
    grep -q 'chunk sizes, how they are written' differ/report.text
    grep -q 'trailer field Cookie' differ/report.text
    run reports changed.pcap shown --show-secrets
    grep -q 'hush-EIGHT' shown/report.html
}

@test "a forward proxy's own Proxy-Authorization is taken away and not told" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --mode forward \
        --allow "$(listening_on b.log)" --exchange-log x.ndjson --pcap p.pcap --pcap-source payload
    curl -sS -m 30 -x "http://me:hush@$(listening_on proxy.log | tr -d ,)" "http://$(listening_on b.log)/ledger" >answer
    stop "$started"
    jq -c '.changes[] | select(.field == "Proxy-Authorization") | .old' x.ndjson >old
    [ "$(cat old)" = '{"redacted":18}' ]
    "$BIN_DIR/capdiff" --exchange-log x.ndjson p.pcap p.pcap
}

@test "what --redact does not take" {
    local program
    for program in "$BIN_DIR/mitm_proxy --upstream http://127.0.0.1:1" "$BIN_DIR/capdiff a b"; do
        for word in '' 'a b' 'a:' '/a~2'; do
            # shellcheck disable=SC2086 # it is a command line
            run $program --redact "$word"
            [ "$status" -eq 2 ]
            [ "${#lines[@]}" -eq 1 ]
            [[ "$output" = *"--redact '$word': "* ]]
        done
    done
}
