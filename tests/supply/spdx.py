#!/usr/bin/env python3
"""Holds a document against what SPDX 2.3 asks of its JSON, and prints what is wrong; 1 where anything is.

usage: spdx.py FILE [PACKAGE...]   the Debian packages that must be told of
"""
import hashlib
import json
import os
import re
import subprocess
import sys

# Clauses 6 to 8 and 11, and the JSON schema of the specification.
MEMBERS = {
    "document": ({"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"},
                 {"packages", "files", "relationships"}),
    "creationInfo": ({"created", "creators"}, {"comment"}),
    "package": ({"SPDXID", "name", "downloadLocation"},
                {"versionInfo", "supplier", "filesAnalyzed", "packageVerificationCode", "homepage", "sourceInfo",
                 "licenseConcluded", "licenseDeclared", "licenseInfoFromFiles", "copyrightText",
                 "externalRefs", "primaryPackagePurpose"}),
    "file": ({"SPDXID", "fileName", "checksums"},
             {"fileTypes", "licenseConcluded", "licenseInfoInFiles", "copyrightText"}),
    "relationship": ({"spdxElementId", "relationshipType", "relatedSpdxElement"}, set()),
}
RELATIONSHIPS = {"DESCRIBES", "CONTAINS", "DYNAMIC_LINK", "STATIC_LINK", "BUILD_DEPENDENCY_OF"}
PURL = re.compile(r"pkg:deb/[a-z]+/[a-z0-9.+%B-]+@[A-Za-z0-9.~%+-]+\?arch=\w+(&distro=\w+)?$")
wrong = []


def demand(true, what):
    if not true:
        wrong.append(what)


def members(kind, entry):
    needed, known = MEMBERS[kind]
    name = entry.get("SPDXID", kind)
    demand(needed <= entry.keys(), f"{name} lacks {sorted(needed - entry.keys())}")
    demand(entry.keys() <= needed | known, f"{name} has {sorted(entry.keys() - needed - known)}")


def licences(document):
    """All licence expressions, given to the parser that npm itself has."""
    found = {entry[key] for entry in document["packages"] + document["files"]
             for key in ("licenseConcluded", "licenseDeclared") if key in entry} - {"NOASSERTION", "NONE"}
    modules = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    script = ("const parse = require('spdx-expression-parse');"
              "JSON.parse(process.argv[1]).forEach((text) => parse(text));")
    done = subprocess.run(["node", "-e", script, json.dumps(sorted(found))], capture_output=True, text=True,
                          env={**os.environ, "NODE_PATH": f"{modules}/npm/node_modules:/usr/share/nodejs"},
                          check=False)
    demand(found, "no licence is told at all")
    demand(done.returncode == 0, f"a licence is no SPDX expression: {sorted(found)}\n{done.stderr}")


def package(entry, contained, files):
    members("package", entry)
    demand(("packageVerificationCode" in entry) == entry["filesAnalyzed"],
           f"{entry['SPDXID']}: a code for files that were not looked at, or none for those that were")
    if entry["filesAnalyzed"]:
        digests = sorted(checksum["checksumValue"] for ref in contained if ref in files
                         for checksum in files[ref]["checksums"] if checksum["algorithm"] == "SHA1")
        demand(entry["packageVerificationCode"]["packageVerificationCodeValue"] ==
               hashlib.sha1("".join(digests).encode()).hexdigest(), f"{entry['SPDXID']}: wrong code")
    for reference in entry.get("externalRefs", []):
        demand(PURL.match(reference["referenceLocator"]), f"no purl: {reference['referenceLocator']}")


def check(document, wanted):
    members("document", document)
    members("creationInfo", document["creationInfo"])
    demand(document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0" and
           document["SPDXID"] == "SPDXRef-DOCUMENT", "not SPDX 2.3")
    demand(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]), "no time")
    demand(re.fullmatch(r"https?://[^#\s]+", document["documentNamespace"]), "no namespace")
    files = {entry["SPDXID"]: entry for entry in document["files"]}
    refs = ["SPDXRef-DOCUMENT", *files, *(entry["SPDXID"] for entry in document["packages"])]
    demand(len(refs) == len(set(refs)), "an SPDXID stands twice")
    demand(all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", ref) for ref in refs), "a bad SPDXID")
    related = {}
    for entry in document["relationships"]:
        members("relationship", entry)
        one, other = entry["spdxElementId"], entry["relatedSpdxElement"]
        demand({one, other} <= set(refs), f"related, and not there: {one}, {other}")
        demand(entry["relationshipType"] in RELATIONSHIPS, f"unknown: {entry['relationshipType']}")
        related.setdefault(one, set()).add(other)
        if entry["relationshipType"].endswith("_OF"):
            related.setdefault(other, set()).add(one)
    demand(reached("SPDXRef-DOCUMENT", related) == set(refs), "something hangs on nothing")
    for entry in document["packages"]:
        package(entry, related.get(entry["SPDXID"], set()), files)
    for entry in files.values():
        members("file", entry)
        demand({"SHA1", "SHA256"} == {checksum["algorithm"] for checksum in entry["checksums"]}, "no SHA1")
    licences(document)
    names = {entry["name"] for entry in document["packages"]}
    demand(set(wanted) <= names, f"not told of: {sorted(set(wanted) - names)}")


def reached(ref, related):
    found, ahead = set(), [ref]
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead.extend(related.get(one, ()))
    return found


with open(sys.argv[1], encoding="utf-8") as file:
    check(json.load(file), sys.argv[2:])
for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
