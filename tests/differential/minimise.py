"""Makes a stream that disagrees smaller, as long as it goes on to disagree in the same way."""
import time

import lane
from generate import Stream

SECONDS = 60
PATIENCE = 2  # seconds for a late line, here


def kinds(problems):
    return {problem.partition(":")[0] for problem in problems}


def disagrees(one, stream, wanted):
    late, lane.LATE = lane.LATE, PATIENCE
    try:
        found = one.judge([one.send(stream)])
    finally:
        lane.LATE = late
    return found and kinds(found[0].problems) & wanted


def candidates(stream):
    """Smaller streams, the much smaller ones first."""
    parts = stream.parts
    for i in range(len(parts)):
        if len(parts) > 1:
            yield parts[:i] + parts[i + 1:]
    for i, part in enumerate(parts):
        lines = part.split(b"\r\n")
        for j in range(len(lines)):
            yield parts[:i] + [b"\r\n".join(lines[:j] + lines[j + 1:])] + parts[i + 1:]
    for i, part in enumerate(parts):
        size = len(part) // 2
        while size > 4:
            for at in range(0, len(part), size):
                yield parts[:i] + [part[:at] + part[at + size:]] + parts[i + 1:]
            size //= 2


def smaller(one, outcome):
    stream, wanted = outcome.stream, kinds(outcome.problems)
    deadline = time.monotonic() + SECONDS
    for cuts, manner in ((None, "wait"), (stream.cuts, "wait"), (None, stream.manner)):
        plain = Stream(stream.parts, cuts, manner, stream.name)
        if disagrees(one, plain, wanted):
            stream = plain
            break
    going = True
    while going and time.monotonic() < deadline:
        going = False
        for parts in candidates(stream):
            shorter = Stream([part for part in parts if part], stream.cuts, stream.manner, stream.name)
            if time.monotonic() > deadline:
                break
            if len(shorter.bytes()) < len(stream.bytes()) and disagrees(one, shorter, wanted):
                stream, going = shorter, True
                break
    return stream
