#!/usr/bin/env bats
# capdiff's reports for people and for other tools: that each can be read by what it is made for, and
# that nothing from the network gets out of its quotes.

bats_require_minimum_version 1.5.0
load helper

setup() {
    export NO_COLOR=
    data=$(cd "$BATS_TEST_DIRNAME/../data/capdiff" && pwd)
    capdiff=$(cd "$BIN_DIR" && pwd)/capdiff
    cd "$BATS_TEST_TMPDIR" || return
}

# hostile: proxy.pcap and server.pcap whose requests carry all that could hurt a reader.
hostile() {
    PYTHONDONTWRITEBYTECODE=1 python3 - "$data" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate as g

bad = (b'</script><script>x</script><img src=x onerror=alert(1)>" onclick="x" ]]> --> '
       b"\x00\xff\xfe \xe2\x80\xaeevil \x1b[31m 'q' \xc3\xa9 {{7*7}}")

def request(number, depth=2):
    body = b'{"id":"<b>%d\\u202e\\u0007</b>","bad":"' % number + bad + b'","depth":%d}' % depth
    field = bad.replace(b"\x00", b"").replace(b"\x1b", b"")
    return (b"POST /tool?</script>&\"' HTTP/1.1\r\nHost: a\r\nX-Bad: " + field +
            b"\r\nContent-Length: %d\r\n\r\n" % len(body)) + body

g.request = request
lab = g.Lab(upstream=request, at_server=lambda number: request(number, 3))
open("proxy.pcap", "wb").write(g.pcap(lab.proxy))
open("server.pcap", "wb").write(g.pcap(lab.server))
END
}

# many COUNT [EVERY]: proxy.pcap and server.pcap with so many exchanges, every tenth of them changed.
many() {
    PYTHONDONTWRITEBYTECODE=1 python3 - "$data" "$1" "${2:-10}" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate as g

request = g.request
lab = g.Lab(calls=int(sys.argv[2]),
            at_server=lambda number: request(number, depth=3 if number % int(sys.argv[3]) == 0 else 2))
open("proxy.pcap", "wb").write(g.pcap(lab.proxy))
open("server.pcap", "wb").write(g.pcap(lab.server))
END
}

# waiting: proxy.pcap and server.pcap with 40 exchanges, one a millisecond, of which the fifth takes
# 600 ms and the others 3 ms; agent_b's clock is 250 ms ahead.
waiting() {
    PYTHONDONTWRITEBYTECODE=1 python3 - "$data" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import generate as g

class Waiting(g.Lab):
    def call(self, legs, number, time, upstream, downstream, at_server):
        begin, slow = g.START + number / 1000, 200 if number == 5 else 1
        client, up, seen = self.connect(number, begin)
        client.say(0, begin + 0.001, upstream(number))
        up.say(0, begin + 0.001 + 0.001 * slow, upstream(number))
        seen.say(0, begin + 0.001 + 0.0011 * slow, at_server(number))
        seen.say(1, begin + 0.001 + 0.002 * slow, g.response(number))
        up.say(1, begin + 0.001 + 0.0021 * slow, g.response(number))
        client.say(1, begin + 0.001 + 0.003 * slow, downstream(number))
        legs[:] = [client, up, seen]
        for packet in seen.packets:
            packet.time += 0.25

lab = Waiting(calls=40)
for name, packets in ("proxy", lab.proxy), ("server", lab.server):
    open(name + ".pcap", "wb").write(g.pcap(sorted(packets, key=lambda packet: packet.time)))
END
}

# bars FILE: "BEGIN CLASSES LENGTH" of each bar of the waterfall, in their order.
bars() {
    python3 - "$1" <<'END'
import re, sys

drawing = re.search(r'<svg class="waterfall".*?</svg>', open(sys.argv[1], encoding="utf-8").read(),
                    re.DOTALL).group(0)
for row in re.findall(r'</a>(.*?)<text', drawing):
    parts = re.findall(r'class="(\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)"', row)
    print(parts[0][1], ",".join(part[0] for part in parts), sum(float(part[2]) for part in parts))
END
}

