"""What the proxy's capture proves by its times, of which its bytes say nothing: who was kept waiting
in the proxy, and who overtook whom.
"""
from datetime import datetime

PROXY, SERVER = ":8080", ":8000"  # the ports of the lab: the client leg and the upstream leg
LONG = 1.0  # seconds; what is kept by accident is kept for milliseconds


def seconds(exchange):
    return datetime.fromisoformat(exchange["time"].replace("Z", "+00:00")).timestamp()


def numbered(exchanges, port):
    """{(call's id, which one with that id): exchange}, by time."""
    found = {}
    for exchange in sorted((e for e in exchanges if e["server"].endswith(port)), key=seconds):
        same = sum(1 for call_id, _ in found if call_id == exchange["call_id"])
        found[exchange["call_id"], same + 1] = exchange
    return found


def end(exchange):
    return seconds(exchange) + exchange["duration_us"] / 1e6


def kept(name, came, went):
    """CAME and WENT are an exchange on the client leg and on the upstream leg."""
    if seconds(went) - seconds(came) >= LONG:
        yield f"the request {name} stayed in the proxy for more than a second"
    if None not in (came["duration_us"], went["duration_us"]) and end(came) - end(went) >= LONG:
        yield f"the response to {name} stayed in the proxy for more than a second"


def timing(exchanges):
    """Sentences; none where calls went on as they came. EXCHANGES are those of capdiff's listing."""
    came, went = numbered(exchanges, PROXY), numbered(exchanges, SERVER)
    both = [key for key in came if key in went]
    found = [sentence for key in both for sentence in kept(key[0], came[key], went[key])]
    for index, earlier in enumerate(both):
        for later in both[index + 1:]:
            if seconds(went[later]) < seconds(went[earlier]):
                found.append(f"{later[0]} overtook {earlier[0]} in the proxy")
    return found
