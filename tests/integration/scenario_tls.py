"""usage: scenario_tls.py

What scripts/scenario makes of captures with TLS in them: packets, plain text, listeners, handshakes,
and what the attacker does to a ClientHello. Needs no tshark.
"""
import random
import ssl
import tempfile
import time
import unittest
from pathlib import Path

from scenario_judge import Case

from scenario import downgrade, judge, listener, packets, plaintext, state, tls, words
from scenario.packets import ACK, FIN, PSH, RST, SYN, Packet

A, B = ("10.0.1.2", 50000), ("10.0.1.1", 8080)
CALL = {"id": "pay-1", "tool_name": "deposit", "arguments": {"account": "client", "amount": 100}}


def packet(source=A, target=B, flags=ACK, seq=1, payload=b"", time_ns=1):
    return Packet(time_ns, source, target, flags, seq, 0, payload)


def row(source, target, flags, seq, wire="", plain="", stamp=1, **more):
    values = dict.fromkeys(plaintext.Row._fields, "")
    values.update(time=f"{stamp}.000000001", source=source[0], source_port=str(source[1]), target=target[0],
                  target_port=str(target[1]), stream="0", flags=hex(flags), seq=str(seq), ack="0", wire=wire,
                  plain=plain, **more)
    return plaintext.Row(**values)


class Packets(unittest.TestCase):
    def test_what_is_written_is_read(self):
        made = [packet(flags=SYN, seq=2**32 - 1, time_ns=1795872214_424980123),
                packet(B, A, PSH | ACK, 7, b"\x00text\xff", 1795872215_000000000)]
        with tempfile.NamedTemporaryFile() as file:
            packets.write_packets(file.name, made)
            data = Path(file.name).read_bytes()
        self.assertEqual(list(packets.read_packets(data)), made)
        for cut in range(len(data)):
            self.assertLessEqual(len(list(packets.read_packets(data[:cut]))) if cut >= 24 else 0, 1)

    def test_link_types_and_what_is_no_tcp(self):
        frame = packets.build(packet(payload=b"x"))
        for link, header in ((1, bytes(12) + b"\x08\x00"), (113, bytes(14) + b"\x08\x00"),
                             (276, b"\x08\x00" + bytes(18)), (101, b"")):
            self.assertEqual(packets.parse(1, header + frame + b"padding", link).payload, b"x")
            self.assertIsNone(packets.parse(1, header + frame[:9] + b"\x11" + frame[10:], link))
            self.assertIsNone(packets.parse(1, header[:-1], link))
        self.assertIsNone(packets.parse(1, bytes(12) + b"\x86\xdd" + frame, 1))


