#!/usr/bin/env bats
# What happens around the lab: programs that are killed, memory, descriptors and disks that run out,
# clocks that jump, clients that are slow. docs/reliability.md has the whole list.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031
# helper.bash sets $started.
# shellcheck disable=SC2154

load helper

faults="$BATS_TEST_DIRNAME/../faults"
data="$BATS_TEST_DIRNAME/../data"
libraries="$BIN_DIR/../tests"

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    [ "$(id -u)" -ne 0 ] || chown 65534:65534 . # whom the proxy becomes
}

teardown() {
    stop_all
}

# start_lab WORD …: agent_b, and mitm_proxy before it, started by the words up to -- (env, strace, …)
# with the options behind it.
start_lab() {
    local before=()
    while [ "$1" != -- ]; do
        before+=("$1")
        shift
    done
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "${before[@]}" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" "${@:2}"
    proxy=$started
    url="http://$(listening_on proxy.log | tr -d ,)"
    admin=$(sed -n 's/.*admin on \(http[^ ]*\).*/\1/p' proxy.log)
}

call() {
    "$BIN_DIR/agent_a" --url "$url/tool" "$@"
}

metric() {
    curl -sS -m 10 "$admin/metrics" | awk -v name="mitm_$1" '$1 == name { print $2 }'
}

# preloaded LIBRARY VARIABLE=VALUE: in WORDS, what stands before a program for one of tests/faults.
preloaded() {
    WORDS=(env "LD_PRELOAD=$libraries/lib$1.so" "$2" "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0")
}

root_only() {
    [ "$(id -u)" -eq 0 ] || skip "not root"
}

@test "kill -9 under load: each answer that a client has is in the log, and restarts go on behind it" {
    python3 "$faults/kill.py" "$BIN_DIR" --times 20
}

@test "kill -9 in the middle of a record: at most that line is torn, and swallows none" {
    python3 "$faults/kill.py" "$BIN_DIR" --times 10 --torn
}

@test "kill -9 while messages are in the hands of rules" {
    echo '{"rules": [{"name": "r", "on": "response", "do": [{"delay": {"ms": 1}}]}]}' >rules.json
    python3 "$faults/kill.py" "$BIN_DIR" --times 5 -- --rules "$PWD/rules.json"
}

@test "kill -9 in the middle of a packet: the others can be read, and capdiff says that the file was cut" {
    preloaded short_writes SHORT_WRITES=file:9
    local torn="" agent
    for _ in {1..20}; do
        rm -f p.pcap
        start_lab "${WORDS[@]}" -- --pcap p.pcap --pcap-source payload
        call --count 100000 --concurrency 8 --quiet >a.log 2>&1 3>&- &
        agent=$!
        until [ "$(stat -c %s p.pcap)" -gt 50000 ]; do kill -0 "$proxy"; done
        kill -KILL "$proxy"
        wait "$agent" || true
        tshark -r p.pcap -Y http.request -T fields -e frame.number >numbers 2>errors || true
        [ "$(wc -l <numbers)" -gt 10 ]
        ! grep -q "cut short" errors || { torn=yes && break; }
    done
    [ "$torn" = yes ]
    run "$BIN_DIR/capdiff" p.pcap p.pcap
    echo "$output"
    [ "$status" -eq 3 ]
    [[ "$output" == *"cut"* ]]
}

@test "memory that is refused, one call in a hundred: each exchange is right or fails cleanly" {
    python3 "$faults/memory.py" "$BIN_DIR" --seconds 6
}

@test "memory that is refused from the start: when it comes, so do answers" {
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 python3 "$faults/memory.py" "$BIN_DIR" --seconds 2 --percent 10 --cold
}

@test "no descriptor for a client: no spinning, and answers when there is one; none for the upstream: 503" {
    python3 "$faults/descriptors.py" "$BIN_DIR"
}

@test "a million exchanges, the first 20,000: descriptors and memory stay flat" {
    # What a sanitizer keeps of freed memory grows until its quarantine is full.
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64 \
        python3 "$faults/million.py" "$BIN_DIR" --count 20000 --grows 8192
}

