"""usage: scenario_judge.py

What scripts/scenario makes of runs, on made-up ones: no lab runs here.
"""
import base64
import hashlib
import json
import re
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "scripts"))

from scenario import judge, matrix, scenarios, state, words  # noqa: E402
from scenario.command import main  # noqa: E402
from scenario.evidence import steady  # noqa: E402
from scenario.packets import write_packets  # noqa: E402
from scenario.timing import timing  # noqa: E402
from scenario.trouble import Trouble  # noqa: E402

GOAL = {"sentence": "adversary has it", "state": [{"of": "ledger", "at": "/balances/adversary", "is": 100}]}
SWAP = {"rule": "r", "side": "request", "action": "json_patch", "pointer": "/a", "old": "1", "new": "2"}


def result(outcome="accepted", word=None, by=None, attempts=1, call=1, **more):
    return {"call": call, "id": f"pay-{call}", "tool_name": "deposit", "attempts": attempts,
            "outcome": outcome, "word": word, "by": by, "claimed": None,
            "status": 200, "duration_ms": 1.5, "unasked_responses": 0, "events": None,
            "response": {}, **more}


def verdict(word="same", items=(), doubts=()):
    return {"verdict": word, "summary": f"{word}: 1 exchange of 2026-01-01T00:00:00.000001Z",
            "differences": {"items": list(items)}, "doubts": list(doubts)}


