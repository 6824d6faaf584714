#!/usr/bin/env bats
# mitm_proxy as a program: bytes, records, signals, and what it says when something is wrong.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031
# helper.bash sets $started, and bats $stderr.
# shellcheck disable=SC2154

load helper

wire="$BATS_TEST_DIRNAME/wire.py"
data="$BATS_TEST_DIRNAME/../data"

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

# agent_b and mitm_proxy in front of it, with the options given: $url is the proxy's, $admin its
# admin port's.
start_lab() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    server=$(listening_on b.log)
    start_proxy --upstream "http://$server" "$@"
}

start_proxy() {
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 \
        --admin 127.0.0.1:0 "$@"
    proxy=$started
    url="http://$(listening_on proxy.log | tr -d ,)"
    admin=$(sed -n 's/.*admin on \(http[^ ]*\).*/\1/p' proxy.log)
}

call() {
    "$BIN_DIR/agent_a" --url "$url/tool" "$@"
}

# metric NAME: its value on the admin port.
metric() {
    curl -sS -m 10 "$admin/metrics" | awk -v name="mitm_$1" '$1 == name { print $2 }'
}

# The most memory that the proxy has had, in KiB.
peak_memory() {
    awk '$1 == "VmHWM:" { print $2 }' "/proc/$proxy/status"
}

# wait_until COMMAND …: again and again, until it succeeds or a minute has passed.
wait_until() {
    local deadline=$((SECONDS + 60))
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
    done
}

