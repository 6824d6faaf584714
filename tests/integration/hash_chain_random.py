#!/usr/bin/env python3
"""Damages a whole log in random ways; verify-log must find each.

usage: hash_chain_random.py LOG [--count N] [--seed SEED]

The last line's own bytes are no part of that: only a hash that was kept elsewhere tells of these, which
is tried too.
"""
import argparse
import contextlib
import io
import os
import pathlib
import random
import tempfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "verify-log"
LOADER = SourceFileLoader("verify_log", str(SCRIPT))
verify_log = module_from_spec(spec_from_loader("verify_log", LOADER))
LOADER.exec_module(verify_log)


def remove(rng, lines):
    at = rng.randrange(len(lines) - 1)
    del lines[at:rng.randint(at + 1, len(lines) - 1)]


def change(rng, lines):
    at = rng.randrange(len(lines) - 1)
    line = bytearray(lines[at])
    line[rng.randrange(len(line))] ^= rng.randint(1, 255)
    lines[at] = bytes(line).replace(b"\n", b" ")


def move(rng, lines):
    line = lines.pop(rng.randrange(len(lines)))
    lines.insert(rng.randint(0, len(lines)), line)


def swap(rng, lines):
    a, b = rng.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]


def put_in(rng, lines):
    lines.insert(rng.randint(0, len(lines)), rng.choice([rng.choice(lines), b"{}", b"", b'{"ts":1}']))


def cut(rng, lines):
    at = rng.randrange(len(lines) - 1)
    lines[at] = lines[at][:rng.randrange(len(lines[at]))]


def drop_end(rng, lines):
    del lines[rng.randrange(1, len(lines)):]


def verdict(words):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        status = verify_log.main(words)
    return status, said.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    rng = random.Random(options.seed)
    whole = options.log.read_bytes().splitlines()
    status, said = verdict([str(options.log)])
    assert status == 0, said
    head = verify_log.hashlib.sha256(whole[-1]).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.ndjson")
        tried = 0
        while tried < options.count:
            lines, kind = list(whole), rng.choice([remove, change, move, swap, put_in, cut, drop_end])
            kind(rng, lines)
            if lines == whole:
                continue
            tried += 1
            with open(path, "wb") as file:
                file.write(b"\n".join(lines) + b"\n")
            status, said = verdict([path, *(["--head", head] if kind is drop_end else [])])
            assert status == 1, f"{kind.__name__} was not found: {said}"
    print(f"{tried} damages, each was found")


if __name__ == "__main__":
    main()
