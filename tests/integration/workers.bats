#!/usr/bin/env bats
# Several threads that share the connections: one log, one capture, one set of counters.

# The helper says who was started; bats has each test in a shell of its own.
# shellcheck disable=SC2154,SC2030,SC2031
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    chmod 777 . # root becomes another user
    launcher=()
}

teardown() {
    stop_all
}

# start_proxy ORIGIN [OPTION…]: three workers.
start_proxy() {
    start proxy.log "listening on" "${launcher[@]}" "$BIN_DIR/mitm_proxy" --workers 3 --listen 127.0.0.1:0 \
        --admin 127.0.0.1:0 --upstream "http://$1" --exchange-log x.ndjson "${@:2}"
    proxy=$started
    address=$(listening_on proxy.log | tr -d ,)
    admin=$(sed -n 's/.*admin on //p' proxy.log)
}

start_lab() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start_proxy "$(listening_on b.log)" "$@"
}

call() {
    "$BIN_DIR/agent_a" --url "http://$address/tool" --quiet "$@"
}

metric() {
    curl -sS "$admin/metrics" | sed -n "s/^mitm_$1 //p"
}

is_metric() {
    [ "$(metric "$1")" = "$2" ] && return
    echo "$1 is $(metric "$1"), not $2"
    return 1
}

