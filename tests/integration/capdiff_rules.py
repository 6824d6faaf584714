#!/usr/bin/env python3
"""capdiff against the proxy's rules: what each rule did is explained by the log, and by nothing less.

usage: capdiff_rules.py PROXY CAPDIFF CASES.txt… [--only WORDS] [--jobs N] [--keep DIRECTORY]

The cases are those of actions.py, played once with a payload capture. Its upstream leg stands for the
server's own capture. Of each case capdiff is asked:

  honest   with the log as the proxy wrote it: same
  hidden   with a log without changes, and without records of copies: it differs, where the log had
           told of something that others can see
  lies     with one member of one change replaced: it differs
"""
import argparse
import concurrent.futures
import copy
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import actions
from actions_lab import Lab
from wire import Failure

# Cases whose honest log is not enough for "same", and what capdiff says instead.
OTHERWISE = {
    "what is pipelined behind a truncated request goes nowhere": 3,
    # The proxy closes the copy's tunnel first; the server's end of it is in no capture of payloads.
    "a request that is sent again, and granted again": 3,
    # What an origin says unasked is taken for its answer to what its client asked another origin.
    "forward: what the origin before says too much is no answer of the next one's": 1,
    "forward: the first origin has gone while a rule answered, and the next one is called all the same": 1,
}
PLAYED_MIN = 0.95  # of the cases
LIES_MAX = 4  # of each case
BLOCK_PACKET = 6


class Recorded(Lab):
    """A lab that leaves its capture and its log in a directory."""

    def __init__(self, directory, program, options, rules):
        self.kept = directory
        super().__init__(program, [*options, "--pcap", str(directory / "proxy.pcap"),
                                   "--pcap-source", "payload"], rules)

    def close(self):
        port = self.origin.getsockname()[1]
        log = Path(self.log_path)
        self.terminate()
        self.process.wait(20)
        (self.kept / "log.ndjson").write_bytes(log.read_bytes() if log.exists() else b"")
        super().close()
        packets = (self.kept / "proxy.pcap").read_bytes()
        (self.kept / "server.pcap").write_bytes(b"".join(upstream_blocks(packets, port)))


def upstream_blocks(data, port):
    """Blocks of a pcapng file without the packets that neither go to PORT nor come from there."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        block = data[at:at + size]
        ip = block[28:]
        head = (ip[0] & 15) * 4 if kind == BLOCK_PACKET else 0
        if not head or port in struct.unpack_from(">HH", ip, head):
            yield block
        at += size


def play(program, case, directory):
    lab = Recorded(directory, program, case.options, case.rules)
    lab.pieces = False
    try:
        if case.exchange:
            actions.play_all_ways(lab, case, actions.message_bytes)
        else:
            actions.run_steps(lab, case)
    finally:
        lab.close()


def read_records(directory):
    """Of the log as the proxy wrote it; JSON may have in it what Python takes for the end of a line."""
    lines = (directory / "log.ndjson").read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line]


def ask(capdiff, directory, records):
    """Status, and what was said."""
    log = directory / "asked.ndjson"
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    done = subprocess.run([capdiff, "--exchange-log", log, directory / "proxy.pcap",
                           directory / "server.pcap"], capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def is_seen(change):
    """
    Others can see that it was done; an error tells of an upstream reset as well, and of replays their
    own records do.
    """
    if "failed" in change or change.get("old", 0) == change.get("new", 1):
        return False
    return bool(change.keys() & {"pointer", "field", "target", "body", "framing", "status", "of"}) or \
        change["action"] in ("drop", "duplicate") or \
        change["action"] == "reset" and change["reset"] != "upstream"


def other_digit(text):
    return ("1" if text[0] == "0" else "0") + text[1:]


def lies_about(change, has_body):
    """The change with another claim, one by one."""
    if not is_seen(change) or "pointer" in change and has_body:
        return
    if "pointer" in change or "field" in change:
        for member in ("old", "new"):
            if change[member] is not None or change["old" if member == "new" else "new"]:
                yield {**change, member: '"lie"'}
    elif "target" in change:
        for member in ("old", "new"):
            yield {**change, "target": {**change["target"], member: "/lie"}}
    elif "body" in change:
        for member in ("old_sha256", "new_sha256"):
            yield {**change, "body": {**change["body"], member: other_digit(change["body"][member])}}
    elif "framing" in change:
        yield {**change, "framing": {**change["framing"], "new": "close"
                                     if change["framing"]["new"] != "close" else "length"}}
    elif "status" in change:
        yield {**change, "status": {**change["status"], "new": change["status"]["new"] ^ 1}}
    elif "of" in change:
        yield {**change, "of": change["of"] + 1000}
    else:
        yield {"rule": change["rule"], "side": change["side"], "action": "explode"}


def all_lies(records):
    for i, record in enumerate(records):
        for k, change in enumerate(record["changes"]):
            has_body = any("body" in other and other["side"] == change["side"]
                           for other in record["changes"])
            for lie in lies_about(change, has_body):
                changed = copy.deepcopy(records)
                changed[i]["changes"][k] = lie
                yield lie, changed


def is_vague(lie):
    """Nobody knows what it means."""
    return lie.get("action") == "explode"


def some(items, most):
    """As many of them, from all over."""
    items = list(items)
    step = max(1, len(items) // most)
    return items[::step][:most]


def check(program, capdiff, case, directory):
    """What is wrong, as lines; how many logs were asked about."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        play(program, case, directory)
    except (Failure, OSError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as failure:
        print(f"not played, which is for actions.py to judge: {case.name}: {failure}"[:300])
        return [], 0
    records = read_records(directory)
    wanted = 1 if "--conceal" in case.options else OTHERWISE.get(case.name, 0)
    wrong, asked = [], 1
    status, said = ask(capdiff, directory, records)
    if status != wanted:
        wrong.append(f"{case.name}: honest, expected {wanted}, got {status}\n{said}")
    seen = any(is_seen(change) for record in records for change in record["changes"])
    hidden = [dict(record, changes=[]) for record in records if record["client"]]
    status, said = ask(capdiff, directory, hidden)
    if seen and status != 1 or not seen and status != wanted:
        wrong.append(f"{case.name}: hidden, {'seen' if seen else 'not seen'}, got {status}\n{said}")
    for lie, changed in some(all_lies(records), LIES_MAX):
        status, said = ask(capdiff, directory, changed)
        asked += 1
        if status not in (1, 3) or status == 3 and not is_vague(lie):
            wrong.append(f"{case.name}: {lie} was believed, got {status}\n{said}")
    return wrong, asked + 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("proxy")
    parser.add_argument("capdiff")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--keep")
    args = parser.parse_args()
    cases = [case for path in args.cases for case in actions.read_cases(path)
             if args.only in case.name]
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        directory = Path(args.keep or scratch)
        results = list(pool.map(lambda numbered: check(
            args.proxy, args.capdiff, numbered[1], directory / f"{numbered[0]:03}"), enumerate(cases)))
    wrong = [line for lines, _ in results for line in lines]
    print("\n\n".join(wrong))
    played = sum(asked > 0 for _, asked in results)
    print(played, "cases,", sum(asked for _, asked in results), "logs,", len(wrong), "wrong")
    sys.exit(bool(wrong) or played < PLAYED_MIN * len(cases) or not cases)


if __name__ == "__main__":
    main()
