"""What there is to show for a judgement, in words that are the same in each run: without times,
ports, nonces and signatures.
"""
import json
import re

from . import tls
from .listener import LEGS, listen
from .state import lookup, plain
from .timing import timing

UNSTEADY = (
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"), "…"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "…"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?"), "…"),
    (re.compile(r'(nonce=")[^"]*'), r"\1…"),
    (re.compile(r"[A-Za-z0-9+/]{24,}=*"), "…"),
    (re.compile(r"\d{6,}(\.\d+)?"), "…"),
    (re.compile(r", byte \d+"), ""),
    (re.compile(r"…+"), "…"),
)
PROOFS = ("content-digest", "signature", "signature-input")


def steady(text):
    for pattern, replacement in UNSTEADY:
        text = pattern.sub(replacement, text)
    return text


def above_zero(counts):
    return {name: count for name, count in plain(counts).items() if count > 0}


def account(run):
    """What agent_b says it did."""
    return {
        "carried_out": above_zero(lookup(run.calls, "/carried_out")),
        "refused": above_zero(lookup(run.calls, "/refused")),
        "balances": plain(lookup(run.ledger, "/balances")),
    }


def kept(run):
    """How each call ended for agent_a."""
    names = ("id", "outcome", "word", "by", "claimed", "attempts", "status")
    return [{name: plain(lookup(line, "/" + name)) for name in names} for line in run.results]


def found(item):
    """A difference of a verdict. What was taken out of JSON is told by its place."""
    proof = (item["field"] or "").lower() in PROOFS
    told = item["place_kind"] == "json" and item["change"] == "removed"
    return {
        "hop": item["hop"],
        "kind": item["kind"],
        "place": steady(item["place"]),
        "was": None if told else shown(item, "before", proof),
        "is": shown(item, "after", proof),
    }


def shown(item, side, proof):
    """An excerpt; of a field the value."""
    excerpt = item[side]
    if excerpt is None:
        return None
    return "…" if proof else steady(excerpt.removeprefix(f"{item['field']}: "))


def captures_say(run):
    """The verdict of the captures alone, what they differ in, and what their times show."""
    verdict = run.captures
    items = [found(item) for item in verdict["differences"]["items"]]
    return {
        "verdict": verdict["verdict"],
        "summary": steady(verdict["summary"]),
        "found": items,
        "timing": timing(run.exchanges),
        "doubts": sorted(steady(doubt["text"]) for doubt in verdict["doubts"]),
    }


def tls_says(run, altered):
    """Of TLS itself; None where nobody spoke it. What capdiff makes of bytes that it cannot read is
    of interest only where it would be a lie.
    """
    if run.connections is None:
        return None
    return {
        "begun": tls.begun(run.connections),
        "refused": [{"by": agent, "alert": alert} for agent, alert in tls.refusals(run.connections)],
        "missed_without_keys": altered and run.without_keys["verdict"] == "same",
    }


def listener_reads(scenario, run):
    captures = {name: run.capture(name) for name, _ in LEGS.values()}
    return listen(captures, [json.loads(call.read_text(encoding="utf-8")) for call in scenario.calls])


def log_says(run):
    """The verdict with the exchange log: whether the proxy told what it did."""
    return {"verdict": run.verdict["verdict"]}