# html_check FILE: the page is well-formed as a browser would read it, asks nothing of anybody, and
# holds one script, ours; prints its visible text.
html_check() {
    python3 - "$1" <<'END'
import base64, hashlib, re, sys
from html.parser import HTMLParser

VOID = {"meta", "input", "rect", "path", "circle"}
DRAWN = {"a", "circle", "defs", "marker", "path", "rect", "text", "tspan"}  # others end a drawing

class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.text, self.scripts, self.styles = [], {}, [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("src", "style"), (tag, name)
            assert name != "href" or value.startswith("#"), value
        if tag == "meta" and dict(attrs).get("http-equiv"):
            self.policy = dict(attrs)["content"]
        assert "svg" not in self.open or tag in DRAWN, tag
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        {"script": self.scripts, "style": self.styles}.get(inside, self.text).append(data)

raw = open(sys.argv[1], "rb").read()
page = Page()
page.feed(raw.decode("utf-8"))
page.close()
assert page.open == [], page.open
assert page.seen["script"] == page.seen["style"] == 1, page.seen
assert "img" not in page.seen and "link" not in page.seen, page.seen
for kind, text in (("script", page.scripts), ("style", page.styles)):
    digest = base64.b64encode(hashlib.sha256("".join(text).encode()).digest()).decode()
    assert f"{kind}-src 'sha256-{digest}'" in page.policy, kind
assert not re.search(rb"https?://(?!www\.w3\.org)", raw), "the page names a host"
assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]", raw), "controls"
print("".join(page.text))
END
}

@test "html: the verdict, each view and each exchange are there, without any script" {
    run -0 "$capdiff" --format html --output report.html "$data/proxy.pcap" "$data/server.pcap"
    run -0 html_check report.html
    [[ $output == *"same"*"3 exchanges, byte for byte, in all 3 views"* ]]
    [[ $output == *"proxy in"*"same bytes"*"proxy out"*"agent_b's wire"* ]]
    [[ $output == *"call-0003"* && $output == *'"target":"libssl"'* ]]
    [ "$(grep -c '<details' report.html)" -ge 3 ]
}

@test "html: a difference is named, marked, and stands first" {
    run -1 "$capdiff" --format html --output report.html \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    grep -q '&quot;depth&quot;:<mark>2</mark>' report.html
    grep -q '&quot;depth&quot;:<mark>3</mark>' report.html
    [[ $(grep -o '<details class="x [a-z]*' report.html | head -n 1) == *differ ]]
    run -0 html_check report.html
    [[ $output == *"in the proxy"*"/arguments/depth"* ]]
}

@test "html: a difference in JSON comes with its patch, and each step with how sure it is" {
    run -1 "$capdiff" --format html --output report.html \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    run -0 html_check report.html
    [[ $output == *'JSON Patch [{"op":"replace","path":"/arguments/depth","value":3}]'* ]]
    [[ $output == *"paired with proxy in by equal call ids: sure"* ]]
    [[ $output == *"paired with proxy out by endpoints and initial sequence number: sure"* ]]
}

@test "html, junit: what the log declares is told with its exchange" {
    run -0 "$capdiff" --format html --output report.html --exchange-log "$data/changed.ndjson" \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    run -0 html_check report.html
    [[ $output == *"The exchange log declares"*"request value /arguments/depth: 2 became 3"* ]]
    run -0 "$capdiff" --format junit --output report.xml --exchange-log "$data/changed.ndjson" \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    run -0 junit_check report.xml
    grep -q '<system-out>declared: an option: request value /arguments/depth: 2 became 3</' report.xml
}

@test "html: an exchange has its ladder, with what went by and when" {
    run -0 "$capdiff" --format html --output report.html "$data/proxy.pcap" "$data/server.pcap"
    [ "$(grep -c 'class="ladder"' report.html)" -eq "$(grep -c '<details' report.html)" ]
    run -0 html_check report.html
    [[ $output == *"POST /tool · 228 bytes"*"+1.10 ms"*"+2.00 ms"*"200 · 185 bytes"*"+3.00 ms"* ]]
}

