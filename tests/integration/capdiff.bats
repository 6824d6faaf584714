#!/usr/bin/env bats
# capdiff as a program: its exit statuses, and what it says about pairs of captures whose answer is
# known. tests/data/capdiff/generate.py made them.

load helper

setup() {
    export NO_COLOR=
    data=$(cd "$BATS_TEST_DIRNAME/../data/capdiff" && pwd)
    cd "$BATS_TEST_TMPDIR" || return
}

# diff_of [OPTIONS] PROXY SERVER: capdiff on two files of the data, or of the current directory.
diff_of() {
    local words=() word
    for word in "$@"; do
        [[ -e "$data/$word" ]] && word="$data/$word"
        words+=("$word")
    done
    "$BIN_DIR/capdiff" "${words[@]}"
}

# trouble PHRASE OPTIONS …: status 2, and one line on stderr, which has the phrase.
trouble() {
    local phrase=$1
    shift
    run diff_of "$@"
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "${lines[0]}" == capdiff:\ *"$phrase"* ]]
}

# verdict STATUS PHRASE OPTIONS …
verdict() {
    local expected=$1 phrase=$2
    shift 2
    run diff_of "$@"
    echo "$output"
    [ "$status" -eq "$expected" ]
    [[ "$output" == *"$phrase"* ]]
}

@test "same: whatever the format and the link type of the captures" {
    verdict 0 "same: 3 exchanges, byte for byte, in all 3 views" proxy.pcap server.pcap
    for server in server-sll.pcap server-sll2-ns.pcap; do
        for proxy in proxy.pcap proxy-null.pcap proxy-payload.pcapng; do
            verdict 0 "same: 3 exchanges" "$proxy" "$server"
        done
    done
    verdict 0 "same: 3 exchanges" single-proxy.pcap single-server.pcap
}

@test "same: the verdict is the first line, and how pairs were found is told" {
    verdict 0 "by equal request bytes" proxy.pcap server.pcap
    [[ "${lines[0]}" == "same: "* ]]
    [[ "$output" == *"by endpoints and initial sequence number"* ]]
    verdict 0 "by the exchange log" --exchange-log exchanges.ndjson proxy.pcap server.pcap
}

@test "same: health checks that never went through the proxy are only counted" {
    verdict 0 "1 exchange went to the server without the proxy" proxy.pcap server.pcap
}

@test "differ: a byte changed in the proxy is named with exchange, place and hop" {
    verdict 1 "differ: 1 difference in 1 exchange" changed-in-proxy.pcap changed-at-server.pcap
    [[ "$output" == *"exchange 2  call-0002  in the proxy"* ]]
    [[ "$output" == *"@@ request body, byte 128: /arguments/depth @@"* ]]
    [[ "$output" == *'- …'*'"depth":2}}'* ]]
    [[ "$output" == *'+ …'*'"depth":3}}'* ]]
}

@test "differ: a byte changed on the way is not the proxy's doing" {
    verdict 1 "exchange 2  call-0002  on the way from the proxy to the server" \
        proxy.pcap changed-on-the-way.pcap
    [[ "$output" == *"/arguments/depth"* ]]
    [[ "$output" != *"in the proxy  "* ]]
}

@test "differ: a response field changed in the proxy" {
    verdict 1 "@@ response field Content-Type @@" response-changed.pcap server.pcap
    [[ "$output" == *"- Content-Type: application/json"* ]]
    [[ "$output" == *"+ Content-Type: text/json"* ]]
}

@test "a change that the log declares is no difference; neither is an ignored one" {
    verdict 0 "1 difference declared by the exchange log" \
        --exchange-log changed.ndjson changed-in-proxy.pcap changed-at-server.pcap
    verdict 0 "1 difference ignored" \
        --ignore /arguments/depth changed-in-proxy.pcap changed-at-server.pcap
    verdict 0 "3 differences ignored" --ignore content-type response-changed.pcap server.pcap
    verdict 1 "/arguments/depth" --ignore /id changed-in-proxy.pcap changed-at-server.pcap
    CAPDIFF_IGNORE=/arguments verdict 0 "same" changed-in-proxy.pcap changed-at-server.pcap
}

@test "differ: a log that lies about a body" {
    verdict 1 "between the exchange log and the wire" \
        --exchange-log lying.ndjson proxy.pcap server.pcap
}

