#!/usr/bin/env python3
"""Writes first inputs for a fuzz target, made of the tests' own cases.

usage: seeds.py session|agent_b|http_parser|addresses DIRECTORY

session: the cases of the wire, and the scripts of session_seeds.txt.
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


CALL = '{"id":1,"tool_name":"analyze_dependency","arguments":{"x":1}}'
TOOLS = ('"deposit","arguments":{"account":"a","amount":1.5}', '"read_file","arguments":{"path":"run"}',
         '"follow_build","arguments":{"steps":3}', '"none","arguments":[]', '"deposit","arguments":{"a":-1}')


def calls():
    """Scripts for agent_b: the conformance cases, and a call of each tool under each defence."""
    for case in cases.read_cases("agent_b"):
        orders = []
        for word, text in case.lines:
            if word == "request":
                chunks = "%x\\r\\n%s\\r\\n0\\r\\n" % (len(CALL), CALL)
                text = text.replace("$CALL", CALL).replace("$CHUNKS", chunks).replace("@", str(len(CALL)))
                orders.append(b"c" + wire.unescape(text))
            elif word in ("hangup", "reconnect"):
                orders.append(b"e" if word == "hangup" else b"n")
        if not any(b"|" in each for each in orders):
            yield b"|".join([b"", b"n", *orders])
    for tool in TOOLS:
        for defence in ("", "d", "g", "j", "a"):
            body = f'{{"id":"x","tool_name":{tool}}}'
            yield (f"{defence}|n|cPOST /tool HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}|cGET /ledger HTTP/1.1\r\nHost: a\r\n\r\n"
                   f"GET /calls HTTP/1.1\r\nHost: a\r\n\r\n|s|t|e").encode()


def messages():
    """Two bytes say what fuzz_http_parser does with the third and the others."""
    for side, name in ((b"\0", "requests"), (b"\1", "responses")):
        for lines in read_steps(TESTS / f"data/http/{name}.txt"):
            text = "".join(text for word, text in lines if word in ("c>", "s>"))
            if len(text) < 4000:
                yield side + b"\2" + wire.unescape(text)


def addresses():
    """Lines: an address, a glob, and patterns of --allow."""
    for address in ("127.0.0.1:80", "[::1]:8000", "[fe80::1%eth0]:1", "agent-b:8000", "a.test",
                    "http://a.test/x?y#z", "https://[::ffff:1.2.3.4]:443", "http://u@h:1/",
                    "GET", "*", "/path", "http://10.1.0.1:8000/a"):
        for patterns in ("*\n*:80", "a?t\\*\n*.test:443\n[::1]\n10.*"):
            yield f"{address}\n{patterns}\n".encode()


def main():
    makers = {"session": scripts, "agent_b": calls, "http_parser": messages, "addresses": addresses}
    if len(sys.argv) != 3 or sys.argv[1] not in makers:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for seed in makers[sys.argv[1]]():
        (directory / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main()
