"""How long it takes from the start of a proxy to its first answer."""
import socket
import time

from . import contestants, load, report

TITLE = "Start to first exchange"
ABOUT = (
    "From the fork to the answer of a call that is tried until somebody listens. Ours with all that "
    "it does at its start: files opened, privileges and system calls given up.")
NAMES = ("nginx", "HAProxy", "mitmdump", "ours, bare", "ours, log + payload")
RECORDED, MOST_MS = "ours, log + payload", 50
EACH_ROUND = 4
CALL = ("POST /tool HTTP/1.1\r\nHost: origin\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(load.CALL)}\r\nConnection: close\r\n\r\n{load.CALL}").encode()


def first_answer(port, until):
    """Returns when there is one, and it is good."""
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as sock:
                sock.sendall(CALL)
                answer = b""
                while data := sock.recv(4096):
                    answer += data
        except ConnectionError:
            time.sleep(0.0002)
            continue
        if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(contestants.ANSWER.encode()):
            return
    raise SystemExit("no answer came")


def trial(ground, origin, name):
    """Milliseconds. The command's files are written first."""
    began = None

    def command(*where):
        nonlocal began
        words = ground.all[name](*where)
        began = time.monotonic()
        return words

    with ground.standing(command, origin.port, wait=False) as (program, _):
        first_answer(program.port, began + contestants.WAIT)
        return {"ms": (time.monotonic() - began) * 1000}


def part(ground):
    names = ground.able(NAMES)
    results = {name: [] for name in names}
    with ground.origin() as origin:
        for order in ground.rounds(names):
            for name in order:
                results[name] += [trial(ground, origin, name)
                                  for _ in range(1 if name == "mitmdump" else EACH_ROUND)]
    rows = [[name, report.median(found, "ms"), max(one["ms"] for one in found)] for name, found in results.items()]
    aims = [report.aim("start to first exchange, all recorded", "", row[1], MOST_MS, "ms", 1)
            for row in rows if row[0] == RECORDED]
    return report.part(TITLE, ABOUT, f"{ground.options.rounds * EACH_ROUND} starts of each, but for mitmdump",
                       [("median ms", 1), ("longest ms", 1)], rows, aims,
                       {"title": TITLE, "column": 1, "from": 1, "unit": "ms"})