@test "a log whose last line is torn is used up to there, and that is noted" {
    verdict 0 "the last line of the exchange log is torn" \
        --exchange-log torn.ndjson proxy.pcap server.pcap
}

@test "inconclusive: an exchange of the log that no capture has" {
    verdict 3 "tells of 1 exchange that no capture has (exchange 4, call-0004)" \
        --exchange-log one-more.ndjson proxy.pcap server.pcap
}

@test "inconclusive: a log that goes on from an earlier run is not taken for this one" {
    verdict 3 "tells of 3 exchanges that no capture has" \
        --exchange-log two-runs.ndjson proxy.pcap server.pcap
}

@test "inconclusive: a capture without its first seconds lacks exchanges, and is named" {
    verdict 3 "server-late.pcap lacks 1 exchange that another capture has (exchange 1, call-0001)" \
        proxy.pcap server-late.pcap
    verdict 3 "begins in the middle of 1 connection" single-proxy.pcap single-server-late.pcap
}

@test "inconclusive: what a capture has not got has a name" {
    verdict 3 "of 2026-01-01T00:00:01.001000Z: outside its window" proxy.pcap server-late.pcap
    verdict 3 ": missed by the capture, which lacks packets" \
        single-proxy.pcap single-server-missed.pcap
    verdict 3 ": missed by the capture, which lacks packets" \
        --server-drops 1 proxy.pcap server-without-2.pcap
    verdict 3 ": why is inconclusive" proxy.pcap server-without-2.pcap
    verdict 1 "the server never saw it" single-proxy.pcap single-server-lost.pcap
    run diff_of --format json proxy.pcap server-late.pcap
    [[ "$output" == *'"outside_window"'* ]]
}

@test "differ: other bytes under sequence numbers seen before are shown in both versions" {
    verdict 1 "with other bytes under sequence numbers seen before" proxy.pcap server-injected.pcap
    [[ "$output" == *'- '*'"depth":2}}'* ]]
    [[ "$output" == *'+ '*'"depth":9}}'* ]]
}

@test "inconclusive: a gap in a body of known length does not hide what follows" {
    run diff_of --format json single-proxy.pcap single-server-body-gap.pcap
    [ "$status" -eq 3 ]
    [[ "$(jq -c '.exchanges.compared' <<<"$output")" == 3 ]]
    [[ "$(jq -c '[.doubts[].kind]' <<<"$output")" == '["gap","incomplete"]' ]]
}

@test "inconclusive: a cut file, a gap, a snaplen, nothing recorded, no HTTP" {
    verdict 3 "server-cut.pcap ends inside a packet" proxy.pcap server-cut.pcap
    verdict 3 "acknowledged and not recorded" proxy.pcap server-gap.pcap
    verdict 3 "acknowledged and not recorded" proxy.pcap server-snapped.pcap
    verdict 3 "server-empty.pcap holds no packet" proxy.pcap server-empty.pcap
    verdict 3 "no-http.pcap holds no HTTP exchange" proxy.pcap no-http.pcap
}

@test "text: one empty line between any two parts, whichever there are" {
    local words
    for words in "no-http.pcap no-http.pcap" "proxy.pcap no-http.pcap" "no-http.pcap server.pcap" \
        "server-empty.pcap server-empty.pcap" "proxy.pcap server.pcap" "no-http.pcap" \
        "--exchange-log one-more.ndjson no-http.pcap no-http.pcap" "proxy.pcap server-injected.pcap"; do
        # shellcheck disable=SC2086 # words
        diff_of $words >text || true
        [ -s text ]
        [ "$(cat -s text)" = "$(cat text)" ]
        [ -n "$(tail -n 1 text)" ]
    done
}

@test "differ wins over inconclusive" {
    head -c -10 "$data/changed-on-the-way.pcap" >cut.pcap
    verdict 1 "missing evidence" proxy.pcap cut.pcap
}

