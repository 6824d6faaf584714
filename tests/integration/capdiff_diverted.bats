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

@test "captures opened with keys can be read where the log has a tunnel: its length is not theirs" {
    both 0 "$same" tls-passes.ndjson redirect-any.pcap redirect-server.pcap
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

# made_up COUNT: calls whose upstream leg has other sequence numbers than the server's capture, as in a
# capture of payloads: one second after the other, all from the same port.
made_up() {
    python3 - "$BATS_TEST_DIRNAME/../data/diverted" "$BATS_TEST_TMPDIR" "$1" <<'END'
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import generate as g

proxy, server = [], []
for number in range(1, int(sys.argv[3]) + 1):
    time, own = g.START + number, ((g.ROUTER, 50000), (g.SERVER, 80))
    client = g.Connection((g.AGENT, 40000 + number), (g.ROUTER, 8080), time, isn=number * 9000)
    up, seen = (g.Connection(*own, time + 0.001, isn=number * 9000 + more) for more in (300, 700))
    for leg in (client, up, seen):
        leg.say(0, time + 0.002, g.request(number))
        leg.say(1, time + 0.003, g.labs.response(number))
        leg.close(time + 0.004)
    proxy += client.packets + up.packets
    server += seen.packets
for name, packets in (("proxy", proxy), ("server", server)):
    packets.sort(key=lambda packet: packet.time)
    Path(sys.argv[2], name + ".pcap").write_bytes(g.pcap(packets))
END
}

@test "matched by time: sure where nothing else fits" {
    made_up 1
    verdict 0 "1 connection by endpoints and time" "$BATS_TEST_TMPDIR"/{proxy,server}.pcap
    [[ $output != *"not sure"* ]]
    made_up 2
    verdict 0 "2 connections were paired with one of several that fit: that is not sure" \
        "$BATS_TEST_TMPDIR"/{proxy,server}.pcap
}
