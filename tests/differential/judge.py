"""Holds what an origin saw of one connection against what the proxy's exchange log says it passed on.

It is a disagreement
- when the origin saw a request that the log does not have as passed on, or in another order (more);
- when the log has one as passed on and answered by the origin, and the origin saw none (fewer). Excused
  is only an answer that the origin's own reader gives without a line in its log (Origin.unlogged), and
  what the origin never answered, since the record says so: its status is null or its error is not;
- when both have it and differ in the method, the target, the answer's status, or the body;
- when the client got other final responses than the log has, or the origin's answer to another request.

Behind a 101 there is a tunnel: the log says how many bytes passed unread, and nothing is compared.
"""
from client import Wrong, read_response
from origins import canon


def passed_on(record):
    """Whether a request's head went to the upstream: then its time there was counted."""
    return record["upstream_us"] > 0 and record["upstream_local"] is not None


def port_of(record):
    """The port that the proxy had towards the origin; None: it had none."""
    local = record["upstream_local"]
    return int(local.rpartition(":")[2]) if local else None


def answered(record):
    return record["status"] is not None and record["error"] is None


def target_of(record):
    """The target as it was passed on."""
    for change in record["changes"]:
        if "target" in change:
            return change["target"]["new"]
    return record["target"]


def could_be(origin, record, seen):
    if seen.line is None:  # the origin could not read it
        return not answered(record) or record["status"] == seen.status
    return origin.line_of(record["method"], target_of(record)) == seen.line


def excused(origin, record):
    return not answered(record) or record["status"] in origin.unlogged


def check_pair(record, seen):
    what = f"{record['method']} {record['target']}"
    if answered(record) and seen.status not in (None, record["status"]):
        yield f"status: the log has {record['status']} for {what}, the origin answered {seen.status}"
    if not seen.whole:
        return
    if record["request_sha256"] is None:
        yield f"body: the origin has {what} whole, which the log has not"
    elif (record["request_bytes"], record["request_sha256"]) != (seen.bytes, seen.sha256):
        yield f"body: {what} is {record['request_bytes']} bytes in the log, {seen.bytes} at the origin, or others"


def check_origin(origin, records, seen):
    """What the origin saw, in its order, must be what was passed on; problems, as lines."""
    return list(compare(origin, in_order(records), seen))


def in_order(records):
    return sorted(records, key=lambda record: record["exchange"])


def place(origin, left, one):
    """Which of the records LEFT the origin means by ONE, or a tunnel before it; None: none.

    One that it could not read is rather one that has its answer than one that never had any.
    """
    fits = [i for i, record in enumerate(left) if "tunnel" in record or could_be(origin, record, one)]
    if one.line is None:
        fits.sort(key=lambda i: not answered(left[i]))
    return fits[0] if fits else None


def compare(origin, records, seen):
    left = [record for record in records if passed_on(record)]
    for one in seen:
        at = place(origin, left, one)
        yield from fewer(origin, left[:at])
        if at is None:
            yield f"more: the origin saw {one}, the log has {[brief(record) for record in records]}"
            return
        if "tunnel" in left[at]:
            return
        yield from check_pair(left[at], one)
        left = left[at + 1:]
    yield from fewer(origin, left)


def fewer(origin, records):
    for record in records:
        if "tunnel" not in record and not excused(origin, record):
            yield f"fewer: the origin did not see {brief(record)}"


def check_client(origin, records, sent):
    """The final responses that the client got must be those of the log, in its order; problems, as lines."""
    try:
        problems = list(compare_responses(origin, in_order(records), sent))
    except (Wrong, ValueError, IndexError) as wrong:
        problems = [f"responses: {wrong!r} in {sent.got[:200]!r}"]
    if not sent.ended and not sent.broke:
        problems.append("end: the connection did not end")
    return problems


def lost(record, sent):
    """Whether a response that did not come may have been thrown away on the client's side."""
    return sent.broke or record["error"] == "client_gone" or \
        sent.reset and (record["error"] or "tunnel" in record)


def compare_responses(origin, records, sent):
    data = sent.got
    for record in records:
        if record["status"] is None:
            continue
        try:
            response, data = read_response(data, record["method"])
        except EOFError:
            if not lost(record, sent):
                yield f"responses: the client did not get that to {brief(record)}"
            return
        if response.status != record["status"]:
            yield f"responses: the client got {response.status} for {brief(record)}"
        if not response.whole and not record["error"] and not sent.broke:
            yield f"responses: the client got a part of that to {brief(record)}"
        if origin.app and answered(record) and response.content is not None and response.whole and \
                response.status == 200 and canon(response.content) != canon(target_of(record).encode()):
            yield f"responses: the client got {response.content[:80]!r} for {brief(record)}"
    if data and not sent.broke:
        yield f"responses: the client got {data[:80]!r} on top"


def brief(record):
    target = record["target"]
    return (f"{record['method']} {target if not target or len(target) < 60 else target[:60] + '…'}: "
            f"{record['status']} {record['error'] or ''}{'' if passed_on(record) else ' (not passed on)'}").strip()
