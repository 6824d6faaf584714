#!/usr/bin/env python3
"""Random JSON Patches through the proxy: capdiff does each again, from the log alone.

usage: capdiff_random.py PROXY CAPDIFF [--seed N] [--count N]

The trials are those of actions_random.py. With the log as it is all is explained; with any one change
of it removed, it is not.
"""
import argparse
import random
import sys
import tempfile
from pathlib import Path

import actions_random
from capdiff_rules import Recorded, ask, is_seen, read_records
from json_splice import Maker

LEFT_OUT = 12  # changes, each alone


def without_one(records, chance):
    """The records without one change that others can see, and whose value nothing else covers."""
    places = [(i, k) for i, record in enumerate(records) if len(record["changes"]) == 1
              for k, change in enumerate(record["changes"]) if is_seen(change)]
    for i, k in chance.sample(places, min(LEFT_OUT, len(places))):
        changed = [dict(record, changes=list(record["changes"])) for record in records]
        yield changed[i]["changes"].pop(k), changed


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("proxy")
    parser.add_argument("capdiff")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--count", type=int, default=400)
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.setrecursionlimit(10000)
    maker = Maker(args.seed)
    trials = [actions_random.Trial(maker, number) for number in range(args.count)]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        lab = Recorded(directory, args.proxy, [], [trial.rule for trial in trials])
        try:
            actions_random.run_all(lab, trials)
        finally:
            lab.close()
        records = read_records(directory)
        status, said = ask(args.capdiff, directory, records)
        if status != 0:
            sys.exit(f"honest: {status}\n{said}")
        for change, changed in without_one(records, random.Random(args.seed)):
            status, said = ask(args.capdiff, directory, changed)
            if status != 1:
                sys.exit(f"without {change}: {status}\n{said}")
    print(args.count, "patches,", sum(bool(record["changes"]) for record in records), "in the log")


if __name__ == "__main__":
    main()
