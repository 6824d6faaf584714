#!/usr/bin/env python3
"""Holds capdiff against what is known from elsewhere.

usage: capdiff_oracle.py tshark CAPDIFF CAPTURE…   the streams of each capture are what tshark has
       capdiff_oracle.py variants CAPDIFF DATA     the same packets doubled, out of order, split
"""
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HEADER, RECORD, ETHERNET = 24, 16, 14


def capdiff_streams(capdiff, path):
    """{(client, server): [bytes asked, bytes answered]}, line ends left out."""
    streams, number = {}, 1
    while True:
        run = subprocess.run([capdiff, "--follow", str(number), path], capture_output=True)
        if run.returncode != 0:
            assert b"there is no exchange" in run.stderr, run.stderr
            return streams
        pair, texts = None, {">": b"", "<": b""}
        for line in run.stdout.decode().split("\n"):
            found = re.match(r"exchange \d+  (\S+) → (\S+)  ", line)
            if found:
                pair = found.groups()
            elif line[:1] in texts:
                texts[line[:1]] += line[2:].encode()
        if pair not in streams:
            streams[pair] = [texts[">"], texts["<"]]
        number += 1


def tshark_streams(path):
    """The same of all connections that carried anything."""
    def tshark(*words):
        return subprocess.run(["tshark", "-n", "-r", path, *words], capture_output=True,
                              check=True).stdout.decode()
    streams = {}
    numbers = {line for line in tshark("-Y", "tcp.len > 0", "-T", "fields", "-e",
                                       "tcp.stream").split("\n") if line}
    for number in sorted(numbers, key=int):
        nodes, texts = [], [b"", b""]
        for line in tshark("-q", "-z", f"follow,tcp,raw,{number}").split("\n"):
            if line.startswith("Node "):
                nodes.append(line.split(": ")[1])
            elif re.fullmatch(r"\t?[0-9a-f]+", line):
                texts[line.startswith("\t")] += bytes.fromhex(line.strip())
        streams.setdefault(tuple(nodes), [b"", b""])
        for side in range(2):
            streams[tuple(nodes)][side] += texts[side].replace(b"\r\n", b"")
    return streams


def check_tshark(capdiff, paths):
    for path in paths:
        ours, theirs = capdiff_streams(capdiff, path), tshark_streams(path)
        assert ours == theirs, f"{path}:\n{ours}\n{theirs}"
        print(f"{Path(path).name}: {len(ours)} connections as tshark has them")


def read(path):
    """The header, and [stamp, frame] of each packet."""
    data, packets = path.read_bytes(), []
    at = HEADER
    while at < len(data):
        seconds, fraction, length, _ = struct.unpack_from("<IIII", data, at)
        packets.append([(seconds, fraction), data[at + RECORD:at + RECORD + length]])
        at += RECORD + length
    return data[:HEADER], packets


def write(path, header, packets):
    path.write_bytes(header + b"".join(
        struct.pack("<IIII", *stamp, len(frame), len(frame)) + frame for stamp, frame in packets))


def payload(frame):
    end = ETHERNET + struct.unpack_from(">H", frame, ETHERNET + 2)[0]
    return frame[ETHERNET + 40:end]


def split(packets):
    """Every byte of data is a segment of its own."""
    out = []
    for stamp, frame in packets:
        data = payload(frame)
        seq = struct.unpack_from(">I", frame, ETHERNET + 24)[0]
        for at in range(len(data)):
            piece = bytearray(frame[:ETHERNET + 40] + data[at:at + 1])
            struct.pack_into(">H", piece, ETHERNET + 2, 41)
            struct.pack_into(">I", piece, ETHERNET + 24, (seq + at) % 2**32)
            out.append([stamp, bytes(piece)])
        if not data:
            out.append([stamp, frame])
    return out


def doubled(packets):
    return [packet for packet in packets for _ in range(2)]


def shuffled(packets):
    """Segments of one sender that follow each other come in another order."""
    out, run = [], []
    for packet in [*packets, None]:
        same = packet and run and payload(packet[1]) and payload(run[0][1]) and \
            packet[1][ETHERNET + 12:ETHERNET + 24] == run[0][1][ETHERNET + 12:ETHERNET + 24]
        if not same:
            random.shuffle(run)
            out += run
            run = []
        run.append(packet)
    return out


def check_variants(capdiff, data):
    random.seed(7)
    pairs = [("proxy.pcap", "server.pcap"), ("single-proxy.pcap", "single-server.pcap"),
             ("changed-in-proxy.pcap", "changed-at-server.pcap"),
             ("proxy.pcap", "changed-on-the-way.pcap"), ("proxy.pcap", "server-late.pcap")]
    variants = {"doubled": doubled, "split": split, "split and shuffled": lambda p: shuffled(split(p)),
                "doubled, split and shuffled": lambda p: shuffled(split(doubled(p)))}

    def verdict(*paths):
        run = subprocess.run([capdiff, *map(str, paths)], capture_output=True)
        assert run.returncode in (0, 1, 3), run
        return run.returncode, [line for line in run.stdout.decode().split("\n")
                                if line.startswith(("@@", "- ", "+ ", "exchange "))]

    with tempfile.TemporaryDirectory() as scratch:
        for pair in pairs:
            expected = verdict(*(data / name for name in pair))
            for name, change in variants.items():
                paths = [Path(scratch) / part for part in ("a.pcap", "b.pcap")]
                for path, part in zip(paths, pair):
                    header, packets = read(data / part)
                    write(path, header, change(packets))
                found = verdict(*paths)
                assert found == expected, f"{pair}, {name}: {found}, not {expected}"
            print(f"{' '.join(pair)}: {expected[0]}, however its packets come")


if __name__ == "__main__":
    if sys.argv[1] == "tshark":
        check_tshark(sys.argv[2], sys.argv[3:])
    else:
        check_variants(sys.argv[2], Path(sys.argv[3]))
