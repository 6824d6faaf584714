"""usage: tls_random.py PORT TARGET CA [--seed N] [--trials N] [--connect]

Clients of the proxy that speak TLS, or nearly, and break off anywhere: nothing is expected of a
trial but that it ends. What is whole must have been answered whole. With --connect each begins with
a CONNECT to TARGET.
"""

import argparse
import random
import socket
import ssl
import struct
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("target")
parser.add_argument("ca")
parser.add_argument("--seed", type=int, default=int(time.time()))
parser.add_argument("--trials", type=int, default=200)
parser.add_argument("--connect", action="store_true")
args = parser.parse_args()

PATHS = ["/tool", "/tool", "/until-end", "/cut", "/half", "/upgrade", "/upgrade-cut"]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def connect():
    peer = socket.create_connection(("127.0.0.1", args.port), 60)
    if args.connect:
        peer.sendall(f"CONNECT {args.target} HTTP/1.1\r\nHost: {args.target}\r\n\r\n".encode())
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            got += peer.recv(1)
        assert b" 200 " in got, got
    return peer


def leave(rng, peer):
    """With a FIN, an RST, or once the proxy has ended."""
    way = rng.randrange(3)
    if way == 0:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif way == 1:
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65536):
            pass
    peer.close()


def hello(rng):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=args.ca)
    name = rng.choice(["localhost", "127.0.0.1", "other.test", "a" * 60 + ".test"])
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return bytearray(outgoing.read())


def send_nearly(rng):
    """A hello with wrong bytes, cut, in pieces; or something else altogether."""
    data = rng.choice([hello(rng), hello(rng), hello(rng), bytearray(rng.randbytes(300)),
                       bytearray(PREFACE), bytearray(b"GET /tool HTTP/1.1\r\nHost: a\r\n\r\n")])
    for _ in range(rng.randrange(4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.randrange(2):
        data = data[:rng.randrange(1, len(data) + 1)]
    peer = connect()
    step = rng.choice([1, 50, 1000])
    for at in range(0, len(data), step):
        peer.sendall(data[at:at + step])
    leave(rng, peer)


def request(rng):
    path = rng.choice(PATHS)
    upgrade = "Connection: upgrade\r\nUpgrade: hello\r\n" if "upgrade" in path else ""
    return path, f"POST {path} HTTP/1.1\r\nHost: a\r\n{upgrade}Content-Length: 3\r\n\r\nabc".encode()


def call(rng):
    """TLS that is good, some calls, and an end anywhere."""
    context = ssl.create_default_context(cafile=args.ca)
    context.maximum_version = rng.choice([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    peer = context.wrap_socket(connect(), server_hostname="localhost", suppress_ragged_eofs=False)
    for _ in range(rng.randrange(4)):
        path, sent = request(rng)
        if rng.randrange(4) == 0:
            peer.sendall(sent[:rng.randrange(len(sent))])
            break
        peer.sendall(sent)
        got = b""
        while not got.endswith(sent) and "upgrade" not in path and (data := peer.recv(65536)):
            got += data
        assert path != "/tool" or got.endswith(sent), got
        if path != "/tool":
            break
    if rng.randrange(3) == 0:
        peer.unwrap()
    leave(rng, peer)


def main():
    print("seed", args.seed, flush=True)
    rng = random.Random(args.seed)
    for trial in range(args.trials):
        try:
            rng.choice([send_nearly, call])(rng)
        except TimeoutError:
            sys.exit(f"trial {trial}: no end came")
        except OSError:
            pass  # the proxy or the mirror has broken off, as they may
        except AssertionError as error:
            sys.exit(f"trial {trial}: {error}")


main()
