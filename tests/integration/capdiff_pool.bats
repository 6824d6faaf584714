#!/usr/bin/env bats
# capdiff on proxies that are not ours: nginx and HAProxy with pooled connections to the server.
# What is found is what they really change, exchange by exchange.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031
# $started and started_all come from the helper.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load helper

CALLS=60

setup() {
    [ "$(id -u)" -eq 0 ] || skip "recording takes root"
    command -v tcpdump >/dev/null || skip "tcpdump is not installed"
    export NO_COLOR=
    cd "$BATS_TEST_TMPDIR" || return
    start agent_b.log "Listening" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    server=$(listening_on agent_b.log)
    # A port that is free now: these proxies do not say which one they got.
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
}

teardown() {
    stop_all
}

# record NAME FILTER: tcpdump on the loopback into NAME.pcap. In immediate mode each packet takes as
# much of the buffer as the longest may: without -s, 8 MiB would be full after a hundred.
record() {
    start "$1.log" "listening on" tcpdump -i lo --immediate-mode -s 4096 -B 16384 -U -Z root -w "$1.pcap" "$2"
}

# Both captures of $CALLS calls by several connections through the proxy on $port.
run_calls() {
    wait_for_port "$port"
    record proxy "tcp port $port or tcp port ${server##*:}"
    local proxy_recorder=$started
    record server "tcp port ${server##*:}"
    "$BIN_DIR/agent_a" --url "http://127.0.0.1:$port/tool" --count "$CALLS" --concurrency 8 \
        --interval 20
    wait_for_calls proxy.pcap 4 # the id is in each request and response, on either leg
    wait_for_calls server.pcap 2
    stop "$proxy_recorder" INT
    stop "$started" INT
}

# wait_for_calls FILE N: until it has the id of each call N times; the recorder has all of them then.
wait_for_calls() {
    for ((i = 0; i < 600; i++)); do
        [ "$(grep -ao '"id":"call-' "$1" | wc -l)" -lt $((CALLS * $2)) ] || return 0
        sleep 0.1
    done
    return 1
}

wait_for_port() {
    for ((i = 0; i < 600; i++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    return 1
}

# Every exchange went through, surely paired, and differs in these places only.
assert_places() {
    "$BIN_DIR/capdiff" --format json --output report.json --proxy-port "$port" \
        --server-port "${server##*:}" proxy.pcap server.pcap || [ $? -eq 1 ]
    /usr/bin/python3 - "$CALLS" "$@" <<'END'
import json, sys
calls, places = int(sys.argv[1]), set(sys.argv[2:])
report = json.load(open("report.json"))
print(report["summary"], report["pairing"], report["notes"], report["doubts"], sep="\n")
items = report["differences"]["items"]
print({item["place"] for item in items})
assert report["exchanges"]["compared"] == calls
assert report["pairing"]["pooled"] == [{"how": "call_id", "sure": "sure", "exchanges": calls,
                                        "text": "by equal call ids"}]
assert {item["hop"] for item in items} == {"proxy"}
assert {item["place"] for item in items} == places
END
}

@test "nginx with pooled connections: the fields that it changes, in each exchange" {
    command -v nginx >/dev/null || skip "nginx is not installed"
    cat >nginx.conf <<END
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream agent_b { server $server; keepalive 3; }
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass http://agent_b;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
END
    nginx -p . -c nginx.conf >nginx.log 2>&1 3>&- &
    started_all+=("$!")
    run_calls
    assert_places "request field Host" "request field Content-Length, moved behind Host" \
        "response field Server, added" "response field Connection, added"
}

@test "HAProxy with pooled connections: a header put in, in each exchange" {
    command -v haproxy >/dev/null || skip "haproxy is not installed"
    cat >haproxy.cfg <<END
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    http-reuse always
    option forwardfor
frontend calls
    bind 127.0.0.1:$port
    default_backend agent_b
backend agent_b
    http-response add-header Via haproxy
    server agent_b $server maxconn 3
END
    haproxy -f haproxy.cfg -db >haproxy.log 2>&1 3>&- &
    started_all+=("$!")
    run_calls
    local name names=()
    for name in "request field Host" "request field User-Agent" "request field Accept" \
        "request field Content-Type" "request field Content-Length" "response field Date" \
        "response field Content-Type" "response field Content-Length"; do
        names+=("$name, letter case of its name")
    done
    assert_places "request field x-forwarded-for, added" "response field via, added" "${names[@]}"
}
