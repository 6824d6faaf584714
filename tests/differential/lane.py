"""A lane is one origin with a proxy of its own before it: streams go in, disagreements come out."""
import collections
import json
import re
import select
import subprocess
import time

import client
import judge

LATE = 20      # seconds within which a line of the origin's log may come after the connection's end
KEPT = 5       # batches for which a connection is kept, to see what its origin logs later still
TIMEOUT = 60


class Outcome:
    """What became of a stream."""

    def __init__(self, stream, sent):
        self.stream, self.sent = stream, sent
        self.records, self.seen, self.problems = [], [], []


class Port:
    """What both sides say of one port that the proxy had towards the origin; the kernel may give it again."""

    def __init__(self):
        self.records, self.seen = [], []
        self.batch = 0
        self.told = False


class Lane:
    def __init__(self, origin_class, command, folder):
        self.origin = origin_class(folder)
        self.log_path = self.origin.folder / "exchanges.ndjson"
        self.output = open(self.origin.folder / "proxy.err", "wb")
        self.proxy = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--quiet", "--response-timeout", "10",
             "--upstream", f"http://127.0.0.1:{self.origin.port}", "--exchange-log", str(self.log_path)],
            stdout=subprocess.PIPE, stderr=self.output)
        found = re.search(rb"listening on ([\d.]+):(\d+)", self.proxy.stdout.readline())
        if not found:
            self.origin.stop()
            raise RuntimeError(f"the proxy did not start; see {self.output.name}")
        self.address = found[1].decode(), int(found[2])
        self.exchanges = open(self.log_path, "rb")
        self.half = b""
        self.batch = 0
        self.records = collections.defaultdict(list)  # by the client's address, which no two have
        self.ports = collections.defaultdict(Port)
        self.nameless = []                            # seen, and nobody knows on which connection
        self.counts = collections.Counter()

    def read(self):
        data = self.half + self.exchanges.read()
        *lines, self.half = data.split(b"\n")
        for line in lines:
            record = json.loads(line)
            self.records[record["client"]].append(record)
            if judge.port_of(record):
                self.port(judge.port_of(record)).records.append(record)
        for number, seen in self.origin.read():
            number = number or self.port_by_target(seen)
            (self.port(number).seen if number else self.nameless).append(seen)

    def port(self, number):
        port = self.ports[number]
        port.batch = self.batch
        return port

    def port_by_target(self, seen):
        """For an origin that did not know it; None where the target is not that of one connection."""
        found = {number for number, port in self.ports.items() for record in port.records
                 if judge.passed_on(record) and judge.could_be(self.origin, record, seen)}
        return found.pop() if len(found) == 1 else None

    def send(self, stream):
        return stream, client.send(self.address, stream)

    def judge(self, sent):
        """SENT are (stream, client.Sent); those with problems, when no late line can mend them any more."""
        self.batch += 1
        outcomes = [Outcome(stream, one) for stream, one in sent]
        waiting = outcomes
        deadline = time.monotonic() + LATE
        while True:
            self.origin.flush()
            self.read()
            waiting = [outcome for outcome in waiting if not self.agrees(outcome)]
            if not waiting or time.monotonic() > deadline or self.proxy.poll() is not None:
                break
            select.select([], [], [], 0.1)
        for outcome in outcomes:
            self.count(outcome)
        return waiting

    def agrees(self, outcome):
        outcome.records = self.records.get(outcome.sent.client, [])
        outcome.problems = judge.check_client(self.origin, outcome.records, outcome.sent)
        for port in self.ports_of(outcome):
            outcome.seen = port.seen
            outcome.problems += judge.check_origin(self.origin, port.records, port.seen)
            port.told = bool(outcome.problems)
        return not outcome.problems

    def ports_of(self, outcome):
        return [self.ports[number] for number in set(map(judge.port_of, outcome.records)) if number]

    def count(self, outcome):
        passed = [record for record in outcome.records if judge.passed_on(record)]
        self.counts.update(
            streams=1, bytes=len(outcome.stream.bytes()), exchanges=len(outcome.records), passed=len(passed),
            refused=len(outcome.records) - len(passed), answered=sum(map(judge.answered, passed)))
        self.records.pop(outcome.sent.client, None)

    def put_away(self, until):
        """Judges the connections of long ago once more, by what their origin has logged since."""
        problems = []
        for number in [number for number, port in self.ports.items() if port.batch <= until]:
            port = self.ports.pop(number)
            self.counts["seen"] += len(port.seen)
            if not port.told:
                problems += [f"later: {problem}; it saw {port.seen}"
                             for problem in judge.check_origin(self.origin, port.records, port.seen)]
        return problems

    def late(self):
        return self.put_away(self.batch - KEPT)

    def close(self):
        """Ends both; what is wrong then: the proxy's end, or what the origin saw beyond all connections."""
        problems = []
        self.proxy.stdout.close()
        self.proxy.terminate()
        try:
            status = self.proxy.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.proxy.kill()
            status = self.proxy.wait()
        self.output.close()
        if status:
            with open(self.output.name, errors="replace") as said:
                problems.append(f"the proxy ended with status {status}: {said.read()[-3000:]}")
        self.origin.stop()
        self.read()
        problems += self.put_away(self.batch)
        if self.nameless:
            problems.append(f"more: the origin saw {self.nameless} on connections that nobody knows")
        self.exchanges.close()
        self.origin.reading.close()
        return problems
