#!/usr/bin/env python3
"""Settling exchanges while reading, or keeping all until the end: the reports are the same.

Usage: capdiff_hold.py CAPDIFF DATA [SECONDS [SEED]]. Captures of the data, and bigger ones that are
made here, are mutated at random, and compared twice: once with all held until the end, as small
captures are, and once settled from the beginning, in small rounds; big ones also settled from
later on. Left out are the words for how a counterpart was found and how sure that is, and the
numbers of those: they say what was known by then. Everything else must be equal: verdict, findings,
numbers, doubts, and what each capture is worth. Where all calls are equal, and there is no log that
tells which is which, that is a guess if some of them are missing: so is whether one was asked twice
or is missing on the other side, and no more than whether all are the same must not depend on it.
"""
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import capdiff_declared as declared
import capdiff_oracle as oracle

TROUBLE = 2
UNTIL_THE_END = 1024  # MiB, more than there is
HOLDS = (0, 1, 4)     # the last one is what capdiff does by itself
MIB = 1 << 20
WORKERS = 2
CONNECTIONS, CALLS = 50, 20
FINDING = ("kind", "hop", "exchange", "call_id", "place", "place_kind", "pointer", "field", "offset",
           "change", "before", "after")


def run(capdiff, words, hold):
    done = subprocess.run([capdiff, "--format", "json", "--hold", str(hold), *map(str, words)],
                          capture_output=True, check=False)
    assert done.returncode in (0, 1, TROUBLE, 3) and (
        done.returncode == TROUBLE or not done.stderr), (done.returncode, done.stderr.decode())
    return json.loads(done.stdout) if done.returncode != TROUBLE else None


def told(report, guessed):
    """What must not depend on when exchanges are settled."""
    if report is None:
        return {"verdict": "trouble"}
    if guessed:
        return {"same": report["verdict"] == "same"}
    items = report["differences"]["items"]
    return {
        "verdict": report["verdict"],
        "exit_status": report["exit_status"],
        "findings": sorted(str([item[key] for key in FINDING]) for item in items),
        "differences": {key: value for key, value in report["differences"].items() if key != "items"},
        "exchanges": {key: value for key, value in report["exchanges"].items() if key != "items"},
        "listed": sorted(str((item["exchange"], item["seen_in"], item["differences"]))
                         for item in report["exchanges"]["items"]),
        "views": [(item["view"], item["exchanges"]) for item in report["views"]],
        "quality": report["quality"],
        "doubts": sorted((item["kind"], item["capture"], item["count"])
                         for item in report["doubts"]),
    }


def difference(one, other):
    """The first lines by which two reports differ; empty: they are the same."""
    lines = []
    for key in one:
        if one[key] == other.get(key):
            continue
        if key in ("findings", "listed", "doubts"):
            here, there = (collections.Counter(map(str, of[key])) for of in (one, other))
            lines += [f"  {key}: {n} more when held: {text}" for text, n in (here - there).items()]
            lines += [f"  {key}: {n} more when settled: {text}" for text, n in (there - here).items()]
        else:
            lines.append(f"  {key}: held {one[key]}, settled {other.get(key)}")
    return lines


def check(capdiff, words, guessed=False):
    size = sum(word.stat().st_size for word in words if isinstance(word, Path))
    held = told(run(capdiff, words, UNTIL_THE_END), guessed)
    for hold in HOLDS:
        if hold * MIB <= size:
            lines = difference(held, told(run(capdiff, words, hold), guessed))
            if lines:
                return [f"  --hold {hold}", *lines]
    return []


class Bigger:
    """Many calls on many connections at a time; all of them the same, or each with its own id."""

    def __init__(self, generate, equal, chance):
        self.legs, self.log, self.generate = [[], [], []], [], generate
        number = 0
        for connection in range(CONNECTIONS):
            at = generate.START + 1 + chance.random() * 4
            legs = generate.Lab.connect(connection, at)
            for _ in range(CALLS):
                number += 1
                at += 0.01 + chance.random() / 5
                self.call(legs, connection, 0 if equal else number, at)
            for packets, leg in zip(self.legs, legs):
                leg.close(at + 0.5)
                packets += leg.packets
        for number, record in enumerate(sorted(self.log, key=lambda record: record["ts"]), 1):
            record["exchange"] = number

    def call(self, legs, connection, number, at):
        lab = self.generate.Lab.__new__(self.generate.Lab)
        lab.lose, lab.log = None, self.log
        lab.call(legs, number, at, self.generate.request, self.generate.response,
                 self.generate.request)
        self.log[-1]["connection"] = connection

    def write(self, directory, name):
        client, upstream, server = self.legs
        for file, packets in (("proxy", client + upstream), ("server", server), ("client", client)):
            packets = sorted(packets, key=lambda packet: packet.time)
            (directory / f"{name}-{file}.pcap").write_bytes(self.generate.pcap(packets))
        self.log.sort(key=lambda record: record["exchange"])
        (directory / f"{name}.ndjson").write_bytes(self.generate.ndjson(self.log))


