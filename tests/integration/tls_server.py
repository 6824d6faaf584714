"""usage: tls_server.py CERT KEY HOW

A TLS server with a manner of its own, for the tests: it prints where it listens, what it was asked,
and how each client ended. It answers each call with its id. HOW:

  length   says how long its answer is, and keeps the connection
  notify   an answer that ends with the connection, by close_notify
  cut      the same without close_notify
  whole    says how long its answer is, and then ends without close_notify
  half     says that its answer is longer than it is
  twice    two answers to each call, each in a record of its own
  early    TLS 1.2, with an answer in the very bytes that end the handshake
  curious  TLS 1.3, would like to see a certificate, goes on without, and gives no tickets
  slam     closes at the first bytes of a handshake
  silent   never says anything
"""

import json
import socket
import ssl
import struct
import sys
import threading

CERT, KEY, HOW = sys.argv[1:]


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERT, KEY)
    made.set_alpn_protocols(["h2", "http/1.1"])
    if HOW == "early":
        made.maximum_version = ssl.TLSVersion.TLSv1_2
    if HOW == "curious":
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.verify_mode = ssl.CERT_OPTIONAL
        made.num_tickets = 0
    return made


def read_call(stream):
    """The call's id; None at the end."""
    length, line = 0, stream.readline()
    if not line:
        return None
    while line not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        line = stream.readline()
    return json.loads(stream.read(length))["id"]


def answer(call, extra=0):
    body = json.dumps({"id": call, "result": {"ok": True}}).encode()
    length = b"" if HOW in ("notify", "cut") else b"Content-Length: %d\r\n" % (len(body) + extra)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + b"\r\n" + body


def end(connection):
    if HOW == "notify":
        connection.unwrap()
    connection.close()


def serve(plain):
    try:
        connection = context().wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
        print("secured", connection.version(), connection.selected_alpn_protocol(), flush=True)
        stream = connection.makefile("rb", buffering=0)
        while (call := read_call(stream)) is not None:
            print("asked", call, flush=True)
            connection.sendall(answer(call, extra=10 if HOW == "half" else 0))
            if HOW == "twice":
                connection.sendall(answer("nobody asked"))
            if HOW not in ("length", "twice", "curious"):
                stream.close()
                end(connection)
                return
        print("ended by close_notify", flush=True)
        connection.close()
    except OSError as error:
        print("ended by", error, flush=True)
        plain.close()


def serve_early(plain):
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(received, sent, server_side=True)
    while True:
        data = plain.recv(65536)
        if not data:
            return
        received.write(data)
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.sendall(sent.read())
    tls.write(answer("call-0001"))
    plain.sendall(sent.read())
    plain.recv(65536)
    plain.close()


def slam(plain):
    plain.recv(1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    kept = []
    manners = {"early": serve_early, "slam": slam, "silent": kept.append}
    while True:
        threading.Thread(
            target=manners.get(HOW, serve), args=(listener.accept()[0],), daemon=True
        ).start()


main()
