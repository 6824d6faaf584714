#!/usr/bin/env bats
# Clients that people use, through each way into the proxy, by IPv4 and IPv6: the server gets the bytes
# that it gets without a proxy, the clients see the answers that they see without, and capdiff finds the
# same. The calls are in tests/data/clients/calls.json.
#
# Without a proxy: what is for the router's port 8080 is led to the server by the kernel. Where clients
# take it for a forward proxy, the server answers as one.

# Each @test is a subshell, and what it sets is for itself alone; namespaces.bash sets $port and others.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load namespaces

calls="$BATS_TEST_DIRNAME/../data/clients/calls.json"

need_clients() {
    python3 -c 'import requests' 2>/dev/null || skip "python3-requests is not installed"
    command -v node >/dev/null || skip "Node is not installed"
    [ "$1" != forward ] || NODE_PATH=/usr/share/nodejs node -e 'require("undici")' 2>/dev/null ||
        skip "node-undici is not installed"
}

# clients: their names, and how each is started.
clients() {
    echo "curl python3 client_curl.py"
    echo "requests python3 client_requests.py"
    echo "fetch node client_fetch.js"
    echo "http node client_http.js"
}

# call_all FOLDER BASE …: all clients at once make all calls; what they saw goes into FOLDER.
call_all() {
    local folder=$1 name program script running=() client
    shift
    while read -r name program script; do
        within "$agent" env CLIENT_CA="$trusted" REQUESTS_CA_BUNDLE="$trusted" NODE_EXTRA_CA_CERTS="$trusted" \
            NODE_PATH=/usr/share/nodejs timeout 100 "$program" "$BATS_TEST_DIRNAME/$script" "$calls" \
            "${@/%//$name}" >>"$folder/$name" 2>"$folder/errors.$name" 3>&- &
        running+=("$!")
    done < <(clients)
    for client in "${running[@]}"; do
        wait "$client" || {
            cat "$folder"/errors.*
            return 1
        }
    done
}

# originate: the server, with nothing recorded yet.
originate() {
    rm -f origin.ndjson origin.pcap
    start origin.log "^listening" ip netns exec "$server" python3 "$BATS_TEST_DIRNAME/recording_origin.py" \
        server.pem key.pem origin.ndjson origin.pcap
    origin=$started
}

# lead_past PORT: what is for the router's port 8080 goes to the server's PORT, until stop_leading.
lead_past() {
    within "$router" nft -f - <<END
table inet past {
    chain prerouting {
        type nat hook prerouting priority dstnat
        ip daddr 10.77.1.1 tcp dport 8080 dnat ip to 10.77.2.2:$1
        ip6 daddr fd77:1::1 tcp dport 8080 dnat ip6 to [fd77:2::2]:$1
    }
}
END
}

stop_leading() {
    within "$router" nft delete table inet past
}

# call_directly FOLDER SCHEME, call_reverse …, call_forward …: how clients are told to call.
call_directly() {
    call_all "$1" "$2://10.77.2.2:$port/4" "$2://[fd77:2::2]:$port/6"
}

call_reverse() {
    call_all "$1" "$2://10.77.1.1:8080/4" "$2://[fd77:1::1]:8080/6"
}

call_forward() {
    through "10.77.1.1:8080" call_all "$1" "$2://10.77.2.2:$port/4"
    through "[fd77:1::1]:8080" call_all "$1" "$2://[fd77:2::2]:$port/6"
}

# through PROXY COMMAND …: with an environment that leads clients to it.
through() {
    local -x http_proxy=http://$1 HTTP_PROXY=http://$1 https_proxy=http://$1 HTTPS_PROXY=http://$1
    shift
    "$@"
}

# on_router [OPTION …]: the proxy, where clients are told to go.
on_router() {
    start proxy.log "listening on" ip netns exec "$router" "$BIN_DIR/mitm_proxy" --listen '[::]:8080' \
        --admin 127.0.0.1:0 --exchange-log x.ndjson "$@"
    proxy=$started
}