def drop(packets, chance):
    for _ in range(chance.choice((1, 1, 3, 10))):
        if packets:
            del packets[chance.randrange(len(packets))]


def duplicate(packets, chance):
    at = chance.randrange(len(packets))
    packets.insert(min(at + chance.choice((1, 1, 2, 30)), len(packets)), list(packets[at]))


def reorder(packets, chance):
    at, by = chance.randrange(len(packets)), chance.choice((1, 2, 5, 40))
    packets.insert(min(at + by, len(packets) - 1), packets.pop(at))


def change(packets, chance):
    """A byte of a head or a body is another one."""
    full = [packet for packet in packets if len(packet[1]) > oracle.ETHERNET + 60]
    if not full:
        return
    packet = chance.choice(full)
    at = chance.randrange(chance.choice((oracle.ETHERNET + 40, len(packet[1]) - 30)), len(packet[1]))
    packet[1] = packet[1][:at] + bytes([chance.choice(b"13aZ}\n ")]) + packet[1][at + 1:]


def ends(packet):
    """Who speaks with whom, in no order."""
    frame, at = packet[1], oracle.ETHERNET
    return frozenset((frame[at + 12 + 4 * side:at + 16 + 4 * side],
                      frame[at + 20 + 2 * side:at + 22 + 2 * side]) for side in range(2))


def drop_connection(packets, chance):
    gone = ends(chance.choice(packets))
    packets[:] = [packet for packet in packets if ends(packet) != gone]


def drop_beginning(packets, chance):
    del packets[:chance.randrange(len(packets))]


def drop_end(packets, chance):
    del packets[chance.randrange(len(packets)):]


PACKETS = (drop, drop, duplicate, reorder, change, change, drop_connection, drop_beginning, drop_end)


def mutate_capture(path, into, chance):
    """A plain capture's packets; of any other kind, the end of the file."""
    data = path.read_bytes()
    if data[:4] == b"\xd4\xc3\xb2\xa1" and data[20:24] == b"\1\0\0\0" and chance.random() < 0.9:
        try:
            header, packets = oracle.read(path)
        except Exception:  # it is cut already
            packets = []
        names = []
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            if packets:
                names.append(chance.choice(PACKETS))
                names[-1](packets, chance)
        if packets:
            oracle.write(into, header, packets)
            return "+".join(name.__name__ for name in names)
    into.write_bytes(data[:chance.randrange(len(data) + 1)])
    return "cut"


def mutate_log(path, into, chance):
    lines = path.read_bytes().splitlines(keepends=True)
    at = chance.randrange(len(lines))
    what = chance.choice(("whole", "drop", "twice", "change", "cut"))
    if what == "drop":
        del lines[at]
    elif what == "twice":
        lines.insert(at, lines[at])
    elif what == "change":
        place = chance.randrange(len(lines[at]) - 1)
        lines[at] = lines[at][:place] + b"7" + lines[at][place + 1:]
    elif what == "cut":
        lines[at:] = [lines[at][:chance.randrange(len(lines[at]))]]
    into.write_bytes(b"".join(lines))
    return what


def plain_pairs(data):
    """Words for capdiff: all sensible pairs of the data as they are."""
    def fit(*names):
        return sorted(path for path in data.iterdir()
                      if path.name.startswith(names) and ".pcap" in path.name)

    proxies = fit("proxy", "changed-in-proxy", "response-changed", "single-proxy")
    servers = fit("server", "changed-at-server", "changed-on-the-way", "single-server", "no-http")
    for proxy in proxies:
        for server in servers:
            yield [proxy, server]
    for server in servers:
        yield [server, data / "proxy.pcap"]
        yield [server, data / "server.pcap"]
        yield ["--exchange-log", data / "exchanges.ndjson", data / "proxy.pcap", server]
    for client in fit("client"):
        yield ["--client", client, data / "proxy.pcap", data / "server.pcap"]
        yield [client, data / "client.pcap"]
    for log in sorted(data.glob("*.ndjson")):
        for proxy, server in (("proxy", "server"), ("changed-in-proxy", "changed-at-server")):
            yield ["--exchange-log", log, data / f"{proxy}.pcap", data / f"{server}.pcap"]


