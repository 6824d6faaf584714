"""usage: client_requests.py CALLS BASE …

Python requests as an agent: makes the calls of a file under each URL, and prints what it saw of each
answer as a line of JSON. REQUESTS_CA_BUNDLE says whom it trusts.
"""
import hashlib
import json
import sys

import requests

CALLS, *BASES = sys.argv[1:]


def body_of(call):
    if "pieces" in call:
        return (piece.encode() for piece in call["pieces"])
    return call["body"].encode() * call.get("times", 1) if "body" in call else None


with open(CALLS, encoding="utf-8") as file:
    calls = json.load(file)
for base in BASES:
    session = requests.Session()
    for call in calls:
        fields = {"Content-Type": call["type"]} if "type" in call else {}
        answer = session.request(call["method"], f"{base}/{call['path']}", data=body_of(call), headers=fields,
                                 timeout=60, stream=True)
        body = b"".join(answer.iter_content(None))
        print(json.dumps({"call": call["path"], "at": base, "status": answer.status_code, "reason": answer.reason,
                          "fields": list(answer.raw.headers.items()), "bytes": len(body),
                          "sha256": hashlib.sha256(body).hexdigest()}))
