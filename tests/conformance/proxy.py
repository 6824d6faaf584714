"""Plays a case between a raw client and a raw origin, with mitm_proxy in the middle.

Each case is played three times: first on its connection, whole; behind another exchange, whole,
with a pipelined follower; and so once more, byte by byte. The first of these go one by one. The
others go several at a time: the exchange before, the preface, tells the origin which case a
connection is of.
"""
import concurrent.futures
import json
import queue
import re
import threading
import time

import cases
import wire
from answers import check_own_answer
from wire import Failure, Peer, TIMEOUT, unescape

AT_ONCE = 8
PREFACE = re.compile(rb"GET /preface/(\d+) HTTP/1\.1\r\nHost: [^\r]*\r\n\r\n")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FOLLOWER_ANSWER = b"HTTP/1.1 203 Follower\r\nContent-Length: 8\r\n\r\nfollower"


class Records:
    """The exchange log, dealt out by the client's address."""

    def __init__(self, path):
        self.file = open(path, encoding="utf-8")
        self.lock = threading.Lock()
        self.waiting = {}
        self.half = ""

    def next(self, client, timeout=TIMEOUT):
        """That client's next record; None if it does not come in time."""
        deadline = time.monotonic() + timeout
        while True:
            with self.lock:
                self.read()
                found = self.waiting.get(client)
                if found:
                    return found.pop(0)
            if time.monotonic() > deadline:
                return None
            time.sleep(0.005)

    def forget(self, client):
        with self.lock:
            self.waiting.pop(client, None)

    def read(self):
        for line in self.file:
            self.half += line
            if line.endswith("\n"):
                record = json.loads(self.half)
                self.waiting.setdefault(record["client"], []).append(record)
                self.half = ""


