#!/usr/bin/env bats
# The admin port: who may ask it. Which requests get in is in tests/unit/test_admin_gate.c.

# The helper says who was started.
# shellcheck disable=SC2154
load helper

TOKEN=0123456789abcdef0123456789abcdef

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

# start_proxy ADMIN [OPTION…]: $port is the admin port's.
start_proxy() {
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin "$1" \
        --upstream http://127.0.0.1:1 "${@:2}"
    port=$(sed -n 's/.*admin on http.*:\([0-9]*\)$/\1/p' proxy.log)
}

# answers STATUS WORD CURL-WORD…: what comes, with the head in "head".
answers() {
    local status
    status=$(curl -sS -m 10 -D head -o body -w '%{http_code}' "${@:3}")
    [ "$status" = "$1" ] && grep -q -- "$2" body && [ "$(wc -l <body)" -eq 1 ] && return
    echo "curl ${*:3}: $status instead of $1 with one line that has $2:"
    cat body
    return 1
}

refused() {
    run "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --upstream http://127.0.0.1:1 "${@:2}"
    echo "$output"
    [ "$status" -eq 2 ] && [ "${#lines[@]}" -eq 1 ] && [[ $output = *"$1"* ]]
}

@test "the admin port is for this machine's own names, and no page of another origin" {
    start_proxy 127.0.0.1:0 --admin-host metrics.test
    local url=http://127.0.0.1:$port
    answers 200 ok "$url/healthz"
    answers 200 ok -H "Host: localhost:$port" "$url/healthz"
    answers 200 ok -H "Host: metrics.test" "$url/healthz"
    answers 200 ok -H "Origin: $url" "$url/healthz"
    answers 403 host_not_allowed -H "Host: rebound.test:$port" "$url/healthz"
    answers 403 origin_not_allowed -H "Origin: http://page.test" "$url/metrics"
    answers 403 origin_not_allowed -H "Origin: null" "$url/held"
}

@test "nothing changes by GET, or by what a form of another site can send" {
    start_proxy 127.0.0.1:0
    local url=http://127.0.0.1:$port
    answers 404 not_found "$url/nothing"
    answers 405 method_not_allowed -X POST "$url/healthz"
    answers 405 method_not_allowed "$url/held/release"
    grep -q '^Allow: POST' head
    answers 405 method_not_allowed -X DELETE "$url/held"
    grep -q '^Allow: GET, HEAD' head
    answers 415 not_json -X POST "$url/held/release"
    answers 415 not_json -d '' "$url/held/release"
    answers 415 not_json -H 'Content-Type: text/plain' -d '{}' "$url/held/release"
    answers 403 origin_not_allowed -H 'Origin: http://page.test' --json '' "$url/held/release"
    answers 200 '"released":0' --json '' "$url/held/release"
}

@test "beyond this machine the admin port wants a token" {
    local address
    for address in 0.0.0.0:0 '[::]:0' 192.0.2.1:0 agent-b:0; do
        refused MITM_ADMIN_TOKEN --admin "$address"
    done
    MITM_ADMIN_TOKEN=short refused "shorter than 16" --admin 0.0.0.0:0
    MITM_ADMIN_TOKEN="with a space 0123456789" refused "a character other than" --admin 0.0.0.0:0
    [[ $output != *0123456789* ]]

    MITM_ADMIN_TOKEN=$TOKEN start_proxy 0.0.0.0:0
    local url=http://127.0.0.1:$port
    answers 401 token_required "$url/healthz"
    grep -q '^WWW-Authenticate: Bearer' head
    answers 401 token_required "$url/metrics"
    answers 401 token_required -H "Authorization: Bearer ${TOKEN}0" "$url/metrics"
    answers 401 token_required -H "Authorization: Basic $TOKEN" "$url/metrics"
    answers 401 token_required -X POST "$url/held/release"
    answers 200 ok -H "Authorization: Bearer $TOKEN" "$url/healthz"
    answers 200 '"released":0' -X POST -H "Authorization: Bearer $TOKEN" "$url/held/release"
    answers 403 host_not_allowed -H "Authorization: Bearer $TOKEN" -H 'Host: rebound.test' "$url/healthz"
    # Nobody who can see the process sees the token, and nothing prints it.
    run grep -rl "$TOKEN" proxy.log "/proc/$started/cmdline"
    [ -z "$output" ]
}

@test "the lab's health check shows the token of the environment" {
    MITM_ADMIN_TOKEN=$TOKEN start_proxy 127.0.0.1:0
    local healthz=$BATS_TEST_DIRNAME/../../scripts/healthz
    run "$healthz" 127.0.0.1 "$port"
    [ "$status" -ne 0 ]
    MITM_ADMIN_TOKEN=$TOKEN "$healthz" 127.0.0.1 "$port"
    MITM_ADMIN_TOKEN=$TOKEN "$healthz" 127.0.0.1 "$port" /metrics | grep -q '^mitm_connections_total 0'
}
