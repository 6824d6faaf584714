#!/usr/bin/env python3
"""Random JSON Patches against random JSON, held against RFC 6902 written once more over json.

usage: json_splice.py CASES_PROGRAM [--seed N] [--count N]

Each operation alone must change only the bytes of the value, member or element that it names, found
here by a reader of its own; a whole patch must do what its operations do one by one; and what the
result means must be what the other implementation says, with the text of each number unchanged.
"""
import argparse
import json
import json.decoder
import random
import re
import subprocess
import sys
from decimal import Decimal

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
INDEX = re.compile(r"0|[1-9][0-9]*")
DEPTH_MAX = 128
SPACE = " \t\r\n"
KEYS = ["a", "b", "a/b", "m~n", "~1", "", "\0", "0", "-", "\u00e9", "\U0001f600", "x\"\\\n"]
NUMBERS = ["0", "-0", "1", "1.0", "10e-1", "9007199254740993", "9007199254740992", "1e400",
           "-1.50E+3", "0.1", "100000000000000000000000000000000000001", "1" * 60]
STRINGS = ["", "a", "\0", "a\0b", "\u00e9\u2028", "\U0001f600", "\"\\/\b\f\n\r\t", "client", "1"]


class Failed(Exception):
    """A patch that cannot be done; its text is the word."""


class Num(str):
    """A number's exact text, which no string is equal to."""
    __hash__ = str.__hash__

    def __eq__(self, other):
        return isinstance(other, Num) and str.__eq__(self, other)


def parse(text):
    return json.loads(text, parse_int=Num, parse_float=Num)


# RFC 6902 over parsed values. Of members with the same key, Python's json keeps the last one.