# without_proxy HOW SCHEME: what there is to be compared with; once for all tests.
without_proxy() {
    local kept="$BATS_FILE_TMPDIR/$1-$2"
    if [ -d "$kept" ]; then
        cp -r "$kept"/* .
        return
    fi
    mkdir expected
    trusted=ca.pem
    originate
    case $1 in
    reverse) lead_past "$port" ;;
    forward) lead_past 8000 ;;
    esac
    "call_$1" expected "$2"
    [ "$1" = directly ] || stop_leading
    stop "$origin" || true
    mv origin.ndjson expected.ndjson
    mkdir "$kept.$$"
    cp -r expected expected.ndjson "$kept.$$"
    mv -T "$kept.$$" "$kept" || true # another was as quick
}

# compare HOW SCHEME CA RECORDING PROXY …: the calls, without the PROXY and through it.
compare() {
    local how=$1 scheme=$2 ca=$3 recording=$4 options=() recorders=() name
    shift 4
    need_clients "$how"
    port=8000
    [ "$scheme" = http ] || port=8443
    without_proxy "$how" "$scheme"
    originate
    "$@" --pcap proxy.pcap --pcap-source "$recording"
    for name in server agent; do
        start "$name.log" recording ip netns exec "${!name}" "$record" "$name.pcap" "$port or port 8080"
        recorders+=("$started")
    done
    mkdir seen
    trusted=$ca
    "call_$how" seen "$scheme"
    stop_proxy
    for name in "${recorders[@]}"; do stop "$name"; done
    diff -r expected seen
    [ "$how" != forward ] || options=(--through-proxy)
    python3 "$BATS_TEST_DIRNAME/origin_requests.py" "${options[@]}" expected.ndjson >expected.txt
    python3 "$BATS_TEST_DIRNAME/origin_requests.py" origin.ndjson >seen.txt
    diff expected.txt seen.txt
    [ "$(grep -c '^[A-Z]* [^ ]* HTTP/1.1' seen.txt)" -eq "$(($(jq length "$calls") * 2 * $(clients | wc -l)))" ]
    [ "$(jq -s 'map(.nth) | max' origin.ndjson)" -eq "$(jq 'map(.path == "until-end") | index(true) + 1' "$calls")" ]
}

# same SERVER [OPTION …]: what capdiff makes of the proxy's capture and SERVER.
same() {
    "$BIN_DIR/capdiff" --exchange-log x.ndjson "${@:2}" proxy.pcap "$1"
}

@test "reverse, plain" {
    compare reverse http ca.pem wire on_router --upstream "http://[fd77:2::2]:8000"
    same server.pcap --client agent.pcap
}

@test "reverse, TLS" {
    compare reverse https lab/ca.pem payload on_router --upstream "https://10.77.2.2:8443" \
        --upstream-ca ca.pem --ca-dir lab
    same origin.pcap
}

@test "forward, plain" {
    compare forward http ca.pem wire on_router --mode forward --allow '*:8000'
    same server.pcap --client agent.pcap
}

@test "forward, TLS that is taken apart" {
    compare forward https lab/ca.pem payload on_router --mode forward --allow '*:8443' \
        --upstream-ca ca.pem --ca-dir lab
    same origin.pcap
}

@test "forward, TLS that passes" {
    compare forward https ca.pem wire on_router --mode forward --allow '*:8443'
    same server.pcap --client agent.pcap
}

@test "transparent by REDIRECT, plain" {
    compare directly http ca.pem wire divert
    same server.pcap --client agent.pcap
}

@test "transparent by REDIRECT, TLS" {
    compare directly https lab/ca.pem payload divert --ca-dir lab
    same origin.pcap
}

@test "transparent by REDIRECT, TLS that passes" {
    compare directly https ca.pem wire divert
    same server.pcap --client agent.pcap
}

@test "transparent by TPROXY, plain" {
    compare directly http ca.pem wire divert_all
    same server.pcap --client agent.pcap
}

@test "transparent by TPROXY, TLS" {
    compare directly https lab/ca.pem payload divert_all --ca-dir lab
    same origin.pcap
}

@test "transparent by TPROXY, TLS that passes" {
    compare directly https ca.pem wire divert_all
    same server.pcap --client agent.pcap
}