def sets(data, made):
    """Captures that belong together: the proxy's, the server's, the client's, a log."""
    for name in ("unique", "equal"):
        yield [made / f"{name}-proxy.pcap", made / f"{name}-server.pcap",
               made / f"{name}-client.pcap", made / f"{name}.ndjson"]
    yield [data / name for name in ("proxy.pcap", "server.pcap", "client.pcap", "exchanges.ndjson")]
    yield [data / "single-proxy.pcap", data / "single-server.pcap", None, None]
    yield [data / name for name in (
        "changed-in-proxy.pcap", "changed-at-server.pcap", "client.pcap", "changed.ndjson")]


def mutated(sets_, directory, number, seed):
    """Words for capdiff, and what was done to the files."""
    chance = random.Random(f"{seed}-{number}")
    paths = chance.choice(sets_)
    asked, done = [None] * 4, []
    which = set(chance.sample(range(3), chance.choice((1, 1, 2))))
    for i, path in enumerate(paths):
        if path is None or (i >= 2 and chance.random() < 0.5):
            continue
        into = directory / f"{number}-{path.name}"
        asked[i] = path
        if i in which or i == 3:
            done.append(f"{path.name} {(mutate_log if i == 3 else mutate_capture)(path, into, chance)}")
            asked[i] = into
    words = [asked[0], asked[1]]
    if chance.random() < 0.1: # two captures of one leg
        words, asked[2], asked[3] = [asked[1], paths[1]], None, None
    if asked[2] is not None:
        words = ["--client", asked[2], *words]
    if asked[3] is not None:
        words = ["--exchange-log", asked[3], *words]
    return words, done


def declared_sets(cases, directory):
    """Captures and logs of exchanges that rules changed, ended, or sent again."""
    for path in sorted(cases.glob("*.txt")):
        for number, case in enumerate(declared.read_cases(path)):
            play, name = declared.Play(case), f"{path.stem}{number}"
            files = [directory / f"{name}-proxy.pcap", directory / f"{name}-server.pcap",
                     directory / f"{name}.ndjson"]
            files[0].write_bytes(declared.generate.pcap(play.legs.proxy))
            files[1].write_bytes(declared.generate.pcap(play.legs.server))
            files[2].write_bytes(declared.generate.ndjson(play.logs("says", "")))
            yield [*files[:2], None, files[2]]


class Trial:
    def __init__(self, capdiff, data, directory, seed):
        self.capdiff, self.seed, self.directory = capdiff, seed, directory
        sys.path.insert(0, str(data))
        import generate  # of the data, which is not a package
        for name in ("unique", "equal"):
            Bigger(generate, name == "equal", random.Random(f"{seed}-{name}")).write(directory, name)
        self.declared = list(declared_sets(data.parent / "declared", directory))
        self.sets = list(sets(data, directory)) + self.declared
        self.failed = 0

    def plain(self, words):
        self.tell(check(self.capdiff, words), words)

    def random(self, number):
        words, done = mutated(self.sets, self.directory, number, self.seed)
        guessed = "equal-" in words[-1].name and "--exchange-log" not in words
        lines = check(self.capdiff, words, guessed)
        self.tell(lines, [f"number {number}:", *done, *words])
        for path in self.directory.glob(f"{number}-*"):
            if not lines or not os.environ.get("CAPDIFF_HOLD_KEEP"):
                path.unlink()

    def tell(self, lines, words):
        if lines:
            self.failed += 1
            print("\n".join([" ".join(str(getattr(word, "name", word)) for word in words), *lines]),
                  flush=True)


def main():
    capdiff, data = sys.argv[1], Path(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 12
    seed = sys.argv[4] if len(sys.argv) > 4 else str(random.randrange(10**6))
    end = time.monotonic() + seconds
    print("seed", seed, flush=True)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(WORKERS) as pool:
        keep = os.environ.get("CAPDIFF_HOLD_KEEP")
        trial = Trial(capdiff, data, Path(keep or scratch), seed)
        pairs = list(plain_pairs(data))
        pairs += [["--exchange-log", log, proxy, server]
                  for proxy, server, _, log in trial.declared]
        list(pool.map(trial.plain, pairs))
        number = 0
        while time.monotonic() < end:
            list(pool.map(trial.random, range(number, number + 8)))
            number += 8
    print(len(pairs), "pairs and", number, "mutated ones,", trial.failed, "differ")
    sys.exit(trial.failed > 0)


if __name__ == "__main__":
    main()