@test "a disk that is full: traffic goes on, what was lost is counted and said once, and it recovers" {
    root_only
    mkdir disk
    # shellcheck disable=SC2016  # for the inner shell
    start_lab unshare --mount bash -c 'mount -t tmpfs -o size=256k,uid=65534,mode=755 none disk &&
        head -c 128K /dev/zero >disk/filler && exec "$@"' - -- --exchange-log disk/x.ndjson \
        --pcap disk/p.pcap --pcap-source payload
    disk=/proc/$proxy/root$PWD/disk
    call --count 400 --quiet
    [ "$(grep -c "exchange log .* cannot be written" proxy.log)" -eq 1 ]
    # Said again where a short record has fitted into the last page meanwhile.
    said=$(grep -c "capture .* cannot be written" proxy.log)
    [ "$said" -ge 1 ] && [ "$said" -le 4 ]
    records=$(wc -l <"$disk/x.ndjson")
    [ "$(metric log_records_lost_total)" -eq $((400 - records)) ]
    [ "$(metric capture_packets_lost_total)" -gt 0 ]
    jq -e .exchange "$disk/x.ndjson" >/dev/null # each line is whole
    rm "$disk/filler"
    call --count 10 --quiet
    [ "$(wc -l <"$disk/x.ndjson")" -eq $((records + 10)) ]
    grep -q "exchange log .* is written again; $((400 - records)) records were lost" proxy.log
    jq -e .exchange "$disk/x.ndjson" >/dev/null
    cp "$disk/p.pcap" p.pcap
    run tshark -r p.pcap -Y http.request
    [[ "$output" != *"cut short"* && "$output" != *"damaged"* ]]
}

@test "a log that may not grow: the write that is cut short is taken back, and no signal ends the proxy" {
    # shellcheck disable=SC2016  # for the inner shell
    start_lab bash -c 'ulimit -f 16; exec "$@"' - -- --exchange-log x.ndjson --quiet
    call --count 100 --quiet
    [ "$(stat -c %s x.ndjson)" -le 16384 ]
    [ "$(metric log_records_lost_total)" -eq $((100 - $(wc -l <x.ndjson))) ]
    jq -e .exchange x.ndjson >/dev/null
    [ "$(grep -c "cannot be written" proxy.log)" -eq 1 ]
}

@test "a disk that fails: the same" {
    command -v strace >/dev/null || skip "strace is not installed"
    strace -o /dev/null true || skip "strace may not trace here"
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # which would trace too
    export ASAN_OPTIONS
    : >x.ndjson
    start_lab strace -f -o trace -P "$PWD/x.ndjson" -e trace=write -e inject=write:error=EIO:when=3..5 -- \
        --exchange-log x.ndjson
    started_all+=("$(pgrep -P "$proxy")") # which would outlive strace
    call --count 20 --quiet
    [ "$(metric log_records_lost_total)" -eq 3 ]
    [ "$(wc -l <x.ndjson)" -eq 17 ]
    [ "$(grep -c "cannot be written: Input/output error" proxy.log)" -eq 1 ]
    grep -q "is written again; 3 records were lost" proxy.log
}

@test "files that are moved under load, and SIGHUP: no record is lost" {
    start_lab -- --exchange-log x.ndjson --quiet
    call --count 3000 --concurrency 8 --quiet >a.log 2>&1 3>&- &
    agent=$!
    for i in 1 2 3 4 5; do
        until [ -s x.ndjson ]; do kill -0 "$proxy"; done
        mv x.ndjson "x.$i"
        kill -HUP "$proxy"
        until [ "$(grep -c "files reopened" proxy.log)" -eq "$i" ]; do kill -0 "$proxy"; done
    done
    wait "$agent"
    [ "$(cat x.* | jq -r .call_id | sort -u | wc -l)" -eq 3000 ]
}

@test "SIGTERM under load: no client sees an exchange fail that had begun" {
    start_lab -- --exchange-log x.ndjson --quiet
    call --count 100000 --concurrency 16 --results results --quiet >a.log 2>&1 3>&- &
    agent=$!
    until [ -s x.ndjson ]; do kill -0 "$proxy"; done
    stop "$proxy"
    kill "$agent"
    wait "$agent" || true
    [ -z "$(jq -r 'select(.error != null) | .error' x.ndjson)" ]
    # Each that the log has was answered, and each answer is in the log. A call that the end came before is
    # in neither.
    jq -r .call_id x.ndjson | sort >logged
    jq -R -r 'fromjson? | select(.outcome == "accepted") | .id' results | sort >answered
    [ -z "$(comm -3 logged answered)" ]
}