@test "html: bars stand where their time was, and none is cut off unsaid" {
    waiting
    run -0 "$capdiff" --format html --output report.html proxy.pcap server.pcap
    run -0 bars report.html
    [ "${#lines[@]}" -eq 40 ]
    sort -c -n <<<"$output"
    [[ ${lines[4]} == *" s0,s1,s2,s1,s3 "* ]]
    awk 'NR == 5 { long = $3 } END { exit !(long > 500 && $3 < 10) }' <<<"$output"
    [ "$(grep -c 'class="broken"' report.html)" -eq 2 ] # agent_b's health check takes 10 ms
    run -0 html_check report.html
    [[ $output == *"A full bar is 3.00 ms; 2 took longer, up to 600 ms, and their bars are broken"* ]]
    [[ $output == *"the clock of server.pcap is 250."*" ms ahead of that of proxy.pcap"* ]]
}

@test "html: idle time between exchanges is cut out of the axis" {
    run -0 "$capdiff" --format html --output report.html "$data/proxy.pcap" "$data/server.pcap"
    [ "$(grep -c 'class="cut"' report.html)" -eq 2 ]
    run -0 bars report.html
    awk '$3 < 100 { exit 1 }' <<<"$output"
}

@test "html: what is missing is said" {
    run -3 "$capdiff" --format html --output report.html "$data/proxy.pcap" "$data/server-gap.pcap"
    run -0 html_check report.html
    [[ $output == *"inconclusive"*"Missing evidence"*"acknowledged and not recorded"* ]]
    run -3 "$capdiff" --format html --output report.html "$data/proxy.pcap" "$data/server-empty.pcap"
    run -0 html_check report.html
}

@test "html: hostile bytes stay text" {
    hostile
    run -1 "$capdiff" --format html --output report.html proxy.pcap server.pcap
    run -0 html_check report.html
    [[ $output == *'</script><script>x</script><img src=x onerror=alert(1)>" onclick="x"'* ]]
    [[ $output == *'\x00\xff\xfe \xe2\x80\xaeevil \x1b'* ]]
}

@test "html: many exchanges are listed, findings can be opened, and the cap is stated" {
    many 2000
    run -1 "$capdiff" --format html --output report.html proxy.pcap server.pcap
    [ "$(grep -c 'class="x differ"' report.html)" -eq 200 ]
    [ "$(grep -c '<details class="x differ"' report.html)" -eq 200 ]
    [ "$(grep -c 'class="x same"' report.html)" -eq 1800 ]
    run -0 html_check report.html
    [[ $output == *"The first 400 of these rows can be opened"* ]]
    [ "$(stat -c %s report.html)" -lt 6000000 ]
}

@test "html: a page has its limit, however much differs" {
    many 12000 2
    run -1 "$capdiff" --format html --output report.html proxy.pcap server.pcap
    run -0 html_check report.html
    [[ $output == *"5000 of 12001 exchanges are listed"*"The first "*" of these rows can be opened"* ]]
    [ "$(stat -c %s report.html)" -lt 20000000 ]
}

@test "html: Chromium shows it, and runs nothing but the page's own script" {
    command -v chromium >/dev/null || skip "chromium is not installed"
    hostile
    run -1 "$capdiff" --format html --output report.html proxy.pcap server.pcap
    run -0 --separate-stderr timeout 60 chromium --headless --no-sandbox --disable-gpu \
        --disable-quic --no-first-run --disable-background-networking --disable-component-update \
        --disable-sync --user-data-dir="$BATS_TEST_TMPDIR/profile" --dump-dom \
        "file://$PWD/report.html"
    [[ $output == *'<html lang="en" class="js">'* ]]
    [[ $output == *'type="search"'* ]]
    [[ $output != *'<script>x</script>'* && $output != *'<img'* ]]
}

