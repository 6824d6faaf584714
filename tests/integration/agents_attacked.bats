#!/usr/bin/env bats
# What agent_a makes of what comes back, as scripts read it: --results, --retries, and answers that
# nobody asked for; and what agent_b says it did.

# Each @test is a subshell, and what it sets is for itself alone. helper sets $started.
# shellcheck disable=SC2030,SC2031,SC2154

load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    printf 'a secret of more than sixteen bytes\n' >secret.txt
    printf '%s' '{"id":7,"tool_name":"deposit","arguments":{"account":"alice","amount":5}}' >alice.json
}

teardown() {
    stop_all
}

# agent_b with the options given, and its address in $url.
start_b() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 "$@"
    url="http://$(listening_on b.log)"
}

# start_server: a server that plays server.py's play(n, connection) for the n-th connection, from 1, one
# after the other; take(connection) reads a call, answer(id) makes an answer to one.
start_server() {
    cat >server.py - <(printf '%s\n' 'n = 0' 'while True:' '    n += 1' \
        '    play(n, listener.accept()[0])') <<PYTHON
import socket, struct
listener = socket.create_server(("127.0.0.1", 0))
print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
def take(connection):
    got = b""
    while b"\\r\\n\\r\\n" not in got:
        data = connection.recv(65536)
        if not data:
            return None
        got += data
    head, body = got.split(b"\\r\\n\\r\\n", 1)
    length = next(int(x.split(b":")[1]) for x in head.split(b"\\r\\n") if x.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    print("call", n, head, flush=True)
    return body
def answer(id, body=None, status="200 OK"):
    body = b'{"id":%s}' % id.encode() if body is None else body
    return b"HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (status.encode(), len(body), body)
def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
$(cat)
PYTHON
    start server.log "listening on" python3 -u server.py
    url="http://$(listening_on server.log)"
}

# call [OPTION…]: alice's deposit, with results.
call() {
    run "$BIN_DIR/agent_a" --url "$url/tool" --call alice.json --results results.ndjson "$@"
    echo "$output"
    cat results.ndjson
}

# result FILTER: of the last line.
result() {
    tail -n 1 results.ndjson | jq -c "$1"
}

@test "a result for each call: what was accepted, as it came" {
    start_b
    "$BIN_DIR/agent_a" --url "$url/tool" --call alice.json --count 3 --results results.ndjson
    [ "$(wc -l <results.ndjson)" -eq 3 ]
    [ "$(jq -c '[.call, .id, .tool_name, .attempts, .outcome, .word, .by, .claimed, .status,
        .unasked_responses]' results.ndjson)" = \
        '[1,7,"deposit",1,"accepted",null,null,null,200,0]
[2,7,"deposit",1,"accepted",null,null,null,200,0]
[3,7,"deposit",1,"accepted",null,null,null,200,0]' ]
    [ "$(result '.response.result.balances.alice')" = 15 ]
    [ "$(result '.duration_ms > 0')" = true ]
    # The very text: a parser would have made 15 of it.
    [[ "$(tail -n 1 results.ndjson)" == *',"response":{"id":7,"type":"tool_result",'*'"balances":{"alice":15.00}}}}' ]]
}

# fits_schema FILE: each of its lines.
fits_schema() {
    python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
    python3 -c 'import json, sys, jsonschema
schema = json.load(open(sys.argv[2]))
jsonschema.Draft202012Validator.check_schema(schema)
lines = open(sys.argv[1]).read().splitlines()
for line in lines:
    jsonschema.validate(json.loads(line), schema)
sys.exit(not lines)' "$1" "$BATS_TEST_DIRNAME/../../agent_a/results.schema.json"
}

@test "results have the form of their schema" {
    start_b --defence digest
    printf '{"tool_name":"deposit","arguments":{"account":"a","amount":0}}' >refused.json
    printf '[1]' >odd.json
    printf '{"id":null,"tool_name":"follow_build","arguments":{"steps":1}}' >build.json
    call --defence digest --call refused.json --call odd.json --call build.json --count 2
    cp results.ndjson all.ndjson
    call # digest_missing
    cat results.ndjson >>all.ndjson
    url=http://127.0.0.1:1
    call
    cat results.ndjson >>all.ndjson
    [ "$(jq -r '.word' all.ndjson | sort -u | paste -sd ' ')" = \
        'bad_arguments bad_call connect_failed digest_missing null' ]
    fits_schema all.ndjson
    local wrong
    for wrong in '.word = "no word"' '.outcome = "accepted"' '.by = "agent_a"' 'del(.events)' \
        '.call = 0' '.more = 1' '.response = {}'; do
        jq -c "$wrong" results.ndjson >wrong.ndjson
        run fits_schema wrong.ndjson
        [ "$status" -ne 0 ]
    done
}

@test "results begin anew, for their owner alone, and never through a link" {
    start_b
    printf 'old\nold\n' >results.ndjson
    chmod 644 results.ndjson
    call
    [ "$status" -eq 0 ]
    [ "$(wc -l <results.ndjson)" -eq 1 ]
    [ "$(stat -c %a results.ndjson)" = 600 ]
    local path
    echo keep >kept
    ln -s kept link
    for path in link . nowhere/results /dev/null; do
        run "$BIN_DIR/agent_a" --url "$url/tool" --results "$path"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == "agent_a: cannot write the results to $path: "* ]]
    done
    [ "$(cat kept)" = keep ]
    AGENT_A_RESULTS=other.ndjson "$BIN_DIR/agent_a" --url "$url/tool" --quiet
    [ "$(jq -r .id other.ndjson)" = call-0001 ]
}