@test "writes of one byte everywhere: the same bytes, the same records" {
    export LD_PRELOAD=$libraries/libshort_writes.so SHORT_WRITES=socket:1,file:1
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
    for cases in "$data"/proxy/relay.txt "$data"/proxy/refusals.txt; do
        python3 "$BATS_TEST_DIRNAME/wire.py" "$BIN_DIR/mitm_proxy" "$cases" -- --pcap p.pcap --pcap-source payload
    done
    unset LD_PRELOAD
    run tshark -r p.pcap -Y http.request
    [[ "$output" != *"cut short"* && "$output" != *"damaged"* ]]
}

# stream CASE: of tests/faults/streams.py, which preloads what it needs.
stream() {
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 python3 "$faults/streams.py" "$BIN_DIR" "$1"
}

@test "events that are silent for six hours are not timed out" {
    stream hours
}

@test "a wall clock that jumps by years: timers and durations are unharmed" {
    stream wall_clock
}

@test "a client that leaves a stream of events: the upstream is closed within a second" {
    stream client_leaves
}

@test "a slow reader before a fast stream of events: back-pressure, and memory stays flat" {
    stream slow_reader
}

@test "heads that come byte by byte: 408 or the end at the timeout, and others are answered meanwhile" {
    stream slowloris
}

@test "a resolver that is silent: 502 for those who need it, and other connections are unharmed" {
    root_only
    export ASAN_OPTIONS=detect_leaks=0 # the lookups' memory is still their threads' at the end
    printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n' >resolv.conf
    cat >silent.sh <<'END'
ip link set lo up
mount --bind resolv.conf "$(realpath /etc/resolv.conf)"
python3 -c 'import socket, signal
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53)); signal.pause()' &
"$BIN_DIR/agent_b" --listen 127.0.0.1:8000 >b.log 2>&1 &
"$BIN_DIR/mitm_proxy" --listen 127.0.0.1:8080 --mode forward --allow '*' --connect-timeout 3 >proxy.log 2>&1 &
until grep -qs listening proxy.log && grep -qsi listening b.log && ss -Hlun | grep -q "127.0.0.1:53 "; do :; done
for i in 1 2 3 4 5 6 7 8; do
    curl -sS -m 60 -x http://127.0.0.1:8080 "http://name-$i.example/" >"answer.$i" &
    waiting+=($!)
done
until [ "$(curl -s http://127.0.0.1:8081/metrics | awk '$1 == "mitm_connections_open" { print $2 }')" -eq 8 ]; do :; done
curl -sS -m 60 -o healthz -w '%{http_code} by address\n' -x http://127.0.0.1:8080 http://127.0.0.1:8000/healthz
cat answer.* | wc -c
wait "${waiting[@]}"
cat answer.*
END
    run timeout 90 env BIN_DIR="$BIN_DIR" unshare --mount --net --pid --fork --kill-child bash silent.sh
    echo "$output"
    [ "${lines[0]}" = "200 by address" ]
    [ "${lines[1]}" = 0 ] # while the others were waiting
    [ "$(grep -o '"word":"dns_failed"' <<<"$output" | wc -l)" -eq 8 ]
}

@test "a capturer that dies: inconclusive, and what it lacks is named" {
    dir=$BATS_TEST_TMPDIR/capture
    export BIN_DIR
    "$BATS_TEST_DIRNAME/../../scripts/lab" up --native --capture-dir "$dir" --count 40 --interval 50 \
        >lab.log 2>&1 3>&- &
    lab=$!
    started_all+=("$lab")
    until [ -s "$dir/exchanges.ndjson" ]; do kill -0 "$lab"; done
    for pid in $(pgrep -f "record $dir"); do
        pkill -KILL -x -P "$pid" tcpdump || true
    done
    status=0
    wait "$lab" || status=$?
    cat lab.log
    [ "$status" -eq 3 ]
    grep -q "agent_http.pcap lacks .* exchanges" lab.log
}