class Plain(unittest.TestCase):
    def opened(self):
        return [row(A, B, SYN, 100), row(B, A, SYN | ACK, 900), row(A, B, ACK, 101),
                row(A, B, PSH | ACK, 101, wire="1603"), row(B, A, PSH | ACK, 901, wire="1603")]

    def plain(self, rows):
        return [(p.source == A, p.flags, p.seq, p.ack, p.payload) for p in plaintext.as_plain(rows)]

    def test_only_what_was_in_it_takes_room(self):
        rows = self.opened() + [row(A, B, PSH | ACK, 400, plain="4142,43"), row(B, A, PSH | ACK, 950, plain="64"),
                                row(A, B, FIN | ACK, 500), row(B, A, FIN | PSH | ACK, 970, plain="65")]
        self.assertEqual(self.plain(rows), [
            (True, SYN, 100, 901, b""), (False, SYN | ACK, 900, 101, b""), (True, ACK, 101, 901, b""),
            (True, PSH | ACK, 101, 901, b""), (False, PSH | ACK, 901, 101, b""),
            (True, PSH | ACK, 101, 901, b"ABC"), (False, PSH | ACK, 901, 104, b"d"),
            (True, FIN | ACK, 104, 902, b""), (False, FIN | PSH | ACK, 902, 105, b"e")])

    def test_packets_that_were_sent_again_move_nothing(self):
        again = [item for item in self.opened() for _ in range(2)]
        again += [row(A, B, PSH | ACK, 400, plain="4142"), row(A, B, PSH | ACK, 400)]  # decrypted but once
        again += [row(A, B, FIN | ACK, 500), row(A, B, FIN | ACK, 500), row(B, A, RST, 901)]
        self.assertEqual(list(dict.fromkeys(item[2:3] + item[4:] for item in self.plain(again) if item[0])),
                         [(100, b""), (101, b""), (101, b"AB"), (103, b"")])
        self.assertEqual([item[2] for item in self.plain(again) if item[1] & FIN], [103, 103])
        self.assertEqual(self.plain(again)[-1][3], 104)

    def test_what_is_no_tls_stays(self):
        rows = [row(A, B, SYN, 100), row(A, B, PSH | ACK, 101, wire="474554")]
        self.assertEqual(self.plain(rows), [(True, SYN, 100, 0, b""), (True, PSH | ACK, 101, 0, b"GET")])

    def test_hellos_and_alerts(self):
        rows = [row(A, B, PSH, 1, handshake="1", random="aa", version="0x0303", supported="0x0303,0x0304,0x7a7a"),
                row(B, A, PSH, 1, alert="0"), row(B, A, PSH, 1, alert="70,0"), row(A, B, PSH, 1, alert="99")]
        self.assertEqual(plaintext.hello_of(rows), {"random": "aa", "versions": ["TLS 1.3", "TLS 1.2"]})
        self.assertEqual(plaintext.alerts_of(rows), [(True, "protocol_version"), (False, "alert 99")])
        old = [row(A, B, PSH, 1, handshake="1", random="bb", version="0x0302")]
        self.assertEqual(plaintext.hello_of(old)["versions"], ["TLS 1.1"])
        self.assertIsNone(plaintext.hello_of(rows[1:]))


class Listener(unittest.TestCase):
    def heard(self, *made):
        return listener.heard(*listener.directions(made, 8080), [CALL])

    def test_a_call_is_its_id_with_its_tool_or_arguments(self):
        for text, calls in ((b'{"id":"pay-1","tool_name":"deposit"}', True), (b'"pay-1" "client"', True),
                            (b'"pay-1"', False), (b'"deposit" pay-1', False), (b"", False)):
            self.assertEqual(self.heard(packet(payload=text))["calls"], calls, text)
        self.assertFalse(self.heard(packet(B, A, payload=b'"pay-1" "deposit"'))["calls"])

    def test_what_lies_across_packets_and_comes_twice_or_late(self):
        made = [packet(flags=SYN, seq=2**32 - 3), packet(seq=2**32 - 2, payload=b'"pa'),
                packet(seq=7, payload=b"it"), packet(seq=2**32 - 2, payload=b'"pa'), packet(seq=1, payload=b'y-1" ')]
        made.append(packet(seq=6, payload=b"d"))
        there, back = listener.directions(made, 8080)
        self.assertEqual((there, back), (b'"pay-1" dit', b""))

    def test_names(self):
        hello, certificate = packet(payload=b"\x16..agent-b.test"), packet(B, A, payload=b"agent-b.test")
        self.assertEqual(self.heard(hello), {"anything": True, "calls": False, "name": True, "certificate": False})
        self.assertTrue(self.heard(certificate)["certificate"])
        self.assertFalse(self.heard()["anything"])

    def test_in_words(self):
        reads, hidden = ({"anything": True, "calls": calls, "name": True, "certificate": False} for calls in (True, False))
        silent = {"anything": False, "calls": False, "name": False, "certificate": False}
        for client, upstream, text, short in (
                (reads, reads, "on both legs the calls", "the calls"),
                (reads, silent, "on the client leg the calls; on the upstream leg nothing", "the calls"),
                (hidden, hidden, "on both legs no call, only agent_b's name, sizes and times", "no call"),
                (reads, hidden, "on the client leg the calls; on the upstream leg no call, only agent_b's name, "
                                "sizes and times", "the calls, before the proxy")):
            cell = {"listener": {"client": client, "upstream": upstream}}
            self.assertEqual((words.overheard(cell), words.overheard_in_short([cell])), (text, short))


