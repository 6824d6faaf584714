# For the tests of clients that people use: each makes all calls of a file, $calls, as the agent, by both
# versions of IP.

# namespaces.bash and tls_lab.bash set $port and others; what is set here is for the tests.
# shellcheck disable=SC2154,SC2034

load namespaces

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
    through "agent:secret@[fd77:1::1]:8080" call_all "$1" "$2://[fd77:2::2]:$port/6"
}

# through [USER:PASSWORD@]PROXY COMMAND …: with an environment that leads clients to it.
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

# record_proxy RECORDING PROXY …: the server, the PROXY that makes that kind of capture, and recorders at both
# ends.
record_proxy() {
    local recording=$1 name
    shift
    originate
    "$@" --pcap proxy.pcap --pcap-source "$recording"
    recorders=()
    for name in server agent; do
        start "$name.log" recording ip netns exec "${!name}" "$record" "$name.pcap" "$port or port 8080"
        recorders+=("$started")
    done
}

stop_recording() {
    local recorder
    stop_proxy
    for recorder in "${recorders[@]}"; do stop "$recorder"; done
}

# same SERVER [OPTION …]: what capdiff makes of the proxy's capture and SERVER.
same() {
    "$BIN_DIR/capdiff" --exchange-log x.ndjson "${@:2}" proxy.pcap "$1"
}
