#!/usr/bin/env python3
"""What capdiff says of logs that declare what a proxy did: truly, falsely, or not at all.

usage: capdiff_declared.py CAPDIFF CASES.txt… [--only WORDS]

A case is an exchange between two others, as the captures have it, and what the exchange log says of
it. BYTES are written as in wire.py, and "@" is the length of what follows the head; a line that
begins with spaces goes on with the line before.

  case NAME
  asked BYTES      what the client sends            passed BYTES    what goes on (the same)
  answered BYTES   what the server answers          got BYTES       what the client gets (the same)
                                                    … nothing
  after MS | WHO MS…
                   how long the proxy takes for a request and for a response (1 1)
  streams          the proxy passes on each piece of a request when it comes, not all at the end
  ends END…        how connections end: "client", "server", "reset", "open", or "upstream-reset"
  behind           another call follows on the same connection
  lonely           there is no other exchange; a knock from its own host before and after shows that
                   the server's capture was running
  record JSON      members of the record that are other than usual
  change JSON      one of its changes; "#asked", "#passed", "#answered" and "#got" are the SHA-256 of
                   a content, and "##asked" … its length
  copy BYTES       the proxy sends this by itself, too; "the same" is what was passed
  told JSON        … and what its record says that is other than usual; "nothing": there is none

Then what capdiff must say, each with a status and words that stand in its text:

  says STATUS WORDS           with this log
  hidden STATUS WORDS         with a log without changes, and without records of copies
  alone STATUS WORDS          without a log
  torn STATUS WORDS           with a log that ends within its first record
  lies JSON => STATUS WORDS   with these changes (comma-separated) instead
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from actions_http import Message
from wire import unescape

sys.path.insert(0, str(Path(__file__).parent.parent / "data" / "capdiff"))
import generate  # noqa: E402  of the data, which is not a package

EXPECTATIONS = ("says", "hidden", "alone", "torn", "lies")
SINGLE = ("asked", "passed", "answered", "got", "after", "ends", "record", "copy", "told")
STATUSES = (0, 1, 3)
PACE = 0.00001  # seconds between pieces that are passed on as they come


class Case:
    def __init__(self, path, name):
        self.path, self.name = path, name
        self.words, self.changes, self.expected = {}, [], []
        self.behind = self.lonely = self.streams = False

    def add(self, line):
        word, _, text = line.partition(" ")
        if word == "change":
            self.changes.append(text)
        elif word in ("behind", "lonely", "streams"):
            setattr(self, word, True)
        elif word in EXPECTATIONS:
            self.expected.append((word, text))
        elif word in SINGLE:
            self.words[word] = text
        else:
            raise ValueError(f"{self.name}: what is {line!r}?")


def read_cases(path):
    lines, cases = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            lines[-1] += line.strip()
        elif line and not line.startswith("#"):
            lines.append(line)
    for line in lines:
        if line.startswith("case "):
            cases.append(Case(os.path.basename(path), line[5:]))
        else:
            cases[-1].add(line)
    return cases


def message_bytes(text):
    raw = unescape(text)
    while found := re.search(rb"(?i)(\r\ncontent-length:[ \t]*)@", raw):
        body = raw[raw.index(b"\r\n\r\n", found.start()) + 4:]
        raw = raw[:found.end() - 1] + b"%d" % len(body) + raw[found.end():]
    return raw


def content(raw):
    """Of the first message in RAW."""
    twice = raw[:len(raw) // 2]
    return Message(twice if raw == 2 * twice else raw).content if raw else b""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Legs:
    """Both captures of a lab, and its log."""

    def __init__(self):
        self.proxy, self.server, self.log, self.number = [], [], [], 0

    def connect(self, number, time):
        up = ((generate.PROXY, 45000 + number), (generate.SERVER, 8000))
        client = generate.Connection((generate.AGENT, 40000 + number), (generate.PROXY, 8080), time,
                                     isn=number * 9000)
        return client, up

    def upstream(self, ends, time):
        number = ends[0][1]
        return [generate.Connection(*ends, time, isn=number * 11000) for _ in range(2)]

    def take(self, client, both):
        self.proxy += client.packets if client else []
        if both:
            self.proxy += both[0].packets
            self.server += both[1].packets

    def note(self, time, client, up, request, response, **members):
        """A record as an honest proxy writes it; REQUEST and RESPONSE as they were forwarded."""
        self.number += 1
        head = (members.pop("head", None) or request).split(b" ")
        record = {
            "ts": datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "exchange": self.number, "connection": self.number,
            "client": "%s:%d" % client if client else None, "upstream": "172.20.0.2:8000",
            "upstream_local": "%s:%d" % up if up else None,
            "method": head[0].decode(), "target": head[1].decode(),
            "status": int(response.split(b" ")[1]) if response else None, "call_id": None,
            "request_sha256": sha256(content(request)) if request else None,
            "response_sha256": sha256(content(response)) if response else None,
            "rules": [], "changes": [], "error": None}
        self.log.append({**record, **members})

    def knock(self, number, time):
        """On the server's own host."""
        knock = generate.Connection((generate.LOOPBACK, 50000 + number), (generate.LOOPBACK, 8000), time)
        knock.close(time + 0.1)
        self.server += knock.packets

    def plain(self, number, time):
        client, ends = self.connect(number, time)
        both = self.upstream(ends, time + 0.001)
        ask, answer = generate.request(number), generate.response(number)
        call(client, both, ask, ask, answer, answer, time + 0.01)
        for leg in (client, *both):
            leg.close(time + 0.3)
        self.take(client, both)
        self.note(time + 0.01, client.ends[0], ends[0], ask, answer)
        self.log[-1]["call_id"] = f"call-{number:04}"


