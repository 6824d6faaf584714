#!/usr/bin/env python3
"""What each rule action does on the wire: a raw client and a raw origin around mitm_proxy --rules.

usage: actions.py PROXY CASES.txt… [--only WORDS] [--jobs N] [-- proxy options]

A case is rules, and what must then come of what is sent. Byte strings are written as in wire.py;
"Content-Length: @" is the length of what follows the head. A line that begins with spaces goes on
with the line before. Every case has a proxy of its own.

  case NAME
  options WORDS     for this proxy
  hurries           as in wire.py
  rule JSON         one rule; where it has no "match", {"path": "/t"} is put in

Either the case is one exchange, which actions_exchange.py does in several ways: whole, in pieces,
with pipelined followers behind it, on several connections, and in other framings:

  request BYTES     what the client sends           passes BYTES   what the origin gets (the same)
  answer BYTES      what the origin answers         gets BYTES     what the client gets (the same)
                                                    … nothing      for passes and gets
  record JSON       members that the exchange log's record must have; see actions_record.py
  framings SIDE …   on this side (request, response) also chunked, and for a response to its end
  alone             nothing follows on its connection

or it is a list of steps, done whole and then in pieces: those of wire.py ($ORIGIN and $ALIAS, too), where c2, c3 … and s2, s3
… are further connections (opened, or taken, at the first step that names them), and:

  c<< BYTES         chunks come whose content is BYTES, whatever their borders; c<< end: the last one
  s>> BYTES         one chunk of BYTES is sent
  c< answer STATUS JSON BYTES
                    an answer with these fields, among others, and this body
  c< refused S -    as in wire.py, whatever the word
  c> close          closes at once, both ways
  s! or BYTES       the next connection at the origin is the one that begins with BYTES
  log JSON          the next record has these members
  log end           there is no further record, seen when the proxy has ended
  mark              a stopwatch starts       after MS   so much has passed; within MS   no more has
  held N            GET /held lists so many, waited for
  release N | all   the Nth of them is let go, or all
  admin METHOD PATH STATUS
                    what the admin port answers
  reload RULES      the file has these rules now (JSON, comma-separated), and SIGHUP
  reload-bad TEXT   the file is this text now, and SIGHUP: one line on stderr says what is wrong
  said PATTERN      the proxy has printed such a line on stderr
  shown PATTERN     and on stdout
"""
import argparse
import concurrent.futures
import json
import os
import re
import sys
import time

import wire
from actions_exchange import play_all_ways
from actions_http import Dechunk
from actions_lab import Lab, json_file, wait_for
from actions_record import check_record
from wire import Failure, unescape

EXCHANGE_WORDS = ("request", "passes", "answer", "gets", "record", "framings", "alone")


class Case:
    def __init__(self, name):
        self.name = name
        self.options = []
        self.hurries = False
        self.rules = []
        self.exchange = {}  # word to text
        self.steps = []

    def add(self, line):
        word, _, text = line.partition(" ")
        if word == "options":
            self.options += text.split()
        elif line == "hurries":
            self.hurries = True
        elif word == "rule":
            self.rules.append(with_path(text))
        elif word in EXCHANGE_WORDS:
            self.exchange[word] = text
        else:
            self.steps.append(line)


def with_path(rule):
    if '"match"' in rule:
        return rule
    return '{"match": {"path": "/t"}, ' + rule.strip().removeprefix("{")


def read_lines(path):
    """Lines with those that go on with them."""
    lines = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith(" "):
                lines[-1] += line.strip()
            elif line and not line.startswith("#"):
                lines.append(line)
    return lines


def read_cases(path):
    cases = []
    for line in read_lines(path):
        if line.startswith("case "):
            cases.append(Case(line[5:]))
        else:
            cases[-1].add(line)
    return cases


def message_bytes(text):
    """BYTES, with the length that an @ stands for."""
    raw = unescape(text)
    while found := re.search(rb"(?i)(\r\ncontent-length:[ \t]*)@", raw):
        body = raw[raw.index(b"\r\n\r\n", found.start()) + 4:]
        raw = raw[:found.end() - 1] + b"%d" % len(body) + raw[found.end():]
    return raw


