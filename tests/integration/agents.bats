#!/usr/bin/env bats
# agent_a and agent_b as programs: their contract with scripts.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031

load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir data
    echo "the answer" >data/note.txt
    echo "secret" >secret.txt
    ln -s ../secret.txt data/way_out
}

teardown() {
    stop_all
}

# agent_b with the options given, and its address in $url.
start_b() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 --data data "$@"
    url="http://$(listening_on b.log)"
}

# post BODY [TYPE [curl options]]: the status, a line end, the body.
post() {
    local body=$1 type=${2:-application/json}
    shift $(($# < 2 ? $# : 2))
    curl -sS -m 10 -o answer -w '%{http_code}\n' -H "Content-Type: $type" \
        --data-binary "$body" "$@" "$url/tool"
    cat answer
}

@test "agent_b answers a call with its own words" {
    start_b
    run post '{"id":"call-0001","type":"tool_call","tool_name":"analyze_dependency","arguments":{"repo":"demo-repo"}}'
    [ "${lines[0]}" = 200 ]
    [[ "${lines[1]}" =~ ^'{"id":"call-0001","type":"tool_result","tool_name":"analyze_dependency","received_at":'[0-9]+'.'[0-9]{6}',"result":{"ok":true,"echo":{"repo":"demo-repo"}}}'$ ]]
}

@test "big numbers, NUL and odd spelling survive" {
    start_b
    run post '{"id" : 9007199254740993,"tool_name":"analyze_dependency","arguments":{ "n":1e400 ,"s":"\u0000\u00e9","z":-0.0}}'
    [ "${lines[0]}" = 200 ]
    [[ "${lines[1]}" == '{"id":9007199254740993,'* ]]
    [[ "${lines[1]}" == *'"echo":{ "n":1e400 ,"s":"\u0000\u00e9","z":-0.0}}}' ]]
}

@test "without id and arguments the answer has null and {}" {
    start_b
    run post '{"tool_name":"analyze_dependency"}'
    [ "${lines[0]}" = 200 ]
    [[ "${lines[1]}" == '{"id":null,'*'"echo":{}}}' ]]
}

@test "deposits add up exactly, in the answer and in the ledger" {
    start_b
    local id
    for id in 1 2 3; do
        run post '{"id":'$id',"tool_name":"deposit","arguments":{"account":"alice","amount":0.10}}'
        [ "${lines[0]}" = 200 ]
    done
    [[ "${lines[1]}" == *'"balances":{"alice":0.30}}}' ]]
    run post '{"id":1,"tool_name":"deposit","arguments":{"account":"bob","amount":90071992547409.93}}'
    [ "${lines[0]}" = 200 ]
    [ "$(curl -sS "$url/ledger")" = '{"balances":{"alice":0.30,"bob":90071992547409.93},"deposits":4}' ]
    run post '{"id":1,"tool_name":"deposit","arguments":{"account":"bob","amount":1e2}}'
    [ "${lines[0]}" = 422 ]
    [[ "${lines[1]}" == *'"result":{"ok":false,"error":{"word":"bad_arguments",'* ]]
}

@test "read_file reads inside its directory only" {
    start_b
    run post '{"id":1,"tool_name":"read_file","arguments":{"path":"note.txt"}}'
    [ "${lines[0]}" = 200 ]
    [[ "${lines[1]}" == *'"content":"the answer\n"}}' ]]
    local path
    for path in ../secret.txt '\u002e./secret.txt' way_out /etc/passwd "$PWD/data/note.txt"; do
        run post '{"id":1,"tool_name":"read_file","arguments":{"path":"'"$path"'"}}'
        [ "${lines[0]}" = 422 ]
        [[ "${lines[1]}" == *'"word":"outside_data"'* ]]
        [[ "${lines[1]}" != *"secret\n"* ]]
    done
}

@test "what agent_b refuses, it refuses as JSON with the right status" {
    start_b --body-max 1000
    run post '{"id":7,"tool_name":"rm"}'
    [ "${lines[0]}" = 404 ]
    [[ "${lines[1]}" == '{"id":7,'*'"result":{"ok":false,"error":{"word":"unknown_tool",'* ]]
    run post '{"id":1,}'
    [ "${lines[0]}" = 400 ]
    [[ "${lines[1]}" == *'"bad JSON at byte 8: a key in double quotes is expected here"'* ]]
    run post '[]'
    [ "${lines[0]}" = 400 ]
    run post '{"id":1,"tool_name":5}'
    [ "${lines[0]}" = 400 ]
    run post '{}' text/plain
    [ "${lines[0]}" = 415 ]
    run post '{"tool_name":"analyze_dependency"}' 'application/JSON; charset=utf-8'
    [ "${lines[0]}" = 200 ]
    run post '{"tool_name":"analyze_dependency"}' application/vnd.call+json
    [ "${lines[0]}" = 200 ]
    run post "$(printf '%1001s' '{}')"
    [ "${lines[0]}" = 413 ]
    run post "$(printf '%1001s' '{}')" application/json -H 'Transfer-Encoding: chunked'
    [ "${lines[0]}" = 413 ]
    [ "$(curl -sS -o answer -D head -w '%{http_code}' "$url/tool")" = 405 ]
    grep -q $'^Allow: POST\r$' head
    [ "$(curl -sS -o answer -D head -w '%{http_code}' -d x "$url/ledger")" = 405 ]
    grep -q $'^Allow: GET, HEAD\r$' head
    [ "$(curl -sS -o answer -w '%{http_code}' "$url/nothing")" = 404 ]
    [ "$(curl -sS "$url/healthz?x=1")" = '{"status":"ok"}' ]
    stop "$started"
}

@test "agent_b prints each call on a line of its own" {
    start_b
    post '{"tool_name":"analyze_dependency",
  "arguments":{"s":"a  b"}}'
    post $'{"tool_name":"\e[31m"}'
    post '{"tool_name":"analyze_dependency","arguments":"'"$(printf '%6000s' x)"'"}' >/dev/null
    stop "$started"
    grep -qxF '[Agent B] Received JSON: {"tool_name":"analyze_dependency", "arguments":{"s":"a  b"}}' b.log
    grep -qxF '[Agent B] Received bad JSON: {"tool_name":"\u001b[31m"}' b.log
    grep -qE '^\[Agent B\] Received JSON: .{4090,4110}…$' b.log
    [ "$(grep -vc '^\[Agent B\] Caller: ' b.log)" -eq 4 ]
}

@test "agent_b says who calls, once, and again when somebody else does" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen '[::]:0'
    local port host call='{"tool_name":"analyze_dependency","arguments":{}}'
    port=$(listening_on b.log)
    port=${port##*:}
    curl -sS "http://127.0.0.1:$port/healthz"
    for host in 127.0.0.1 127.0.0.1 '[::1]' 127.0.0.2; do
        curl -sS -m 10 --globoff -H 'Content-Type: application/json' -d "$call" \
            --interface "$(tr -d '[]' <<<"$host")" "http://${host/0.2/0.1}:$port/tool"
    done
    stop "$started"
    [ "$(sed -n 's/^\[Agent B\] Caller: //p' b.log)" = $'127.0.0.1\n::1\n127.0.0.2' ]
    [ "$(grep -cxF "[Agent B] Received JSON: $call" b.log)" -eq 4 ]
}

@test "pipelined calls are answered in order, whatever the pieces they come in" {
    start_b
    python3 - "${url#http://}" <<'PYTHON'
import socket, sys
host, port = sys.argv[1].split(":")
N = 500
call = lambda i: b'{"id":%d,"tool_name":"analyze_dependency"}' % i
wire = b"".join(b"POST /tool HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(call(i)), call(i)) for i in range(N))
for piece in (len(wire), 777):
    s = socket.create_connection((host, int(port)), 10)
    for at in range(0, len(wire), piece):
        s.sendall(wire[at:at + piece])
    s.shutdown(socket.SHUT_WR)
    got = b""
    while True:
        data = s.recv(65536)
        if not data:
            break
        got += data
    ids = [int(part.split(b",")[0]) for part in got.split(b'{"id":')[1:]]
    assert ids == list(range(N)), ids[:20]
    assert got.count(b"HTTP/1.1 200 OK\r\n") == N
PYTHON
}

@test "500 connections at the same time" {
    start_b
    python3 - "${url#http://}" <<'PYTHON'
import socket, sys
host, port = sys.argv[1].split(":")
socks = [socket.create_connection((host, int(port)), 10) for _ in range(500)]
for turn in range(2):
    for i, s in enumerate(socks):
        body = b'{"id":%d,"tool_name":"analyze_dependency"}' % i
        s.sendall(b"POST /tool HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    for i, s in enumerate(socks):
        got = b""
        while not got.endswith(b"}}"):
            data = s.recv(4096)
            assert data, got
            got += data
        assert b'{"id":%d,' % i in got, got
PYTHON
    stop "$started"
    [ "$(grep -c '^\[Agent B\] Received JSON: ' b.log)" -eq 1000 ]
}

@test "agent_b ends with 0 on SIGTERM and on SIGINT, also with clients that linger" {
    start_b
    exec 5<>"/dev/tcp/127.0.0.1/${url##*:}"
    stop "$started" TERM
    exec 5>&-
    start_b
    exec 5<>"/dev/tcp/127.0.0.1/${url##*:}"
    printf 'POST /tool HT' >&5
    stop "$started" INT
    exec 5>&-
}

@test "agent_b says in one line what is wrong with its start" {
    start_b
    run "$BIN_DIR/agent_b" --listen "${url#http://}"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *"address already in use"*"--listen"* ]]
    run "$BIN_DIR/agent_b" --listen nowhere
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    run "$BIN_DIR/agent_b" --body-max 0
    [ "$status" -eq 2 ]
    run "$BIN_DIR/agent_b" --data secret.txt
    [ "$status" -eq 1 ]
    [[ "$output" == *"secret.txt: not a directory" ]]
}

@test "a full disk behind stdout does not stop agent_b, and is said once" {
    "$BIN_DIR/agent_b" --listen 127.0.0.1:0 >/dev/full 2>full.log 3>&- &
    started=$!
    started_all+=("$started")
    wait_for_line full.log "cannot write to stdout: No space left on device" "$started"
    stop "$started"
    grep -qx 'agent_b: 1 lines for stdout were lost' full.log
    [ "$(wc -l <full.log)" -eq 2 ]
}

@test "options are explained, and the environment stands in for them" {
    local program
    for program in agent_a agent_b; do
        run "$BIN_DIR/$program" --help
        [ "$status" -eq 0 ]
        [[ "$output" == *"examples:"* ]]
        run "$BIN_DIR/$program" --version
        [ "$status" -eq 0 ]
        [[ "$output" == "$program "[0-9]* ]]
        run "$BIN_DIR/$program" --nonsense
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        run "$BIN_DIR/$program" word
        [ "$status" -eq 2 ]
    done
    start b.log "Listening on 127.0.0.1:" env AGENT_B_LISTEN=127.0.0.1:0 AGENT_B_DATA=data \
        "$BIN_DIR/agent_b"
    url="http://$(listening_on b.log)"
    SERVER_URL="$url/tool" AGENT_A_COUNT=2 run "$BIN_DIR/agent_a"
    [ "$status" -eq 0 ]
    [[ "${lines[6]}" == "[Agent A] Summary: 2 calls, 2 ok, 0 failed, "* ]]
}

@test "agent_a makes the one call and shows it" {
    start_b
    run "$BIN_DIR/agent_a" --url "$url/tool"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[0]}" = '[Agent A] Sending JSON: {"id":"call-0001","type":"tool_call","tool_name":"analyze_dependency","arguments":{"repo":"demo-repo","target":"libssl","depth":2}}' ]
    [ "${lines[1]}" = '[Agent A] Status: 200' ]
    [[ "${lines[2]}" == '[Agent A] Response JSON: {"id":"call-0001","type":"tool_result",'* ]]
}