@test "every case passes between a raw client and a raw origin, whole" {
    for cases in "$data"/proxy/*.txt "$data"/http/requests*.txt; do
        python3 "$wire" "$BIN_DIR/mitm_proxy" "$cases"
    done
}

@test "every case passes byte by byte" {
    for cases in "$data"/proxy/*.txt "$data"/http/requests*.txt; do
        python3 "$wire" "$BIN_DIR/mitm_proxy" "$cases" --pieces
    done
}

@test "every case passes with all observers watching" {
    for cases in "$data"/proxy/*.txt; do
        python3 "$wire" "$BIN_DIR/mitm_proxy" "$cases" -- --pcap p.pcap --pcap-source payload
    done
}

@test "random exchanges arrive as they were sent, or as far as either side let them" {
    python3 "$BATS_TEST_DIRNAME/wire_random.py" "$BIN_DIR/mitm_proxy"
    python3 "$BATS_TEST_DIRNAME/wire_random.py" "$BIN_DIR/mitm_proxy" --seed "$RANDOM" \
        --trials 100 -- --pcap p.pcap --pcap-source payload
}

@test "a side that reads slowly or not at all costs no memory, and no time without end" {
    python3 "$BATS_TEST_DIRNAME/wire_pressure.py" "$BIN_DIR/mitm_proxy"
}

@test "a call through the proxy is answered, logged and recorded" {
    start_lab --exchange-log x.ndjson --pcap p.pcap --pcap-source payload
    run call
    [ "$status" -eq 0 ]
    [ "$(wc -l <x.ndjson)" -eq 1 ]
    jq -e '.call_id == "call-0001" and .tool_name == "analyze_dependency" and .status == 200
        and .error == null and (.request_sha256 | length) == 64 and .exchange == 1
        and (.ts | test("^[0-9-]+T[0-9:]+\\.[0-9]{6}Z$"))' x.ndjson
    stop "$proxy"
    grep -q '#1 POST /tool analyze_dependency call-0001' proxy.log
    [ "$(tshark -r p.pcap -Y http.request -T fields -e http.request.uri 2>/dev/null | grep -c /tool)" -eq 2 ]
    # libpcap takes one link type a file; each leg says which way its packets went.
    [ "$(tcpdump -nAr - <p.pcap 2>/dev/null | grep -c 'POST /tool')" -eq 2 ]
    [ "$(tshark -r p.pcap -Y http.request -T fields -e frame.packet_flags_direction 2>/dev/null | sort | xargs)" = "0x00000001 0x00000002" ]
}

@test "many calls at once: all answered, all logged" {
    start_lab --exchange-log x.ndjson
    call --count 2000 --concurrency 64
    [ "$(wc -l <x.ndjson)" -eq 2000 ]
    [ "$(jq -r .call_id x.ndjson | sort -u | wc -l)" -eq 2000 ]
    [ "$(metric 'exchanges_total{status="2xx"}')" -eq 2000 ]
    [ "$(metric upstream_connections_total)" -eq 64 ]
}

@test "a body of 64 MiB passes unchanged, and memory stays flat" {
    start_lab
    head -c 67108864 /dev/urandom >body
    start echo.log "Listening on" python3 "$BATS_TEST_DIRNAME/echo_server.py"
    export ASAN_OPTIONS=quarantine_size_mb=1 # freed memory does not count
    start_proxy --upstream "http://$(listening_on echo.log)" --exchange-log x.ndjson
    before=$(peak_memory)
    curl -sS -m 60 -H Expect: --data-binary @body -o answer "$url/echo"
    cmp body answer
    [ $(($(peak_memory) - before)) -lt 8192 ]
    [ "$(jq -r .request_sha256 x.ndjson)" = "$(sha256sum <body | cut -d' ' -f1)" ]
    [ "$(jq -r .response_sha256 x.ndjson)" = "$(sha256sum <body | cut -d' ' -f1)" ]
}

@test "curl with its own ideas works unchanged" {
    start_lab
    run curl -sS -m 10 -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' \
        -d '{"id":1,"tool_name":"analyze_dependency","arguments":{"n":1e400}}' "$url/tool"
    [[ "$output" == *'"echo":{"n":1e400}'* ]]
    run curl -sS -m 10 -I "$url/healthz"
    [[ "$output" == *"200 OK"* ]]
}

@test "Python requests against FastAPI works unchanged" {
    start service.log "^Listening on" /usr/bin/python3 "$BATS_TEST_DIRNAME/fastapi_service.py"
    start_proxy --upstream "http://$(listening_on service.log)" --exchange-log x.ndjson
    run /usr/bin/python3 "$BATS_TEST_DIRNAME/requests_agent.py" "$url/tool"
    [ "$output" = ok ]
    [ "$(jq -s 'map(select(.status == 200 and .connection == 1)) | length' x.ndjson)" -eq 3 ]
}

@test "SIGTERM: what is in flight ends, then the proxy does" {
    start_lab --exchange-log x.ndjson
    call --count 5000 --concurrency 16 --quiet >a.log 2>&1 &
    agent=$!
    wait_until test -s x.ndjson
    stop "$proxy"
    wait "$agent" || true
    # Nothing that had begun has failed.
    [ -z "$(jq -r 'select(.error != null) | .error' x.ndjson)" ]
}

@test "a second SIGTERM ends it at once" {
    start_lab
    exec 7<>"/dev/tcp/127.0.0.1/${url##*:}"
    printf 'POST /tool HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n' >&7
    wait_until sh -c "curl -s -m 5 '$admin/metrics' | grep -q '^mitm_connections_open 1'"
    kill -TERM "$proxy"
    wait_until sh -c "! curl -s -m 5 -o /dev/null '$url/healthz'"
    ended=0
    stop "$proxy" || ended=$?
    [ "$ended" -eq 1 ]
    exec 7>&-
}

@test "SIGHUP: rotated and deleted files are opened anew" {
    [ "$(id -u)" -ne 0 ] || chown 65534:65534 . # whom the proxy becomes
    start_lab --exchange-log x.ndjson --pcap p.pcap --pcap-source payload
    call --quiet
    mv x.ndjson x.1
    rm p.pcap
    kill -HUP "$proxy"
    wait_for_line proxy.log "files reopened" "$proxy"
    call --quiet
    [ "$(wc -l <x.1)" -eq 1 ]
    [ "$(wc -l <x.ndjson)" -eq 1 ]
    stop "$proxy"
    capinfos p.pcap
}

@test "kill -9: each answered exchange is in the log" {
    start_lab --exchange-log x.ndjson
    call --count 20000 --concurrency 8 --verbose >a.log 2>&1 &
    agent=$!
    wait_until grep -q "Status: 200" a.log
    kill -KILL "$proxy"
    wait "$agent" || true
    sed -n 's/.*Response JSON: .*"id":"\(call-[0-9]*\)".*/\1/p' a.log | sort >answered
    jq -R -r 'fromjson? | .call_id' x.ndjson | sort >logged
    [ -s answered ]
    [ -z "$(comm -23 answered logged)" ]
}

@test "a full disk: traffic goes on, the loss is said once and counted" {
    start_lab --exchange-log /dev/full
    call --count 50
    [ "$(metric log_records_lost_total)" -eq 50 ]
    [ "$(grep -c "cannot be written" proxy.log)" -eq 1 ]
}

