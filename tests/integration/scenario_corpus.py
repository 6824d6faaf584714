"""usage: scenario_corpus.py

The manifest of a corpus, of made-up runs, against its schema. Needs python3-jsonschema.
"""
import hashlib
import json
import shutil
import unittest

import jsonschema
from scenario_judge import SWAP, Case, difference, result, verdict

from scenario import corpus, judge, scenarios


class Corpus(Case):
    def make(self, *names, **run):
        """A corpus in self.folder, each cell of which is the same made-up run."""
        chosen = [scenarios.find(name) for name in names]
        cells = {}
        for scenario in chosen:
            for profile in scenarios.PROFILES:
                made = self.run_of(**run)
                cells[scenario.name, profile] = judge.cell(scenario, profile, made)
                self.move_run(self.folder / scenario.folder.name / profile)
        return json.loads(json.dumps(corpus.manifest(self.folder, chosen, cells)))

    def move_run(self, folder):
        (folder / "previous").mkdir(parents=True)
        for path in self.folder.glob("*.*"):
            shutil.move(path, folder)
        for name in ("proxy.pcap", "agent_http.pcap"):
            (folder / name).write_text("a capture")

    def test_it_is_as_its_schema_says(self):
        schema = json.loads(corpus.SCHEMA.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        manifest = self.make(
            "control", "argument-swap", refused={"digest_mismatch": 1}, log=[{"changes": [SWAP]}],
            results=[result("failed", "timeout")], captures=verdict("differ", [difference()]))
        jsonschema.validate(manifest, schema)
        self.assertEqual(len(manifest["samples"]), 12)
        for wrong in ({"corpus_format": 1}, {"more": 1}):
            with self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate({**manifest, **wrong}, schema)

    def test_with_tls_the_keys_are_part_of_it(self):
        made = self.folder / "tls-canary"
        (made / "tls" / "plain").mkdir(parents=True)
        (made / "tls" / "keys").write_text("SERVER_TRAFFIC_SECRET_0 …")
        (made / "proxy.pcap").write_text("a capture")
        corpus.tidy(made)
        self.assertEqual(sorted(path.name for path in made.iterdir()), ["keys.txt", "proxy.pcap"])

    def test_its_files_are_there_and_nothing_else(self):
        manifest = self.make("argument-swap")
        named = {manifest["scenarios"][0]["rules"]}
        for sample in manifest["samples"]:
            for file in sample["files"].values():
                data = (self.folder / file["path"]).read_bytes()
                self.assertEqual((file["bytes"], file["sha256"]), (len(data), hashlib.sha256(data).hexdigest()))
                named.add(file["path"])
        there = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        self.assertEqual(there, named)
        self.assertEqual(len(named), 19)


if __name__ == "__main__":
    unittest.main()