@test "agent_a counts its ids up and keeps its connections" {
    start_b
    run "$BIN_DIR/agent_a" --url "$url/tool" --count 1000 --concurrency 16
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" =~ ^'[Agent A] Summary: 1000 calls, 1000 ok, 0 failed, '[0-9.]+' s, '[0-9.]+' calls/s, p50 '[0-9.]+' ms, p99 '[0-9.]+' ms'$ ]]
    stop "$started"
    [ "$(grep -o 'call-[0-9]*' b.log | sort -u | wc -l)" -eq 1000 ]
    grep -q '"call-1000"' b.log
}

@test "agent_a sends files as they are, each as often as told" {
    start_b
    printf '{ "id": 1, "tool_name":"deposit","arguments":{"account":"a","amount":1.5}}\n' >one.json
    printf '{"id":"\\u0061","tool_name":"read_file","arguments":{"path":"note.txt"}}' >two.json
    run "$BIN_DIR/agent_a" --url "$url/tool" --call one.json --call two.json --count 2
    [ "$status" -eq 0 ]
    [ "$(grep -c 'Sending JSON: { "id": 1, ' <<<"$output")" -eq 2 ]
    [ "$(curl -sS "$url/ledger")" = '{"balances":{"a":3.00},"deposits":2}' ]
    run "$BIN_DIR/agent_a" --url "$url/tool" --call - --quiet <two.json
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "agent_a says which call failed and why, and ends with 1" {
    start_b
    printf '{"id":"x","tool_name":"nothing"}' >unknown.json
    run "$BIN_DIR/agent_a" --url "$url/tool" --call unknown.json --quiet
    [ "$status" -eq 1 ]
    [ "$output" = 'agent_a: call "x" failed: the status is 404, unknown_tool' ]
    run "$BIN_DIR/agent_a" --url http://127.0.0.1:1/tool --quiet
    [ "$status" -eq 1 ]
    [[ "$output" == *'cannot connect to 127.0.0.1 port 1: connection refused' ]]
    run "$BIN_DIR/agent_a" --url http://127.0.0.1:1/tool --wait 1
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *"was not ready within 1 s"* ]]
}

