"""usage: origin_requests.py [--through-proxy] RECORD

Prints what recording_origin.py recorded, in the order of the targets, to be compared. With --through-proxy,
what a forward proxy has to make of requests to it (RFC 9112 §3.2, RFC 9110 §7.6): the target is in origin
form, no field is for a proxy, and CONNECT is its own.
"""
import json
import re
import sys


def forwarded(head):
    head = re.sub(r"^(\S+) https?://[^/ ]+", r"\1 ", head)
    return re.sub(r"(?im)^proxy-[^\n]*\n", "", head)


def caller(record):
    """The target's beginning, which names the client: each makes its calls in their order."""
    return record["over"], re.search(r" (?:https?://[^/]*)?((?:/[^/]*){2})", record["head"])[1]


with open(sys.argv[-1], encoding="utf-8") as file:
    records = [json.loads(line) for line in file]
if sys.argv[1] == "--through-proxy":
    records = [dict(record, head=forwarded(record["head"])) for record in records
               if not record["head"].startswith("CONNECT ")]
for record in sorted(records, key=caller):
    print(record["over"], record["rest_bytes"], record["rest_sha256"])
    print(record["head"], end="")
