"""Random files of rules for actions_chaos.py, and what the exchange log may say of them."""
import json
import re

TOOLS = ("deposit", "read_file", "follow_build")
SHORT_MS = 30  # delays and the like, so that a run stays short
HOLD_MS = 50

FAILED, FIELD, FRAMING = {"failed", "reason"}, {"field", "old", "new"}, {"framing"}
EVENTS = [{"body"}, FRAMING, FIELD, FAILED]
# What an entry of `changes` has beside the rule, its side and its action.
SHAPES = {
    "json_patch": [{"pointer", "old", "new"}, {"body"}, FIELD, FRAMING, FAILED],
    "set_field": [FIELD, FAILED],
    "remove_field": [FIELD],
    "replace_body": [{"body"}, FIELD, FRAMING, FAILED],
    "redigest": [FIELD, FAILED],
    "save": [{"as"}, FAILED],
    "respond": [{"status"}, FAILED],
    "drop": [set()],
    "reset": [{"reset"}],
    "delay": [{"ms"}],
    "throttle": [{"bytes_per_second"}],
    "truncate": [{"body"}, FAILED],
    "corrupt": [{"body"}, FAILED],
    "replay": [{"times", "after_ms"}, {"of"}, FAILED],
    "duplicate": [set(), {"of"}, FAILED],
    "reorder": [{"held_ms"}],
    "hold": [{"held_ms"}],
    "reframe": [FRAMING, FIELD, FAILED],
    "edit_event": EVENTS,
    "inject_event": EVENTS,
    "drop_event": EVENTS,
    "stall": [{"ms"}, FAILED],
}


def random_patch(rng):
    path = rng.choice(["/arguments", "/arguments/amount", "/tool_name", "/id", "/list/0", "/list/-", ""])
    op = rng.choice(["add", "replace", "remove", "test", "copy", "move"])
    if op == "remove":
        return {"op": op, "path": path or "/id"}
    if op in ("copy", "move"):
        return {"op": op, "from": "/list", "path": rng.choice(["/id", "/arguments/amount"])}
    return {"op": op, "path": path, "value": rng.choice([1, "x", {"a": [None]}, "y" * 3000])}


def random_parameters(rng, action):
    """Of one action, as rules.schema.json has them."""
    nth, at = rng.randrange(1, 4), rng.choice([0, 1, rng.randrange(50), rng.randrange(100000)])
    events = rng.choice([{}, {"nth": nth}, {"type": "t*"}, {"nth": nth, "type": "*"}])
    data = rng.choice(["", "new", "two\nlines", "z" * 5000])
    return {
        "json_patch": lambda: [random_patch(rng) for _ in range(rng.randrange(1, 4))],
        "set_field": lambda: {"name": rng.choice(["X-New", "Content-Type", "Connection"]),
                              "value": rng.choice(["", "close", "1  2", "v" * 2000])},
        "remove_field": lambda: {"name": rng.choice(["X-Odd", "Content-Type", "Content-Digest"])},
        "replace_body": lambda: rng.choice([{"text": data}, {"json": {"tool_name": "deposit"}}]),
        "save": lambda: {"as": rng.choice("ab")},
        "respond": lambda: rng.choice([{"saved": rng.choice("ab")}, {"status": 204}, {
            "status": rng.choice([200, 404, 503]), "fields": {"X-A": "1"}, "body": {"text": data}}]),
        "reset": lambda: {"side": rng.choice(["both", "client", "upstream"])},
        "delay": lambda: {"ms": rng.randrange(SHORT_MS)},
        "throttle": lambda: {"bytes_per_second": rng.choice([200000, 5000000, 1000000000])},
        "truncate": lambda: {"at_byte": at},
        "corrupt": lambda: {"at_byte": at, "xor": rng.randrange(1, 256)},
        "replay": lambda: {"times": rng.randrange(1, 4), "after_ms": rng.randrange(SHORT_MS)},
        "reorder": lambda: {"within_ms": rng.randrange(1, HOLD_MS)},
        "hold": lambda: {"max_ms": rng.randrange(1, HOLD_MS)},
        "reframe": lambda: rng.choice([{"to": "length"}, {"to": "chunked"}, {
            "to": "chunked", "chunk_bytes": [rng.choice([1, 7, 1000, 1 << 20]) for _ in range(nth)]}]),
        "edit_event": lambda: {**events, **rng.choice([{"data": data},
                                                       {"json_patch": [random_patch(rng)]}])},
        "inject_event": lambda: {"after_nth": nth - 1, "data": data, "type": "t"},
        "drop_event": lambda: events,
        "stall": lambda: {"after_nth": nth - 1, "ms": rng.randrange(1, SHORT_MS)},
    }.get(action, dict)()


def random_match(rng, side):
    """Few conditions, so that rules fire."""
    match = {
        "path": rng.choice(["*", "/?*", "/*/1*", "/*/*2", "/*/?"]),
        "method": rng.choice(["POST", "GET"]),
        "fields": rng.choice([{"X-Odd": "*"}, {"X-Odd": None}, {"content-type": "*json"}]),
        "json": {"/tool_name": TOOLS[0]} if side == "request" else {"/ok": True},
        "tool": rng.choice(TOOLS),
        "client": "127.*",
    }
    return {name: match[name] for name in match if rng.random() < 0.1}


def random_rule(rng, name):
    """Ends such as drop are rare: behind them there is nothing to see."""
    side = rng.choice(["request", "response"])
    one_sided = {"save", "edit_event", "inject_event", "drop_event", "stall"} \
        if side == "request" else {"replay"}
    rare = {"drop", "reset", "respond", "truncate"}
    actions = [a for a in SHAPES if a not in one_sided and (a not in rare or rng.random() < 0.3)]
    rule = {"name": name, "on": side, "match": random_match(rng, side), "do": [
        {action: random_parameters(rng, action)}
        for action in rng.sample(actions, rng.choice([1, 1, 2, 3, 5]))]}
    if rng.random() < 0.5:
        rule["when"] = rng.choice([{"probability": rng.choice([0.2, 0.5]), "seed": rng.randrange(99)},
                                   {"every": rng.randrange(1, 4)}, {"nth": rng.randrange(1, 9)},
                                   {"count": rng.randrange(1, 9)}])
    return rule


def random_rules(rng, concealed):
    """Rules, of which one has the name that is concealed, as JSON texts."""
    count = rng.randrange(1, 7)
    rules = [random_rule(rng, f"r{i}") for i in range(count)]
    rules[rng.randrange(count)]["name"] = concealed
    saved = {action["save"]["as"] for rule in rules for action in rule["do"] if "save" in action}
    for rule in rules:
        for action in rule["do"]:
            if "saved" in action.get("respond", {}) and action["respond"]["saved"] not in saved:
                action["respond"] = {"status": 500}
    return [json.dumps(rule) for rule in rules]


def check_change(change, concealed):
    """What is wrong with an entry of `changes`, or None."""
    shape = set(change) - {"rule", "side", "action"}
    if not {"rule", "side", "action"} <= set(change) or change["rule"] == concealed:
        return "whose it is"
    if change["side"] not in ("request", "response") or shape not in SHAPES[change["action"]]:
        return "its members"
    body = change.get("body")
    if body and not (set(body) == {"old_bytes", "old_sha256", "new_bytes", "new_sha256"} and
                     all(re.fullmatch("[0-9a-f]{64}", body[k]) for k in ("old_sha256", "new_sha256"))):
        return "its body"
    framing = change.get("framing", {"old": "length", "new": "chunked"})
    if not set(framing.values()) <= {"length", "chunked", "close"}:
        return "its framing"
    return None