@test "a result stays one line, whatever the answer looks like" {
    start_server <<'PYTHON'
def play(n, connection):
    bodies = [b'{\r\n "id": 7,\n "x": 1e400\n}\n', b'\xff"', b'{"id":7,"s":"\xff"}', b'']
    for body in bodies:
        take(connection)
        connection.sendall(answer("7", body))
PYTHON
    call --count 2
    [ "$(wc -l <results.ndjson)" -eq 2 ]
    grep -qF '"response":{   "id": 7,  "x": 1e400 } }' results.ndjson
    [ "$(result '[.outcome,.word,.by,.response]')" = '["failed","bad_response",null,null]' ]
    stop_all
    printf '{"no":"id"}' >alice.json
    start_server <<'PYTHON'
def play(n, connection):
    for body in [b'{"id":7,"s":"\xff"}', b'']:
        take(connection)
        connection.sendall(answer("7", body))
PYTHON
    call --count 2
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.id,.outcome,.response]' results.ndjson)" = '[null,"accepted","{\"id\":7,\"s\":\"�\"}"]
[null,"accepted",""]' ]
}

@test "who refused, and with what word" {
    start_b --defence all --key secret.txt
    call --defence digest # agent_b wants more
    [ "$status" -eq 1 ]
    [ "$(result '[.outcome,.word,.by,.claimed,.status,.response]')" = \
        '["refused","signature_missing","agent_b",null,403,null]' ]
    stop_all
    start_b
    call --defence digest # agent_a wants more
    [ "$(result '[.outcome,.word,.by,.claimed,.status,.response]')" = \
        '["refused","digest_missing","agent_a",null,200,null]' ]
    printf '{"id":1,"tool_name":"nothing"}' >alice.json
    call # a tool's no
    [ "$(result '[.outcome,.word,.by,.status]')" = '["refused","unknown_tool","agent_b",404]' ]
    call --defence digest # the same, unproven: it may be a lie
    [ "$(result '[.outcome,.word,.by,.claimed,.status]')" = \
        '["refused","digest_missing","agent_a","unknown_tool",404]' ]
}

@test "an error that is not agent_b's is a failure" {
    local proxy
    start proxy.log "[Ll]istening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 \
        --admin 127.0.0.1:0 --upstream http://127.0.0.1:1
    proxy=$(sed -n 's/.*[Ll]istening on \([0-9.:]*\).*/\1/p' proxy.log | head -n 1)
    url="http://$proxy"
    call
    [ "$(result '[.outcome,.word,.by,.claimed,.status]')" = \
        '["failed","status",null,"connect_failed",502]' ]
}

