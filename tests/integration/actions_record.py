"""What a record of the exchange log must say.

A wanted record is JSON whose members must be there and equal, among others. Within a member all is
compared, but for strings that stand for more than one value:

  "*"            anything             ">=N"          a number from N on
  "sha256:BYTES" the digest of BYTES, which are written as in wire.py
  "absent"       the member is not there
"""
from actions_http import sha256
from wire import Failure, unescape


def matches(wanted, got):
    if wanted == "*":
        return True
    if isinstance(wanted, str) and wanted.startswith(">="):
        return isinstance(got, (int, float)) and got >= float(wanted[2:])
    if isinstance(wanted, str) and wanted.startswith("sha256:"):
        return got == sha256(unescape(wanted[7:]))
    if isinstance(wanted, dict):
        return isinstance(got, dict) and wanted.keys() == got.keys() and \
            all(matches(wanted[key], got[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and \
            all(map(matches, wanted, got))
    return type(wanted) is type(got) and wanted == got


def check_record(wanted, record):
    for key, value in wanted.items():
        if value == "absent" and key not in record:
            continue
        if key not in record:
            raise Failure(f"the record has no {key}: {record}")
        if not matches(value, record[key]):
            raise Failure(f"the log says {key} {record[key]!r}, expected {value!r}: {record}")


def check_body(record, side, content):
    """The record's size and digest of a body are those of what was forwarded."""
    check_record({f"{side}_bytes": len(content), f"{side}_sha256": sha256(content)}, record)


def check_body_changes(record, contents):
    """Changes of a whole body tell what came in and what went out; CONTENTS has both by side."""
    for change in record["changes"]:
        if "body" in change:
            old, new = contents[change["side"]]
            told = {"old_bytes": len(old), "old_sha256": sha256(old),
                    "new_bytes": len(new), "new_sha256": sha256(new)}
            if change["body"] != told:
                raise Failure(f"the log says {change}, expected {told}")


def without_framing(changes):
    """Changes but for what depends on how a body is framed; "*" stays what it is."""
    if changes == "*":
        return changes
    return [change for change in changes if "framing" not in change and
            change.get("field", "").lower() != "content-length"]
