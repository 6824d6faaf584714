"""How what ours costs grows: with connections, with bodies, with rules, and with what is on record."""
import os
import statistics

from . import bodies, contestants, load, measure, report

BARE, RECORDED = ("--quiet",), ("--quiet", *contestants.LOG, *contestants.PAYLOAD)
SETTINGS = {"nothing recorded": BARE, "log + payload": RECORDED}
MEMORY, MEMORY_FROM = "KiB of each", 1000  # connections, below which what is there anyway counts too much
MOST_KIB = 4
BODY_BYTES = 256 << 20  # of all bodies of one size, at most


def ours(ground, *words, **more):
    return contestants.ours(os.path.join(ground.options.bin, "mitm_proxy"), *words, **more)


class Cost:
    """What a program costs from here on."""

    def __init__(self, program):
        self.program, self.before = program, measure.cpu_us(program.pid)

    def each(self, exchanges):
        return (measure.cpu_us(self.program.pid) - self.before) / exchanges


def medians(names, found):
    """By curve and place, of all rounds: FOUND is of (curve, place) → values."""
    return {name: [[x, statistics.median(values)] for (of, x), values in sorted(found.items()) if of == name]
            for name in names}


def table(series, y_names, decimals):
    """A row for each place, a column for each curve."""
    places = sorted({x for points in series.values() for x, _ in points})
    rows = [[f"{x:,}", *[dict(map(tuple, points)).get(x) for points in series.values()]]
            for x in places]
    return list(zip(y_names, decimals)), rows


def drawn(title, x, y, series, **more):
    """For plot.curves."""
    return {"title": title, "x": x, "y": y, "series": series, **more}