# How many of the proxy's threads have run at least so many times.
busy() {
    awk -v least="$1" '/^voluntary/ && $2 >= least { n++ } END { print n + 0 }' "/proc/$proxy/task"/*/status
}

# each_once COUNT FILE…: so many records, each of a call and of a number of its own, from 1 on.
each_once() {
    diff <(cat "${@:2}" | jq .exchange | sort -n) <(seq "$1")
    [ "$(cat "${@:2}" | jq -r .call_id | sort -u | wc -l)" -eq "$1" ]
}

@test "three workers: each exchange is on record once, and the capture is whole" {
    start_lab --pcap p.pcap --pcap-source payload
    call --count 3000 --concurrency 60
    [ "$(find "/proc/$proxy/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq 3 ]
    [ "$(busy 10)" -ge 2 ] # a hash says who gets a connection: of sixty none has none, and one may be late
    stop "$proxy"
    each_once 3000 x.ndjson
    diff <(jq .connection x.ndjson | sort -nu) <(seq 60)
    diff <(grep -o '#[0-9]* POST' proxy.log | tr -dc '0-9\n' | sort -n) <(seq 3000)
    "$BIN_DIR/capdiff" --format json --exchange-log x.ndjson p.pcap p.pcap >report.json
    [ "$(jq -r .verdict report.json)" = same ]
    "$BIN_DIR/capdiff" --exchange-log x.ndjson p.pcap p.pcap | grep -q "same: 3000 exchanges"
}

@test "the admin port tells of all workers together" {
    start_lab --pcap p.pcap --pcap-source payload
    call --count 300 --concurrency 30
    until [ "$(metric connections_open)" -eq 0 ]; do kill -0 "$proxy"; done
    is_metric 'exchanges_total{status="2xx"}' 300
    is_metric exchange_duration_seconds_count 300
    is_metric connections_total 30
    is_metric upstream_connections_total 30
    is_metric 'bytes_total{leg="client",direction="request"}' "$(metric 'bytes_total{leg="upstream",direction="request"}')"
    until [ "$(tcpdump -r p.pcap 2>/dev/null | wc -l)" -ge 1500 ]; do kill -0 "$proxy"; done # four each, ten a pair
    is_metric capture_packets_total "$(tcpdump -r p.pcap 2>/dev/null | wc -l)"
    is_metric log_records_lost_total 0
    [ "$(curl -sS "$admin/healthz")" = '{"status":"ok"}' ]
}

@test "as many connections as there may be are counted over all workers" {
    start_lab --max-connections 5
    run python3 - "$address" <<'PY'
import socket, sys
host, port = sys.argv[1].split(":")
clients = []
for _ in range(8):
    client = socket.create_connection((host, int(port)))
    client.settimeout(60)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    clients.append(client)
    print(client.recv(65536).split()[1].decode())
PY
    [ "$(echo "$output" | tr '\n' ' ')" = "200 200 200 200 200 503 503 503 " ]
    is_metric 'errors_total{error="overloaded"}' 3
}

@test "files that are moved under load, and SIGHUP: no record is lost" {
    start_lab --quiet --pcap p.pcap --pcap-source payload
    call --count 1000000 --concurrency 12 >a.log 2>&1 3>&- &
    agent=$!
    started_all+=("$agent")
    for i in 1 2 3; do
        until [ -s x.ndjson ] && [ -s p.pcap ]; do kill -0 "$agent"; done
        mv x.ndjson "x.$i"
        mv p.pcap "p.$i"
        kill -HUP "$proxy"
        until [ "$(grep -c "files reopened" proxy.log)" -eq "$i" ]; do kill -0 "$proxy"; done
    done
    kill "$agent"
    stop "$proxy"
    diff <(cat x.* | jq .exchange | sort -n) <(seq "$(cat x.* | wc -l)")
    for i in p.*; do
        tcpdump -c 1 -r "$i" >first 2>errors # a header, and packets behind it
        [ -s first ]
    done
}

@test "a log that may not grow: it is said, and what is lost is counted over all workers" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    printf '%s\n' 'ulimit -f 64' 'exec "$@"' >small
    launcher=(bash small)
    start_proxy "$(listening_on b.log)" --quiet
    call --count 400 --concurrency 12
    records=$(wc -l <x.ndjson)
    is_metric log_records_lost_total $((400 - records))
    # Not by each: but where several cannot be written together, one of them still may.
    [ "$(grep -c 'the exchange log x.ndjson cannot be written' proxy.log)" -le 3 ]
    grep -q "the exchange log x.ndjson cannot be written" proxy.log
    [ "$(jq -s length x.ndjson)" -eq "$records" ]
}

# An origin that answers when it gets SIGUSR1, and says how many calls it has.
start_late_origin() {
    cat >late.py <<'PY'
import signal, socket, threading
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
waiting, free, lock = [], threading.Event(), threading.Lock()
signal.signal(signal.SIGUSR1, lambda *_: free.set())

def serve(client):
    client.recv(65536)
    with lock:
        waiting.append(client)
        print("calls: %d" % len(waiting), flush=True)
    free.wait()
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    client.recv(1)

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY
    start late.log "listening on" python3 late.py
    late=$started
}

@test "SIGTERM: what is in flight on each worker ends well, and nothing new is taken" {
    start_late_origin
    start_proxy "$(listening_on late.log)" --drain-timeout 60
    for i in $(seq 12); do
        curl -sS -m 60 -o "answer.$i" "http://$address/" 3>&- &
    done
    wait_for_line late.log "calls: 12" "$late"
    kill -TERM "$proxy"
    while curl -s -m 1 -o /dev/null "http://$address/" || [ $? -ne 7 ]; do kill -0 "$proxy"; done
    [ "$(curl -sS "$admin/healthz")" = '{"status":"draining"}' ]
    kill -USR1 "$late"
    wait "$proxy"
    diff <(for _ in $(seq 12); do echo ok; done) <(for i in $(seq 12); do cat "answer.$i"; echo; done)
    [ "$(jq -r 'select(.error == null) | .status' x.ndjson | grep -c 200)" -eq 12 ]
}

@test "SIGTERM: what does not end in time is cut, on each worker" {
    start_late_origin
    start_proxy "$(listening_on late.log)" --drain-timeout 0
    for _ in $(seq 12); do
        curl -s -m 60 -o /dev/null "http://$address/" 3>&- &
    done
    wait_for_line late.log "calls: 12" "$late"
    stop "$proxy"
    [ "$(jq -r 'select(.error != null) | .exchange' x.ndjson | sort -u | wc -l)" -eq 12 ]
}

@test "it ends well, however soon, and whoever is the last" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    for _ in $(seq 10); do
        start_proxy "$(listening_on b.log)" --quiet
        stop "$proxy"
    done
}

@test "a port that is taken is not shared with it" {
    start_lab
    for workers in 1 3; do
        run "$BIN_DIR/mitm_proxy" --workers "$workers" --listen "$address" --admin 127.0.0.1:0 \
            --upstream http://127.0.0.1:1
        [ "$status" -eq 1 ]
        [[ "${lines[-1]}" = *"--listen $address cannot be had"*"another program has it"* ]]
    done
}

@test "every thread has no privilege, and the sandbox where there is one" {
    [ "$(id -u)" -eq 0 ] || skip "to be root first"

    start_lab --pcap p.pcap --pcap-source wire --pcap-interface lo
    call --count 30 --concurrency 10
    for thread in "/proc/$proxy/task"/*; do
        grep -q '^CapEff:.0000000000000000' "$thread/status"
        grep -q '^Uid:.65534' "$thread/status"
    done
    [ "$(cat "/proc/$proxy/task"/*/status | grep '^Seccomp:' | sort -u | wc -l)" -eq 1 ]
    stop "$proxy"
    each_once 30 x.ndjson
}

refused() {
    run "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --upstream http://127.0.0.1:1 "${@:2}"
    echo "$output"
    [ "$status" -eq 2 ] && [ "${#lines[@]}" -eq 1 ] && [[ $output = *"$1"* ]]
}

@test "what keeps an order over all calls is refused with several workers, and taken with one" {
    echo '{"rules": []}' >rules.json
    refused "--rules counts calls in one order" --workers 2 --rules rules.json
    refused "--hash-chain has records follow each other in one order" --workers 2 --exchange-log x.ndjson --hash-chain
    refused "--workers" --workers 0
    refused "--workers" --workers 65
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --workers 1 --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://$(listening_on b.log)" --rules rules.json --exchange-log x.ndjson --hash-chain
    stop "$started"
}
