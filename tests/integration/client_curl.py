"""usage: client_curl.py CALLS BASE …

curl as an agent: makes the calls of a file under each URL, and prints what it saw of each answer as a
line of JSON, here all of its bytes. CLIENT_CA says whom it trusts.
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

CALLS, *BASES = sys.argv[1:]
OPTIONS = ["-sS", "-m", "60", "--http1.1", "--globoff", "--path-as-is", "--raw", "-i", "--suppress-connect-headers",
           "--cacert", os.environ["CLIENT_CA"]]


def arguments(call, url, folder, number):
    made = [*OPTIONS, "-o", f"{folder}/{number}", url]
    if call["method"] == "HEAD":
        return [*made, "-I"]
    if "type" in call:
        made += ["-H", "Content-Type: " + call["type"]]
    if "expect" in call:
        made += ["-H", "Expect: 100-continue"]
    if "pieces" in call:
        made += ["-H", "Transfer-Encoding: chunked"]
    body = "".join(call["pieces"]) if "pieces" in call else call.get("body")
    if body is not None:
        with open(f"{folder}/body.{number}", "w", encoding="utf-8") as file:
            file.write(body * call.get("times", 1))
        made += ["--data-binary", f"@{folder}/body.{number}"]
    return made


with open(CALLS, encoding="utf-8") as file:
    calls = json.load(file)
for base in BASES:
    with tempfile.TemporaryDirectory() as folder:
        words = []
        for number, call in enumerate(calls):
            words += [*(["--next"] if number else []),
                      *arguments(call, f"{base}/{call['path']}", folder, number)]
        subprocess.run(["curl", *words], check=True)
        for number, call in enumerate(calls):
            with open(f"{folder}/{number}", "rb") as file:
                seen = file.read()
            print(json.dumps({"call": call["path"], "at": base, "head": seen.split(b"\r\n\r\n")[0].decode(),
                              "bytes": len(seen), "sha256": hashlib.sha256(seen).hexdigest(),
                              "end": seen[-200:].decode("latin-1")}))
