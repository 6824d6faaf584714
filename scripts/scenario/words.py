"""A cell in words for people: what agent_a meant, what agent_b got, who noticed, what the captures
prove, the verdict.
"""
from . import scenarios

HOPS = {
    "client_to_proxy": "between agent_a and the proxy",
    "proxy": "in the proxy",
    "proxy_to_server": "between the proxy and agent_b",
    "log": "in the proxy's log",
    "between_captures": "between the captures",
}
CLAIMS = {
    "same": "the proxy's log declares it",
    "differ": "the proxy's log does not declare it",
    "inconclusive": "the proxy's log leaves it open",
}
NO_CALL = "there is nothing to compare: proxy.pcap holds no HTTP exchange"  # of capdiff


def counted(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shown(text):
    """As a terminal may get it: what agents say may have controls in it, and marks that turn text round."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def money(amount):
    return f"{amount:g}"


def got(cell):
    """What agent_b got."""
    parts = []
    for tool, count in cell["agent_b"]["carried_out"].items():
        parts.append(f"carried out {tool} {'once' if count == 1 else f'{count} times'}")
    for word, count in cell["agent_b"]["refused"].items():
        parts.append(f"refused {counted(count, 'call')} ({word})")
    for item in cell["tls"]["refused"] if cell["tls"] else []:
        if item["by"] == "agent_b":
            parts.append(f"ended TLS ({item['alert']})")
    if not parts:
        return "no call"
    balances = cell["agent_b"]["balances"]
    if balances:
        parts.append("its ledger: " + ", ".join(f"{a} {money(b)}" for a, b in balances.items()))
    return "; ".join(parts)


def ended(call):
    """How a call ended for agent_a."""
    if call["outcome"] == "accepted":
        return "accepted the answer"
    if call["by"] == "agent_b":
        return f"was told of a refusal ({call['word']})"
    if call["by"] == "agent_a":
        return f"refused the answer ({call['word']})"
    return f"failed ({call['word']})"


def kept(cell):
    """What agent_a made of the answers."""
    ends = [ended(call) for call in cell["agent_a"]]
    if len(set(ends)) == 1:
        return ends[0] + (f", {len(ends)} times" if len(ends) > 1 else "")
    return "; ".join(f"{call['id']}: {end}" for call, end in zip(cell["agent_a"], ends))


def noticed(cell):
    """Who noticed, and what agent_a made of it."""
    names = [f"{item['by']} ({item['word']})" for item in cell["noticed"]]
    return f"{' and '.join(names) or 'nobody'}; agent_a {kept(cell)}"


def change(item):
    """One difference."""
    text = f"{HOPS[item['hop']]}: {item['place']}"
    if item["was"] is not None or item["is"] is not None:
        text += f": {item['was'] or 'nothing'} → {item['is'] or 'nothing'}"
    return text


def proven(cell):
    """What the captures prove, and whether the proxy's log says so too."""
    captures = cell["captures"]
    text = captures["summary"]
    if captures["verdict"] == "same" and captures["timing"]:
        text += "; but " + "; ".join(captures["timing"])
    if captures["verdict"] == "differ":
        text += f"; {CLAIMS[cell['with_log']['verdict']]}"
    if cell["tls"] is None:
        return text
    shown = [f"agent_a ended TLS ({item['alert']})" for item in cell["tls"]["refused"]
             if item["by"] == "agent_a"]
    return f"{'; '.join(cell['tls']['begun'])}. With the agents' keys, {'; '.join([*shown, text])}"


def heard(leg):
    """What someone who only reads along knows of one leg."""
    if not leg["anything"]:
        return "nothing"
    if leg["calls"]:
        return "the calls"
    known = {"name": "agent_b's name", "certificate": "its certificate"}
    names = [text for mark, text in known.items() if leg[mark]]
    return "no call, only " + ", ".join(names + ["sizes and times"])


def overheard(cell):
    client, upstream = (heard(cell["listener"][leg]) for leg in ("client", "upstream"))
    if client == upstream:
        return f"on both legs {client}"
    return f"on the client leg {client}; on the upstream leg {upstream}"


def verdict(cell, scenario):
    goal = scenario.goal["sentence"] if scenario.goal else None
    if cell["outcome"] == scenarios.SUCCEEDS:
        return f"succeeds: {goal}"
    if cell["outcome"] == scenarios.UNDISTURBED:
        return "undisturbed: nothing was attacked"
    return cell["outcome"]


def six_lines(cell, scenario):
    return [
        ("agent_a meant to", scenario.meant),
        ("agent_b", got(cell)),
        ("noticed by", noticed(cell)),
        ("a listener read", overheard(cell)),
        ("the captures", proven(cell)),
        ("verdict", verdict(cell, scenario)),
    ]


# --- for the matrix ---


def noticed_in_short(cell):
    """Who noticed, where the outcome does not say it already."""
    if cell["outcome"] != scenarios.SUCCEEDS or not cell["noticed"]:
        return ""
    return "; ".join(f"{item['by']}: {item['word'].replace('_', ' ')}" for item in cell["noticed"])


def key_sentences():
    """What the words of the cells mean; the first that fits is taken."""
    return (
        "**succeeds**: it reached its goal, as the ledger, the file that was read or the answer that "
        "agent_a accepted show. Who noticed all the same stands below.",
        "**detected by agent_b**: it refused a call, or ended TLS.",
        "**detected by agent_a**: it refused an answer, or got none.",
        "**detected only by the captures**: both agents were content, and capdiff finds that not "
        "the same bytes went in and came out.",
        "**not possible**: nothing of all that.",
    )


def hole_sentence(data):
    """The column of the captures, counted."""
    cells = [cell for attack in data["attacks"] for cell in attack["cells"]]
    altered = [cell for cell in cells if cell["altered"]]
    found = [cell for cell in altered if cell["captures"]["verdict"] == "differ"]
    secret = [cell for cell in altered if cell["tls"]]
    missed = [cell for cell in secret if cell["tls"]["missed_without_keys"]]
    unsent = [cell for cell in cells if is_empty(cell)]
    quiet = [cell for cell in cells if cell not in altered and cell not in unsent]
    same = [cell for cell in quiet if cell["captures"]["verdict"] == "same"]
    late = [cell for cell in quiet if cell["captures"]["timing"]]
    return (f"In {counted(len(altered), 'cell')} something was changed on the wire, and from the "
            f"captures alone capdiff finds it in {every(found, altered)}; under TLS, in {len(secret)} of "
            f"them, it is given the agents' keys, and without these says same in {len(missed) or 'none'}. "
            f"In {len(unsent)} no call was sent. In the other {len(quiet)} no byte was changed, and the "
            f"captures are the same in {every(same, quiet)}: in {len(late)} of them calls were kept waiting "
            "or overtook each other, as the captures' times show; in the rest nothing was done, or someone "
            "only read along.")


def every(some, all_of_them):
    return "each" if len(some) == len(all_of_them) else f"only {len(some)}"


def captures_in_short(cells):
    """What the captures alone say of an attack, in a few words."""
    return summed_up(list(map(proven_in_short, cells)))


def proven_in_short(cell):
    captures = cell["captures"]
    if is_empty(cell):
        return "no call sent"
    if captures["verdict"] == "same" and captures["timing"]:
        return "same bytes, other times"
    return captures["verdict"] + (", with keys" if cell["tls"] else "")


def is_empty(cell):
    """There is no call in the captures."""
    captures = cell["captures"]
    return captures["verdict"] == "inconclusive" and captures["doubts"] == [NO_CALL]


def overheard_in_short(cells):
    """What a listener reads, in fewer."""
    return summed_up([{(True, True): "the calls", (False, False): "no call", (True, False): "the calls, before the proxy",
                       (False, True): "the calls, behind the proxy"}[
                           tuple(c["listener"][leg]["calls"] for leg in ("client", "upstream"))]
                      if c["listener"]["upstream"]["anything"] else "the calls" for c in cells])


def summed_up(words):
    if len(set(words)) == 1:
        return words[0]
    return ", ".join(f"{word} in {words.count(word)}" for word in sorted(set(words)))