def call(client, both, asked, passed, answered, got, time, waits=(1, 1), pace=0):
    """What there is of an exchange, in its order; None and b"": nothing."""
    client.say(0, time, asked, pace=pace)
    time += waits[0] / 1000
    if passed:
        for leg in both:
            leg.say(0, time, passed, pace=pace)
    time += 0.002 + pace * len(asked) / 1000
    if answered:
        for leg in reversed(both):
            leg.say(1, time, answered)
    time += waits[1] / 1000
    if got:
        client.say(1, time, got)


class Play:
    """The captures of a case, and the record of its exchange."""

    def __init__(self, case):
        self.case, self.legs = case, Legs()
        self.bytes = {}
        for name, default in (("asked", None), ("passed", "asked"), ("answered", None),
                              ("got", "answered")):
            text = case.words.get(name)
            self.bytes[name] = self.bytes[default] if text is None and default else \
                b"" if text in (None, "nothing") else message_bytes(text)
        other = self.legs.knock if case.lonely else self.legs.plain
        other(1, generate.START + 1)
        self.middle(generate.START + 2)
        other(9, generate.START + 8)
        for packets in (self.legs.proxy, self.legs.server):
            packets.sort(key=lambda packet: packet.time)

    def middle(self, time):
        words, raw = self.case.words, self.bytes
        client, ends = self.legs.connect(2, time)
        asks = bool(raw["passed"]) or self.case.behind
        both = self.legs.upstream(ends, time + 0.001) if asks else []
        waits = [float(word) for word in words.get("after", "1 1").split()]
        call(client, both, raw["asked"], raw["passed"], raw["answered"], raw["got"], time + 0.01,
             waits, PACE if self.case.streams else 0)
        last = time + 0.02 + sum(waits) / 1000
        self.legs.note(time + 0.01, client.ends[0], ends[0] if raw["passed"] else None,
                       raw["passed"], raw["got"] or raw["answered"], head=raw["asked"])
        self.record = self.legs.log[-1]
        if self.case.behind:
            ask, answer = generate.request(3), generate.response(3)
            call(client, both, ask, ask, answer, answer, last)
            self.legs.note(last, client.ends[0], ends[0], ask, answer)
        self.record.update(json.loads(words.get("record", "{}")))
        self.end(client, both, last + 0.5)
        self.legs.take(client, both)
        if "copy" in words:
            self.copy(words, last + 0.1)

    def end(self, client, both, time):
        ends = self.case.words.get("ends", "client").split()
        if "reset" in ends:
            client.send(1, time, b"", generate.RST | generate.ACK)
        elif "client" in ends:
            client.close(time)
        elif "server" in ends:
            for side in (1, 0):
                client.send(side, time, b"", generate.FIN | generate.ACK)
        for leg in both:
            if "upstream-reset" in ends:
                leg.send(0, time, b"", generate.RST | generate.ACK)
            elif "open" not in ends:
                for side in (0, 1):
                    leg.send(side, time, b"", generate.FIN | generate.ACK)

    def copy(self, words, time):
        raw = self.bytes["passed"] if words["copy"] == "the same" else message_bytes(words["copy"])
        _, ends = self.legs.connect(7, time)
        both = self.legs.upstream(ends, time)
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        for leg in both:
            leg.say(0, time + 0.001, raw)
            leg.say(1, time + 0.002, answer)
            leg.close(time + 0.003)
        self.legs.take(None, both)
        if words.get("told") != "nothing":
            self.legs.note(time + 0.001, None, ends[0], raw, answer,
                           **json.loads(words.get("told", "{}")))

    def filled(self, changes):
        """JSON of CHANGES, with digests and lengths put in."""
        def value(found):
            data = content(self.bytes[found[2]])
            return json.dumps(len(data) if found[1] == "##" else sha256(data))
        return json.loads("[%s]" % re.sub(r'"(##?)(asked|passed|answered|got)"', value,
                                          ",".join(changes)))

    def logs(self, word, lie):
        """Records as the word wants them; None: no log at all."""
        if word == "alone":
            return None
        self.record["changes"] = self.filled([lie] if word == "lies" else
                                             self.case.changes if word in ("says", "torn") else [])
        return [record for record in self.legs.log if word != "hidden" or record["client"]]