@test "trouble: each file that is no capture gets its own sentence" {
    trouble "is empty" proxy.pcap zero-bytes.pcap
    trouble "ends inside its header" proxy.pcap header-only-cut.pcap
    trouble "is not a capture" proxy.pcap not-a-capture.pcap
    trouble "the gzip data is damaged" proxy.pcap gzip.pcap
    trouble "is a directory" proxy.pcap .
    trouble "cannot open the capture nowhere.pcap: no such file or directory" proxy.pcap nowhere.pcap
    trouble "cannot open the exchange log nowhere.ndjson: no such file or directory" \
        --exchange-log nowhere.ndjson proxy.pcap server.pcap
    trouble "cannot write the report to nowhere/report: no such file or directory" \
        --output nowhere/report proxy.pcap server.pcap
    cp "$data/server.pcap" kept.pcap
    trouble "is one of the files to compare" --output kept.pcap proxy.pcap kept.pcap
    cmp kept.pcap "$data/server.pcap"
}

@test "captures may be packed by gzip or zstd, or come by standard input" {
    gzip -c "$data/server.pcap" >server.gz
    verdict 0 "same: 3 exchanges, byte for byte, in all 3 views" proxy.pcap server.gz
    # A pipe, which cannot be read twice as a file can.
    # shellcheck disable=SC2002
    cat "$data/proxy.pcap" | verdict 0 "same: 3 exchanges" - server.gz
    # shellcheck disable=SC2002
    cat server.gz | verdict 0 "same: 3 exchanges" proxy.pcap -
    trouble "can be one capture only" - -
    trouble "comes only once" --wait 1 proxy.pcap -
    # Two files in one, as gzip allows; and a file that was cut.
    { head -c 1000 "$data/server.pcap" | gzip -c; tail -c +1001 "$data/server.pcap" | gzip -c; } >two.gz
    verdict 0 "same: 3 exchanges" proxy.pcap two.gz
    head -c -20 server.gz >cut.gz
    verdict 3 "cut.gz ends inside a packet" proxy.pcap cut.gz
    command -v zstd >/dev/null || skip "zstd is not installed"
    zstd -q -c "$data/server.pcap" >server.zst
    verdict 0 "same: 3 exchanges" proxy.pcap server.zst
    head -c -20 server.zst >cut.zst
    trouble "ends inside its header" proxy.pcap cut.zst # one block, which nothing can be got out of
}

@test "inconclusive: packets that a recorder dropped" {
    verdict 3 "server-drops.pcapng lacks 7 packets that its recorder dropped" \
        proxy.pcap server-drops.pcapng
    verdict 3 "proxy.pcap lacks 2 packets" --proxy-drops 2 proxy.pcap server.pcap
    verdict 0 "same" --proxy-drops 0 --server-drops 0 proxy.pcap server.pcap
}

@test "same: pcapng of several sections, interfaces, byte orders and resolutions" {
    verdict 0 "same: 3 exchanges, byte for byte, in all 3 views" proxy.pcap server-sections.pcapng
}

@test "same: VLAN, QinQ, PPPoE, and IP fragments put together" {
    for server in vlan qinq pppoe fragments; do
        verdict 0 "same: 3 exchanges, byte for byte, in all 3 views" proxy.pcap "server-$server.pcap"
    done
    verdict 3 "of packets that are not whole" proxy.pcap server-fragment-lost.pcap
}

@test "trouble: usage" {
    trouble "give two captures"
    trouble "is only listed" --format html proxy.pcap
    trouble "is only listed" --har archives proxy.pcap
    trouble "--follow prints text only" --format json --follow 1 proxy.pcap
    trouble "needs one capture" --follow 1 proxy.pcap server.pcap
    trouble "one word too many" proxy.pcap server.pcap server.pcap
    trouble "no option --nope" --nope proxy.pcap server.pcap
    trouble "text, json, html" --format yaml proxy.pcap server.pcap
    trouble "--ignore takes" --ignore "two words" proxy.pcap server.pcap
    trouble "--wait" --wait soon proxy.pcap server.pcap
    run "$BIN_DIR/capdiff" --help
    [ "$status" -eq 0 ]
    [[ "$output" == *"exit status:"* ]]
}

@test "the client's own capture is a view of its own" {
    verdict 0 "same: 3 exchanges, byte for byte, in all 4 views" \
        --client client.pcap proxy.pcap server.pcap
    verdict 1 "exchange 2  call-0002  on the way from the client to the proxy" \
        --client client-changed.pcap proxy.pcap server.pcap
    verdict 3 "client-late.pcap lacks 1 exchange" --client client-late.pcap proxy.pcap server.pcap
}

