"""What an exchange costs whoever stands between the same load and the same origin."""
import json
import os
import subprocess
import sys

from . import load, measure, report

TITLE = "CPU time per exchange"
ABOUT = (
    "64 connections, a POST of 130 bytes each time, as fast as it goes; CPU time is that of the whole "
    "process and of those under it. Ours in its settings: `log` is `--exchange-log`, `payload` and "
    "`wire` are what `--pcap-source` says, `rule` is a JSON Patch on each call, `lines` are those for "
    "people. The calls are alike, as those of a busy agent mostly are, and ours reads a head that it knows "
    "by comparing it; with `heads that differ` each call has another X-Request-Id, and so has its answer.")
RATIOS = [  # what, ours, whom it is held to, at most, the way of the calls
    ("nothing recorded", "ours, bare", "nginx", 0.80, load.ALIKE),
    ("log and payload capture", "ours, log + payload", "nginx", 0.90, load.ALIKE),
    ("log and wire capture", "ours, log + wire", "nginx, JSON access log", 1.00, load.ALIKE),
    ("a JSON Patch on each call, all recorded", "ours, log + payload + rule", "nginx", 1.10, load.ALIKE),
    ("a connection for each exchange", "ours, bare", "nginx, upstream not pooled", 1.00, load.CLOSE),
]
OTHERS = {  # who else is called in which way
    load.CLOSE: ("ours, bare", "nginx, upstream not pooled"),
    load.DIFFER: ("nginx", "ours, bare", "ours, log + payload"),
}
TIMES = ("ours, log + payload", "mitmdump -w", 60)  # cheaper, at least
COLUMNS = [("CPU µs", 1), ("per second", 0), ("p50 µs", 0), ("p99 µs", 0), ("MiB", 1)]


def trial(ground, origin, name, way):
    """One contestant under load: what wrk says, and what it cost."""
    with ground.standing(name, origin.port) as (program, _):
        if not ground.options.quick:
            load.wrk(program.port, ground.folder, 1, way=way)
        before, served = measure.cpu_us(program.pid), load.Served(origin.port)
        result = load.wrk(program.port, ground.folder, ground.options.seconds, way=way)
        result["cpu_us"] = (measure.cpu_us(program.pid) - before) / max(result["exchanges"], 1)
        result["per_second"] = result["exchanges"] / result["seconds"]
        result["mib"] = measure.memory_kib(program.pid) / 1024
        result["served"] = served.since()
    # It forwarded: the origin saw what wrk counts, but for what was under way at the end.
    if result["failed"] or not 0 <= result["served"] - result["exchanges"] <= 2 * 64:
        sys.exit(f"{name} did not forward it all: {result}")
    return result


def check_recorded(ground, origin, name):
    """Ours wrote down each exchange: as many in the log as the origin saw, as many in the capture."""
    served = load.Served(origin.port)
    with ground.standing(name, origin.port) as (program, room):
        load.wrk(program.port, ground.folder, 1)
        program.stop()
        seen = served.since()
        with open(os.path.join(room, "exchanges.ndjson"), encoding="utf-8") as log:
            lines = sum(1 for _ in log)
        told = json.loads(subprocess.run(
            [os.path.join(ground.options.bin, "capdiff"), "--format", "json", os.path.join(room, "proxy.pcap")],
            capture_output=True, text=True, check=False).stdout)
    captured = len(told.get("exchanges", []))
    print(f"{name}: the origin served {seen}, the log has {lines}, the capture {captured} on both legs")
    if not seen == lines == captured / 2:
        sys.exit("the records are not whole")


def rows(results):
    for (name, way), found in results.items():
        yield [name + (f": {way}" if way else ""),
               *[report.median(found, field) for field in ("cpu_us", "per_second", "p50_us", "p99_us", "mib")]]


def aims(results):
    """What is held to what, where both were measured."""
    cost = {key: report.median(found, "cpu_us") for key, found in results.items()}
    for what, mine, theirs, most, way in RATIOS:
        if (mine, way) in cost and (theirs, way) in cost:
            yield report.aim(f"CPU time: {what}", theirs, cost[mine, way] / cost[theirs, way], most)
    mine, theirs, least = TIMES
    if (mine, load.ALIKE) in cost and (theirs, load.ALIKE) in cost:
        yield report.aim("CPU time: all recorded", theirs, cost[theirs, load.ALIKE] / cost[mine, load.ALIKE], least,
                         "times cheaper", 1, least=True)


def part(ground):
    names, results = ground.able(ground.all), {}
    with ground.origin() as origin:
        for name in [name for name in names if "payload" in name]:
            check_recorded(ground, origin, name)
        for order in ground.rounds(names):
            for name in order:
                results.setdefault((name, load.ALIKE), []).append(trial(ground, origin, name, load.ALIKE))
            for way, those in OTHERS.items():
                for name in order:
                    if name in those:
                        results.setdefault((name, way), []).append(trial(ground, origin, name, way))
    ways, place = list(load.MORE), {name: i for i, name in enumerate(ground.all)}
    results = dict(sorted(results.items(), key=lambda item: (ways.index(item[0][1]), place[item[0][0]])))
    return report.part(
        TITLE, ABOUT, ground.how(f" of {ground.options.seconds} s each"), COLUMNS,
        list(rows(results)), aims(results), {"title": TITLE, "column": 1, "from": 10, "unit": "µs"})