def written(records, word):
    """The log's bytes; None: no log at all."""
    if records is None:
        return None
    text = generate.ndjson(records)
    return text[:text.index(b"\n") // 2] if word == "torn" else text


def check(capdiff, case):
    """What is wrong, as lines."""
    wrong = []
    play = Play(case)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for file, packets in (("proxy.pcap", play.legs.proxy), ("server.pcap", play.legs.server)):
            (directory / file).write_bytes(generate.pcap(packets))
        for word, text in case.expected:
            lie, _, text = text.rpartition(" => ") if word == "lies" else ("", "", text)
            status, _, phrase = text.partition(" ")
            log = written(play.logs(word, lie), word)
            for hold in ("0", ""):
                got, said = run(capdiff, directory, log, hold)
                if got != int(status) or phrase not in said:
                    wrong.append(f"{case.path}: {case.name}: {word} {lie}\n"
                                 f"expected {status} {phrase!r}, got {got}\n{said}")
                    break
    if not case.expected:
        wrong.append(f"{case.name}: nothing is expected of it")
    return wrong


def run(capdiff, directory, log, hold):
    words = []
    if log is not None:
        (directory / "log.ndjson").write_bytes(log)
        words = ["--exchange-log", directory / "log.ndjson"]
    environment = dict(os.environ, CAPDIFF_HOLD=hold) if hold else dict(os.environ)
    done = subprocess.run([capdiff, *words, directory / "proxy.pcap", directory / "server.pcap"],
                          capture_output=True, check=False, env=environment)
    return done.returncode, (done.stdout + done.stderr).decode()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("capdiff")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    cases = [case for path in args.cases for case in read_cases(path) if args.only in case.name]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(lambda case: check(args.capdiff, case), cases)
                 for line in lines]
    print("\n\n".join(wrong))
    print(len(cases), "cases", sum(len(case.expected) for case in cases), "logs,", len(wrong), "wrong")
    sys.exit(bool(wrong) or not cases)


if __name__ == "__main__":
    main()
