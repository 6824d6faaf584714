"""usage: clients_tampered.py rules CASES
       clients_tampered.py check CASES ORIGIN LOG VIEWS
       clients_tampered.py hide LOG
       clients_tampered.py found CASES LOG REPORT

Calls that rules tamper with, by whichever way they come. CASES are calls as in tests/data/clients/calls.json,
each with the rule that fires for its path, and

  arrives  the bodies that the server gets for it (what was sent)
  status   of the answer (200), and
  sees     its body (the server's)
  changes  what the log says was done; "*" is anything (not looked at)

rules prints the rules. check holds against the cases what the server recorded, the exchange log, and what the
clients saw, in the folder VIEWS. hide prints the log as if no rule had done anything. found: capdiff's
report, made with that, has a difference of each call that others can see was tampered with, and of no other.
"""
import hashlib
import json
import pathlib
import re
import sys

from actions_record import matches, without_framing

ANSWER = '{"id":9007199254740993,"result":{"ok":true,"echo":"\\u0000"}}'  # recording_origin.py's
CLIENTS = [(version, client) for version in ("4", "6") for client in ("curl", "requests", "fetch", "http")]
UNSEEN = ("held", "untouched", "replayed")  # … by the bytes of the exchange itself


def read(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_bytes().split(b"\n") if line]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def rules(cases):
    return {"rules": [{"name": case["path"], "match": {"path": f"*/{case['path']}"}, **case["rule"]}
                      for case in cases if "rule" in case]}


def equal(what, wanted, got):
    if wanted != got:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")


def check_view(case, client, view, what):
    sees = case.get("sees", ANSWER)
    if client == "curl":
        equal(what, str(case.get("status", 200)), view["head"].split(" ")[1])
        equal(what, sees, view["end"].rpartition("\r\n\r\n")[2])
    else:
        equal(what, (case.get("status", 200), sha256(sees)), (view["status"], view["sha256"]))


def check_log(case, records, what):
    mine = [record for record in records if record["client"]]
    equal(what, 1, len(mine))
    equal(what, [case["path"]] if "rule" in case else [], mine[0]["rules"])
    if "changes" in case:
        done = [change for change in mine[0]["changes"] if "rule" in change]
        wanted = [{"rule": case["path"], **change} for change in case["changes"]]
        if not matches(wanted, without_framing(done)):
            sys.exit(f"{what}: the log says {done}")
    copies = len(case["arrives"]) - 1 if case.get("arrives") else 0
    equal(f"{what}: copies", copies, len(records) - 1)


def check(cases, origin, log, views):
    for version, client in CLIENTS:
        seen = {view["call"]: view for view in lines(pathlib.Path(views) / client)
                if view["at"].endswith(f"/{version}/{client}")}
        for case in cases:
            path = f"/{version}/{client}/{case['path']}"
            asked = re.compile(rf" (https?://[^/ ]*)?{re.escape(path)} ")
            arrived = [record["rest_sha256"] for record in origin if asked.search(record["head"])]
            if "pieces" not in case:
                wanted = case.get("arrives", [case.get("body", "")])
                equal(f"{path}: arrived", list(map(sha256, wanted)), arrived)
            check_view(case, client, seen[case["path"]], f"{path}: seen")
            check_log(case, [record for record in log if (record["target"] or "").endswith(path)], path)


def hide(log):
    for record in log:
        if record["client"]:
            record["changes"] = [change for change in record["changes"] if "rule" not in change]
            print(json.dumps(record))


def found(cases, log, report):
    items = report["differences"]["items"]
    target = {record["exchange"]: record["target"] for record in log}
    told = {target[item["exchange"]] for item in items if item["exchange"]}
    for version, client in CLIENTS:
        for case in cases:
            path = f"/{version}/{client}/{case['path']}"
            equal(path, case["path"] not in UNSEEN, any(one.endswith(path) for one in told))
    copies = [item["kind"] for item in items if not item["exchange"]]
    equal("copies", ["duplicated"] * len(CLIENTS), copies)


def main():
    command, *paths = sys.argv[1:]
    if command == "rules":
        print(json.dumps(rules(read(paths[0]))))
    elif command == "check":
        check(read(paths[0]), lines(paths[1]), lines(paths[2]), paths[3])
    elif command == "hide":
        hide(lines(paths[0]))
    else:
        found(read(paths[0]), lines(paths[1]), read(paths[2]))


main()
