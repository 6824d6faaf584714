"""The load: wrk, bounded by time, and what it cost whom it was sent through."""
import json
import os
import subprocess
import urllib.request

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
CLOSE = 'wrk.headers["Connection"] = "close"'


def wrk(port, folder, seconds, connections=64, close=False):
    """What wrk says of SECONDS of calls on so many connections: exchanges, latencies, what failed."""
    script = os.path.join(folder, "close.lua" if close else "call.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT % (CALL, CLOSE if close else ""))
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
