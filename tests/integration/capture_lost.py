#!/usr/bin/env python3
"""A wire capture that drops packets says so: in /metrics, in the exchange log, and by capdiff's verdict.

The proxy is stopped, and the thread that records with it, while more goes over a port that it
records than the kernel keeps for it. Usage: capture_lost.py MITM_PROXY CAPDIFF FOLDER
"""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request

FLOOD = 128 << 20  # bytes: four times what the kernel keeps
TIMEOUT = 60
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
CALL = json.dumps({"id": "call-1", "tool_name": "analyze_dependency"})


class Origin(socketserver.BaseRequestHandler):
    """Answers a call; of anything else it reads all."""

    def handle(self):
        with contextlib.suppress(ConnectionError):
            while data := self.request.recv(1 << 20):
                if data.startswith(b"POST"):
                    self.request.sendall(ANSWER)


def serve():
    socketserver.ThreadingTCPServer.daemon_threads = True
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address


def start_proxy(program, origin, folder):
    process = subprocess.Popen(
        [program, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--quiet",
         "--upstream", "http://%s:%d" % origin, "--exchange-log", f"{folder}/log",
         "--pcap", f"{folder}/pcap", "--pcap-source", "wire", "--pcap-interface", "lo"],
        stdout=subprocess.PIPE, stderr=open(f"{folder}/stderr", "wb"), text=True)
    line = process.stdout.readline()
    found = re.search(r"listening on ([\d.]+):(\d+), .*admin on (\S+)", line)
    if not found:
        raise SystemExit(open(f"{folder}/stderr", encoding="utf-8").read())
    return process, (found[1], int(found[2])), found[3]


def call(address):
    connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
    connection.request("POST", "/tool", CALL, {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise SystemExit(f"a call got {status}")


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def flood(address):
    with socket.create_connection(address, TIMEOUT) as sock:
        block = bytes(1 << 20)
        for _ in range(FLOOD // len(block)):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)  # the origin has had all of it: nothing more goes over the wire


def dropped(admin):
    with urllib.request.urlopen(f"{admin}/metrics", timeout=TIMEOUT) as page:
        return sum(map(int, re.findall(r'^mitm_capture_packets_dropped_total\{.*\} (\d+)$',
                                       page.read().decode(), re.M)))


def wait_until(holds, what):
    end = time.monotonic() + TIMEOUT
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not come")
        time.sleep(0.02)


def judge(folder, capdiff, count):
    """What the log, stderr and the verdict say."""
    with open(f"{folder}/log", encoding="utf-8") as log:
        lost = [json.loads(line).get("capture_lost") for line in log]
    assert lost == [None, count, None], f"{lost} for {count}"
    with open(f"{folder}/stderr", encoding="utf-8") as errors:
        said = errors.read()
    assert "the wire capture drops packets" in said, said
    assert f"the wire capture has dropped {count} packets" in said, said
    verdict = subprocess.run(
        [capdiff, "--exchange-log", f"{folder}/log", f"{folder}/pcap", f"{folder}/pcap"],
        capture_output=True, text=True, check=False)
    print(verdict.stdout)
    assert verdict.returncode == 3, verdict.returncode
    assert re.search(rf"lacks {count} packets? that its recorder dropped", verdict.stdout)


def main():
    program, capdiff, folder = sys.argv[1:]
    origin = serve()
    process, address, admin = start_proxy(program, origin, folder)
    try:
        call(address)
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: stopped(process.pid), "the stop")
        flood(origin)
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: dropped(admin) > 0, "the count of what was dropped")
        count = dropped(admin)
        call(address)
        call(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()
    judge(folder, capdiff, count)


if __name__ == "__main__":
    main()