@test "a full disk with --on-record-failure refuse: no unrecorded exchange" {
    start_lab --exchange-log /dev/full --on-record-failure refuse
    call --quiet
    run curl -sS -m 10 "$url/healthz"
    [[ "$output" == *recording_failed* ]]
}

@test "stdout that nobody reads never blocks forwarding" {
    mkfifo pipe
    exec 8<>pipe
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" >pipe 2>proxy.err 3>&- &
    started_all+=("$!")
    read -r line <&8
    line=${line#*listening on }
    url="http://${line%%,*}"
    call --count 3000 --concurrency 8 # three times what a pipe holds
    exec 8>&-
}


@test "/metrics is what Prometheus reads" {
    start_lab
    call --quiet
    curl -sS -m 10 "$admin/metrics" >metrics
    # Every sample's name was announced with a type, and every value is a number.
    awk '/^# TYPE/ { type[$3] = 1; next } /^#/ { next }
        { name = $1; sub(/{.*/, "", name); base = name; sub(/_(bucket|sum|count)$/, "", base)
          if (!(name in type) && !(base in type)) { print "no type: " $0; bad = 1 }
          if ($2 !~ /^[0-9.]+$/) { print "no number: " $0; bad = 1 } }
        END { exit bad }' metrics
}

@test "an upstream that is down: 502, said in the log" {
    start_proxy --upstream http://127.0.0.1:1 --exchange-log x.ndjson
    run call
    [ "$status" -eq 1 ]
    [ "$(jq -r .error x.ndjson)" = connect_failed ]
    run curl -sS -m 10 "$url/tool"
    [[ "$output" == *'"word":"connect_failed"'* ]]
}

# usage PATTERN OPTION …: status 2 and exactly one line on stderr that matches.
usage() {
    local pattern=$1
    shift
    run --separate-stderr "$BIN_DIR/mitm_proxy" "$@"
    [ "$status" -eq 2 ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    [[ "$stderr" =~ $pattern ]]
}

@test "wrong options: one line each, status 2" {
    bats_require_minimum_version 1.5.0
    usage "--upstream is missing"
    usage "no URL" --upstream agent-b:8000
    usage "no URL" --upstream ftp://a
    usage "has a path" --upstream http://a/tool
    usage "no HOST:PORT" --upstream http://a --listen 8080
    usage "no HOST:PORT" --upstream http://a --listen 127.0.0.1:99999
    usage "no HOST:PORT" --upstream http://a --admin nowhere
    usage "one of reverse" --upstream http://a --mode sideways
    usage "one of wire, payload" --upstream http://a --pcap-source air
    usage "no option --nothing" --upstream http://a --nothing
    usage "needs a value" --upstream
    usage "exclude each other" --upstream http://a --preserve-host --rewrite-host
    usage "goes with --mode reverse" --mode forward --allow a --rewrite-host
    usage "goes with --mode reverse" --mode transparent --rewrite-host
    usage "--allow goes with --mode forward" --upstream http://a --allow a
    usage "--upstream does not go with" --mode transparent --upstream http://a
    usage "fits nothing: it is empty" --mode forward --allow ""
    usage "fits nothing: the port is no number" --mode forward --allow a --allow a:b
    usage "fits nothing: there is nothing but" --mode forward --allow http://a:80
    usage "fits nothing: an IPv6 address" --mode forward --allow fd00::1
    usage "takes all, none or a glob" --mode forward --allow a --intercept ""
    usage "own --listen" --upstream http://127.0.0.1:8080
    usage "nothing here speaks TLS" --upstream http://a --keylog keys
    usage "nothing here speaks TLS" --upstream http://a --upstream-insecure
    usage "one word too many" --upstream http://a word
    usage "both 127.0.0.1:8080" --upstream http://a --admin 127.0.0.1:8080
}

# trouble PATTERN OPTION …: status 1 and exactly one line on stderr that matches.
trouble() {
    local pattern=$1
    shift
    run --separate-stderr "$BIN_DIR/mitm_proxy" --upstream http://127.0.0.1:1 \
        --listen 127.0.0.1:0 --admin 127.0.0.1:0 "$@"
    [ "$status" -eq 1 ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    [[ "$stderr" =~ $pattern ]]
}

@test "what cannot be had: one line each, status 1" {
    bats_require_minimum_version 1.5.0
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    trouble "another program has it" --listen "$(listening_on b.log)"
    trouble "another program has it" --admin "$(listening_on b.log)"
    trouble "no such address" --listen 192.0.2.1:80
    trouble "exchange log /nowhere/x cannot be opened" --exchange-log /nowhere/x
    trouble "capture file /nowhere/p cannot be written" --pcap /nowhere/p --pcap-source payload
    trouble "capture file . cannot be written" --pcap . --pcap-source payload
    echo evidence >p.pcap # of a proxy that runs already
    trouble "another program has it" --listen "$(listening_on b.log)" --pcap p.pcap \
        --pcap-source payload
    trouble "another program has it" --admin "$(listening_on b.log)" --pcap p.pcap \
        --pcap-source payload
    [ "$(cat p.pcap)" = evidence ]
}

@test "no NET_RAW: one line says what to do" {
    bats_require_minimum_version 1.5.0
    [ "$(id -u)" -eq 0 ] || skip "only root can give up NET_RAW to test this"
    run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
        "$BIN_DIR/mitm_proxy" --upstream http://127.0.0.1:1 --listen 127.0.0.1:0 \
        --admin 127.0.0.1:0 --pcap "$BATS_TEST_TMPDIR/p.pcap"
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"needs CAP_NET_RAW"*"--pcap-source payload"* ]]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "the wire capture: whole, in nanoseconds, and the privilege is given back" {
    [ "$(id -u)" -eq 0 ] || skip "recording from an interface needs root"
    start_lab --pcap p.pcap --pcap-interface lo
    # CAP_NET_RAW is bit 13 of both sets, and nothing can bring it back.
    for set in CapEff CapPrm; do
        caps=$(sed -n "s/^$set:\s*//p" "/proc/$proxy/status")
        [ $((16#$caps >> 13 & 1)) -eq 0 ]
    done
    grep -q '^NoNewPrivs:\s*1' "/proc/$proxy/status"
    call --count 200 --concurrency 4
    stop "$proxy"
    [[ "$(capinfos -t p.pcap)" == *"nanosecond pcap"* ]]
    [ "$(tshark -r p.pcap -Y http.request -T fields -e frame.number 2>/dev/null | wc -l)" -eq 400 ]
}

@test "an address that is the proxy's own is refused as a loop" {
    start_proxy --listen 0.0.0.0:0 --upstream http://127.0.0.1:1
    port=${url##*:}
    stop "$proxy"
    start_proxy --listen "0.0.0.0:$port" --upstream "http://127.0.0.1:$port"
    run curl -sS -m 10 "http://127.0.0.1:$port/"
    [[ "$output" == *'"word":"loop"'* ]]
}

# Whether the kernel asks the upstream, in time, if it is still there: its timer runs.
upstream_is_watched() {
    awk -v to="0100007F:$(printf %04X "${server##*:}")" \
        '$3 == to && $4 == "01" && $6 ~ /^02:/ { found = 1 } END { exit !found }' /proc/net/tcp
}

@test "an upstream connection that lasts is watched by the kernel" {
    start_lab --quiet --connect-timeout 1
    exec 9<>"/dev/tcp/127.0.0.1/${url##*:}"
    printf 'GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n' >&9
    wait_until upstream_is_watched
    exec 9>&-
}

@test "a resolver that is silent: 502 for those who need it, and the end is not held up" {
    [ "$(id -u)" -eq 0 ] || skip "another resolver needs a mount namespace, so root"
    export ASAN_OPTIONS=detect_leaks=0 # the lookup's memory is still its thread's at the end
    # The lookup itself would take minutes.
    printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n' >resolv.conf
    cat >silent.sh <<'END'
ip link set lo up
mount --bind resolv.conf "$(realpath /etc/resolv.conf)"
python3 -c 'import socket, signal
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53)); signal.pause()' &
"$BIN_DIR/mitm_proxy" --listen 127.0.0.1:8080 --upstream http://agent-b.example:80 \
    --connect-timeout 1 >proxy.log 2>&1 &
proxy=$!
until grep -qs listening proxy.log && ss -Hlun | grep -q "127.0.0.1:53 "; do kill -0 $proxy || exit; done
curl -sS -m 60 http://127.0.0.1:8080/
kill $proxy
wait $proxy
echo "ended $?"
END
    run timeout 90 env BIN_DIR="$BIN_DIR" unshare --mount --net --pid --fork --kill-child bash silent.sh
    [[ "$output" == *'"word":"dns_failed"'* ]]
    [[ "$output" == *"ended 0"* ]]
}