class Run(wire.Run):
    """One case of steps: the ends so far, by their names, and where the stopwatch began."""

    def __init__(self, lab):
        super().__init__(lab)
        self.ends = {"c1": self.client}
        self.began = None
        self.last_record = False

    def end(self, name):
        if name not in self.ends:
            self.ends[name] = self.lab.connect() if name[0] == "c" else self.lab.accept()
        return self.ends[name]

    def step(self, line):
        for name, value in self.lab.names.items():
            line = line.replace(name, value)
        word, _, text = line.partition(" ")
        own = getattr(self, "do_" + word.replace("-", "_"), None)
        peer = re.fullmatch(r"([cs])(\d*)(<<|>>|[<>!])", word)
        if own:
            own(text)
        elif peer:
            self.peer_step(peer[1] + (peer[2] or "1"), peer[3], text)
        else:
            super().step(line)

    def peer_step(self, name, kind, text):
        if kind == "<" and text == "nothing" and name not in self.ends:
            if self.lab.waiting():
                raise Failure("the origin was connected to")
        elif kind == "<" and text == "nothing":
            self.ends[name].expect_nothing()
        elif kind == "!":
            self.take(name, text)
        elif kind == "<<":
            self.content_step(self.end(name), text)
        elif kind == ">>":
            data = unescape(text)
            self.end(name).send(b"%x\r\n%s\r\n" % (len(data), data))
        elif kind == "<":
            self.check_step(self.end(name), text)
        elif text == "close":
            self.end(name).sock.close()
            self.end(name).end = "closed"
        elif text in ("fin", "rst"):
            self.end_step(self.end(name), text)
        else:
            self.end(name).send(message_bytes(text))

    def take(self, name, text):
        """The next connection; of two that come at once, "or BYTES" says which one is meant."""
        peer = self.lab.accept()
        if text.startswith("or "):
            wanted = unescape(text[3:])
            while len(peer.got) < len(wanted) and peer.read_more():
                pass
            if not peer.got.startswith(wanted):
                self.ends.setdefault("s1" if name != "s1" else "s2", peer)
                peer = self.lab.accept()
        self.ends[name] = peer

    def check_step(self, who, word):
        if word.startswith("answer "):
            self.check_answer(who, word[7:])
        elif word.startswith("refused ") and word.endswith(" -"):
            who.expect_refusal(int(word.split()[1]), None)
        elif word in ("fin", "rst", "end", "cut") or word.startswith("refused "):
            super().check_step(who, word)
        else:
            who.expect(message_bytes(word))

    def check_answer(self, who, words):
        status, _, rest = words.partition(" ")
        fields, at = json.JSONDecoder().raw_decode(rest)
        while b"\r\n\r\n" not in who.got and who.read_more():
            pass
        head, _, who.got = who.got.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if not re.match(rf"HTTP/1\.1 {status}( |$)", lines[0]):
            raise Failure(f"answered {head!r}{who.got!r}, expected {status}")
        got = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
        for name, value in fields.items():
            if got.get(name.lower()) != value:
                raise Failure(f"the field {name} is {got.get(name.lower())!r}, expected {value!r}")
        who.expect(unescape(rest[at + 1:]))

    def content_step(self, who, text):
        if not hasattr(who, "dechunk") or who.dechunk is None:
            who.dechunk, who.compared = Dechunk(), 0
        body, wanted = who.dechunk, b"" if text == "end" else unescape(text)

        def complete():
            who.got = body.feed(who.got)
            shown = len(body.content) + len(body.partial) - who.compared
            return body.trailer is not None if text == "end" else shown >= len(wanted)
        while not complete() and who.read_more():
            pass
        got = (body.content + body.partial)[who.compared:]
        who.compared += len(wanted)
        if got[:len(wanted)] != wanted or text == "end" and (got or body.trailer is None):
            raise Failure(f"got chunks with {got!r}{' then ' + who.end if who.end else ''}")
        if text == "end":
            who.dechunk = None  # what follows is of another body

    def do_log(self, text):
        if text == "end":
            self.last_record = True
        elif text.startswith("{"):
            check_record(json.loads(text), self.lab.record())
        else:
            self.log_step(text)

    def do_mark(self, _):
        self.began = time.monotonic()

    def passed_ms(self):
        return (time.monotonic() - self.began) * 1000

    def do_after(self, text):
        if self.passed_ms() < float(text):
            raise Failure(f"only {self.passed_ms():.1f} ms have passed")

    def do_within(self, text):
        if self.passed_ms() > float(text):
            raise Failure(f"{self.passed_ms():.1f} ms have passed")

    def do_held(self, text):
        wait_for(lambda: len(self.lab.held()) == int(text), f"{text} held: {self.lab.held()}")

    def do_release(self, text):
        path = "/held/release"
        if text != "all":
            path = f"/held/{self.lab.held()[int(text) - 1]['id']}/release"
        status, body = self.lab.admin("POST", path)
        if status != 200:
            raise Failure(f"{path} is answered with {status} {body!r}")

    def do_admin(self, text):
        method, path, wanted = text.split()
        status, body = self.lab.admin(method, path)
        if status != int(wanted):
            raise Failure(f"answered with {status} {body!r}")

    def do_reload(self, text):
        self.lab.reload(json_file([text]), "reopened")

    def do_reload_bad(self, text):
        before = self.lab.read(self.lab.err_path)
        self.lab.reload(text, "reopened")
        said = self.lab.read(self.lab.err_path)[len(before):].splitlines()
        about = [line for line in said if "reopened" not in line]
        if len(about) != 1 or "rules.json" not in about[0]:
            raise Failure(f"the proxy said {said}")

    def do_said(self, text):
        self.lab.wait_for_text(self.lab.err_path, text)

    def do_shown(self, text):
        self.lab.wait_for_text(self.lab.out_path, "(?m)" + text)

    def finish(self):
        """Nothing may have come that no step has looked at."""
        for name, peer in self.ends.items():
            if peer.end != "closed" and peer.sock.fileno() >= 0:
                peer.read_more(0)
                if peer.got:
                    raise Failure(f"{name} got {peer.got!r} on top")

    def close(self):
        for peer in self.ends.values():
            peer.sock.close()
        while self.lab.waiting():
            self.lab.origin.accept()[0].close()


