"""Reads the cases and the list of requirements; README.md explains both forms."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "integration"))

SUBJECTS = ("proxy", "agent_b", "agent_a")
ID = re.compile(r"(9110|9112)-(\d+(?:\.\d+)*)-(\d+[a-z]?)")
FLAGS = ("alone", "first")
WORDS = ("of", "options", "request", "passes", "answer", "hangup", "gets", "closes", "ends", "log",
         "args", "sends", "result", "connections", *FLAGS)
STEPS = re.compile(r"(c|s)[<>!] |reconnect$")


class Mistake(Exception):
    """A data file says something that is not its form."""


class Case:
    def __init__(self, subject, path, name):
        self.subject, self.path, self.name = subject, path, name
        self.of = []
        self.lines = []  # (word, text) in their order
        self.flags = set()

    def add(self, line):
        word, _, text = line.partition(" ")
        if word == "of":
            self.of += text.split()
        elif word in FLAGS:
            self.flags.add(word)
        elif word in WORDS or STEPS.match(line):
            self.lines.append((word, text))
        else:
            raise Mistake(f"{self.path.name}: {self.name}: no such line: {line}")

    def all(self, word):
        return [text for have, text in self.lines if have == word]

    def one(self, word, default=None):
        """All lines of this word, one behind the other without a break."""
        found = self.all(word)
        return "".join(found) if found else default

    def is_steps(self):
        return any(word[0] in "cs" and word[1:] in ("<", ">", "!") for word, _ in self.lines)

    def __str__(self):
        return f"{self.subject}/{self.path.name}: {self.name}"


def read_lines(path):
    """Lines without comments; one that begins with spaces goes on with the line before."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += line.strip()
        elif line and not line.startswith("#"):
            lines.append(line)
    return lines


def read_cases(subject):
    cases = []
    for path in sorted((HERE / subject).glob("*.txt")):
        for line in read_lines(path):
            if line.startswith("case "):
                cases.append(Case(subject, path, line[5:]))
            else:
                cases[-1].add(line)
    return cases


class Requirement:
    """One MUST: what it says, and for each program how it stands to it.

    WHO has for a program "cases", or why there are none ("no"), or why its cases expect something
    else than the RFC says ("differs").
    """

    def __init__(self, name, text):
        self.name, self.text, self.who = name, text, {}

    def add(self, line):
        subjects, _, rest = line.partition(":")
        kind, _, why = rest.strip().partition(" ")
        for subject in subjects.split():
            if subject not in SUBJECTS or kind not in ("cases", "no", "differs") or \
                    subject in self.who or (kind != "cases") != bool(why):
                raise Mistake(f"requirements.txt: {self.name}: no such line: {line}")
            self.who[subject] = (kind, why)


def read_requirements():
    """In their order. A line in the first column begins one, those behind it are of it."""
    found = {}
    for line in (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith(" "):
            list(found.values())[-1].add(line.strip())
            continue
        name, _, text = line.partition(" ")
        if not ID.fullmatch(name) or name in found:
            raise Mistake(f"requirements.txt: {name} is no new section and paragraph")
        found[name] = Requirement(name, text.strip())
    return found
