"""docs/benchmarks.md: written from the parts that were measured last, each kept in docs/benchmarks/."""
import argparse
import json
import os

from . import measure, plot, report

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs")
ORDER = ("calls", "latency", "bodies", "start", "images", "connections", "sizes", "rules", "exchanges")
HEAD = """# Benchmarks

What mitm_proxy costs, next to nginx, HAProxy, mitmdump and SSLsplit, and how that grows. Load, origin and proxy
share one machine and one loopback, so only the ratios of one run mean something. Who takes part is measured in
turn, in an order that changes each round, and it is checked that each forwards all of it, and that ours records
all of it. Written by `tests/bench/run --write`, `tests/bench/growth --write` and `tests/bench/images --write`.
"""

FLOOR = """Where the CPU time goes: nine tenths of what a keep-alive call costs ours are the kernel's, for two reads and two
sends on the loopback (`perf record`), which every proxy has to do. What can be saved is the rest, and the order: ours
reads all sockets of a loop's turn, then works, then writes what has to be on record, and then sends, so that the
kernel's code, and its own, stays in the processor's caches. A long body that is recorded is hashed by a thread beside
the one that forwards and writes it.
"""


def there(folder):
    """A folder that exists: the name of a part, behind --write, is none."""
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"there is no folder {folder}; parts go before --write")
    return folder


def add_option(parser):
    parser.add_argument("--write", nargs="?", type=there, const=os.path.normpath(DOCS), metavar="FOLDER",
                        help="keep what was measured, and write benchmarks.md and its plots anew (docs)")


def save(folder, name, content):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(content)


def keep(options, name, part):
    """In the place of what was measured before; does nothing without --write."""
    if not options.write:
        return
    os.makedirs(os.path.join(options.write, "benchmarks"), exist_ok=True)
    part = {"machine": measure.machine(), **part}
    if "bin" in options:
        part["versions"] = measure.versions(options.bin)
    save(options.write, f"benchmarks/{name}.json", json.dumps(part, indent=1, ensure_ascii=False) + "\n")
    write(options.write)


def kept(folder):
    for name in ORDER:
        path = os.path.join(folder, "benchmarks", name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                yield name, json.load(file)


def drawn(folder, name, part):
    """The part's bars, and how the page shows them."""
    bars = part["bars"]
    if not bars:
        return ""
    rows = [(row[0], row[bars["column"]]) for row in part["rows"]]
    save(folder, f"benchmarks/{name}.svg", plot.bars(bars["title"], rows, bars["from"], bars["unit"]))
    return f"![{bars['title']}](benchmarks/{name}.svg)\n\n"


def write(folder):
    """The page, from all parts that are kept."""
    parts = dict(kept(folder))
    aims = [one for part in parts.values() for one in part["aims"]]
    missed = sum(report.missed(one) for one in aims)
    facts = [sorted({part[what] for part in parts.values() if what in part}) for what in ("machine", "versions")]
    sections = [HEAD + "".join(f"\n- {fact}" for some in facts for fact in some),
                f"## Aims\n\n{len(aims) - missed} reached, {missed} missed.\n\n" + report.markdown_aims(aims) + "\n\n" + FLOOR.strip()]
    for name, part in parts.items():
        if "curves" not in part:
            sections.append(report.markdown(part, drawn(folder, name, part)))
    grown = [part for part in parts.values() if "curves" in part]
    if grown:
        save(folder, "benchmarks/growth.svg", plot.curves([one for part in grown for one in part["curves"]]))
        sections.append("## How cost grows\n\n![How cost grows](benchmarks/growth.svg)")
        sections += [report.markdown(part, "").replace("## ", "### ", 1) for part in grown]
    save(folder, "benchmarks.md", "\n\n".join(sections) + "\n")