@test "agent_a tells bad usage with 2" {
    local arguments
    for arguments in "--url ftp://x/" "--ca ca.pem --url http://x/" "--tls-key k.pem --url https://x/" "--url x" "--count 0" "--count 1x" "--timeout 0" \
        "--call nothing.json" "--quiet --verbose" "--concurrency"; do
        # shellcheck disable=SC2086 # words are wanted
        run "$BIN_DIR/agent_a" $arguments
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "agent_a waits until the server is ready" {
    # A port that was free a moment ago; a second program on it would only make this test fail.
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$BIN_DIR/agent_a" --url "http://127.0.0.1:$port/tool" --wait 20 >a.log 2>&1 3>&- &
    local agent_a=$!
    started_all+=("$agent_a")
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen "127.0.0.1:$port"
    wait "$agent_a"
    grep -q 'Status: 200' a.log
}

@test "agent_a works with another stack: HTTP/1.0, and JSON of another shape" {
    cat >other.py <<'PYTHON'
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"result": "fine", "id": call["id"]}, indent=1).encode()
        self.send_response(201)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("listening on 127.0.0.1:%d" % server.server_address[1])
server.serve_forever()
PYTHON
    start other.log "listening on" python3 -u other.py
    run "$BIN_DIR/agent_a" --url "http://$(listening_on other.log)/tool" --count 5 --concurrency 2
    [ "$status" -eq 0 ]
    [ "$(grep -c 'Status: 201' <<<"$output")" -eq 5 ]
}