@test "same: a file against itself, whatever it holds" {
    for file in proxy.pcap changed-in-proxy.pcap response-changed.pcap server.pcap; do
        verdict 0 "same: " "$file" "$file"
    done
    cp "$data/changed-in-proxy.pcap" "$BATS_TEST_TMPDIR/copy.pcap" # its proxy is judged
    verdict 1 "in the proxy" changed-in-proxy.pcap "$BATS_TEST_TMPDIR/copy.pcap"
}

@test "the ports can be given" {
    verdict 0 "same: 3 exchanges" --proxy-port 8080 --server-port 8000 proxy.pcap server.pcap
    verdict 3 "inconclusive" --proxy-port 1 proxy.pcap server.pcap
}

@test "colour only where it is asked for" {
    verdict 0 $'\033[32m' --color always proxy.pcap server.pcap
    run diff_of proxy.pcap server.pcap
    [[ "$output" != *$'\033'* ]]
    CAPDIFF_COLOR=always NO_COLOR=1 verdict 0 $'\033[32m' proxy.pcap server.pcap
}

# fits_schema FILE
fits_schema() {
    python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
    python3 -c 'import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))' \
        "$1" "$BATS_TEST_DIRNAME/../../capturer/capdiff/report.schema.json"
}

@test "the JSON report has the verdict, and fits its schema" {
    diff_of --format json --output report.json --exchange-log lying.ndjson \
        proxy.pcap changed-on-the-way.pcap || [ $? -eq 1 ]
    grep -q '"verdict":.*"differ"' report.json
    grep -q '"exit_status":.*1' report.json
    grep -q '"pointer":.*"/arguments/depth"' report.json
    fits_schema report.json
    diff_of --format json --output report.json --exchange-log changed.ndjson \
        changed-in-proxy.pcap changed-at-server.pcap
    fits_schema report.json
    [ "$(jq -c '.declared.items[0] | [.exchange, .call_id, .rule, .side, .text]' report.json)" = \
        '[2,"call-0002",null,"request","an option: request value /arguments/depth: 2 became 3"]' ]
    echo '{"verdict":"same"}' >other.json
    run fits_schema other.json
    [ "$status" -ne 0 ]
}

@test "one capture as JSON: the list fits its schema, and has the digests that the log has" {
    local name
    for name in proxy server server-gap server-cut server-late server-empty no-http \
        single-server-body-gap server-injected; do
        diff_of --format json --output list.json "$name.pcap"
        fits_schema list.json
    done
    diff_of --format json --output list.json proxy.pcap
    [ "$(jq -r '.quality[0] | [.capture, .source, .packets, .end] | @csv' list.json)" = \
        '"proxy.pcap",,66,"whole"' ]
    jq -c '.exchanges[] | select(.server == "172.20.0.3:8080") |
        [.call_id, .client, .status, .request_sha256, .response_sha256]' list.json >listed
    jq -c '[.call_id, .client, .status, .request_sha256, .response_sha256]' \
        "$data/exchanges.ndjson" | diff - listed
    [ "$(jq -c '.exchanges[0] | [.request_bytes, .response_bytes, .duration_us]' list.json)" = \
        "[131,79,3000]" ]
    [ "$(jq -r '.exchanges[0].request_line' list.json)" = "POST /tool HTTP/1.1" ]
    diff_of --format json single-server-body-gap.pcap |
        jq -e '[.exchanges[] | select(.request_state == "partial" and .request_sha256 == null)] |
            length == 1'
    diff_of --format json no-http.pcap | jq -e '.exchanges == []'
}

@test "--wait reads again while a capture is being written" {
    head -c 2000 "$data/server.pcap" >growing.pcap
    verdict 3 "growing.pcap" proxy.pcap growing.pcap
    (sleep 0.5 && cp "$data/server.pcap" grown.pcap && mv grown.pcap growing.pcap) 3>&- &
    verdict 0 "same: 3 exchanges" --wait 60 proxy.pcap growing.pcap
    wait
}

@test "--wait gives up when the time is over, and knows what cannot come any more" {
    SECONDS=0
    verdict 3 "lacks 1 exchange" --wait 1 proxy.pcap server-late.pcap
    verdict 1 "/arguments/depth" --wait 600 proxy.pcap changed-on-the-way.pcap
    [ "$SECONDS" -lt 300 ]
}