def difference(**more):
    return {"hop": "proxy", "kind": "changed", "place": "request body, byte 7: /a", "place_kind": "json",
            "field": None, "change": "value", "before": '{"a":1}', "after": '{"a":2}', **more}


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_of(self, balances=None, refused=None, results=None, captures=None, log=(), **more):
        files = {
            "ledger.json": {"balances": balances or {}, "deposits": len(balances or {})},
            "calls.json": {"carried_out": {"deposit": 1, "read_file": 0}, "refused": refused or {}},
            "captures.json": captures or verdict(),
            "verdict.json": verdict(),
            "proxy.json": {"exchanges": []},
            **more}
        for name, value in files.items():
            (self.folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
        for name in ("proxy.pcap", "agent_http.pcap"):
            write_packets(self.folder / name, [])
        for name, lines in (("results.ndjson", results or [result()]), ("exchanges.ndjson", log)):
            (self.folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return state.Run(self.folder)

    @staticmethod
    def scenario(goal=GOAL, options=None, expected="succeeds"):
        return scenarios.Scenario(
            folder=Path("/nowhere/07-made-up"), title="T", sentence="S.", meant="do it", goal=goal,
            expected=dict.fromkeys(scenarios.PROFILES, expected), captures="differ", options=options or {})


class Judge(Case):
    def outcome(self, goal=GOAL, **run):
        return judge.judge(self.scenario(goal), self.run_of(**run))

    def test_a_goal_that_was_reached_comes_first(self):
        everything = dict(refused={"replayed": 1}, results=[result("failed", "timeout")],
                          captures=verdict("differ"))
        self.assertEqual(self.outcome(balances={"adversary": 100.0}, **everything), "succeeds")
        self.assertEqual(self.outcome(balances={"adversary": 99}, **everything), "detected by agent_b")

    def test_then_agent_b_then_agent_a_then_the_captures(self):
        failed = [result("failed", "timeout")]
        differ = verdict("differ")
        self.assertEqual(self.outcome(refused={"replayed": 1}, results=failed, captures=differ),
                         "detected by agent_b")
        self.assertEqual(self.outcome(refused={"replayed": 0}, results=failed, captures=differ),
                         "detected by agent_a")
        self.assertEqual(self.outcome(captures=differ), "detected only by the captures")
        self.assertEqual(self.outcome(captures=verdict("inconclusive")), "not possible")
        self.assertEqual(self.outcome(), "not possible")
        self.assertEqual(self.outcome(goal=None), "undisturbed")

    def test_all_checks_of_a_goal_have_to_hold(self):
        goal = {"sentence": "", "state": [*GOAL["state"], {"of": "results", "at": "/0/outcome", "is": "refused"}]}
        self.assertEqual(self.outcome(goal, balances={"adversary": 100}), "not possible")

    def test_agent_a_did_not_notice_what_agent_b_refused(self):
        run = self.run_of(refused={"digest_mismatch": 1},
                          results=[result("refused", "digest_mismatch", "agent_b")])
        self.assertEqual(judge.noticed(run), [("agent_b", "digest_mismatch")])

    def test_a_refusal_that_agent_b_does_not_know_of_is_a_lie_that_agent_a_believed(self):
        lie = {"results": [result("refused", "unavailable", "agent_b")], "captures": verdict("differ")}
        self.assertEqual(judge.noticed(self.run_of(**lie)), [])
        self.assertEqual(self.outcome(**lie), "detected only by the captures")

    def test_a_retry_was_noticed(self):
        run = self.run_of(results=[result(attempts=2), result(call=2), result("failed", "timeout", call=3)])
        self.assertEqual(judge.noticed(run), [("agent_a", "sent it again"), ("agent_a", "timeout")])

    def test_what_changes_the_wire(self):
        scenario = self.scenario()
        delay = {"rule": "r", "side": "request", "action": "delay", "ms": 5}
        failed = {"rule": "r", "side": "request", "action": "json_patch", "failed": "x", "reason": ""}
        for changes, altered in (([], False), ([delay], False), ([failed], False), ([delay, SWAP], True)):
            run = self.run_of(log=[{"changes": []}, {"changes": changes}])
            self.assertEqual(judge.altered(scenario, run), altered)
        concealed = self.scenario(options={"mitm_proxy": ["--conceal", "r"]})
        self.assertTrue(judge.altered(concealed, self.run_of()))

    def test_a_cell_says_what_is_not_as_expected(self):
        scenario = self.scenario(expected="detected by agent_b")
        cell = judge.cell(scenario, "none", self.run_of(balances={"adversary": 100}))
        self.assertEqual(judge.unexpected(scenario, cell), [
            "succeeds, where detected by agent_b was expected",
            "the captures say same, where differ was expected"])


class State(Case):
    TEXT = '{"a":1,"b":{"x/y":[10,{"~":"t"}],"":0},"A":2,"a":3,"yes":true,"s":"text"}'

    def check(self, **condition):
        run = self.run_of(**{"ledger.json": self.TEXT})
        condition = {"of": "ledger", **condition}
        self.assertIsNone(state.check_condition(condition))
        return run.holds(condition)

    def test_pointers(self):
        for pointer, value in (("/b/x~1y/0", 10), ("/b/x~1y/1/~0", "t"), ("/b/", 0), ("/a", 3), ("/s", "text")):
            self.assertTrue(self.check(at=pointer, **{"is": value}), pointer)
        for pointer in ("/c", "/b/x~1y/2", "/b/x~1y/-", "/a/0", "/b/x~1y/01x"):
            self.assertFalse(self.check(at=pointer, is_not="anything"), pointer)

    def test_readers_of_equal_keys(self):
        for reader, value in (("first", 1), ("last", 3), ("ignore-case", 3)):
            self.assertTrue(self.check(at="/a", reader=reader, **{"is": value}), reader)
        self.assertTrue(self.check(at="/A", **{"is": 2}))
        self.assertTrue(self.check(at="/A", reader="ignore-case", **{"is": 3}))

    def test_tests(self):
        self.assertTrue(self.check(at="/a", at_least=3))
        self.assertFalse(self.check(at="/a", at_least=3.5))
        self.assertFalse(self.check(at="/s", at_least=0))
        self.assertTrue(self.check(at="/s", contains="ex"))
        self.assertFalse(self.check(at="/a", contains="3"))
        self.assertTrue(self.check(at="/yes", **{"is": True}))
        self.assertFalse(self.check(at="/yes", **{"is": 1}))

    def test_results_are_in_the_order_of_the_calls_and_the_wire_is_bytes(self):
        run = self.run_of(results=[result(call=2, status=202), result(call=1, status=201)])
        (self.folder / "proxy.pcap").write_bytes(b"\xd4\xc3\x00CANARY\xff")
        self.assertTrue(run.holds({"of": "results", "at": "/0/status", "is": 201}))
        self.assertTrue(run.holds({"of": "wire", "contains": "CANARY"}))
        self.assertFalse(run.holds({"of": "wire", "contains": "canary"}))

    def test_what_is_no_check(self):
        good = {"of": "ledger", "at": "/a", "is": 1}
        for bad in ({"of": "log"}, {"reader": "second"}, {"contains": "x"}, {"att": "/a"}, {"of": "wire"}):
            self.assertIsNotNone(state.check_condition({**good, **bad}), bad)
        self.assertIsNotNone(state.check_condition({"of": "ledger", "at": "/a"}))
        self.assertIsNotNone(state.check_condition({"of": "ledger", "is": 1}))

    def test_a_run_that_left_nothing_is_trouble(self):
        for name in ("ledger", "results", "captures", "wire"):
            with self.assertRaises(Trouble):
                getattr(state.Run(self.folder), name)
        (self.folder / "ledger.json").write_text("{")
        with self.assertRaises(Trouble):
            state.Run(self.folder).ledger  # pylint: disable=expression-not-assigned


class Evidence(Case):
    def test_what_is_another_in_each_run_is_left_out(self):
        for text, shown in (
                ("at 2026-11-28T09:48:43.573216Z, late", "at …, late"),
                ("from 10.0.1.2:46916 to 172.29.0.3", "from … to …"),
                ('"received_at":1795859323.574110,"n":100', '"received_at":…,"n":100'),
                ('created=1795859323;nonce="aB3+/x=="', 'created=…;nonce="…"'),
                ("sig=:MEUCIQDxSq2tq0Gd7mYz5gY8uA0a+/b==:", "sig=:…:"),
                ("request body, byte 117: /arguments/account", "request body: /arguments/account"),
                ('…":{"account":"client","amount":100}}', '…":{"account":"client","amount":100}}')):
            self.assertEqual(steady(text), shown)

    def test_proofs_are_not_shown(self):
        items = [difference(field="Signature", before="a", after="b"), difference(before=None),
                 difference(change="removed", after=None),
                 difference(field="Content-Length", place_kind="field", before="Content-Length: 7", after=None)]
        run = self.run_of(captures=verdict("differ", items, [{"text": "b 12:00"}, {"text": "a"}]))
        found = judge.cell(self.scenario(), "none", run)["captures"]
        self.assertEqual([(i["was"], i["is"]) for i in found["found"]], [
            ("…", "…"), (None, '{"a":2}'), (None, None), ("7", None)])
        self.assertEqual(found["doubts"], ["a", "b 12:00"])
        self.assertEqual(found["summary"], "differ: 1 exchange of …")

    def test_six_lines(self):
        scenario = self.scenario()
        run = self.run_of(balances={"adversary": 100.0}, captures=verdict("differ", [difference()]),
                          log=[{"changes": [SWAP]}])
        lines = dict(words.six_lines(judge.cell(scenario, "none", run), scenario))
        self.assertEqual(len(lines), 6)
        self.assertEqual(lines["agent_b"], "carried out deposit once; its ledger: adversary 100")
        self.assertEqual(lines["noticed by"], "nobody; agent_a accepted the answer")
        self.assertEqual(lines["the captures"], "differ: 1 exchange of …; the proxy's log declares it")
        self.assertEqual(lines["verdict"], "succeeds: adversary has it")


class Timing(unittest.TestCase):
    def timing(self, *exchanges):
        """EXCHANGES are (call's id, port, begin and end in seconds; no end: not recorded)."""
        return timing([
            {"call_id": name, "server": f"10.0.0.1:{port}", "time": f"2026-01-01T00:00:{begin:09.6f}Z",
             "duration_us": None if end is None else round((end - begin) * 1e6)}
            for name, port, begin, end in exchanges])

    def test_calls_that_go_on_as_they_come(self):
        self.assertEqual(self.timing(), [])
        self.assertEqual(self.timing(("a", 8080, 1, 1.9), ("a", 8000, 1.1, 1.2), ("b", 8080, 1.05, 2),
                                     ("b", 8000, 1.15, 1.3)), [])

    def test_calls_that_were_kept(self):
        self.assertEqual(self.timing(("a", 8080, 1, 3), ("a", 8000, 2, 2.9)),
                         ["the request a stayed in the proxy for more than a second"])
        self.assertEqual(self.timing(("a", 8080, 1, 3), ("a", 8000, 1.1, 2)),
                         ["the response to a stayed in the proxy for more than a second"])

    def test_calls_that_overtook_others(self):
        self.assertEqual(self.timing(("a", 8080, 1, 2), ("b", 8080, 1.1, 2), ("b", 8000, 1.2, 2), ("a", 8000, 1.3, 2)),
                         ["b overtook a in the proxy"])

    def test_what_is_not_on_both_legs_has_no_times(self):
        self.assertEqual(self.timing(("a", 8080, 1, None), ("b", 8000, 5, 6)), [])
        self.assertEqual(self.timing(("a", 8080, 1, None), ("a", 8080, 5, 5.2), ("a", 8000, 1.1, 1.2),
                                     ("a", 8000, 5.1, 5.15), ("a", 8000, 9, 9.1)), [])


class Matrix(Case):
    def make(self, name="argument-swap", **run):
        scenario = scenarios.find(name)
        cells = {(name, profile): judge.cell(scenario, profile, self.run_of(**run))
                 for profile in scenarios.PROFILES}
        return [scenario], cells

    def test_holes_are_cells_where_the_captures_miss_a_change(self):
        for captures, count in (("same", 6), ("inconclusive", 6), ("differ", 0)):
            _, cells = self.make(log=[{"changes": [SWAP]}], captures=verdict(captures))
            self.assertEqual(len(matrix.holes(cells.values())), count)
        _, cells = self.make()
        self.assertEqual(matrix.holes(cells.values()), [])

    def test_a_cell_that_became_another_is_named(self):
        chosen, cells = self.make(balances={"adversary": 100})
        committed = json.loads(json.dumps(matrix.document(chosen, cells)))
        self.assertEqual(json.loads(matrix.render_json(committed)), committed)
        self.assertEqual(matrix.differing(committed, cells), [])
        cells["argument-swap", "digest"] = {**cells["argument-swap", "digest"], "outcome": "not possible"}
        del cells["argument-swap", "all"]
        self.assertEqual(matrix.differing(committed, cells), [
            'argument-swap under digest: outcome was "succeeds", is "not possible"',
            "argument-swap under all: no longer there"])

    def test_files_that_nobody_wrote_again_are_named(self):
        chosen, cells = self.make()
        files = matrix.render(chosen, matrix.document(chosen, cells))
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.assertEqual(matrix.stale(self.folder, files), [])
        (self.folder / "attack-matrix.md").write_text("old")
        (self.folder / "attack-matrix.html").unlink()
        self.assertEqual(matrix.stale(self.folder, files), ["attack-matrix.md", "attack-matrix.html"])

    def test_every_cell_of_the_table_leads_to_evidence(self):
        chosen, cells = self.make(captures=verdict("differ", [difference()]))
        files = matrix.render(chosen, matrix.document(chosen, cells))
        for name in ("attack-matrix.md", "attack-matrix.html"):
            links = re.findall(r'(?:\]\(|href=")#([^")]+)', files[name])
            self.assertEqual(len(links), 7)
            for link in links:
                self.assertEqual(files[name].count(f'id="{link}"'), 1, link)

    def test_what_comes_from_the_wire_stays_text(self):
        hostile = difference(before="<script>`|x</script>", after='"><b onload=1>')
        chosen, cells = self.make(captures=verdict("differ", [hostile]))
        files = matrix.render(chosen, matrix.document(chosen, cells))
        self.assertEqual(files["attack-matrix.html"].count("<script"), 1)
        self.assertNotIn("<b onload", files["attack-matrix.html"])
        self.assertIn("`` in the proxy: request body: /a: <script>`|x</script> → ", files["attack-matrix.md"])

    def test_the_page_lets_in_only_its_own_style_and_script(self):
        chosen, cells = self.make()
        page = matrix.render(chosen, matrix.document(chosen, cells))["attack-matrix.html"]
        for tag, text in re.findall(r"<(style|script)>(.*?)</\1>", page, re.S):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            self.assertIn(f"{tag}-src 'sha256-{digest}'", page)
        self.assertNotIn("://", page)


class Scenarios(Case):
    def test_all_of_them_are_good(self):
        names = [scenario.folder.name for scenario in scenarios.load_all()]
        self.assertEqual([int(name[:2]) for name in names], list(range(1, len(names) + 1)))
        for scenario in scenarios.load_all():
            self.assertTrue(scenario.lesson.startswith(scenario.sentence), scenario.name)
            paragraphs = (scenario.folder / "README.md").read_text().strip().split("\n\n")
            self.assertEqual([len(paragraphs), paragraphs[0]], [2, "# " + scenario.title])

    def test_only_the_control_expects_to_be_undisturbed(self):
        for scenario in scenarios.load_all():
            undisturbed = set(scenario.expected.values()) == {"undisturbed"}
            self.assertEqual(undisturbed, scenario.goal is None, scenario.name)

    def test_mistakes_are_said(self):
        good = json.loads((scenarios.FOLDER / "02-argument-swap" / "scenario.json").read_text())
        (self.folder / "calls").mkdir()
        (self.folder / "calls" / "1.json").write_text("{}")
        for change, said in (
                ({"titel": "x"}, "there is no titel"), ({"captures": "equal"}, "captures is same, differ or inconclusive"),
                ({"tls": {}}, "tls: agent_a is missing"), ({"tls": {"agent_a": "ftp"}}, 'agent_a is "http" or "https"'),
                ({"tls": {"agent_a": "https", "mutal": True}}, "tls: there is no mutal"),
                ({"tls": {"agent_a": "http", "mutual": True}}, "tls: an agent_a that was told http"),
                ({"expected": {"none": "succeeds"}}, "expected has to name each defence"),
                ({"expected": {**good["expected"], "all": "maybe"}}, "'maybe' cannot be expected"),
                ({"options": {"capdiff": []}}, "there is no program capdiff"),
                ({"goal": {"sentence": "", "state": [{"of": "log"}]}}, "of is one of")):
            (self.folder / "scenario.json").write_text(json.dumps({**good, **change}))
            with self.assertRaisesRegex(Trouble, said):
                scenarios.load(self.folder)
        (self.folder / "scenario.json").write_text("{")
        with self.assertRaises(Trouble):
            scenarios.load(self.folder)


class CommandLine(unittest.TestCase):
    def said(self, *arguments):
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def test_a_list_of_all(self):
        status, out, _ = self.said("scenario")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"(?m)^argument-swap +The account")

    def test_wrong_input_gets_one_line_and_2(self):
        for arguments in ((), ("scenario", "nothing"), ("scenario", "control", "--defence", "x"),
                          ("scenario", "--docker", "--native"), ("matrix", "--chek"), ("corpus",),
                          ("corpus", "/proc/none"), ("corpus", str(ROOT)), ("matrix", "--check", "/proc")):
            status, _, err = self.said(*arguments)
            self.assertEqual((status, err.count("\n")), (2, 1), (arguments, err))


if __name__ == "__main__":
    unittest.main()
