"""usage: mirror_server.py [--host HOST] [CERT KEY]

An origin that answers each request with the very bytes that it came as, over TLS if it has a
certificate. It prints where it listens, who connects, and of each TLS connection what was agreed
on. Where the
request's target has them, it does otherwise:

  /until-end  the answer ends with the connection, and by close_notify
  /cut        the same without close_notify
  /upgrade    101, then hello, and the connection ends by close_notify; …
  /upgrade-cut  … without it
  /half       says that its answer is longer than it is, and ends by close_notify
"""

import argparse
import re
import socket
import ssl
import threading

parser = argparse.ArgumentParser()
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", default=0, type=int)
parser.add_argument("cert", nargs="?")
parser.add_argument("key", nargs="?")
args = parser.parse_args()


def tls_context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(args.cert, args.key)
    made.set_alpn_protocols(["h2", "http/1.1"])
    made.sni_callback = lambda sock, name, _: setattr(sock, "asked_for", name)
    return made


CONTEXT = tls_context() if args.cert else None


def read_request(stream):
    """All of a request's bytes; b"" at the end."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        request += line
    length = re.search(rb"(?i)\r\ncontent-length:[ \t]*(\d+)", request)
    if length:
        request += stream.read(int(length[1]))
    elif re.search(rb"(?i)\r\ntransfer-encoding:", request):
        while not request.endswith(b"\r\n0\r\n\r\n"):
            request += stream.readline()
    return request


def answer(connection, request):
    """False: the connection ends here."""
    target = request.split(b" ", 2)[1]
    if target.startswith(b"/upgrade"):
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                           b"Upgrade: hello\r\n\r\nhello")
        if target == b"/upgrade" and CONTEXT:
            connection.unwrap()
        return False
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    extra = 10 if target == b"/half" else 0
    if target not in (b"/until-end", b"/cut"):
        head += b"Content-Length: %d\r\n" % (len(request) + extra)
    connection.sendall(head + b"\r\n" + request)
    if target in (b"/until-end", b"/half") and CONTEXT:
        connection.unwrap()
    return target not in (b"/until-end", b"/half", b"/cut")


def serve(plain):
    try:
        connection = plain
        if CONTEXT:
            connection = CONTEXT.wrap_socket(plain, server_side=True)
            print("secured", connection.version(), connection.selected_alpn_protocol(),
                  getattr(connection, "asked_for", None),
                  "again" if connection.session_reused else "new", flush=True)
        stream = connection.makefile("rb")
        while request := read_request(stream):
            if not answer(connection, request) or b"\r\nConnection: close\r\n" in request:
                break
        stream.close()
        connection.close()
    except OSError as error:
        print("ended by", error, flush=True)
        plain.close()


def main():
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    listener = socket.create_server(
        (args.host, args.port), family=family, dualstack_ipv6=args.host == "::")
    host = f"[{args.host}]" if ":" in args.host else args.host
    print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
    while True:
        connection, client = listener.accept()
        print("connected from", client[0].removeprefix("::ffff:"), client[1], flush=True)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