# A server that prints what comes, "call 1" or "end 1" by connection, and answers by a rule of its own.
# stubborn_server RULE: python that sees n (the connection), calls (so far, with this one) and
# answer(), which answers the call on the connection that it is given.
stubborn_server() {
    cat >stubborn.py <<PYTHON
import selectors, socket
listener = socket.create_server(("127.0.0.1", 0))
print("listening on 127.0.0.1:%d" % listener.getsockname()[1])
poll = selectors.DefaultSelector()
poll.register(listener, selectors.EVENT_READ)
connections, calls = [], 0
def answer(n, body=b"{}"):
    connections[n].sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
while True:
    for key, _ in poll.select():
        if key.fileobj is listener:
            connections.append(listener.accept()[0])
            poll.register(connections[-1], selectors.EVENT_READ)
            continue
        n = connections.index(key.fileobj)
        if not key.fileobj.recv(65536):
            print("end", n)
            poll.unregister(key.fileobj)
            continue
        calls += 1
        print("call", n)
        $1
PYTHON
    start stubborn.log "listening on" python3 -u stubborn.py
    url="http://$(listening_on stubborn.log)"
}

@test "agent_a does not rest where no call is left" {
    echo '{}' >call.json
    stubborn_server 'if calls == 2: answer(0); answer(1)
        if calls == 3: answer(n)'
    run "$BIN_DIR/agent_a" --url "$url/tool" --call call.json --count 3 --concurrency 2 \
        --interval 1000 --quiet
    [ "$status" -eq 0 ]
    # Of the two that were answered, one stayed for the third call; the other left before it.
    sed -n '4p' stubborn.log | grep -qx 'end [01]'
    sed -n '5p' stubborn.log | grep -qx 'call [01]'
}

