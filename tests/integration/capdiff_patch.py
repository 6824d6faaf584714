#!/usr/bin/env python3
"""Random JSON and random edits of it: the patches that capdiff reports make the one of the other.

Usage: capdiff_patch.py CAPDIFF [SEED]. Writes two captures of one lab in which each request was
edited in the proxy, and applies the operations of the JSON report (RFC 6902) with an implementation
of its own. Numbers are kept as their text: 1.0 is not 1. Some requests have far more differences
than are told in detail, some have big values, and what lies in IGNORED is not told at all: the
patches are complete all the same.
"""
import copy
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "data" / "capdiff"))
import generate  # noqa: E402

CALLS = 150
MANY = 10  # every so many calls there is one with many edits
BIG = 15  # and one with big values
IGNORED = "/body/0"
KEYS = ["a", "b", "id", "ID", "a/b", "~", "", "naïve", "k\u0000", "\"q\"", "long" * 20]
SCALARS = ["1", "1.0", "10", "-0", "9007199254740993", "1e400", "true", "false", "null",
           '"x"', '""', '"1"', '"\\u00e9"', '"/~"', '"\U0001f600"', '"\\ud800"']


class Number(str):
    """A number by its text."""


def read(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def write(value):
    """Compact JSON, with numbers as they were."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + write(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def invent(chance, depth):
    kind = chance.random()
    if depth == 0 or kind < 0.4:
        return read(chance.choice(SCALARS))
    if kind < 0.7:
        return {key: invent(chance, depth - 1)
                for key in chance.sample(KEYS, chance.randrange(len(KEYS)))}
    return [invent(chance, depth - 1) for _ in range(chance.randrange(6))]


def containers(value):
    found = [value] if isinstance(value, (dict, list)) else []
    for item in value.values() if isinstance(value, dict) else value if isinstance(
            value, list) else []:
        found += containers(item)
    return found


def edit(chance, document):
    """Adds, removes, replaces or moves something somewhere."""
    place = chance.choice(containers(document))
    new, what = invent(chance, 2), chance.random()
    if isinstance(place, dict):
        key = chance.choice(KEYS)
        if what < 0.4 and place:
            place.pop(chance.choice(list(place)))
        else:
            place[key] = new
        return
    at = chance.randrange(len(place) + 1)
    if what < 0.4 or not place:
        place.insert(at, new)
    elif what < 0.6:
        place.pop(at % len(place))
    elif what < 0.8:
        place[at % len(place)] = new
    else:
        place.insert(at % len(place), place.pop())


def apply(document, operation):
    """One operation of RFC 6902 on a document that may change; returns the document."""
    path = operation["path"]
    if path == "":
        assert operation["op"] == "replace", operation
        return operation["value"]
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    place = document
    for step in steps[:-1]:
        place = place[int(step)] if isinstance(place, list) else place[step]
    last = steps[-1]
    if isinstance(place, list):
        last = int(last)
        assert 0 <= last <= len(place), operation
        if operation["op"] == "add":
            place.insert(last, operation["value"])
            return document
    assert (operation["op"] == "add") or (last in place if isinstance(place, dict)
                                          else last < len(place)), operation
    if operation["op"] == "remove":
        del place[last]
    else:
        place[last] = operation["value"]
    return document


def same(a, b):
    """Equal with numbers by text; strings of numbers are no numbers; members in any order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def wrap(text):
    data = text.encode()
    return b"POST /tool HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n" % len(data) + data


def edit_much(chance, number, document):
    """Enough for more than a report tells in detail, or than 16 KiB of text."""
    if number % MANY == 0:
        for place in document["list"]:
            place["x"] = invent(chance, 2)
    if number % BIG == 0:
        document["list"].insert(chance.randrange(10), "big\u202e" * 20000)


def check(report, pairs):
    assert int(report["differences"]["total"]) > int(report["differences"]["told"])
    assert int(report["differences"]["ignored"]) > 0
    documents = {number: read(before) for number, (before, _) in pairs.items()}
    for item in report["differences"]["items"]:
        assert item["hop"] == "proxy"
        if item["place_kind"] != "json":
            assert item["field"] == "Content-Length", item
            continue
        assert item["patch"] is not None and not item["patch_cut"], item
        assert not item["pointer"].startswith(IGNORED), item
        for operation in item["patch"]:
            number = int(item["exchange"])
            documents[number] = apply(documents[number], operation)
    for number, (before, after) in pairs.items():
        assert same(documents[number], read(after)), (
            "exchange %d:\nbefore %s\nafter  %s\npatched %s" % (number, before, after,
                                                               write(documents[number])))


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    print("seed", seed, flush=True)
    chance, pairs = random.Random(seed), {}
    for number in range(1, CALLS + 1):
        before = {"body": [invent(chance, 4), invent(chance, 3)], "call": Number(number),
                  "list": [{"x": None} for _ in range(100)]}
        after = copy.deepcopy(before)
        after["call"] = Number(number + CALLS)  # something is told of each
        edit_much(chance, number, after)
        for _ in range(chance.randrange(5)):
            edit(chance, after)
        pairs[number] = (write(before), write(after))
    generate.request = lambda number: wrap(pairs[number][0])
    lab = generate.Lab(calls=CALLS, one_connection=True,
                       upstream=lambda number: wrap(pairs[number][1]),
                       at_server=lambda number: wrap(pairs[number][1]))
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, name) for name in ("proxy.pcap", "server.pcap")]
        for path, packets in zip(paths, (lab.proxy, lab.server)):
            path.write_bytes(generate.pcap(packets))
        run = subprocess.run([sys.argv[1], "--format", "json", "--ignore", IGNORED, *paths], capture_output=True)
    assert run.returncode == 1, run
    check(read(run.stdout), pairs)


if __name__ == "__main__":
    main()
