#!/usr/bin/env python3
"""Writes scripts for fuzz_session: the cases of the wire, and those of session_seeds.txt.

usage: seeds.py DIRECTORY
"""
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
TESTS = HERE.parent
sys.path.insert(0, str(TESTS / "conformance"))
sys.path.insert(0, str(TESTS / "integration"))

import cases  # noqa: E402
import wire  # noqa: E402

ORIGINS = (("$ORIGIN", "10.1.0.1:8000"), ("$ALIAS", "localhost:80"), ("$PORT", "8000"),
           ("$PROXYPORT", "8080"), ("$PROXY", "127.0.0.1:8080"))
ENDS = {"fin": b"e", "rst": b"r"}
BARE = rb"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SMALL = "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"


def plain(text):
    for name, value in ORIGINS:
        text = text.replace(name, value)
    return wire.unescape(text)


def settings(options):
    """The letters of the first record for a proxy's options."""
    letters = ""
    for option, letter in (("forward", "f"), ("--rewrite-host", "H"), ("--max-body", "b"),
                           ("transparent", "t"), ("--intercept none", "n")):
        letters += letter if option in options else ""
    return letters.encode()


def order(side, what):
    """What a peer sends: bytes, or its end."""
    letters = {"c": b"cer", "s": b"uER"}[side]
    if what in ENDS:
        return letters[1:2] if what == "fin" else letters[2:3]
    return letters[:1] + plain(what)


def steps_of(lines):
    for word, text in lines:
        if word in ("c>", "s>"):
            yield order(word[0], text)
        elif word == "reconnect":
            yield b"n"
        elif word == "term":
            yield b"d"
        elif word == "idle":
            yield b"t"


def of_case(lines):
    """The orders of one case, and its options."""
    have = [word for word, _ in lines]
    options = " ".join(text for word, text in lines if word == "options")
    if "request" not in have:
        return options, list(steps_of(lines))

    def joined(word):
        return "".join(text for kind, text in lines if kind == word)
    orders = [order("c", joined("request"))]
    orders.append(order("s", joined("answer") or SMALL))
    if joined("hangup"):
        orders.append(order("s", joined("hangup")))
    return options, orders


def read_steps(path):
    """Cases of tests/data/proxy and tests/data/http."""
    lines = []
    for line in cases.read_lines(path):
        word, _, text = line.partition(" ")
        if word == "case" and lines:
            yield lines
            lines = []
        if word == "bytes":
            lines.append(("c>" if path.stem == "requests" else "s>", text))
        elif word != "case":
            lines.append((word, text))
    yield lines


def all_cases():
    for case in cases.read_cases("proxy"):
        yield case.lines
    for path in sorted((TESTS / "data/proxy").glob("*.txt")):
        yield from read_steps(path)
    for name in ("requests", "responses"):
        for lines in read_steps(TESTS / f"data/http/{name}.txt"):
            if name == "responses":
                lines.insert(0, ("c>", "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"))
            yield lines


def scripts():
    for lines in all_cases():
        options, orders = of_case(lines)
        if not any(b"|" in each or len(each) > 4000 for each in orders):
            yield b"|".join([settings(options), b"n", *orders])
    for line in cases.read_lines(HERE / "session_seeds.txt"):
        yield wire.unescape(line)


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for script in scripts():
        (directory / hashlib.sha1(script).hexdigest()).write_bytes(script)


if __name__ == "__main__":
    main()