# junit_check FILE: well-formed, with counts that are true; prints "TESTS FAILURES ERRORS SKIPPED".
junit_check() {
    python3 - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree

root = tree.parse(sys.argv[1]).getroot()
assert root.tag == "testsuites"
kinds = ("failure", "error", "skipped")
for element in [root, *root.findall("testsuite")]:
    cases = list(element.iter("testcase"))
    found = [len(cases)] + [sum(c.find(kind) is not None for c in cases) for kind in kinds]
    said = [int(element.get(name)) for name in ("tests", "failures", "errors", "skipped")]
    assert found == said, (element.attrib, found)
names = [(c.get("classname"), c.get("name")) for c in root.iter("testcase")]
assert len(names) == len(set(names)), "a name stands twice"
print(*(root.get(name) for name in ("tests", "failures", "errors", "skipped")))
END
}

@test "junit: a case a hop of each exchange; same passes" {
    run -0 "$capdiff" --format junit --output report.xml "$data/proxy.pcap" "$data/server.pcap"
    run -0 junit_check report.xml
    [ "$output" = "8 0 0 0" ]
}

@test "junit: a difference fails, and missing evidence is an error" {
    run -1 "$capdiff" --format junit --output report.xml --exchange-log "$data/exchanges.ndjson" \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    run -0 junit_check report.xml
    [ "$output" = "11 2 0 0" ]
    grep -q '<failure type="changed" message="request body, byte 128: /arguments/depth">' report.xml
    grep -F -q 'JSON Patch: [{&quot;op&quot;:&quot;replace&quot;,&quot;path&quot;:' report.xml
    grep -q '<system-out>paired by endpoints and initial sequence number: sure</system-out>' report.xml
    run -3 "$capdiff" --format junit --output report.xml "$data/proxy.pcap" "$data/server-gap.pcap"
    run -0 junit_check report.xml
    [ "$output" = "8 0 2 1" ]
    run -3 "$capdiff" --format junit --output report.xml "$data/proxy.pcap" "$data/server-empty.pcap"
    run -0 junit_check report.xml
}

@test "junit: hostile bytes stay text" {
    hostile
    run -1 "$capdiff" --format junit --output report.xml proxy.pcap server.pcap
    run -0 junit_check report.xml
    grep -q '&lt;/script&gt;' report.xml
}

# har_check FILE: has what HAR 1.2 requires; prints "METHOD URL STATUS CONTENT" of each entry.
har_check() {
    python3 - "$1" <<'END'
import base64, json, sys
from datetime import datetime

def need(thing, **kinds):
    for name, kind in kinds.items():
        assert isinstance(thing[name], kind), (name, thing[name])

number = (int, float)
log = json.load(open(sys.argv[1], encoding="utf-8"))["log"]
need(log, version=str, creator=dict, entries=list)
need(log["creator"], name=str, version=str)
assert log["version"] == "1.2"
started = []
for entry in log["entries"]:
    need(entry, startedDateTime=str, time=number, request=dict, response=dict, cache=dict,
         timings=dict, serverIPAddress=str, connection=str)
    started.append(datetime.fromisoformat(entry["startedDateTime"].replace("Z", "+00:00")))
    request, response, timings = entry["request"], entry["response"], entry["timings"]
    need(request, method=str, url=str, httpVersion=str, cookies=list, headers=list,
         queryString=list, headersSize=int, bodySize=int)
    need(response, status=int, statusText=str, httpVersion=str, cookies=list, headers=list,
         content=dict, redirectURL=str, headersSize=int, bodySize=int)
    need(response["content"], size=int, mimeType=str, text=str)
    need(timings, send=number, wait=number, receive=number)
    for pair in request["headers"] + response["headers"] + request["queryString"]:
        need(pair, name=str, value=str)
    assert abs(sum(t for t in timings.values() if t >= 0) - entry["time"]) < 1e-3
    text = response["content"]["text"]
    if response["content"].get("encoding") == "base64":
        text = base64.b64decode(text)
    print(request["method"], request["url"], response["status"], text)
assert started == sorted(started)
END
}

