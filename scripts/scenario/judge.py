"""What became of an attack: a cell of the matrix, from the state that a run left."""
from . import scenarios, tls
from .evidence import account, captures_say, kept, listener_reads, log_says, tls_says
from .state import lookup, plain

# What changes the bytes of a message, or which messages there are. The others only keep it waiting,
# or take a copy.
ALTERING = {
    "json_patch", "set_field", "remove_field", "replace_body", "redigest", "respond", "drop", "reset",
    "truncate", "corrupt", "replay", "duplicate", "reframe", "edit_event", "inject_event", "drop_event",
}


def goal_reached(scenario, run):
    return scenario.goal is not None and all(run.holds(c) for c in scenario.goal["state"])


def refused_by_agent_b(run):
    """The words with which agent_b refused calls, as it counts itself; then, of TLS, its alerts."""
    calls = [word for word, count in plain(lookup(run.calls, "/refused")).items() if count > 0]
    alerts = tls.refusals(run.connections) if run.connections else []
    return calls + [alert for agent, alert in alerts if agent == "agent_b"]


def unhappy_agent_a(run):
    """The words with which calls ended whose answer agent_a refused itself, or that failed. What it
    takes for a refusal of agent_b's it believes, be it one or not.
    """
    return [lookup(line, "/word") for line in run.results
            if lookup(line, "/outcome") != "accepted" and lookup(line, "/by") != "agent_b"]


def judge(scenario, run):
    """One of the words of scenarios.py; the first that fits."""
    if goal_reached(scenario, run):
        return scenarios.SUCCEEDS
    if refused_by_agent_b(run):
        return scenarios.BY_AGENT_B
    if unhappy_agent_a(run):
        return scenarios.BY_AGENT_A
    if run.captures["verdict"] == "differ":
        return scenarios.BY_CAPTURES
    return scenarios.NOT_POSSIBLE if scenario.goal else scenarios.UNDISTURBED


def noticed(run):
    """Who noticed, and by what word: a list of (agent, word)."""
    found = [("agent_b", word) for word in refused_by_agent_b(run)]
    if any(lookup(line, "/attempts") > 1 for line in run.results):
        found.append(("agent_a", "sent it again"))
    found += [("agent_a", word) for word in unhappy_agent_a(run)]
    return list(dict.fromkeys(found))


def altered(scenario, run):
    """True when what was on the wire was changed: the proxy's log says so, or it conceals it, or the
    handshake of TLS shows it.
    """
    if "--conceal" in scenario.options.get("mitm_proxy", []):
        return True
    if run.connections and tls.tampered(run.connections):
        return True
    return any(change["action"] in ALTERING and "failed" not in change
               for record in run.log for change in record["changes"])


def cell(scenario, profile, run):
    """Everything that the matrix says of one attack under one defence; the same in each run."""
    changed = altered(scenario, run)
    return {
        "scenario": scenario.name,
        "defence": profile,
        "outcome": judge(scenario, run),
        "goal_reached": goal_reached(scenario, run),
        "agent_b": account(run),
        "agent_a": kept(run),
        "noticed": [{"by": agent, "word": word} for agent, word in noticed(run)],
        "altered": changed,
        "tls": tls_says(run, changed),
        "listener": listener_reads(scenario, run),
        "captures": captures_say(run),
        "with_log": log_says(run),
    }


def unexpected(scenario, measured):
    """What is not as scenario.json says: a list of sentences."""
    wrong = []
    wanted = scenario.expected[measured["defence"]]
    if measured["outcome"] != wanted:
        wrong.append(f"{measured['outcome']}, where {wanted} was expected")
    if measured["captures"]["verdict"] != scenario.captures:
        wrong.append(f"the captures say {measured['captures']['verdict']}, "
                     f"where {scenario.captures} was expected")
    return wrong
