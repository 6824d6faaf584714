#!/usr/bin/env python3
"""Holds files of rules against the schema: good-* and beyond-* are valid by it, bad-* are not.

usage: rules_schema.py SCHEMA DIRECTORY

What is beyond the schema only mitm_proxy refuses. Every action and parameter that the schema knows
stands in a good file, so that the schema and the program know the same ones.
"""
import json
import pathlib
import sys

import jsonschema


def load(path):
    """None where the file is no JSON at all."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def names(value):
    """All keys in a document."""
    if isinstance(value, dict):
        return set(value).union(*map(names, value.values()))
    return set().union(*map(names, value)) if isinstance(value, list) else set()


def known(schema):
    """All properties that a schema gives a meaning."""
    if isinstance(schema, list):
        return set().union(*map(known, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*map(known, schema.values()))


def main():
    schema = load(pathlib.Path(sys.argv[1]))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong, seen = 0, set()
    files = sorted(pathlib.Path(sys.argv[2]).glob("*.json"))
    for path in files:
        document = load(path)
        valid = document is not None and validator.is_valid(document)
        if valid == path.name.startswith("bad-"):
            wrong += 1
            print(f"{path.name}: {'valid' if valid else 'not valid'} by the schema")
        if path.name.startswith("good-"):
            seen |= names(document)
    for name in sorted(known(schema) - seen):
        wrong += 1
        print(f"{name}: stands in no good file")
    print(f"{len(files)} files")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