@test "har: an archive for each view, with what that view saw" {
    run -1 "$capdiff" --har archives --client "$data/client.pcap" \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    [ "$(ls archives)" = "$(printf '%s\n' client.har proxy-in.har proxy-out.har server.har)" ]
    for name in client proxy-in proxy-out; do
        run -0 har_check "archives/$name.har"
        [ "${#lines[@]}" -eq 3 ]
        [[ ${lines[1]} == 'POST http://agent-b:8000/tool 200 {"id":"call-0002"'*'}' ]]
    done
    run -0 har_check archives/server.har
    [ "${#lines[@]}" -eq 4 ]
    jq -e '.log.entries[1].request.postData.text | fromjson | .arguments.depth == 2' \
        archives/proxy-in.har
    jq -e '.log.entries[1].request.postData.text | fromjson | .arguments.depth == 3' \
        archives/proxy-out.har
    jq -e '.log.entries[1] | ._exchange == 2 and ._whole' archives/proxy-out.har
}

@test "har: bodies that are no text come back byte for byte" {
    hostile
    run -1 "$capdiff" --har archives proxy.pcap server.pcap
    run -0 har_check archives/server.har
    jq -r '.log.entries[-1].request.postData | select(._encoding == "base64") | .text' \
        archives/server.har | base64 -d >body
    LC_ALL=C grep -q -a $'\xff\xfe' body
}

@test "har: a directory that cannot be, and an input in its place" {
    run -2 "$capdiff" --har nowhere/archives "$data/proxy.pcap" "$data/server.pcap"
    [ "${#lines[@]}" -eq 1 ]
    mkdir archives
    cp "$data/server.pcap" archives/server.har
    run -2 "$capdiff" --har archives "$data/proxy.pcap" archives/server.har
    [[ $output == *"is one of the files to compare"* ]]
    cmp archives/server.har "$data/server.pcap"
}

# comments FILE: "INTERFACE STREAM-TEXT" of each packet with a comment, as tshark reads them.
comments() {
    tshark -r "$1" -Y frame.comment -T fields -E separator=' ' \
        -e frame.interface_name -e tcp.dstport -e frame.comment 2>/dev/null
}

@test "annotate: tshark finds the comment on the packets that carry the difference" {
    run -1 "$capdiff" --annotate all.pcapng \
        "$data/changed-in-proxy.pcap" "$data/changed-at-server.pcap"
    run -0 comments all.pcapng
    [ "$(grep -c "capdiff: exchange 2, call-0002, in the proxy: request body, byte 128" \
        <<<"$output")" -eq 2 ]
    [[ $output == *"changed-in-proxy.pcap 8080 "* && $output == *"changed-in-proxy.pcap 8000 "* ]]
    run -0 tshark -r all.pcapng -Y 'frame.comment && tcp.payload contains "call-0002"' \
        -T fields -e frame.number
    [ "$(grep -c '^[0-9]' <<<"$output")" -eq 2 ]
}

@test "annotate: every packet of every capture is there, in the order of time" {
    run -0 "$capdiff" --annotate all.pcapng --client "$data/client.pcap" \
        "$data/proxy-null.pcap" "$data/server-sll2-ns.pcap"
    packets() { tshark -r "$1" -T fields -e frame.time_epoch -e tcp.payload 2>/dev/null; }
    packets all.pcapng >all.txt
    for name in client.pcap proxy-null.pcap server-sll2-ns.pcap; do
        packets "$data/$name"
    done | sort >apart.txt
    sort all.txt | cmp - apart.txt
    cut -f 1 all.txt | sort -c -n
    run -0 capinfos -M all.pcapng
    [[ $output == *"Number of interfaces in file: 3"* ]]
}

@test "annotate: a changed response, which is chunked, is marked where it changed" {
    run -1 "$capdiff" --annotate all.pcapng "$data/response-changed.pcap" "$data/server.pcap"
    run -0 comments all.pcapng
    [ "$(grep -c "in the proxy: response field Content-Type" <<<"$output")" -eq 6 ]
}