def same(a, b):
    if isinstance(a, Num) and isinstance(b, Num):
        return Decimal(a) == Decimal(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def tokens(pointer):
    return [t.replace("~1", "/").replace("~0", "~") for t in pointer.split("/")[1:]]


def step(value, token):
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and INDEX.fullmatch(token) and int(token) < len(value):
        return value[int(token)]
    raise Failed("path_not_found")


def get(value, path):
    for token in path:
        value = step(value, token)
    return value


def put(doc, path, value, insert):
    if not path:
        return value
    container, token = get(doc, path[:-1]), path[-1]
    if isinstance(container, dict):
        container[token] = value
    elif insert and isinstance(container, list) and token in ("-", str(len(container))):
        container.append(value)
    elif insert and isinstance(container, list):
        step(container, token)
        container.insert(int(token), value)
    else:
        step(container, token)
        container[int(token)] = value
    return doc


def take(doc, path):
    container, token = get(doc, path[:-1]), path[-1]
    step(container, token)
    return container.pop(int(token) if isinstance(container, list) else token)


def copy(value):
    if isinstance(value, dict):
        return {k: copy(v) for k, v in value.items()}
    return [copy(v) for v in value] if isinstance(value, list) else value


def depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def apply(doc, op):
    doc = do(doc, op)
    if depth(doc) > DEPTH_MAX:
        raise Failed("bad_result")
    return doc


def do(doc, op):
    kind, path = op["op"], tokens(op["path"])
    if kind == "test":
        if not same(get(doc, path), parse(op["value"])):
            raise Failed("test_failed")
    elif kind == "remove":
        take(doc, path)
    elif kind == "replace":
        get(doc, path)
        return put(doc, path, parse(op["value"]), False)
    elif kind == "add":
        return put(doc, path, parse(op["value"]), True)
    elif kind == "copy":
        return put(doc, path, copy(get(doc, tokens(op["from"]))), True)
    elif op["from"] == op["path"]:
        get(doc, path)
    else:
        return put(doc, path, take(doc, tokens(op["from"])), True)
    return doc


# Where values stand in the text: (start, end, children), a child being (key, start, node).

def skip(text, at):
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def scan(text, at):
    start = at
    if text[at] == '"':
        return start, json.decoder.scanstring(text, at + 1)[1], None
    if text[at] not in "{[":
        return start, (NUMBER.match(text, at) or re.compile("[a-z]+").match(text, at)).end(), None
    children, closer, at = [], "}" if text[at] == "{" else "]", skip(text, at + 1)
    while text[at] != closer:
        if text[at] == ",":
            at = skip(text, at + 1)
        child, key = at, str(len(children))
        if closer == "}":
            key, at = json.decoder.scanstring(text, at + 1)
            at = skip(text, skip(text, at) + 1)
        node = scan(text, at)
        children.append((key, child, node))
        at = skip(text, node[1])
    return start, at + 1, children


def child_of(node, token):
    return [c for c in node[2] or () if c[0] == token][-1]


def node_at(text, path):
    node = scan(text, skip(text, 0))
    for token in path:
        node = child_of(node, token)[2]
    return node


def check_removed(text, result, container, token):
    """Of each run of children one comma and what stands around it goes too, and nothing else."""
    left = [c for i, c in enumerate(container[2]) if c[0] != token]
    pieces, at = [], 0
    for key, start, node in container[2]:
        if key == token:
            pieces.append(text[at:start])
            at = node[1]
    pieces.append(text[at:])
    for piece in pieces:  # what is kept, but for commas and white space at the edges
        core = piece.strip(SPACE + ",")
        assert core in result, "bytes of other children"
    shown = scan(result, skip(result, 0))
    kept = sum(node[1] - start for _, start, node in left)
    assert result.startswith(text[:container[0] + 1])
    assert result.endswith(text[container[1] - 1:])
    assert shown is not None and len(result) >= len(text) - (container[1] - container[0]) + kept


def check_added(text, result, container, token, value):
    """One run of bytes is new: the value with its key, a comma, a colon and white space."""
    children = container[2]
    index = len(children) if token == "-" else int(token) if text[container[0]] == "[" else None
    if index is not None and index < len(children):
        at = children[index][1]
    else:
        at = children[-1][2][1] if children else container[0] + 1
    assert result.startswith(text[:at]), "bytes before"
    assert result.endswith(text[at:]), "bytes after"
    new = result[at:len(result) - (len(text) - at)]
    assert value in new
    before, _, after = new.rpartition(value)
    if text[container[0]] == "{":
        key = re.match(r'[ \t\r\n,]*"', before)
        name, end = json.decoder.scanstring(before, key.end())
        assert name == token, "key"
        before = before[:key.end() - 1] + before[end:].replace(":", "", 1)
    assert not (before + after).strip(SPACE + ","), "more than the value"
    assert (before + after).count(",") == (1 if children else 0)


def check_bytes(text, op, result):
    kind, path = op["op"], tokens(op["path"])
    if kind == "test" or kind == "move" and op["path"] == op["from"]:
        assert result == text
        return
    if kind == "move":
        return  # see check_moves
    if kind == "copy":
        source = node_at(text, tokens(op["from"]))
        op = {"op": "add", "path": op["path"], "value": text[source[0]:source[1]]}
    container = node_at(text, path[:-1]) if path else None
    there = path and any(c[0] == path[-1] for c in container[2])
    if kind == "remove":
        check_removed(text, result, container, path[-1])
    elif kind == "replace" or not path or text[container[0]] == "{" and there:
        node = node_at(text, path)
        assert result == text[:node[0]] + op["value"] + text[node[1]:]
    else:
        check_added(text, result, container, path[-1], op["value"])


def check_moves(program, maker, moves):
    """A move does what a removal and an addition of the value's text do."""
    cases = []
    for text, op, _ in moves:
        node = node_at(text, tokens(op["from"]))
        cases.append((maker.patch_text([
            {"op": "remove", "path": op["from"]},
            {"op": "add", "path": op["path"], "value": text[node[0]:node[1]]}]), text))
    for (text, op, result), answer in zip(moves, run(program, cases)):
        if answer != (True, result):
            raise SystemExit(f"{text!r} {op} -> {result!r}, in two steps {answer!r}")


# Random documents and patches, as text.

class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def space(self):
        return self.random.choice(["", "", "", " ", "\n  ", "\t", "\r\n"])

    def string(self, value):
        out = ""
        for char in value:
            if char in '"\\' or char < " " or self.random.random() < 0.1:
                units = char.encode("utf-16-be")
                out += "".join("\\u%04x" % int.from_bytes(units[i:i + 2], "big")
                               for i in range(0, len(units), 2))
            else:
                out += char
        return '"' + out + '"'

    def value(self, depth):
        kind = self.random.random()
        if depth == 0 or kind < 0.4:
            return self.random.choice([
                self.random.choice(NUMBERS), self.string(self.random.choice(STRINGS)),
                "true", "false", "null"])
        count = self.random.choice([0, 1, 2, 3, 5])
        if kind < 0.7:
            items = [self.value(depth - 1) for _ in range(count)]
        else:
            items = [self.string(self.random.choice(KEYS)) + self.space() + ":" + self.space() +
                     self.value(depth - 1) for _ in range(count)]
        inner = ",".join(self.space() + item + self.space() for item in items) or self.space()
        return "[" + inner + "]" if kind < 0.7 else "{" + inner + "}"

    def deep(self):
        text = self.value(1)
        for _ in range(self.random.randrange(100)):
            text = "[" + text + "]" if self.random.random() < 0.5 else '{"a": ' + text + "}"
        return text

    def pointers(self, value, prefix=""):
        yield prefix
        items = value.items() if isinstance(value, dict) else \
            enumerate(value) if isinstance(value, list) else ()
        for key, child in items:
            yield from self.pointers(
                child, prefix + "/" + str(key).replace("~", "~0").replace("/", "~1"))

    def pointer(self, doc):
        pointer = self.random.choice(list(self.pointers(doc)))
        chance = self.random.random()
        if chance < 0.25:
            key = self.random.choice(KEYS).replace("~", "~0").replace("/", "~1")
            pointer += "/" + key
        elif chance < 0.35:
            pointer += "/" + self.random.choice(["-", "0", "1", "01", "99999999999", "+1"])
        elif chance < 0.45:
            pointer = re.sub("[^/]*$", lambda m: self.random.choice(["-", "1", "x", m[0]]), pointer)
        return pointer if pointer.startswith("/") else ""

    def operation(self, doc):
        kind = self.random.choice(["add", "add", "remove", "replace", "move", "copy", "test"])
        op = {"op": kind, "path": self.pointer(doc)}
        if kind == "remove" and op["path"] == "":
            op["path"] = "/a"
        if kind in ("move", "copy"):
            op["from"] = self.pointer(doc)
            if kind == "move" and op["path"].startswith(op["from"] + "/"):
                op["from"] = op["path"]
        elif kind != "remove":
            op["value"] = self.value(2)
            if kind == "test" and self.random.random() < 0.8:
                try:
                    op["value"] = self.dump(get(doc, tokens(op["path"])))
                except Failed:
                    pass
        return op

    def dump(self, value):
        """The same value, written another way; or, now and then, a number that is ten times it."""
        if isinstance(value, dict):
            items = list(value.items())
            self.random.shuffle(items)
            return "{" + ",".join(self.string(k) + ":" + self.dump(v) for k, v in items) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.dump, value)) + "]"
        if isinstance(value, Num):
            if "e" not in value.lower() and self.random.random() < 0.3:
                return value + self.random.choice(["e0", "E-0", "e1"])
            return value
        return self.string(value) if isinstance(value, str) else json.dumps(value)

    def patch_text(self, ops):
        def text(op):
            members = [self.string(k) + ":" + self.space() + (v if k == "value" else self.string(v))
                       for k, v in op.items()]
            self.random.shuffle(members)
            return "{" + ",".join(members) + "}"
        return "[" + ",".join(map(text, ops)) + "]"


