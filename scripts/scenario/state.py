"""What a run left behind, and checks of it.

A check is an object of scenario.json:

    of        ledger, calls (what agent_b says of itself), results (agent_a's, a list by the call's
              number) or wire (the bytes of proxy.pcap)
    at        a JSON Pointer (RFC 6901); not for wire
    reader    which of several members with one key counts: last (as here everywhere), first, or
              ignore-case: the last of those that are equal but for their case
    is, is_not, at_least, contains
              what must be there; where nothing is, no check holds
"""
import json
from functools import cached_property
from pathlib import Path

from .trouble import Trouble

SOURCES = ("ledger", "calls", "results", "wire")
READERS = {
    "last": lambda key, wanted: key == wanted,
    "first": lambda key, wanted: key == wanted,
    "ignore-case": lambda key, wanted: key.lower() == wanted.lower(),
}
TESTS = {
    "is": lambda value, wanted: value == wanted and isinstance(value, bool) == isinstance(wanted, bool),
    "is_not": lambda value, wanted: value != wanted,
    "at_least": lambda value, wanted: isinstance(value, (int, float)) and value >= wanted,
    "contains": lambda value, wanted: isinstance(value, str) and wanted in value,
}
NOTHING = object()


def check_condition(condition):
    """Why CONDITION is no check, or None."""
    if condition.get("of") not in SOURCES:
        return "of is one of " + ", ".join(SOURCES)
    if condition.get("reader", "last") not in READERS:
        return "reader is one of " + ", ".join(READERS)
    if len(set(condition) & set(TESTS)) != 1:
        return "a check has one of " + ", ".join(TESTS)
    if unknown := set(condition) - set(TESTS) - {"of", "at", "reader"}:
        return f"a check has no {min(unknown)}"
    if condition["of"] == "wire" and set(condition) != {"of", "contains"}:
        return "wire can only be checked for what it contains"
    if condition["of"] != "wire" and "at" not in condition:
        return "a check needs at"
    return None


class Members:
    """An object, with every member that stands in the text."""

    def __init__(self, pairs):
        self.pairs = pairs

    def find(self, key, reader):
        fits = [value for name, value in self.pairs if READERS[reader](name, key)]
        if not fits:
            return NOTHING
        return fits[0] if reader == "first" else fits[-1]


def parse(text):
    return json.loads(text, object_pairs_hook=Members)


def plain(value):
    """As json.loads would have it: the last of equal keys."""
    if isinstance(value, Members):
        return {key: plain(item) for key, item in value.pairs}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def lookup(document, pointer, reader="last"):
    """The value at a JSON Pointer, or NOTHING."""
    value = document
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Members):
            value = value.find(token, reader)
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return NOTHING
    return value


class Run:
    """The folder of a run, as scripts/lab leaves it; TLS is what tls.py has left in it."""

    def __init__(self, folder, tls=None):
        self.folder = Path(folder)
        self.tls = tls
        self.compared = f"{tls}/plain/" if tls else ""  # where the verdicts are

    def _text(self, name):
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise Trouble(f"the run left no good {name} in {self.folder}: see the logs there") from error

    def _json(self, name):
        try:
            return parse(self._text(name))
        except ValueError as error:
            raise Trouble(f"{self.folder / name} is no JSON: {error}") from error

    def _lines(self, name):
        try:
            return [parse(line) for line in self._text(name).splitlines()]
        except ValueError as error:
            raise Trouble(f"{self.folder / name} is no JSON: {error}") from error

    @cached_property
    def ledger(self):
        return self._json("ledger.json")

    @cached_property
    def calls(self):
        return self._json("calls.json")

    @cached_property
    def results(self):
        return sorted(self._lines("results.ndjson"), key=lambda line: lookup(line, "/call"))

    @cached_property
    def wire(self):
        return self.capture("proxy.pcap").decode("latin-1")

    def capture(self, name):
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise Trouble(f"the run left no {name} in {self.folder}: see the logs there") from error

    @cached_property
    def connections(self):
        """With TLS, by leg; None without."""
        return plain(self._json(f"{self.tls}/connections.json")) if self.tls else None

    @cached_property
    def log(self):
        return [plain(line) for line in self._lines("exchanges.ndjson")]

    @cached_property
    def verdict(self):
        """With the exchange log."""
        return plain(self._json(f"{self.compared}verdict.json"))

    @cached_property
    def captures(self):
        """The verdict of the captures alone; with TLS, of what was in it."""
        return plain(self._json(f"{self.compared}captures.json"))

    @cached_property
    def without_keys(self):
        """The verdict of the captures as they are."""
        return plain(self._json("captures.json"))

    @cached_property
    def exchanges(self):
        """Those of the proxy's capture."""
        return plain(self._json(f"{self.compared}proxy.json"))["exchanges"]

    def holds(self, condition):
        source = getattr(self, condition["of"])
        value = source if condition["of"] == "wire" else lookup(
            source, condition["at"], condition.get("reader", "last"))
        if value is NOTHING:
            return False
        test = next(name for name in TESTS if name in condition)
        return TESTS[test](plain(value), condition[test])
