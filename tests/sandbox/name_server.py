#!/usr/bin/env python3
"""A name server on 127.0.0.1:53 that knows one name: the answer by UDP is cut, so that TCP is asked, too.

usage: name_server.py NAME ADDRESS
"""
import ipaddress
import socketserver
import struct
import sys
import threading

CUT, ANSWER = 0x8380, 0x8180


def answer(query, flags, with_record):
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    wanted = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split(".")) + b"\0"
    record = b""
    if with_record and question == wanted + struct.pack(">HH", 1, 1):
        record = (b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) +
                  ipaddress.ip_address(sys.argv[2]).packed)
    return query[:2] + struct.pack(">HHHHH", flags, 1, 1 if record else 0, 0, 0) + question + record


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        query, sock = self.request
        sock.sendto(answer(query, CUT, False), self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        while len(size := self.rfile.read(2)) == 2:
            reply = answer(self.rfile.read(struct.unpack(">H", size)[0]), ANSWER, True)
            print("asked by TCP", flush=True)
            self.wfile.write(struct.pack(">H", len(reply)) + reply)


def main():
    socketserver.ThreadingTCPServer.daemon_threads = True
    udp = socketserver.UDPServer(("127.0.0.1", 53), Udp)
    tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 53), Tcp)
    threading.Thread(target=udp.serve_forever, daemon=True).start()
    print("answers", flush=True)
    tcp.serve_forever()


if __name__ == "__main__":
    main()