def run(program, cases):
    frames = []
    for patch, text in cases:
        patch, text = patch.encode(), text.encode()
        frames.append(len(patch).to_bytes(4, "big") + len(text).to_bytes(4, "big") + patch + text)
    out = subprocess.run(
        [program], input=b"".join(frames), stdout=subprocess.PIPE, check=True).stdout
    answers, at = [], 0
    while at < len(out):
        length = int.from_bytes(out[at + 1:at + 5], "big")
        answers.append((out[at] == 1, out[at + 5:at + 5 + length].decode()))
        at += 5 + length
    assert len(answers) == len(cases)
    return answers


def make(maker):
    """A document, and a patch whose operations mostly can be done."""
    text = maker.deep() if maker.random.random() < 0.05 else \
        maker.space() + maker.value(maker.random.randrange(1, 5)) + maker.space()
    ops, doc = [], parse(text)
    for _ in range(maker.random.choice([1, 1, 2, 4])):
        for _ in range(5):
            op = maker.operation(doc)
            try:
                doc = apply(copy(doc), op)
                break
            except Failed:
                if maker.random.random() < 0.1:
                    break
        ops.append(op)
    return text, ops


def expected(text, ops):
    doc = parse(text)
    try:
        for op in ops:
            doc = apply(doc, op)
    except Failed as failure:
        return False, str(failure)
    return True, doc


def check(program, maker, made):
    """All patches at once, then operation by operation, each on what the last one left."""
    whole = run(program, [(maker.patch_text(ops), text) for text, ops in made])
    now = [text for text, _ in made]
    done = {"ok": 0, "failed": 0, "operations": 0}
    for n in range(max(len(ops) for _, ops in made)):
        going = [i for i, (_, ops) in enumerate(made) if n < len(ops) and now[i] is not None]
        answers = run(program, [(maker.patch_text([made[i][1][n]]), now[i]) for i in going])
        moves = [(now[i], made[i][1][n], result)
                 for i, (good, result) in zip(going, answers) if good]
        check_moves(program, maker, [
            move for move in moves
            if move[1]["op"] == "move" and move[1]["from"] != move[1]["path"]])
        for i, (good, result) in zip(going, answers):
            if good:
                try:
                    check_bytes(now[i], made[i][1][n], result)
                except AssertionError as error:
                    raise SystemExit(f"{error}: {now[i]!r} {made[i][1][n]} -> {result!r}")
                done["operations"] += 1
            now[i] = result if good else None
    for (text, ops), step_by_step, (good, result) in zip(made, now, whole):
        wanted, value = expected(text, ops)
        if good != wanted or (parse(result) if good else result) != value or \
                (result if good else None) != step_by_step:
            raise SystemExit(f"{text!r} {ops}\n got {good} {result!r}\n not {wanted} {value!r}\n "
                             f"one by one {step_by_step!r}")
        done["ok" if good else "failed"] += 1
    return done


def main():
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options.add_argument("--count", type=int, default=3000)
    options = options.parse_args()
    print(f"seed {options.seed}", flush=True)
    sys.setrecursionlimit(10000)
    maker = Maker(options.seed)
    done = check(options.program, maker, [make(maker) for _ in range(options.count)])
    print(f"{options.count} patches: {done['ok']} done, {done['failed']} refused, "
          f"{done['operations']} single operations")
    assert done["ok"] > options.count / 3 and done["failed"] > options.count / 50


if __name__ == "__main__":
    main()
