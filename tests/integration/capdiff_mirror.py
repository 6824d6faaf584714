#!/usr/bin/env python3
"""Every two captures of the data, compared in both orders: the one report mirrors the other.

Usage: capdiff_mirror.py CAPDIFF DIRECTORY. Where one of the two holds a proxy, the order says
nothing: the reports are the same. Of two captures of one leg the first is what was sent: before and
after change places. A capture against itself never differs from itself on its way.
"""
import itertools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MIRRORED = {"lost": "invented", "invented": "lost", "added": "removed", "removed": "added",
            "repeated": "removed"}

# Of two captures that hold both legs the first one is the proxy's: no mirror.
BOTH_LEGS = ("proxy", "single-proxy", "changed-in-proxy", "response-changed")


def run(capdiff, first, second):
    done = subprocess.run([capdiff, "--format", "json", first, second], capture_output=True)
    if done.returncode == 2:
        assert len(done.stderr.splitlines()) == 1, done
        return None
    report = json.loads(done.stdout)
    assert report["exit_status"] == done.returncode
    return report


def seen(report, turned=False):
    """What was found, in no order."""
    items = []
    for item in report["differences"]["items"]:
        kind, change = item["kind"], item["change"]
        before, after = item["before"], item["after"]
        # An overlap is a matter of one capture, whichever it is.
        if turned and kind != "overlap" and item["hop"] == "between_captures":
            kind, change = MIRRORED.get(kind, kind), MIRRORED.get(change, change)
            before, after = after, before
        items.append((item["hop"], kind, str(item["place_kind"]), str(item["pointer"]),
                      str(item["field"]), str(change), str(before), str(after),
                      str(item["call_id"])))
    return sorted(items)


def check(capdiff, first, second):
    there, back = run(capdiff, first, second), run(capdiff, second, first)
    if there is None or back is None:
        assert there is None and back is None, "trouble in one order only"
        return "trouble"
    assert there["verdict"] == back["verdict"], (there["summary"], back["summary"])
    assert there["exchanges"]["compared"] == back["exchanges"]["compared"]
    assert seen(there, turned=True) == seen(back), (seen(there, turned=True), seen(back))
    if first == second:
        hops = there["differences"]["by_hop"]
        overlaps = sum(item["kind"] == "overlap" for item in there["differences"]["items"])
        assert sum(hops.values()) - hops["proxy"] == overlaps, hops
    return there["verdict"]


def main():
    capdiff, directory = sys.argv[1], Path(sys.argv[2])
    captures = sorted(path for path in directory.iterdir() if ".pcap" in path.name)
    pairs = [pair for pair in itertools.combinations_with_replacement(captures, 2)
             if pair[0] == pair[1] or not all(path.name.startswith(BOTH_LEGS) for path in pair)]
    failed, verdicts = 0, {}
    with ThreadPoolExecutor(4) as pool:
        jobs = [(pair, pool.submit(check, capdiff, *pair)) for pair in pairs]
        for (first, second), job in jobs:
            try:
                verdicts[job.result()] = verdicts.get(job.result(), 0) + 1
            except AssertionError as error:
                print(first.name, second.name, error)
                failed += 1
    print(len(pairs), "pairs", verdicts)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