def connections(ground):
    """Live ones, 64 calls under way at once."""
    found, memory, most = {}, {}, ground.options.connections
    places = sorted({1, 10, 100, 1000, most} - {n for n in (1, 10, 100, 1000) if n > most})
    held = load.Held(ground.room("held"))
    with load.HeldOrigin(held) as origin:
        for order in ground.rounds([(name, n) for name in SETTINGS for n in places]):
            for name, count in order:
                turns = max(ground.options.calls // count, 1)
                with ground.standing(ours(ground, *SETTINGS[name]), origin.port) as (program, _):
                    empty = measure.memory_kib(program.pid)
                    with load.Kept(held, program.port, count) as kept:
                        cost = Cost(program)
                        kept.call(turns)
                        found.setdefault((name, count), []).append(cost.each(turns * count))
                        memory.setdefault((MEMORY, count), []).append(
                            (measure.memory_kib(program.pid) - empty) / count)
    series, kib = medians(SETTINGS, found), medians([MEMORY], memory)
    kib[MEMORY] = [[count, each] for count, each in kib[MEMORY] if count >= MEMORY_FROM]
    columns, rows = table({**series, **kib}, [*[f"{name}, CPU µs each" for name in series], MEMORY], (1, 1, 2))
    aims = [report.aim(f"memory of each of {count:,} connections", "", each, MOST_KIB, "KiB", 2)
            for count, each in kib[MEMORY][-1:]]
    about = (
        "Connections that are all live, on which calls are made one after the other, at most 64 under "
        "way at once. CPU µs per exchange. With one connection each call waits for the one before, so "
        "that each takes a wake-up of its own. Memory is what is resident beyond the empty proxy's, "
        "divided by the connections.")
    return about, columns, rows, [drawn("Connections", "connections", "CPU µs per exchange", series)], aims


def sizes(ground):
    """Of a response's body."""
    found = {}
    places = [size for size in (100, 1000, 10**4, 10**5, 10**6, 10**7, 10**8) if size <= ground.options.body]
    with ground.origin() as origin:
        served = bodies.Bodies(origin, places)
        for order in ground.rounds([(name, size) for name in SETTINGS for size in places]):
            for name, size in order:
                count = max(min(BODY_BYTES // size, ground.options.calls // 10), 1)
                with ground.standing(ours(ground, *SETTINGS[name]), origin.port) as (program, _), \
                        bodies.connect(program.port) as sock:
                    bodies.download(sock, size)
                    cost = Cost(program)
                    for _ in range(count):
                        served.send(sock, "download", size)
                    found.setdefault((name, size), []).append(cost.each(count))
    series = medians(SETTINGS, found)
    per_mb = {name: [[x, y / x * 1e6] for x, y in points] for name, points in series.items()}
    columns, rows = table({**series, **{name + ", per MB": points for name, points in per_mb.items()}},
                          [f"{name}, {what}" for what in ("CPU µs each", "µs per MB") for name in series],
                          (1, 1, 0, 0))
    about = "Responses with a body of so many bytes, one after the other on one connection."
    return about, columns, rows, [
        drawn("Size of a body", "bytes", "CPU µs per exchange, logarithmic", series, log_y=True),
        drawn("The same for each MB", "bytes", "CPU µs per MB, logarithmic", per_mb, log_y=True)]


def rules_file(kind, count):
    """So many rules, none of which matches: by the head alone, or by the body, which has to be gathered."""
    what, value = {"by the path": ("path", "/other/"), "by the tool": ("tool", "other_")}[kind]
    return {"rules": [{"name": f"r{i}", "on": "request", "match": {what: f"{value}{i}"}, "do": [{"drop": {}}]}
                      for i in range(count)]}


def rules(ground):
    """That do not match."""
    found, kinds = {}, ("by the path", "by the tool")
    places = [n for n in (0, 1, 10, 100, 1000) if n <= ground.options.rules]
    with ground.origin() as origin:
        for order in ground.rounds([(kind, n) for kind in kinds for n in places]):
            for kind, count in order:
                command = ours(ground, *RECORDED, "--rules", "{rules}", rules=rules_file(kind, count))
                with ground.standing(command, origin.port) as (program, _):
                    load.wrk(program.port, ground.folder, 1)
                    cost = Cost(program)
                    result = load.wrk(program.port, ground.folder, ground.options.seconds)
                    found.setdefault((kind, count), []).append(cost.each(result["exchanges"]))
    series = medians(kinds, found)
    columns, rows = table(series, [f"{kind}, CPU µs each" for kind in series], (1, 1))
    about = (
        "Rules none of which matches, with a log and a payload capture: by the path, which the head "
        "tells, or by the tool's name, for which the body of each call is gathered and read. 64 "
        "connections.")
    return about, columns, rows, [
        drawn("Rules that do not match", "rules", "CPU µs per exchange, all recorded", series, zero_at=0.1)]


def exchanges(ground):
    """Of one proxy, whose log and capture grow."""
    calls, done, rows, cpu, memory, count = 1000, 0, [], [], [], 100
    held = load.Held(ground.room("held"))
    with load.HeldOrigin(held) as origin, \
            ground.standing(ours(ground, *RECORDED), origin.port) as (program, room), \
            load.Kept(held, program.port, count) as kept:
        while calls <= ground.options.most:
            cost = Cost(program)
            kept.call((calls - done) // count)
            each, mib = cost.each(calls - done), measure.memory_kib(program.pid) / 1024
            on_disk = [os.path.getsize(os.path.join(room, name)) / 1e6
                       for name in ("exchanges.ndjson", "proxy.pcap")]
            rows.append([f"{calls:,}", each, mib, *on_disk])
            cpu.append([calls, each])
            memory.append([calls, mib])
            print(f"{calls:,} exchanges: {each:.1f} µs each, {mib:.1f} MiB", flush=True)
            done, calls = calls, calls * 10
        kept.close()
        program.stop()
        with open(os.path.join(room, "exchanges.ndjson"), "rb") as log:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: log.read(1 << 20), b""))
        if lines != done + count:
            raise SystemExit(f"the log has {lines} exchanges, and {done + count} were made")
    about = (
        f"One proxy with a log and a payload capture, {count} connections; CPU time is that of the "
        "exchanges since the row before. The log has as many lines as exchanges were made.")
    columns = [("CPU µs each", 1), ("memory, MiB", 1), ("log, MB", 1), ("capture, MB", 1)]
    return about, columns, rows, [
        drawn("Exchanges on record", "exchanges", "CPU µs per exchange", {"log + payload": cpu}),
        drawn("Memory, as exchanges are recorded", "exchanges", "resident MiB", {"log + payload": memory})]


CURVES = {  # what measures it, its title, what is in its first column
    "connections": (connections, "Connections", "connections"),
    "sizes": (sizes, "Size of a body", "bytes"),
    "rules": (rules, "Rules that do not match", "rules"),
    "exchanges": (exchanges, "Exchanges on record", "exchanges"),
}


def part(ground, name):
    measured, title, first = CURVES[name]
    about, columns, rows, curves, *aims = measured(ground)
    how = "one run" if name == "exchanges" else ground.how()
    return {**report.part(title, about, how, columns, rows, *aims), "first": first, "curves": curves}
