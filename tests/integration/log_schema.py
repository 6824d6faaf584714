"""Holds records of the exchange log against their schema, where python3-jsonschema is installed.

usage: log_schema.py LOG
"""
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = pathlib.Path(__file__).parents[2] / "mitm_proxy" / "exchange_log.schema.json"


def load():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


VALIDATOR = load() if jsonschema else None


def problem_of(record):
    """What is wrong with it, or None."""
    error = next(VALIDATOR.iter_errors(record), None) if VALIDATOR else None
    if error:
        return f"not valid by the schema of the log: {error.message}: {record}"
    fired = set(record["rules"])
    if any("rule" in change and change["rule"] not in fired for change in record["changes"]):
        return f"a change is by a rule that did not fire: {record}"
    return None


def problem_in(path):
    """What is wrong with the first record of the log that is not good, or None."""
    with open(path, encoding="utf-8") as file:
        return next(filter(None, (problem_of(json.loads(line)) for line in file)), None)


if __name__ == "__main__":
    sys.exit(problem_in(sys.argv[1]))
