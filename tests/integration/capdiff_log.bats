#!/usr/bin/env bats
# capdiff --exchange-log: what the proxy says it did, against what the wire shows, in both directions.

load helper

setup() {
    export NO_COLOR=
    data=$(cd "$BATS_TEST_DIRNAME/../data/capdiff" && pwd)
    cd "$BATS_TEST_TMPDIR" || return
}

# edited EXPRESSION LOG: a log of the data, edited by sed, as log.ndjson.
edited() {
    sed "$1" "$data/$2" >log.ndjson
    run cmp -s log.ndjson "$data/$2"
    [ "$status" -eq 1 ] # the expression did something
}

# verdict STATUS PROXY SERVER PHRASE …: with log.ndjson.
verdict() {
    local expected=$1 proxy=$2 server=$3 phrase
    shift 3
    run "$BIN_DIR/capdiff" --exchange-log log.ndjson "$data/$proxy" "$data/$server"
    echo "$output"
    [ "$status" -eq "$expected" ]
    for phrase in "$@"; do
        [[ "$output" == *"$phrase"* ]]
    done
}

# declare NUMBER SIDE NAME OLD NEW: a sed expression that puts a change in the record of that line.
declare_change() {
    local name=field
    [[ $3 == /* ]] && name=pointer
    printf '%ss|"changes": \[\]|"changes": [{"side": "%s", "%s": "%s", "old": "%s", "new": "%s"}]|' \
        "$1" "$2" "$name" "$3" "$4" "$5"
}

@test "declared: a change of the request, and one of the response" {
    cp "$data/changed.ndjson" log.ndjson
    verdict 0 changed-in-proxy.pcap changed-at-server.pcap "1 difference declared"
    edited "$(declare_change 1,3 response Content-Type application/json text/json)" exchanges.ndjson
    verdict 0 response-changed.pcap server.pcap "3 differences declared"
}

@test "undeclared: the log is silent, or speaks of another exchange, side or place" {
    edited 's/"changes": \[[^]]*\]/"changes": []/' changed.ndjson
    verdict 1 changed-in-proxy.pcap changed-at-server.pcap "differ: 1 difference" "/arguments/depth"
    edited 's/"request", "pointer"/"response", "pointer"/' changed.ndjson
    verdict 1 changed-in-proxy.pcap changed-at-server.pcap "in the proxy" \
        "response body: /arguments/depth, declared as changed"
    edited "$(declare_change 2,3 response Content-Type application/json text/json)" exchanges.ndjson
    verdict 1 response-changed.pcap server.pcap "differ: 1 difference in 1 exchange" "exchange 1 "
}

@test "inconclusive: packets that the proxy's capture lost, as the log says" {
    edited '2s/}$/, "capture_lost": 3}/; 3s/}$/, "capture_lost": 1}/' exchanges.ndjson
    verdict 3 proxy.pcap server.pcap "proxy.pcap lacks 4 packets that its recorder dropped"
}

@test "declared and not on the wire" {
    edited "$(declare_change 1 request /arguments/depth 2 3)" exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "differ: 1 difference" "between the exchange log and the wire" \
        "request body: /arguments/depth, declared as changed, and the wire does not bear it out" \
        "log:  2 -> 3" "wire: 2 -> 2"
    edited "$(declare_change 2 response Content-Type application/json text/json)" exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "response field Content-Type, declared as changed" \
        "wire: application/json -> application/json"
    edited "$(declare_change 2 request X-Added old new)" exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "wire: (absent) -> (absent)"
}

@test "declared with another old or new text than the wire has" {
    edited 's/"old": "2"/"old": "7"/' changed.ndjson
    verdict 1 changed-in-proxy.pcap changed-at-server.pcap "differ: 2 differences" "log:  7 -> 3" \
        "wire: 2 -> 3"
    edited 's/"new": "3"/"new": "4"/' changed.ndjson
    verdict 1 changed-in-proxy.pcap changed-at-server.pcap "differ: 2 differences" "log:  2 -> 4"
}

@test "declared above what differs: the whole value is borne out" {
    old='{\\"repo\\":\\"demo-repo\\",\\"target\\":\\"libssl\\",\\"depth\\":2}'
    edited "s|\"/arguments/depth\", \"old\": \"2\", \"new\": \"3\"|\"/arguments\", \"old\": \"$old\", \"new\": \"${old/2/3}\"|" \
        changed.ndjson
    verdict 0 changed-in-proxy.pcap changed-at-server.pcap "1 difference declared"
    edited "s|\"/arguments/depth\", \"old\": \"2\", \"new\": \"3\"|\"/arguments\", \"old\": \"$old\", \"new\": \"${old/2/4}\"|" \
        changed.ndjson
    verdict 1 changed-in-proxy.pcap changed-at-server.pcap "differ: 2 differences"
}

@test "a record whose status, method, target or body is not the wire's" {
    edited '2s/"status": 200/"status": 201/' exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "differ: 1 difference" "@@ status @@"
    edited '2s/"POST"/"PUT"/' exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "differ: 1 difference" "method and target" "- PUT /tool" \
        "+ POST /tool"
    edited '2s|"/tool"|"/tools"|' exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "differ: 1 difference" "- POST /tools"
    edited '2s/"request_sha256": "./"request_sha256": "/' exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "differ: 1 difference" "request body"
    edited '2s/"response_sha256": "./"response_sha256": "/' exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "differ: 1 difference" "response body"
}

@test "a declaration in a hostile log: any text, and pointers that lead nowhere" {
    edited "$(declare_change 2 request '/a~0\\u001b[31m' '\\"\\u202e\\"' 7)" exchanges.ndjson
    verdict 1 proxy.pcap server.pcap "declared as changed" "\\x1b[31m"
    [[ "$output" != *$'\033'* ]]
    edited "$(declare_change 2 request '/a~9' 1 2)" exchanges.ndjson
    verdict 3 proxy.pcap server.pcap "declares 1 change that cannot be understood, and explains nothing"
}

@test "a record that stands twice takes no other exchange's place" {
    python3 - "$data" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate
log = generate.Lab(one_connection=True).log
open("log.ndjson", "wb").write(generate.ndjson(log[:1] + log))
END
    verdict 1 single-proxy.pcap single-server.pcap "differ: 1 difference" \
        "in the exchange log, and not on the wire"
}

@test "every kind of change: declared and true, declared and false, not declared, no log" {
    python3 "$BATS_TEST_DIRNAME/capdiff_declared.py" "$BIN_DIR/capdiff" \
        "$BATS_TEST_DIRNAME"/../data/declared/*.txt
}