@test "failures have their words" {
    start_server <<'PYTHON'
kept = []
def play(n, connection):
    take(connection)
    if n == 1:
        kept.append(connection)
    elif n == 2:
        reset(connection)
    elif n == 3:
        connection.sendall(answer("7")[:-2])
    elif n == 4:
        connection.sendall(b"SSH-2.0\r\n")
    elif n == 5:
        connection.sendall(answer("8"))
    elif n == 6:
        connection.sendall(answer("7", b"<p>", "503 Busy"))
PYTHON
    local word
    for word in timeout connection_reset connection_closed bad_response id_mismatch status \
        connection_closed; do
        if [ "$word" = timeout ]; then call --timeout 1; else call; fi
        [ "$status" -eq 1 ]
        [ "$(result '[.outcome,.word,.by,.attempts]')" = '["failed","'"$word"'",null,1]' ]
    done
    url=http://127.0.0.1:1
    call
    [ "$(result '[.outcome,.word,.status]')" = '["failed","connect_failed",null]' ]
}

@test "a call that got no answer is sent again where that is wanted, and no other is" {
    start_server <<'PYTHON'
kept = []
def play(n, connection):
    take(connection)
    if n == 1:
        kept.append(connection)
    elif n == 2:
        reset(connection)
    elif n == 3:
        connection.sendall(answer("7")[:-2])
    elif n == 4:
        connection.sendall(answer("7"))
        take(connection)
    elif n == 5:
        connection.sendall(answer("8"))
PYTHON
    call --timeout 4 --retries 3
    [ "$status" -eq 0 ]
    [ "$(result '[.outcome,.attempts,.duration_ms >= 4000]')" = '["accepted",4,true]' ]
    [ "$(grep -c '^call' server.log)" -eq 4 ]
    [ "$(grep -c '^\[Agent A\] Sending JSON: ' <<<"$output")" -eq 4 ]
    [ "$(grep -o 'Retrying: attempt . of at most .' <<<"$output")" = \
        'Retrying: attempt 2 of at most 4
Retrying: attempt 3 of at most 4
Retrying: attempt 4 of at most 4' ]
    call --retries 3 # another's answer is an answer
    [ "$status" -eq 1 ]
    [ "$(result '[.outcome,.word,.attempts]')" = '["failed","id_mismatch",1]' ]
    url=http://127.0.0.1:1
    AGENT_A_RETRIES=2 call --count 2
    [ "$status" -eq 1 ]
    [[ "$output" == *"2 calls, 0 ok, 2 failed, 4 retries, "* ]]
    [ "$(result '[.call,.outcome,.word,.attempts]')" = '[2,"failed","connect_failed",3]' ]
}

# The relay forgets agent_a's first connection once agent_b has answered.
@test "a careless retry is carried out twice; with nonces it is a new message all the same" {
    local profile
    for profile in none signed-nonce all; do
        start_b --defence "$profile" --key secret.txt
        local b=${url#http://}
        start_server <<PYTHON
def play(n, connection):
    call = connection.recv(65536)
    with socket.create_connection(("${b%:*}", ${b##*:})) as upstream:
        upstream.sendall(call)
        reply = upstream.recv(65536)
    print("asked", call, flush=True)
    if n > 1:
        connection.sendall(reply)
    connection.close()
PYTHON
        call --retries 1 --defence "$profile" --key secret.txt
        [ "$status" -eq 0 ]
        [ "$(result '[.attempts,.response.result.balances.alice]')" = '[2,10]' ]
        stop_all
    done
    [ "$(grep -o 'nonce="[0-9a-f]*"' server.log | sort -u | wc -l)" -eq 2 ]
}

@test "a response that nobody asked for is no answer to the next call" {
    start_server <<'PYTHON'
def play(n, connection):
    if take(connection) is None:
        return
    if n == 1: # together with the answer
        connection.sendall(answer("7") + answer("7", b'{"id":7,"evil":1}'))
    elif n == 2: # while agent_a rests
        connection.sendall(answer("7"))
        connection.sendall(answer("7", b'{"id":7,"evil":2}'))
    else:
        connection.sendall(answer("7"))
PYTHON
    call --count 3 --interval 200
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.outcome,.response]' results.ndjson | sort -u)" = '["accepted",{"id":7}]' ]
    [ "$(jq -s 'map(.unasked_responses) | add' results.ndjson)" -eq 2 ]
    [ "$(grep -c 'agent_a: unasked_response: ' <<<"$output")" -eq 2 ]
    [[ "$output" == *"3 calls, 3 ok, 0 failed, 2 unasked responses, "* ]]
    [ "$(grep -o '^call [0-9]*' server.log | sort -u | wc -l)" -eq 3 ] # each on its own connection
}

@test "after an answer with another id the connection is not trusted" {
    start_server <<'PYTHON'
def play(n, connection):
    while take(connection) is not None:
        connection.sendall(answer("8" if n == 1 else "7"))
PYTHON
    call --count 3
    [ "$status" -eq 1 ]
    [ "$(jq -c '[.outcome,.word]' results.ndjson)" = '["failed","id_mismatch"]
["accepted",null]
["accepted",null]' ]
    [ "$(grep -o '^call [0-9]*' server.log)" = 'call 1
call 2
call 2' ]
}

# call_b JSON [FILE]: posts it to agent_b; the answer is in FILE.
call_b() {
    curl -sS -m 10 -o "${2:-answer}" -H 'Content-Type: application/json' -d "$1" "$url/tool"
}

@test "agent_b says what it carried out, and what it refused" {
    mkdir data
    echo "the answer" >data/note.txt
    start_b --data data
    [ "$(curl -sS "$url/calls")" = '{"carried_out":{"analyze_dependency":0,"deposit":0,"read_file":0,"follow_build":0},"refused":{}}' ]
    call_b '{"id":1,"tool_name":"deposit","arguments":{"account":"a","amount":1}}'
    call_b '{"id":1,"tool_name":"deposit","arguments":{"account":"a","amount":1}}'
    call_b '{"id":1,"tool_name":"read_file","arguments":{"path":"note.txt"}}'
    call_b '{"id":1,"tool_name":"read_file","arguments":{"path":"other.txt"}}'
    call_b '{"id":1,"tool_name":"rm"}'
    call_b '{"id":1,}'
    call_b '[]'
    call_b '[]'
    curl -sS "$url/tool" >answer # this is no call
    [ "$(curl -sS "$url/calls")" = '{"carried_out":{"analyze_dependency":0,"deposit":2,"read_file":1,"follow_build":0},"refused":{"no_such_file":1,"unknown_tool":1,"bad_json":1,"bad_call":2}}' ]
    [ "$(curl -sS "$url/ledger")" = '{"balances":{"a":2.00},"deposits":2}' ]
}

@test "what the defence refuses is counted, and not carried out" {
    start_b --defence all --key secret.txt
    call_b '{"id":1,"tool_name":"deposit","arguments":{"account":"a","amount":1}}'
    call
    call --defence all --key secret.txt
    [ "$(curl -sS "$url/calls")" = '{"carried_out":{"analyze_dependency":0,"deposit":1,"read_file":0,"follow_build":0},"refused":{"digest_missing":2}}' ]
    [ "$(curl -sS "$url/ledger")" = '{"balances":{"alice":5.00},"deposits":1}' ]
}

@test "a build is followed event by event, a chunk for each" {
    start_b
    curl -sS -m 10 --raw -D head -o raw -H 'Content-Type: application/json' \
        -d '{"id":9007199254740993,"tool_name":"follow_build","arguments":{"steps":2}}' "$url/tool"
    grep -qx $'Content-Type: text/event-stream\r' head
    grep -qx $'Transfer-Encoding: chunked\r' head
    [ "$(grep -c 'Content-Length' head)" -eq 0 ]
    local result
    result=$(sed -n 's/^data: \({"id".*\)$/\1/p' raw)
    [[ "$result" =~ ^'{"id":9007199254740993,"type":"tool_result","tool_name":"follow_build","received_at":'[0-9.]+',"result":{"ok":true,"echo":{"steps":2},"steps":2}}'$ ]]
    # event: result, data: and the line ends around it.
    printf '29\r\nevent: progress\ndata: {"step":1,"of":2}\n\n\r\n29\r\nevent: progress\ndata: {"step":2,"of":2}\n\n\r\n%x\r\nevent: result\ndata: %s\n\n\r\n0\r\n\r\n' \
        $((${#result} + 22)) "$result" | cmp - raw
    call_b '{"id":1,"tool_name":"follow_build","arguments":{"steps":1000}}'
    [ "$(grep -c '^event: progress$' answer)" -eq 1000 ]
    call_b '{"id":1,"tool_name":"follow_build","arguments":{"steps":1001}}'
    [ "$(jq -r .result.error.word answer)" = bad_arguments ]
}

@test "agent_a shows the events of a build, and takes the result" {
    printf '%s' '{"id":"b-1","tool_name":"follow_build","arguments":{"steps":3}}' >alice.json
    local profile
    for profile in none all; do
        start_b --defence "$profile" --key secret.txt
        call --defence "$profile" --key secret.txt
        [ "$status" -eq 0 ]
        [ "$(grep '^\[Agent A\] Event: progress' <<<"$output")" = '[Agent A] Event: progress {"step":1,"of":3}
[Agent A] Event: progress {"step":2,"of":3}
[Agent A] Event: progress {"step":3,"of":3}' ]
        [ "$(grep -c '^\[Agent A\] Response JSON: {"id":"b-1",' <<<"$output")" -eq 1 ]
        [ "$(result '[.outcome,.status,.events,.response.id,.response.result]')" = \
            '["accepted",200,4,"b-1",{"ok":true,"echo":{"steps":3},"steps":3}]' ]
        stop_all
    done
}

@test "events from elsewhere: the last result counts, and without one there is no answer" {
    start_server <<'PYTHON'
def events(body):
    return answer("7", body).replace(b"\r\n", b"\r\nContent-Type: text/event-stream\r\n", 1)
def play(n, connection):
    for body in [b': hello\r\n\r\ndata: {"a":1}\r\n\r\nevent:result\ndata:{"id":7,\ndata:"x":1}\n\n',
                 b'event: result\ndata: {"id":7,"x":1}\n\nevent: result\ndata: {"id":7,"x":2}\n\n',
                 b'event: progress\ndata: {}\n\nevent: result\ndata: {"id":7}\n',
                 b'event: result\ndata: {"id":8}\n\n']:
        take(connection)
        connection.sendall(events(body))
PYTHON
    call --count 4
    [ "$status" -eq 1 ]
    grep -qF '[Agent A] Event: message {"a":1}' <<<"$output"
    [ "$(jq -c '[.outcome,.word,.events,.response]' results.ndjson)" = \
        '["accepted",null,2,{"id":7,"x":1}]
["accepted",null,2,{"id":7,"x":2}]
["failed","no_result",1,null]
["failed","id_mismatch",1,null]' ]
}

# A head for events, before what server.py plays.
events_head='EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\n"
CHUNKED = EVENTS % b"Transfer-Encoding: chunked\r\n"
def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text)'

@test "events are shown as they come" {
    mkfifo seen
    start_server <<PYTHON
$events_head
def play(n, connection):
    take(connection)
    connection.sendall(CHUNKED + chunk(b'event: progress\ndata: {"st') + chunk(b'ep":1}\n\n'))
    open("seen").close() # waits
    connection.sendall(chunk(b'event: result\ndata: {"id":7}\n\n') + b"0\r\n\r\n")
PYTHON
    start a.log 'Event: progress \{"step":1\}' "$BIN_DIR/agent_a" --url "$url/tool" \
        --call alice.json --results results.ndjson
    : >seen
    wait "$started"
    [ "$(result '[.outcome,.events,.response]')" = '["accepted",2,{"id":7}]' ]
    [ "$(tail -n 4 a.log)" = '[Agent A] Status: 200
[Agent A] Event: progress {"step":1}
[Agent A] Event: result {"id":7}
[Agent A] Response JSON: {"id":7}' ]
}

@test "events that stop, are cut or never end are no answer; what came is told" {
    start_server <<PYTHON
import select
$events_head
kept = []
RESULT = chunk(b'event: result\ndata: {"id":7}\n\n')
def flood(connection, data, pause):
    try:
        while not select.select([connection], [], [], pause)[0]:
            connection.sendall(chunk(data))
    except OSError:
        pass
def play(n, connection):
    take(connection)
    connection.sendall(CHUNKED + RESULT)
    if n == 1: # stalled
        kept.append(connection)
    elif n == 2: # cut, after the result
        connection.close()
    elif n == 3: # without an end, slowly
        flood(connection, b"data: 1\n\n", 0.05)
    elif n == 4: # and fast
        flood(connection, b"data: 1\n\n" * 1000, 0)
    else:
        connection.sendall(b"0\r\n\r\n")
PYTHON
    call --timeout 3
    [ "$status" -eq 1 ]
    [ "$(result '[.outcome,.word,.events,.status,.response]')" = '["failed","timeout",1,null,null]' ]
    grep -qF '[Agent A] Event: result {"id":7}' <<<"$output"
    call
    [ "$(result '[.outcome,.word,.events]')" = '["failed","connection_closed",1]' ]
    call --timeout 3
    [ "$(result '[.outcome,.word,.events > 2]')" = '["failed","timeout",true]' ]
    run "$BIN_DIR/agent_a" --url "$url/tool" --call alice.json --results results.ndjson
    [ "$(result '[.outcome,.word,.events > 1000000]')" = '["failed","bad_response",true]' ]
    [ "$(grep -c '^\[Agent A\] Event: ' <<<"$output")" -eq 2001 ] # the last says that there are more
    call --retries 1
    [ "$(result '[.outcome,.attempts,.events]')" = '["accepted",1,1]' ]
}

@test "events in two framings are refused, in one that ends with the connection they are not" {
    start_server <<PYTHON
$events_head
RESULT = b'event: result\ndata: {"id":7}\n\n'
def play(n, connection):
    take(connection)
    if n == 1:
        connection.sendall(EVENTS % b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" + chunk(RESULT))
    elif n == 2:
        connection.sendall(EVENTS % (b"Content-Length: %d\r\nContent-Length: 5\r\n" % len(RESULT)) + RESULT)
    elif n == 3: # the length ends the answer, and what follows is nobody's
        connection.sendall(EVENTS % (b"Content-Length: %d\r\n" % len(RESULT)) + RESULT + RESULT)
    elif n == 4:
        connection.sendall(EVENTS % b"" + RESULT)
    elif n == 5: # a line break in a field's value cannot be: what follows it is no body
        connection.sendall(EVENTS % b"X: a\r\rContent-Length: 0\r\n" + RESULT)
    elif n == 6:
        connection.sendall(EVENTS.replace(b"200 OK", b"500 No") % b"" + RESULT)
    connection.close()
PYTHON
    local expected
    for expected in '["failed","bad_response",0]' '["failed","bad_response",0]' '["accepted",null,1]' \
        '["accepted",null,0]' '["failed","bad_response",0]' '["failed","status",0]'; do
        call
        [ "$(result '[.outcome,.word,.unasked_responses]')" = "$expected" ]
    done
}

@test "what events say cannot reach the terminal" {
    start_server <<PYTHON
$events_head
def play(n, connection):
    take(connection)
    connection.sendall(EVENTS % b"" + b'event: \x1b[2J"\ndata: a\ndata: \x9b1m\xff\ndata: "\n\n'
        b'event: result\ndata: {"id":7}\n\n')
    connection.close()
PYTHON
    call
    [ "$status" -eq 0 ]
    [ "$(LC_ALL=C grep -c $'[\x1b\x9b]' <<<"$output")" -eq 0 ]
    [ "$(grep -c '^\[Agent A\] ' <<<"$output")" -eq 5 ]
}

# What someone on the path makes of it: tamper_relay.py between them.
@test "a changed path makes agent_b read another file, and agent_a take it" {
    mkdir data
    echo public >data/note.txt
    echo "the other one" >data/plan.txt
    printf '%s' '{"id":3,"tool_name":"read_file","arguments":{"path":"note.txt"}}' >alice.json
    local profile direct
    for profile in none signed; do
        start_b --data data --defence "$profile" --key secret.txt
        start relay.log "Listening on" python3 "$BATS_TEST_DIRNAME/tamper_relay.py" \
            "${url#http://}" file
        direct=$url
        url="http://$(listening_on relay.log)"
        call --defence "$profile" --key secret.txt
        cp results.ndjson "results.$profile"
        curl -sS "$direct/calls" >"calls.$profile"
        stop_all
    done
    [ "$(jq -c '[.outcome,.response.result.content]' results.none)" = '["accepted","the other one\n"]' ]
    [ "$(jq .carried_out.read_file calls.none)" -eq 1 ]
    [ "$(jq -c '[.outcome,.word,.by,.response]' results.signed)" = \
        '["refused","digest_mismatch","agent_b",null]' ]
    [ "$(jq -c '[.carried_out.read_file,.refused]' calls.signed)" = '[0,{"digest_mismatch":1}]' ]
}