@test "annotate: standard input and an input's own name are refused" {
    run -2 "$capdiff" --annotate all.pcapng - "$data/server.pcap" <"$data/proxy.pcap"
    [[ $output == *"--annotate reads again"* ]]
    cp "$data/server.pcap" kept.pcap
    run -2 "$capdiff" --annotate kept.pcap "$data/proxy.pcap" kept.pcap
    cmp kept.pcap "$data/server.pcap"
}

@test "one capture: its exchanges are listed, by time" {
    run -0 "$capdiff" "$data/proxy.pcap"
    [[ ${lines[0]} == capture* && ${lines[1]} == proxy.pcap* ]]
    [ "${#lines[@]}" -eq 9 ]
    [[ ${lines[3]} == *"1  00:00:01.001000       3.000  200      131       79  "*"172.20.0.4:40001 → 172.20.0.3:8080  POST /tool HTTP/1.1  call-0001" ]]
    run -0 "$capdiff" "$data/no-http.pcap"
    [[ $output == *"no HTTP exchange was found"* ]]
    run -0 "$capdiff" "$data/server-gap.pcap"
    [[ $output == *"(request not recorded)"* || $output == *"(not whole)"* ]]
}

@test "one capture: a connection is followed, and what is no text is escaped" {
    run -0 "$capdiff" --follow 2 "$data/single-proxy.pcap"
    [[ ${lines[0]} == "exchange "* ]]
    [ "$(grep -c '^> POST /tool HTTP/1.1$' <<<"$output")" -eq 3 ]
    [ "$(grep -c '^< HTTP/1.1 200 OK$' <<<"$output")" -eq 3 ]
    hostile
    run -0 "$capdiff" --follow 1 server.pcap
    run -0 "$capdiff" --follow 2 server.pcap
    [[ $output == *'> {"id":"<b>1\u202e\u0007</b>","bad":"</script>'*'\x00\xff\xfe \xe2\x80\xaeevil \x1b[31m'* ]]
    run -2 "$capdiff" --follow 99 "$data/proxy.pcap"
    [[ $output == *"there is no exchange 99"* ]]
}

@test "text: alike differences are grouped" {
    many 400
    run -1 "$capdiff" proxy.pcap server.pcap
    [[ ${lines[0]} == "differ: 40 differences in 40 exchanges"* ]]
    [ "$(grep -c '^@@ ' <<<"$output")" -eq 3 ]
    [[ $output == *"… and 37 more like this: exchanges 40, 50, 60, "*", 150, …" ]]
}

@test "text: how far reading has come is shown on a terminal only, and taken away" {
    many 500
    mkfifo slow
    (head -c 400000 && sleep 1.2 && cat) <proxy.pcap >slow 3>&- &
    run -1 timeout 120 script -q -e -c "'$capdiff' --color never slow server.pcap" /dev/null </dev/null
    wait
    [[ $output == *$'\r\033[Kall captures: '?' MB read'$'\r\033[Kdiffer: '* ]]
    run -1 "$capdiff" --color never proxy.pcap server.pcap
    [[ $output != *$'\033'* ]]
}

@test "one leg: every report knows that there is no proxy" {
    for format in html junit json; do
        run -1 "$capdiff" --format "$format" --output "report.$format" --har archives \
            --annotate all.pcapng "$data/client.pcap" "$data/client-changed.pcap"
    done
    run -0 html_check report.html
    [[ $output == *"first capture"*"1 difference"*"second capture"* && $output != *"proxy in"* ]]
    run -0 junit_check report.junit
    [ "$output" = "5 1 0 0" ]
    [ "$(ls archives)" = "$(printf '%s\n' first.har second.har)" ]
    jq -e '.differences.by_hop.between_captures == 1 and (.views | length == 2)' report.json
    [ "$(comments all.pcapng | grep -c 'between the captures')" -eq 2 ]
}