@test "a capture cut anywhere is never the same, unless only goodbyes are missing" {
    size=$(stat -c %s "$data/server.pcap")
    for ((len = 0; len < 3900; len += 97)); do
        head -c "$len" "$data/server.pcap" >cut.pcap
        run diff_of proxy.pcap cut.pcap
        [ "$status" -eq 2 ] || [ "$status" -eq 3 ]
    done
    [ "$len" -lt "$size" ]
}

@test "JSON: applying the patches of the report to what was sent gives what came out" {
    for seed in 1 "$RANDOM"; do
        python3 "$BATS_TEST_DIRNAME/capdiff_patch.py" "$BIN_DIR/capdiff" "$seed"
    done
}

@test "two captures of one leg are compared as just that" {
    for name in proxy server client server-sll single-server; do
        verdict 0 "same: " "$name.pcap" "$name.pcap"
    done
    verdict 0 "same: 4 exchanges, byte for byte, in both captures of one leg" server.pcap server-sll.pcap
    verdict 1 "exchange 3  call-0002  between the captures" server.pcap changed-on-the-way.pcap
    [[ "$output" == *"- …"*'"depth":2}}'*"+ …"*'"depth":3}}'* ]]
    verdict 1 "between the captures" changed-on-the-way.pcap server.pcap
    verdict 1 "between the captures" client.pcap client-changed.pcap
    verdict 3 "inconclusive" server.pcap server-late.pcap
    verdict 3 "inconclusive" server-gap.pcap server.pcap
    verdict 3 "no exchange was seen in every view" client.pcap proxy.pcap
    verdict 1 "not on the wire" --exchange-log exchanges.ndjson server.pcap server.pcap
}

@test "the captures may be given in any order: which one is the proxy's is seen" {
    verdict 0 "same: 3 exchanges, byte for byte, in all 3 views" server.pcap proxy.pcap
    [[ "$output" == *"proxy.pcap holds both legs, and is taken for the proxy's capture"* ]]
    verdict 1 "exchange 2  call-0002  in the proxy" changed-at-server.pcap changed-in-proxy.pcap
    verdict 3 "server-late.pcap lacks 1 exchange" server-late.pcap proxy.pcap
}

@test "every two captures: the one order mirrors the other" {
    run python3 "$BATS_TEST_DIRNAME/capdiff_mirror.py" "$BIN_DIR/capdiff" "$data"
    echo "$output"
    [ "$status" -eq 0 ]
}

# shifted SECONDS [FROM]: the server's capture by a clock that is ahead, from a time on.
shifted() {
    python3 - "$data" "$1" "${2:-0}" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate
packets = [p for p in generate.Lab().server if p.time >= generate.START + float(sys.argv[3])]
for packet in packets:
    packet.time += float(sys.argv[2])
open("shifted.pcap", "wb").write(generate.pcap(packets))
END
}

@test "clocks that are apart: how far, how sure, and no harm" {
    verdict 0 "the clock of server.pcap agrees with that of proxy.pcap within 0.100 ms" \
        proxy.pcap server.pcap
    shifted 3600.25
    verdict 0 "shifted.pcap is 3600250.000 ms ahead of that of proxy.pcap, give or take 0.100 ms" \
        proxy.pcap shifted.pcap
    shifted -0.05
    verdict 0 "shifted.pcap is 50.000 ms behind that of proxy.pcap" proxy.pcap shifted.pcap
    shifted 0.00005
    verdict 0 "agrees with that of proxy.pcap within 0.150 ms" proxy.pcap shifted.pcap
    shifted -7200 1.9
    verdict 3 "1 exchange that another capture has" proxy.pcap shifted.pcap
    [[ "$output" == *"outside its window"* ]]
    diff_of --format json --output report.json proxy.pcap shifted.pcap || [ $? -eq 3 ]
    grep -q '"offset_ns":.*-7200000000000' report.json
}

# tshark is no oracle where bytes are missing (it writes a sentence in their place), where other
# bytes came under the same numbers (it may take either), and for a file that was cut.
@test "every whole capture has the streams that tshark finds in it" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    local capture captures=()
    for capture in proxy server proxy-null server-sll server-sll2-ns single-proxy single-server \
        server-vlan server-qinq server-pppoe server-fragments changed-in-proxy response-changed; do
        captures+=("$data/$capture.pcap")
    done
    captures+=("$data/proxy-payload.pcapng" "$data/server-sections.pcapng")
    python3 "$BATS_TEST_DIRNAME/capdiff_oracle.py" tshark "$BIN_DIR/capdiff" "${captures[@]}"
}

