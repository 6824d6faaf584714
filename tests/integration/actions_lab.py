"""A proxy with rules, its log, its admin port and its origin, for the tests of rule actions."""
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import log_schema
import wire
from wire import Failure, TIMEOUT

BETWEEN_LOOKS = 0.005  # seconds, where there is nothing to wait on but a file or an answer


class Lab(wire.Lab):
    """Like wire.Lab, with --rules, and with what the proxy says in files."""

    def __init__(self, program, options, rules):
        self.pieces = False
        self.dir = tempfile.TemporaryDirectory()
        self.log_path, self.rules_path, self.out_path, self.err_path = (
            os.path.join(self.dir.name, name)
            for name in ("exchanges.ndjson", "rules.json", "stdout", "stderr"))
        self.write_rules(json_file(rules))
        if os.geteuid() == 0:
            os.chown(self.dir.name, 65534, 65534)  # whom the proxy becomes; it reads rules again
        self.origin = socket.create_server(("127.0.0.1", 0))
        self.origin.settimeout(TIMEOUT)
        port = self.origin.getsockname()[1]
        upstream = f"http://127.0.0.1:{port}"
        self.names = {"$ORIGIN": f"127.0.0.1:{port}", "$ALIAS": f"localhost:{port}"}
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [program, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                 "--upstream", upstream, "--exchange-log", self.log_path,
                 "--rules", self.rules_path, *options], stdout=out, stderr=err)
        self.terminated = False
        try:
            line = self.wait_for_text(self.out_path, r"listening on ([\d.]+):(\d+).*admin on "
                                                     r"http://([\d.]+:\d+)")
        except Failure:
            self.origin.close()
            raise
        self.address, self.admin_address = (line[1], int(line[2])), line[3]
        self.log = open(self.log_path, encoding="utf-8")

    def write_rules(self, text):
        with open(self.rules_path, "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_text(self, path, pattern):
        """The match of PATTERN in a file that the proxy writes to."""
        def look():
            found = re.search(pattern, self.read(path))
            if not found and self.process.poll() is not None:
                raise Failure(f"the proxy has ended: {self.read(self.err_path)}")
            return found
        return wait_for(look, f"{pattern!r} in {os.path.basename(path)}")

    def admin(self, method, path):
        """Status and body that the admin port answers with."""
        connection = http.client.HTTPConnection(self.admin_address, timeout=TIMEOUT)
        try:
            connection.request(method, path, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def held(self):
        """What GET /held lists."""
        status, body = self.admin("GET", "/held")
        if status != 200:
            raise Failure(f"GET /held is answered with {status}")
        return json.loads(body)["held"]

    def reload(self, text, said):
        """Other rules, and SIGHUP; SAID is what comes on stderr. Returns that line."""
        self.write_rules(text)
        before = len(self.read(self.err_path))
        self.process.send_signal(signal.SIGHUP)
        pattern = r"(?s)^.{%d}.*?(?:^|\n)([^\n]*%s[^\n]*)\n" % (before, said)
        return self.wait_for_text(self.err_path, pattern)[1]

    def peer_of(self, record):
        """The address that the origin sees of the exchange's upstream connection."""
        host, _, port = record["upstream_local"].rpartition(":")
        return host, int(port)

    def more_records(self):
        return self.log.readlines()

    def close(self):
        self.terminate()
        try:
            status = self.process.wait(TIMEOUT * 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("the proxy did not end after SIGTERM") from None
        finally:
            said = self.read(self.err_path)
            problem = log_schema.problem_in(self.log_path)
            self.log.close()
            self.origin.close()
            self.dir.cleanup()
        if status:
            raise Failure(f"the proxy ended with status {status}: {said[:3000]}")
        if problem:
            raise Failure(problem)


def json_file(rules):
    """RULES are texts: they go in as they are, since numbers and doubled keys matter."""
    return '{"rules": [%s]}' % ",\n".join(rules)


def wait_for(look, what, timeout=TIMEOUT):
    """What LOOK returns, once that is something."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Failure(f"waited in vain for {what}")
        select.select([], [], [], BETWEEN_LOOKS)
    return found