def run_steps(lab, case):
    run = Run(lab)
    try:
        for line in case.steps:
            try:
                run.step(line)
            except Failure as failure:
                raise Failure(f"{line!r}: {failure}") from None
        run.finish()
    finally:
        run.close()
    if run.last_record:
        lab.terminate()
        lab.process.wait(wire.TIMEOUT * 2)
        if more := lab.more_records():
            raise Failure(f"more records than expected: {more}")


def run_way(program, options, case, pieces):
    """Once in a proxy of its own; None, or what is wrong."""
    lab = None
    way = "in pieces" if pieces else "whole"
    try:
        lab = Lab(program, options + case.options, case.rules)
        lab.pieces = pieces
        try:
            if case.exchange:
                play_all_ways(lab, case, message_bytes)
            else:
                run_steps(lab, case)
        finally:
            lab.close()
    except (Failure, OSError, ValueError, KeyError, IndexError) as failure:
        return f"{case.name} ({way}): {type(failure).__name__ * (type(failure) != Failure)}{failure}"
    return None


def all_runs(paths, only):
    for path in paths:
        for case in read_cases(path):
            if only in f"{os.path.basename(path)}: {case.name}":
                yield path, case, False
                yield path, case, True


def main():
    words, options = sys.argv[1:], []
    if "--" in words:
        options = words[words.index("--") + 1:]
        words = words[:words.index("--")]
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("proxy")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=8)
    args = parser.parse_args(words)
    runs = list(all_runs(args.cases, args.only))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(
            lambda run: wire.play(run[1], lambda: run_way(args.proxy, options, run[1], run[2])), runs))
    failed = [(run[0], result) for run, result in zip(runs, results) if result]
    for path, result in failed:
        print(f"FAILED {os.path.basename(path)}: {result[:1500]}")
    print(f"{len(runs) - len(failed)} of {len(runs)} runs passed")
    sys.exit(1 if failed or not runs else 0)


if __name__ == "__main__":
    main()