@test "doubled, shuffled, and split to one byte, the packets say the same" {
    python3 "$BATS_TEST_DIRNAME/capdiff_oracle.py" variants "$BIN_DIR/capdiff" "$data"
}

# comments FILE: "NUMBER INTERFACE PAYLOAD COMMENT" of each packet that has one, as tshark reads it.
comments() {
    tshark -r "$1" -Y frame.comment -T fields -E separator=' ' -e frame.number \
        -e frame.interface_name -e tcp.payload -e frame.comment 2>/dev/null
}

# depth N: that member, as tshark writes it in a payload.
depth() { printf '"depth":%s' "$1" | od -An -tx1 | tr -d ' \n'; }

@test "annotate: a packet that came in fragments has its comment on the piece that made it whole" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    python3 - "$data" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate as g
lab = g.Lab(at_server=g.changed)
open("fragments.pcap", "wb").write(g.raw_pcap(
    [(p.time, frame) for p in lab.server for frame in p.fragments(g.ETHERNET)]))
END
    verdict 1 "/arguments/depth" --annotate all.pcapng proxy.pcap fragments.pcap
    run comments all.pcapng
    echo "$output"
    [ "${#lines[@]}" -eq 2 ]
    [[ "$output" == *" proxy.pcap "*"$(depth 2)"*"call-0002, on the way from the proxy"* ]]
    [[ "$output" == *" fragments.pcap "*"$(depth 3)"*"call-0002, on the way from the proxy"* ]]
}

@test "annotate: bytes that were sent again with a difference have their comment where they differ" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    verdict 1 "sequence numbers seen before" --annotate all.pcapng proxy.pcap server-injected.pcap
    run comments all.pcapng
    echo "$output"
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *" server-injected.pcap "*"$(depth 9)"*"seen before"* ]]
}

# big KIND BYTE: big-proxy.pcap and big-server.pcap, also as .pcapng and .gz: a response of 3 MB,
# plain or chunked, one byte of which is another one on the client leg.
big() {
    python3 - "$data" "$1" "$2" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate as g
body = b"".join(b"%08d" % i for i in range(3 * 2**17))
head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
def response(content):
    if sys.argv[2] == "plain":
        return head + b"Content-Length: %d\r\n\r\n" % len(content) + content
    chunks = [content[at:at + 50000] for at in range(0, len(content), 50000)] + [b""]
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
at = int(sys.argv[3])
g.response = lambda number: response(body)
lab = g.Lab(calls=1, downstream=lambda number: response(body[:at] + b"!" + body[at + 1:]))
for name, packets in (("proxy", lab.proxy), ("server", lab.server)):
    open(f"big-{name}.pcap", "wb").write(g.pcap(packets))
    open(f"big-{name}.pcapng", "wb").write(g.pcapng(packets))
END
    gzip -k1f big-proxy.pcap big-server.pcap
}

@test "a body that is not kept is read again for the byte that differs" {
    local kind at end
    for kind in plain chunked; do
        at=$((2222222 + RANDOM))
        big "$kind" "$at"
        for end in pcap pcapng pcap.gz; do
            verdict 1 "@@ response body, byte $at @@" "big-proxy.$end" "big-server.$end"
            [[ "$output" == *"- …"*"+ …"*"!"* ]]
            CAPDIFF_HOLD=0 verdict 1 "@@ response body, byte $at @@" "big-proxy.$end" "big-server.$end"
        done
        # shellcheck disable=SC2002 # a pipe
        cat big-proxy.pcap | verdict 1 "beyond the first 1048576 bytes" - big-server.pcap
    done
}

@test "settled while they are read, or held until the end, captures say the same" {
    run python3 "$BATS_TEST_DIRNAME/capdiff_hold.py" "$BIN_DIR/capdiff" "$data"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "exchanges that cannot be held are given up in all views" {
    run python3 "$BATS_TEST_DIRNAME/capdiff_given_up.py" "$BIN_DIR/capdiff" "$data"
    rm -f ./*.pcap # 160 MB
    echo "$output"
    [ "$status" -eq 0 ]
}
