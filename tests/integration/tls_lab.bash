# For the tests of the proxy's modes and of TLS: certificates, a mirror as origin, the proxy's CA.

# helper.bash sets $started; what is set here is for the tests.
# shellcheck disable=SC2154,SC2034

load helper

# Certificates of both kinds are made once for all tests of a file.
setup_file() {
    mkdir "$BATS_FILE_TMPDIR/pki"
    "$BATS_TEST_DIRNAME/../pki" "$BATS_FILE_TMPDIR/pki"
    "$BIN_DIR/mitm_proxy" ca init "$BATS_FILE_TMPDIR/pki/lab"
}

# In the test's folder: ca.pem, good.pem and so on, of upstreams, and lab/ca.pem, of the proxy.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/pki/* .
    unset "${!http_@}" "${!https_@}" HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY no_proxy all_proxy
}

teardown() {
    stop_all
}

# start_mirror [CERT]: its port is in $port, and what it says in mirror.log.
start_mirror() {
    local tls=()
    [ -z "${1:-}" ] || tls=("$1.pem" key.pem)
    start mirror.log "listening on" python3 "$BATS_TEST_DIRNAME/mirror_server.py" "${tls[@]}"
    port=$(listening_on mirror.log)
    port=${port##*:}
}

# start_proxy [OPTION …]: its HOST:PORT is in $at, and its port in $proxy_port; it logs to x.ndjson.
start_proxy() {
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --exchange-log x.ndjson "$@"
    proxy=$started
    at=$(listening_on proxy.log | tr -d ,)
    proxy_port=${at##*:}
}

# stop_proxy: it ends well, and all that it logged is good.
stop_proxy() {
    stop "$proxy"
    python3 "$BATS_TEST_DIRNAME/log_schema.py" x.ndjson
}

# logged FILTER: what jq makes of each record, one a line.
logged() {
    jq -r "$1" x.ndjson
}

# wait_logged FILTER: waits for a record of which that is true.
wait_logged() {
    local deadline=$((SECONDS + 60))
    until jq -e "$1" x.ndjson 2>/dev/null | grep -q true; do
        [ "$SECONDS" -lt "$deadline" ] || {
            echo "no record of which this is true: $1" >&2
            cat x.ndjson >&2
            return 1
        }
    done
}

# fetch [OPTION …]: curl, in time. The mirror agrees to HTTP/2, and does not speak it.
fetch() {
    curl -sS -m 15 --http1.1 "$@"
}

# sslscan_finds HOST:PORT [COMMAND …]: the lines in which it shows something red, yellow or violet, run by
# COMMAND. That it was built without compression is not about us.
sslscan_finds() {
    timeout 120 "${@:2}" sslscan --show-sigs "$1" >scan </dev/null
    grep -q 'TLSv1.3' scan
    grep -E $'\033\\[(1;)?(31|33|35|41)m' scan | grep -v -e 'OpenSSL version does not support compression' \
        -e 'Rebuild with zlib1g-dev' || true
}
