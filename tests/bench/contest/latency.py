"""What a proxy adds to the time that a call takes, at a rate that is far from its limit."""
import contextlib

from . import load, report

TITLE = "Added latency"
RATE, CONNECTIONS = 1000, 16
ABOUT = (
    f"{RATE:,} calls a second on {CONNECTIONS} connections that take turns, each call timed from the "
    "moment it was due. Going direct is one of the contestants; what is added is the difference from "
    "it in the same round.")
DIRECT = "direct"
NAMES = ("nginx", "HAProxy", "ours, bare", "ours, log", "ours, log + payload")
RECORDED, MOST_US = "ours, log + payload", 150
COLUMNS = [("p50 µs", 0), ("p99 µs", 0), ("added p50", 0), ("added p99", 0)]


def trial(ground, held, origin, name):
    with contextlib.ExitStack() as stack:
        port = origin.port
        if name != DIRECT:
            port = stack.enter_context(ground.standing(name, port))[0].port
        if not ground.options.quick:
            held.paced(port, CONNECTIONS, RATE, 1)
        return held.paced(port, CONNECTIONS, RATE, ground.options.seconds)


def part(ground):
    names = [DIRECT, *ground.able(NAMES)]
    results = {name: [] for name in names}
    held = load.Held(ground.room("held"))
    with ground.origin() as origin:
        for order in ground.rounds(names):
            for name in order:
                results[name].append(trial(ground, held, origin, name))
            for name in names:
                for which in ("p50_us", "p99_us"):
                    results[name][-1]["added_" + which] = results[name][-1][which] - results[DIRECT][-1][which]
    fields = ("p50_us", "p99_us", "added_p50_us", "added_p99_us")
    rows = [[name, *[report.median(found, field) for field in fields]] for name, found in results.items()]
    added = {name: row[-1] for name, *row in rows}
    aims = []
    if RECORDED in added:
        aims = [report.aim("added latency, p99, all recorded", to, added[RECORDED], most, "µs", 0)
                for to, most in (("going direct", MOST_US), ("nginx", added.get("nginx"))) if most is not None]
    return report.part(TITLE, ABOUT, ground.how(f" of {ground.options.seconds} s each"),
                       COLUMNS, rows, aims,
                       {"title": "Added latency, p99", "column": 4, "from": None, "unit": "µs"})