def connection(random_=None, versions=("TLS 1.3", "TLS 1.2"), alerts=(), is_tls=True):
    hello = {"random": random_, "versions": list(versions)} if random_ else None
    return {"port": 1, "tls": is_tls, "hello": hello, "alerts": [list(alert) for alert in alerts]}


class Handshakes(unittest.TestCase):
    def begun(self, client, upstream):
        return tls.begun({"client": client, "upstream": upstream})

    def test_who_speaks_tls_with_whom(self):
        one, other = connection("aa"), connection("bb")
        self.assertIn("nobody took TLS apart", self.begun([one], [one])[0])
        self.assertIn("TLS was taken apart", self.begun([one], [other])[0])
        self.assertEqual(self.begun([connection(is_tls=False)], [one]), ["agent_a spoke no TLS, and agent_b did"])
        self.assertEqual(self.begun([one, other], [connection("aa", ["TLS 1.1"]), connection(is_tls=False)]), [
            "agent_b got agent_a's ClientHello changed (TLS 1.3 became TLS 1.1)", "agent_b got something else than TLS"])

    def test_a_hello_that_was_changed_is_tampering(self):
        one = connection("aa")
        for upstream, changed in ((one, False), (connection("bb"), False), (connection("aa", ["TLS 1.2"]), True)):
            self.assertEqual(tls.tampered({"client": [one], "upstream": [upstream]}), changed)

    def test_refusals_are_each_end_s_own(self):
        legs = {"client": [connection("aa", alerts=[(False, "unknown_ca"), (True, "handshake_failure")])],
                "upstream": [connection("bb", alerts=[(True, "certificate_required"), (False, "x")])] * 2}
        self.assertEqual(tls.refusals(legs), [("agent_a", "unknown_ca"), ("agent_b", "certificate_required")])


class Downgrade(unittest.TestCase):
    def hello(self, name="agent-b.test"):
        wire = ssl.MemoryBIO()
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        end = context.wrap_bio(ssl.MemoryBIO(), wire, server_hostname=name)
        with self.assertRaises(ssl.SSLWantReadError):
            end.do_handshake()
        return wire.read()

    def test_a_client_hello_of_an_older_client(self):
        seed = int(time.time())
        print("seed", seed)
        drawn = random.Random(seed)
        for _ in range(50):
            record = self.hello("a" * drawn.randint(1, 60) + ".test")
            older = downgrade.older(record, downgrade.TLS_1_1)
            self.assertEqual(int.from_bytes(older[3:5], "big"), len(older) - 5)
            self.assertEqual(int.from_bytes(older[6:9], "big"), len(older) - 9)
            self.assertEqual((older[9:11], older[11:43]), (downgrade.TLS_1_1, record[11:43]))
            # what is gone: a type, a length, and the list of versions
            self.assertEqual(len(record) - len(older), 4 + 1 + 4)
            self.assertIn(b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03", record)
            self.assertNotIn(b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03", older)


class Cells(Case):
    def test_what_agent_b_ended_it_detected(self):
        self.run_of()
        made = self.folder / "tls"
        (made / "plain").mkdir(parents=True)
        for name in ("captures.json", "verdict.json", "proxy.json"):
            (made / "plain" / name).write_bytes((self.folder / name).read_bytes())
        (made / "connections.json").write_text(
            '{"client":[],"upstream":[{"port":8000,"tls":true,"hello":null,"alerts":[[true,"certificate_required"]]}]}')
        cell = judge.cell(self.scenario(), "none", state.Run(self.folder, "tls"))
        self.assertEqual(cell["outcome"], "detected by agent_b")
        self.assertEqual(words.got(cell), "carried out deposit once; ended TLS (certificate_required)")
        self.assertIn("With the agents' keys, same", words.proven(cell))


if __name__ == "__main__":
    unittest.main()
