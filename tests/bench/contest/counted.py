"""Counts what an exchange costs mitm_proxy: instructions, under callgrind, and system calls, under strace.

The same keep-alive exchanges go through it each time, and what a proxy costs that passes nothing on is
taken off. That counts and does not time, so that a busy machine does no harm.
"""
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading

TIMEOUT = 120
CALL = json.dumps({"id": "call-0001", "type": "tool_call", "tool_name": "analyze_dependency",
                   "arguments": {"repo": "demo-repo", "target": "libssl", "depth": 2}}).encode()
REQUEST = b"POST /tool HTTP/1.1\r\nHost: agent-b\r\nContent-Type: application/json\r\n" \
          b"Content-Length: %d\r\n\r\n%s" % (len(CALL), CALL)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(CALL), CALL)


def read_exactly(sock, size):
    while size > 0:
        data = sock.recv(size)
        if not data:
            raise SystemExit("a connection ended early")
        size -= len(data)


class Origin:
    """Answers each request, and knows where it ends."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listening.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listening.accept()[0],), daemon=True).start()

    @staticmethod
    def serve(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = 0
        while data := sock.recv(1 << 16):
            got += len(data)
            while got >= len(REQUEST):
                got -= len(REQUEST)
                sock.sendall(ANSWER)


def load(address, exchanges, connections):
    """On each connection one exchange after the other, all connections in step."""
    socks = [socket.create_connection(address, TIMEOUT) for _ in range(connections)]
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(exchanges // connections):
        for sock in socks:
            sock.sendall(REQUEST)
        for sock in socks:
            read_exactly(sock, len(ANSWER))
    for sock in socks:
        sock.close()


def wait_for_line(process, pattern):
    while select.select([process.stdout], [], [], TIMEOUT)[0]:
        line = process.stdout.readline().decode()
        if found := re.search(pattern, line):
            return found
        if not line:
            break
    raise SystemExit("the proxy did not start")


def recorded(folder):
    """The options for a log and a payload capture, which begin anew."""
    paths = [os.path.join(folder, name) for name in ("log", "pcap")]
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)
    return ["--exchange-log", paths[0], "--pcap", paths[1], "--pcap-source", "payload"]


def run(before, program, options, exchanges, connections):
    """Runs the proxy with the command BEFORE it, and the exchanges through it."""
    origin = Origin()
    # What counts writes its file at the end, and makes calls of its own.
    stays = {"MITM_USER": f"{os.getuid()}:{os.getgid()}", "MITM_SANDBOX": "off"}
    process = subprocess.Popen(
        [*before, program, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", origin.url,
         *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, **stays})
    found = wait_for_line(process, r"listening on ([\d.]+):(\d+)")
    if exchanges:
        load((found[1], int(found[2])), exchanges, connections)
    os.kill(pid_of_proxy(process), signal.SIGTERM)
    process.stdout.read()
    if process.wait(TIMEOUT):
        raise SystemExit("the proxy did not end well")


def pid_of_proxy(process):
    """strace has the proxy as its child; valgrind is the proxy."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return int(children[0]) if children else process.pid


def instructions(path):
    with open(path, encoding="latin-1") as file:
        return int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M)[1])


def system_calls(path):
    with open(path, encoding="latin-1") as file:
        return int(re.search(r"^\S+\s+\S+\s+(?:\S+\s+)?(\d+)(?:\s+\d+)? total", file.read(), re.M)[1])


def counted(before, read, out, program, options, exchanges, connections):
    """What an exchange adds to what READ finds in the file OUT."""
    counts = []
    for count in (0, exchanges):
        run(before, program, options(), count, connections)
        counts.append(read(out))
    return (counts[1] - counts[0]) / exchanges


def instructions_each(folder, program, options, exchanges=2000, connections=8):
    """OPTIONS are called for each run."""
    out = os.path.join(folder, "instructions")
    return counted(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q"], instructions,
                   out, program, options, exchanges, connections)


def system_calls_each(folder, program, options, exchanges=2000, connections=8):
    out = os.path.join(folder, "calls")
    return counted(["strace", "-f", "-c", "-o", out], system_calls, out, program, options, exchanges,
                   connections)
