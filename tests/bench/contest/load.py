"""The load, bounded by time or count: wrk, or held_load where its rate or its connections count."""
import json
import os
import subprocess
import urllib.request

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
HELD = {"held_load": ("held_load.c", "held_calls.c", "held_events.c"), "held_origin": ("held_origin.c",)}
CALL = json.dumps({"id": "call-0001", "type": "tool_call", "tool_name": "analyze_dependency",
                   "arguments": {"repo": "demo-repo", "target": "libssl", "depth": 2}})
SCRIPT = """
wrk.method = "POST"
wrk.body = '%s'
wrk.headers["Content-Type"] = "application/json"
%s
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('\\nresult {"exchanges": %%d, "seconds": %%.6f, "p50_us": %%d, "p99_us": %%d, ' ..
        '"failed": %%d}\\n', summary.requests, summary.duration / 1e6, latency:percentile(50),
        latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
# Ways to call: what the script says besides.
ALIKE, CLOSE, DIFFER = "", "a connection each", "heads that differ"
MORE = {
    ALIKE: "",
    CLOSE: 'wrk.headers["Connection"] = "close"',
    DIFFER: """
local calls = 0
request = function()
    calls = calls + 1
    wrk.headers["X-Request-Id"] = tostring(calls)
    return wrk.format()
end
""",
}


def wrk(port, folder, seconds, connections=64, way=ALIKE):
    """What wrk says of SECONDS of calls on so many connections: exchanges, latencies, what failed."""
    script = os.path.join(folder, "call.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT % (CALL, MORE[way]))
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script,
         f"http://127.0.0.1:{port}/tool"], capture_output=True, text=True, timeout=seconds + 60)
    for line in out.stdout.splitlines():
        if line.startswith("result "):
            return json.loads(line[len("result "):])
    raise SystemExit(f"wrk has no result: {out.stdout}{out.stderr}")


class Served:
    """How many requests an origin has had since: its own count, without those that ask for it."""

    def __init__(self, port):
        self.port, self.asked = port, 0
        self.first = self.count()

    def count(self):
        self.asked += 1
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=10) as answer:
            return int(answer.read().split(b"\n")[2].split()[2]) - self.asked

    def since(self):
        return self.count() - self.first


def build_held(folder):
    for name, sources in HELD.items():
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", os.path.join(folder, name),
                        *[os.path.join(BENCH, source) for source in sources]], check=True)


class Held:
    """held_load, before whom it is told."""

    def __init__(self, folder):
        self.folder = folder
        build_held(folder)

    def load(self, *words, **more):
        return subprocess.Popen([os.path.join(self.folder, "held_load"), *map(str, words)],
                                stdout=subprocess.PIPE, text=True, **more)

    def paced(self, port, connections, rate, seconds):
        """So many calls a second, whoever answers; none may fail."""
        with self.load("pace-any", port, connections, rate, seconds) as load:
            result = json.loads(load.stdout.read() or '{"failed": 1}')
        if result["failed"]:
            raise SystemExit(f"not all calls were answered: {result}")
        return result


class HeldOrigin:
    """The origin that knows held_load's calls by their length: for what changes nothing in them."""

    def __init__(self, held):
        self.process = subprocess.Popen([os.path.join(held.folder, "held_origin")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


class Kept:
    """COUNT connections that stay, a call on each at a time; those of the first turn connect."""

    def __init__(self, held, port, count):
        self.count, self.process = count, held.load("hold", port, count, stdin=subprocess.PIPE)
        self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.process.stdin.closed:
            self.process.communicate()

    def read(self):
        result = json.loads(self.process.stdout.readline() or "{}")
        if result.get("answered") != self.count:
            raise SystemExit(f"not all calls were answered: {result}")

    def call(self, turns):
        """On each connection one call after the other, TURNS of them."""
        for done in range(0, turns, 1000):
            some = min(1000, turns - done)
            self.process.stdin.write("\n" * some)
            self.process.stdin.flush()
            for _ in range(some):
                self.read()