@test "agent_a asks again where /healthz was not answered" {
    stubborn_server 'if n > 0: answer(n)'
    echo '{}' >call.json
    run timeout 15 "$BIN_DIR/agent_a" --url "$url/tool" --call call.json --wait 20 --quiet
    [ "$status" -eq 0 ]
    [ "$(grep -c '^call' stubborn.log)" -eq 3 ]
}

@test "a signal ends agent_a with 1, also while it waits" {
    local options signal ended
    for options in "--wait 60" "--wait 0"; do
        for signal in TERM INT; do
            stubborn_server pass
            # shellcheck disable=SC2086 # words are wanted
            "$BIN_DIR/agent_a" --url "$url/tool" $options --quiet >a.log 2>&1 3>&- &
            started_all+=("$!")
            wait_for_line stubborn.log '^call' "$!"
            ended=0
            stop "$!" "$signal" || ended=$?
            [ "$ended" -eq 1 ]
            grep -q 'a signal came$' a.log
        done
    done
}

@test "programs start with closed descriptors, and print into nothing else" {
    # shellcheck disable=SC2016 # bash -c expands them
    start b.log "Listening on" bash -c 'exec "$0" "$@" <&-' "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    url="http://$(listening_on b.log)"
    local closed wanted
    while read -r wanted closed; do
        run bash -c "exec \"\$0\" --url \"\$1\" $closed" "$BIN_DIR/agent_a" "$url/tool"
        [ "$status" -eq "$wanted" ]
    done <<'CASES'
0 <&-
1 >&-
0 2>&-
1 >&- 2>&-
1 <&- >&- 2>&-
CASES
    [ "$(curl -sS "$url/healthz")" = '{"status":"ok"}' ]
    stop "$started"
}

@test "with too few descriptors to start a program says so" {
    local program
    for program in agent_a agent_b; do
        run bash -c 'ulimit -n 8; exec "$0" 3>&- 4>&- 5>&- 6>&- 7>&-' "$BIN_DIR/$program"
        [ "$status" -eq 1 ]
        [[ "${lines[0]}" == "$program: cannot start: "* ]]
    done
}
