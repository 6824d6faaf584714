#!/usr/bin/env python3
"""Runs the examples of docs/rules.md: what a rule does must be what the page says of it.

usage: docs_rules.py BIN_DIR PAGE [TRANSLATION…] [--show]

A block "json rule WORD…" is a rule, or a file of them, and the next block "json changes" what the
exchange log then has in `changes`, a line for each, all exchanges in their order. The WORDs are the
call, "deposit" or "build" (else agent_a's own one), how many of them ("2"), and "together" for
connections of their own. What is another in each run is not compared: digests of responses, and
held_ms. --show prints what the log has instead of comparing. A translation has the same blocks.
"""
import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

from actions_lab import wait_for
from wire import Failure, TIMEOUT

CALLS = {
    "deposit": '{"id":"call-0001","type":"tool_call","tool_name":"deposit","arguments":'
               '{"account":"client","amount":100}}\n',
    "build": '{"id":"call-0001","type":"tool_call","tool_name":"follow_build","arguments":'
             '{"steps":3}}\n',
}


def blocks(page):
    """Info string and text of each fenced block."""
    with open(page, encoding="utf-8") as file:
        return re.findall(r"^```([^\n]*)\n(.*?)^```$", file.read(), re.S | re.M)


def examples(page):
    """Words of the call, rules as text, and the changes that are told."""
    found = []
    for info, text in blocks(page):
        if info.startswith("json rule"):
            found.append((info.split()[2:], text, []))
        elif info == "json changes":
            found[-1][2].extend(json.loads(line) for line in text.splitlines())
    return found


def as_file(text):
    return text if "rules" in json.loads(text) else '{"rules": [%s]}' % text


def start(stack, directory, name, *words):
    """The address that the program says it listens on; it runs as long as the STACK."""
    path = os.path.join(directory, name + ".out")
    with open(path, "wb") as out:
        process = subprocess.Popen([*words, "--listen", "127.0.0.1:0"], stdout=out, stderr=out)
    stack.callback(stop, process)

    def look():
        with open(path, encoding="utf-8") as file:
            said = file.read()
        if process.poll() is not None:
            raise Failure(f"{name} does not start: {said}")
        return re.search(r"istening on ([\d.]+:\d+)", said)
    return wait_for(look, f"{name} to listen")[1]


def stop(process):
    process.terminate()
    process.wait(TIMEOUT)


def read_changes(path):
    with open(path, encoding="utf-8") as file:
        records = sorted(map(json.loads, file), key=lambda record: record["exchange"])
    return [change for record in records for change in record["changes"]]


def call(agent_a, directory, address, words):
    command = [agent_a, "--url", f"http://{address}/tool", "--timeout", "1", "--quiet"]
    for name in CALLS:
        if name in words:
            path = os.path.join(directory, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(CALLS[name])
            command += ["--call", path]
    count = next((word for word in words if word.isdigit()), "1")
    command += ["--count", count] + ["--concurrency", count] * ("together" in words)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def play(bin_dir, words, text, count):
    """The changes that the log tells: COUNT of them, if they come."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        rules, log = (os.path.join(directory, name) for name in ("rules.json", "log.ndjson"))
        with open(rules, "w", encoding="utf-8") as file:
            file.write(as_file(text))
        server = start(stack, directory, "agent_b", f"{bin_dir}/agent_b")
        address = start(stack, directory, "mitm_proxy", f"{bin_dir}/mitm_proxy",
                        "--admin", "127.0.0.1:0", "--upstream", f"http://{server}",
                        "--exchange-log", log, "--rules", rules)
        call(f"{bin_dir}/agent_a", directory, address, words)
        with contextlib.suppress(Failure):
            wait_for(lambda: len(read_changes(log)) >= count, "the log")
        stack.close()
        return read_changes(log)


def is_same(told, got, digests):
    """A text that ends with … is the beginning of one; DIGESTS: they are the same in each run."""
    if isinstance(told, dict) and isinstance(got, dict):
        return told.keys() == got.keys() and all(
            key == "held_ms" or (key.endswith("sha256") and not digests) or
            is_same(told[key], got[key], digests) for key in told)
    if isinstance(told, str) and told.endswith("…"):
        return isinstance(got, str) and got.startswith(told[:-1])
    return told == got


def are_same(told, got):
    return len(told) == len(got) and all(
        is_same(one, other, one["side"] == "request") for one, other in zip(told, got))


def check_translation(page, other):
    """How many blocks are not those of the page."""
    wrong = [(one, two) for one, two in itertools.zip_longest(blocks(page), blocks(other))
             if one != two]
    for one, two in wrong:
        print(f"{page} has {one}, {other} has {two}")
    return len(wrong)


def check_examples(bin_dir, page, show):
    """How many say something else than the log."""
    wrong = 0
    found = examples(page)
    for words, text, told in found:
        got = play(bin_dir, words, text, len(told))
        if show:
            print(text, *map(json.dumps, got), sep="\n", end="\n\n")
        elif not are_same(told, got):
            wrong += 1
            print(text, "the page says:", *map(json.dumps, told), "the log says:",
                  *map(json.dumps, got), sep="\n", end="\n\n")
    print(f"{page}: {len(found)} examples, {wrong} wrong")
    return wrong if found else 1


def main():
    bin_dir, page, *others = [word for word in sys.argv[1:] if word != "--show"]
    wrong = check_examples(bin_dir, page, "--show" in sys.argv)
    wrong += sum(check_translation(page, other) for other in others)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
