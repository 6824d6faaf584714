#!/usr/bin/env python3
"""Plays the cases of RFC 9110 and RFC 9112 against one of the programs. README.md explains them.

usage: run.py proxy|agent_b|agent_a PROGRAM [--only WORDS] [-- options of the program]
       run.py requirements [--write]
"""
import argparse
import importlib
import sys
import time

import cases


def play(args, options):
    chosen = [case for case in cases.read_cases(args.subject) if args.only in str(case)]
    began = time.monotonic()
    failures = importlib.import_module(args.subject).run(args.program, options, chosen)
    for failure in failures:
        print(f"FAILED {failure[:400]}")
    print(f"{args.subject}: {len(chosen)} cases, {len(failures)} failures, "
          f"{time.monotonic() - began:.1f} s")
    return 1 if failures or not chosen else 0


def main():
    words, options = sys.argv[1:], []
    if "--" in words:
        options = words[words.index("--") + 1:]
        words = words[:words.index("--")]
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("subject", choices=[*cases.SUBJECTS, "requirements"])
    parser.add_argument("program", nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args(words)
    if args.subject == "requirements":
        return importlib.import_module("requirements").check(args.write)
    return play(args, options)


if __name__ == "__main__":
    sys.exit(main())
