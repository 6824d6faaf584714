#!/usr/bin/env bats
# capdiff on captures of a transparent proxy, and of TLS, whose answer is known.
# tests/data/diverted/generate.py made them.

load helper

setup() {
    export NO_COLOR=
    cd "$BATS_TEST_DIRNAME/../data/diverted" || return
}

# verdict STATUS PHRASE OPTIONS …
verdict() {
    local expected=$1 phrase=$2
    shift 2
    echo "capdiff $*"
    run "$BIN_DIR/capdiff" "$@"
    echo "$output"
    [ "$status" -eq "$expected" ]
    [[ "$output" == *"$phrase"* ]]
}

# both STATUS PHRASE LOG CAPTURE …: with the exchange log and without, held for long and for no time.
both() {
    local expected=$1 phrase=$2 log=$3 hold
    shift 3
    for hold in 4 0; do
        verdict "$expected" "$phrase" --hold "$hold" "$@"
        verdict "$expected" "$phrase" --hold "$hold" --exchange-log "$log" "$@"
    done
}

same="same: 3 exchanges, byte for byte, in all 3 views"

@test "REDIRECT: the ways of packets tell the legs; without them the server's capture, or the log" {
    local capture
    for capture in any.pcap any-v1.pcap ethernet.pcap payload.pcapng; do
        both 0 "$same" redirect.ndjson "redirect-$capture" redirect-server.pcap
    done
}

@test "TPROXY: the ways of packets tell connections with the same ends apart" {
    local capture
    for capture in any.pcap any-v1.pcap payload.pcapng; do
        both 0 "$same" tproxy.ndjson "tproxy-$capture" tproxy-server.pcap
    done
}

@test "TPROXY: where nothing tells them apart, that is said" {
    both 3 "has 3 pairs of connections with the same ends at the same time" \
        tproxy.ndjson tproxy-ethernet.pcap tproxy-server.pcap
}

@test "the captures in the other order" {
    local name
    for name in redirect tproxy; do
        verdict 0 "$same" "$name-server.pcap" "$name-any.pcap"
        verdict 0 "$same" "$name-server.pcap" "$name-payload.pcapng"
    done
}

@test "a byte changed in the proxy is named with its hop" {
    local name capture
    for name in redirect tproxy; do
        for capture in changed.pcap changed-payload.pcapng; do
            both 1 "exchange 2  call-0002  in the proxy" "$name.ndjson" "$name-$capture" "$name-changed-server.pcap"
            [[ "$output" == *"/arguments/depth @@"* ]]
        done
        both 1 "on the way from the proxy to the server" "$name.ndjson" "$name-any.pcap" "$name-changed-server.pcap"
    done
}

@test "several ports, and one where nobody listens" {
    local name hold
    for name in redirect tproxy; do
        for hold in 4 0; do
            verdict 1 "answered by the proxy with 502, server never asked" --hold "$hold" \
                "$name-refused.pcap" "$name-refused-server.pcap"
            verdict 0 "same: 5 exchanges, byte for byte, in all 3 views; 1 answered or ended by the proxy itself" \
                --hold "$hold" --exchange-log "$name-refused.ndjson" "$name-refused.pcap" "$name-refused-server.pcap"
        done
    done
}

@test "a capture that began late lacks something, and nothing differs" {
    local name
    for name in redirect tproxy; do
        both 3 "$name-late.pcap" "$name.ndjson" "$name-late.pcap" "$name-server.pcap"
    done
}

@test "what a router only passed on is one leg, and one connection" {
    verdict 0 "same: 3 exchanges" passed-on-any.pcap tproxy-server.pcap
}

@test "what passes unread, TLS, behind a 101 or anything else, is compared as bytes" {
    local name
    for name in tls-passes upgraded raw; do
        both 0 "$same" "$name.ndjson" "$name-any.pcap" "$name-server.pcap"
        [[ "$output" == *"3 exchanges were compared as bytes and not read"* ]]
    done
    for name in tls upgraded raw; do
        both 1 "in the proxy" "$name-changed.ndjson" "$name-changed-any.pcap" "$name-changed-server.pcap"
        [[ "$output" == "differ: 1 difference in 1 exchange (3 compared)"* ]]
    done
}

@test "TLS is called so in a list, and in every report" {
    verdict 0 "  TLS" tls-passes-server.pcap
    verdict 1 $'\nTLS\n' tls-changed-any.pcap tls-changed-server.pcap
    verdict 1 '"TLS"' --format json tls-changed-any.pcap tls-changed-server.pcap
}

@test "a log that lies about how many bytes passed unread" {
    local name hold
    for name in tls-passes upgraded raw; do
        for hold in 4 0; do
            verdict 1 "exchange 2  between the exchange log and the wire" --hold "$hold" \
                --exchange-log "$name-lying.ndjson" "$name-any.pcap" "$name-server.pcap"
            [[ "$output" == *"@@ tunnel, to the client @@"* ]]
        done
    done
}

@test "TLS that the proxy takes apart is named, and what was said within it compared as far as it is there" {
    both 3 "inconclusive: 6 connections of tls-apart-any.pcap speak TLS, which cannot be read" \
        tls-apart.ndjson tls-apart-any.pcap tls-apart-server.pcap
    verdict 3 "inconclusive: 3 connections of tls-apart-server.pcap speak TLS, which cannot be read" \
        tls-apart-payload.pcapng tls-apart-server.pcap
    [[ "$output" == *"3 exchanges were compared inside the proxy only"* ]]
    verdict 1 "exchange 2  call-0002  in the proxy" redirect-changed-payload.pcapng tls-apart-server.pcap
    [[ "$output" == *"3 connections of tls-apart-server.pcap speak TLS"* ]]
}
