"""The command line: python3 -m scenario scenario | matrix | corpus."""
import argparse
import os
import signal
import sys
from pathlib import Path

from . import lab, scenarios
from .corpus import write_corpus
from .judge import cell, unexpected
from .matrix import check_matrix, write_matrix
from .trouble import Trouble
from .words import shown, six_lines

EXPECTED, OTHERWISE, TROUBLE = 0, 1, 2


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Trouble(f"{message}: 'scripts/lab --help' shows how")


def read_arguments(words):
    parser = Parser(prog="scripts/lab", add_help=False, allow_abbrev=False)
    orders = parser.add_subparsers(dest="order", required=True, parser_class=Parser)
    one = orders.add_parser("scenario", add_help=False, allow_abbrev=False)
    one.add_argument("name", nargs="?")
    one.add_argument("--defence", choices=scenarios.PROFILES, default="none")
    mode = one.add_mutually_exclusive_group()
    mode.add_argument("--docker", dest="mode", action="store_const", const="docker")
    mode.add_argument("--native", dest="mode", action="store_const", const="native")
    one.add_argument("--capture-dir", type=Path)
    matrix = orders.add_parser("matrix", add_help=False, allow_abbrev=False)
    matrix.add_argument("folder", nargs="?", type=Path, default=scenarios.ROOT / "docs")
    matrix.add_argument("--check", action="store_true")
    corpus = orders.add_parser("corpus", add_help=False, allow_abbrev=False)
    corpus.add_argument("folder", type=Path)
    return parser.parse_args(words)


# --- scripts/lab scenario ---


def list_scenarios():
    for scenario in scenarios.load_all():
        print(f"{scenario.name:20} {scenario.sentence}")
    print("\nscripts/lab scenario NAME, or all; --defence " + " | ".join(scenarios.PROFILES))
    return EXPECTED


def default_folder():
    return Path(os.environ.get("LAB_CAPTURE_DIR") or scenarios.ROOT / "capture")


def run_one(arguments):
    scenario = scenarios.find(arguments.name)
    folder = arguments.capture_dir or default_folder()
    lab.build(arguments.mode)
    run = lab.run(scenario, arguments.defence, folder.absolute(), arguments.mode)
    measured = cell(scenario, arguments.defence, run)
    wrong = unexpected(scenario, measured)
    for label, text in six_lines(measured, scenario):
        print(f"{label + ':':18}{shown(text)}")
    for sentence in wrong:
        print(f"not as expected: {shown(sentence)}", file=sys.stderr)
    return OTHERWISE if wrong else EXPECTED


def run_all(arguments):
    chosen = scenarios.load_all()
    folder = (arguments.capture_dir or default_folder()).absolute()
    lab.build(arguments.mode)
    bad = left_out = 0
    for number, scenario in enumerate(chosen, 1):
        if scenario.tls and arguments.mode == "docker":
            print(f"[{number:2}/{len(chosen)}] {scenario.name:20} left out: TLS is without Docker only")
            left_out += 1
            continue
        run = lab.run(scenario, arguments.defence, folder / scenario.folder.name,
                      arguments.mode)
        measured = cell(scenario, arguments.defence, run)
        wrong = unexpected(scenario, measured)
        bad += bool(wrong)
        end = "not as expected: " + "; ".join(wrong) if wrong else measured["outcome"]
        print(f"[{number:2}/{len(chosen)}] {scenario.name:20} {end}", flush=True)
    print(f"{len(chosen) - bad - left_out} as expected, {bad} not")
    return OTHERWISE if bad else EXPECTED


def order_scenario(arguments):
    if arguments.name is None:
        return list_scenarios()
    if arguments.name == "all":
        return run_all(arguments)
    return run_one(arguments)


# --- the matrix and the corpus ---


def order_matrix(arguments):
    found = (check_matrix if arguments.check else write_matrix)(arguments.folder)
    for sentence in found:
        print(shown(sentence), file=sys.stderr)
    if arguments.check:
        print(f"{len(found)} not as in {arguments.folder}" if found else "every cell is as it was")
    else:
        print(f"attack-matrix.md, .html and .json are in {arguments.folder}")
    return OTHERWISE if found else EXPECTED


def order_corpus(arguments):
    count = write_corpus(arguments.folder.absolute())
    print(f"{count} samples are in {arguments.folder}; manifest.json says what they are")
    return EXPECTED


ORDERS = {"scenario": order_scenario, "matrix": order_matrix, "corpus": order_corpus}


def main(words):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments = read_arguments(words)
        return ORDERS[arguments.order](arguments)
    except Trouble as trouble:
        print(f"[lab] {shown(str(trouble))}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:
        lab.stop_all()
        return 130