class Lab(wire.Lab):
    """One proxy for all cases with the same options."""

    def __init__(self, program, options):
        super().__init__(program, ["--quiet", *options], False)
        self.forward = "forward" in options
        self.records = Records(self.log_path)
        self.prefaced = {}
        self.lock = threading.Lock()
        self.names = {"$PROXYPORT": str(self.address[1]), **self.names}
        self.names.update({f"$FIELDS{n}": "X: y\\r\\n" * n for n in (255, 300)})
        self.names["$INTERIM100"] = "HTTP/1.1 100 x\\r\\n\\r\\n" * 100

    def base(self):
        return "http://" + self.names["$ORIGIN"] if self.forward else ""

    def expects(self, number):
        with self.lock:
            return self.prefaced.setdefault(number, queue.Queue())

    def answer_prefaces(self):
        """Takes the origin's connections until its socket is closed."""
        def serve(sock):
            peer = Peer(sock, False)
            while not (found := PREFACE.match(peer.got)) and peer.read_more():
                pass
            if found:
                peer.got = peer.got[found.end():]
                peer.send(OK)
                self.expects(int(found[1])).put(peer)

        def accept():
            while True:
                try:
                    sock = self.origin.accept()[0]
                except TimeoutError:
                    continue
                except OSError:
                    return
                threading.Thread(target=serve, args=(sock,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()


class Seat:
    """What one play sees of the lab; wire.Run asks it for its ends."""

    def __init__(self, lab, number, pieces, prefaced):
        self.lab, self.number, self.pieces, self.prefaced = lab, number, pieces, prefaced
        self.names = lab.names
        self.origin_peer = None
        self.origin = lab.origin
        self.client = None

    def connect(self):
        peer = self.lab.connect()
        self.client = "%s:%d" % peer.sock.getsockname()
        self.lab.records.forget(self.client)
        if self.prefaced:
            host = self.names["$ORIGIN"] if self.lab.forward else "preface"
            peer.send(b"GET %s/preface/%d HTTP/1.1\r\nHost: %s\r\n\r\n"
                      % (self.lab.base().encode(), self.number, host.encode()))
            peer.expect(OK)
            try:
                self.origin_peer = self.lab.expects(self.number).get(timeout=TIMEOUT)
            except queue.Empty:
                raise Failure("the origin was not connected to") from None
            self.origin_peer.pieces = self.pieces
            while not self.record()["target"].endswith(f"/preface/{self.number}"):
                pass  # it is of a connection that had this port before
        peer.pieces = self.pieces
        return peer

    def accept(self):
        if self.prefaced:
            raise Failure("a second upstream connection for one client connection")
        peer = self.lab.accept()
        peer.pieces = self.pieces
        return peer

    def waiting(self):
        return not self.prefaced and self.lab.waiting()

    def record(self):
        record = self.lab.records.next(self.client)
        if record is None:
            raise Failure("no record in the exchange log")
        return record


class Expected:
    """What a case of one exchange says must come, with what it leaves unsaid."""

    def __init__(self, case, names):
        def text(word, default=None):
            found = case.one(word, default)
            for name, value in names.items() if found else ():
                found = found.replace(name, value)
            return found
        self.request = unescape(text("request"))
        gets, passes = text("gets"), text("passes")
        self.refused = gets.split()[1:] if gets and gets.startswith("refused ") else None
        answered = case.one("answer") is not None
        self.answer = unescape(text("answer")) if answered else OK
        self.part_up = unescape(passes[5:]) if passes and passes.startswith("part ") else None
        reached = not self.refused or answered
        if passes == "nothing" or self.part_up is not None or not passes and not reached:
            self.passes = None
        else:
            self.passes = unescape(passes) if passes else self.request
        self.part_down = unescape(gets[5:]) if gets and gets.startswith("part ") else None
        self.gets = unescape(gets) if gets and not self.refused else self.answer
        self.hangup = text("hangup")
        self.closes = text("closes") or \
            ("answer" if self.hangup or self.part_down is not None or self.refused and answered else
             "request" if self.refused else None)
        self.ends = text("ends", "fin")
        self.log = self.wanted_record(text("log", ""))
        self.to_head = self.request.startswith(b"HEAD ")

    def wanted_record(self, words):
        wanted = {"error": None}
        if self.refused:
            wanted = {"status": int(self.refused[0]), "error": self.refused[1]}
        else:
            final = re.search(rb"HTTP/1\.[01] ([2-9]\d\d|101)", self.gets)
            if final:
                wanted["status"] = int(final[1])
            if self.part_down is not None:
                del wanted["status"]  # the origin's, or that of a 502
        for word in words.split():
            key, _, value = word.partition("=")
            try:
                wanted[key] = json.loads(value)
            except ValueError:
                wanted[key] = value
        return wanted


class Play:
    """A case, once."""

    def __init__(self, case, seat, follows):
        self.case, self.seat = case, seat
        self.follows = follows and "alone" not in case.flags
        base = seat.lab.base()
        host = seat.names["$ORIGIN"] if base else "f"
        self.follower = f"GET {base}/follower HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self.follower_up = self.follower.replace(base.encode(), b"", 1) if base else self.follower
        self.run = wire.Run(seat)
        self.run.server = seat.origin_peer

    def play(self):
        try:
            if self.case.is_steps():
                self.steps()
            else:
                self.exchange(Expected(self.case, self.seat.names))
        finally:
            self.run.close()

    def steps(self):
        ended = False
        for word, text in self.case.lines:
            if word == "options":
                continue
            line = f"{word} {text}"
            ended = ended or re.match(r"([cs][<>] (fin|rst|end|cut|refused)|reconnect)", line)
            try:
                self.run.step(line)
            except Failure as failure:
                raise Failure(f"{line!r}: {failure}") from None
        if not ended and self.follows:
            self.run.client.send(self.follower)
            self.follow()
        self.finish()

    def exchange(self, want):
        client = self.run.client
        client.send(want.request + (self.follower if self.follows else b""))
        if want.passes is not None:
            self.run.origin().expect(want.passes)
            self.run.origin().send(want.answer)
            if want.hangup:
                self.run.end_step(self.run.origin(), want.hangup)
        if want.part_up is not None and not self.follows:
            client.finish()  # where a part of it is what was meant
        self.check_answer(want)
        if self.follows and not want.closes:
            self.follow()
        elif want.closes:
            self.check_cut_off(want)
        self.finish()
        self.check_records(want)

    def check_answer(self, want):
        client = self.run.client
        if want.refused:
            before = want.gets if want.gets is not want.answer else b""
            client.expect(before)
            check_own_answer(client, int(want.refused[0]), want.refused[1], want.to_head)
        elif want.part_down is not None:
            while client.read_more():
                pass
            if client.got.startswith(b"HTTP/1.1 502 "):  # nothing of it had been passed on
                check_own_answer(client, 502, want.log["error"], want.to_head)
            if not want.part_down.startswith(client.got):
                raise Failure(f"got {client.got!r}, expected no more than {want.part_down!r}")
            client.got = b""
        else:
            client.expect(want.gets)
        if want.closes:
            client.expect_end(want.ends)

    def follow(self):
        self.run.origin().expect(self.follower_up)
        self.run.origin().send(FOLLOWER_ANSWER)
        self.run.client.expect(FOLLOWER_ANSWER)

    def check_cut_off(self, want):
        """The origin sees the end too, and of the follower nothing but what the case allows."""
        origin = self.run.server
        if not origin and self.seat.waiting():
            if want.part_up is None:
                raise Failure("the origin was connected to")
            origin = self.run.origin()
        if not origin or want.hangup == "rst":
            return
        while not origin.end and origin.read_more():
            pass
        if not origin.end:
            raise Failure("the origin saw no end")
        if want.part_up is not None:
            allowed = want.part_up
        else:
            allowed = self.follower_up if want.closes == "answer" else b""
        if not allowed.startswith(origin.got):
            raise Failure(f"the origin got {origin.got!r}, expected no more than {allowed!r}")
        origin.got = b""

    def finish(self):
        """Both ends end in order, and neither has more than was looked at."""
        client, origin = self.run.client, self.run.server
        for peer in (client, origin):
            if peer and peer.sock.fileno() >= 0:
                self.end_of(peer)
        for name, peer in (("client", client), ("origin", origin)):
            if peer and peer.sock.fileno() >= 0:
                while not peer.end and peer.read_more():
                    pass
                if peer.got:
                    raise Failure(f"the {name} got {peer.got!r} on top")
                if not peer.end:
                    raise Failure(f"the {name} saw no end")
        if not origin and self.seat.waiting():
            raise Failure("the origin was connected to")

    def end_of(self, peer):
        try:
            peer.finish()
        except OSError:
            pass  # it has ended already

    def check_records(self, want):
        record = self.seat.record()
        for key, value in want.log.items():
            if record[key] != value:
                raise Failure(f"the log says {key}={record[key]!r}, expected {value!r}: {record}")
        more = self.seat.lab.records.next(self.seat.client, TIMEOUT if self.follows and
                                          not want.closes else 0)
        if self.follows and not want.closes and (not more or more["error"]):
            raise Failure(f"the log says {more} of the follower")
        if more and (want.closes == "request" or not more["target"].endswith("/follower")):
            raise Failure(f"one record more than expected: {more}")


def play_one(lab, case, number, pieces, prefaced):
    """None, or what went wrong."""
    way = f"{'pieces' if pieces else 'whole'}, {'second' if prefaced else 'first'}"
    try:
        Play(case, Seat(lab, number, pieces, prefaced), follows=prefaced or pieces).play()
    except (Failure, OSError, ValueError, KeyError, IndexError, TypeError) as failure:
        kind = "" if isinstance(failure, Failure) else type(failure).__name__ + " "
        return f"{case} ({way}): {kind}{failure}"
    return None


def play_all(lab, chosen):
    failures = [play_one(lab, case, 0, False, False) for case in chosen]
    failures += [play_one(lab, case, 0, True, False) for case in chosen if "first" in case.flags]
    lab.answer_prefaces()
    seats = [(case, pieces) for case in chosen if "first" not in case.flags
             for pieces in (False, True)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(play_one, lab, case, number, pieces, True)
                for number, (case, pieces) in enumerate(seats)]
        failures += [job.result() for job in jobs]
    return [failure for failure in failures if failure]


def run(program, more_options, chosen):
    """Plays the cases; what went wrong."""
    failures, groups = [], {}
    for case in chosen:
        groups.setdefault(case.one("options", ""), []).append(case)
    for options, group in groups.items():
        try:
            lab = Lab(program, options.split() + more_options)
            try:
                failures += play_all(lab, group)
            finally:
                lab.close()
        except Failure as failure:
            failures.append(f"proxy {options}: {failure}")
    return failures
