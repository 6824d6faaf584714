"""The programs of the lab, started for a fault and ended whatever comes of it."""
import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

from wire import Failure, TIMEOUT


def require(holds, problem):
    if not holds:
        raise Failure(problem)


@contextlib.contextmanager
def started(*words, shims=(), env=None, drained=True, **popen):
    """A program, and the HOST:PORT that it says it listens on. SHIMS are libraries of tests/faults."""
    environment = dict(os.environ, **(env or {}))
    if shims:
        environment["LD_PRELOAD"] = " ".join(shims)
        environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, **popen)
    try:
        line = process.stdout.readline().decode()
        match = re.search(r"[Ll]istening on ([\d.]+):(\d+)", line)
        require(match, f"{words[0]} did not start: {line!r}")
        process.address = (match[1], int(match[2]))
        admin = re.search(r"admin on http://([\d.]+):(\d+)", line)
        process.admin = (admin[1], int(admin[2])) if admin else None
        if drained:
            threading.Thread(target=process.stdout.read, daemon=True).start()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(TIMEOUT)


def agent_b(bin_dir):
    return started(os.path.join(bin_dir, "agent_b"), "--listen", "127.0.0.1:0", stderr=sys.stderr)


def proxy(bin_dir, upstream, *options, **how):
    return started(os.path.join(bin_dir, "mitm_proxy"), "--listen", "127.0.0.1:0", "--admin",
                   "127.0.0.1:0", "--upstream", "http://%s:%d" % upstream, *options, **how)


def shim(bin_dir, name):
    return os.path.abspath(os.path.join(bin_dir, os.pardir, "tests", f"lib{name}.so"))


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(TIMEOUT)


def get(address, path="/"):
    """The body of an answer of the admin port."""
    with socket.create_connection(address, TIMEOUT) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" %
                     (path.encode(), address[0].encode(), address[1]))
        answer = b"".join(iter(lambda: sock.recv(1 << 16), b""))
    return answer.partition(b"\r\n\r\n")[2].decode()


def metric(process, name):
    for line in get(process.admin, "/metrics").splitlines():
        if line.startswith(f"mitm_{name} "):
            return int(line.split()[-1])
    raise Failure(f"no metric {name}")


def status_of(pid, name):
    """A line of /proc/PID/status: a number, in KiB where it is memory."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(rf"^{name}:\s+(\d+)", file.read(), re.M)[1])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request(call_id, tool="analyze_dependency", arguments=b"{}"):
    body = b'{"id":"%s","tool_name":"%s","arguments":%s}' % (call_id.encode(), tool.encode(), arguments)
    return (b"POST /tool HTTP/1.1\r\nHost: agent-b\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


class Answers:
    """Reads whole responses off a socket, however they are framed."""

    def __init__(self, sock):
        self.file = sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()  # which keeps the socket open

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("cut")
        return line[:-2]

    def exactly(self, size):
        data = self.file.read(size)
        if len(data) < size:
            raise ConnectionError("cut")
        return data

    def chunks(self):
        while size := int(self.line(), 16):
            yield self.exactly(size)
            self.exactly(2)
        self.exactly(2)

    def next(self):
        """Status and body; a ConnectionError where it is cut."""
        status, length, chunked = int(self.line().split()[1]), None, False
        while field := self.line().lower():
            name, _, value = field.partition(b":")
            if name == b"content-length":
                length = int(value)
            chunked = chunked or (name == b"transfer-encoding" and value.strip() == b"chunked")
        return status, b"".join(self.chunks()) if chunked else self.exactly(length)


def digest(body):
    return hashlib.sha256(body).hexdigest()


def folder():
    """One that whoever the proxy becomes may write into."""
    made = tempfile.TemporaryDirectory()
    if os.geteuid() == 0:
        os.chown(made.name, 65534, 65534)
    return made


def parse(parser):
    """What is behind -- is the proxy's, in `options`."""
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:at])
    arguments.options = words[at + 1:]
    return arguments


def main(run):
    try:
        run()
    except Failure as failure:
        sys.exit(f"FAILED {failure}")
