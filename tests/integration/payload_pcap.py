"""A capture of what sockets carried: packets made up around the bytes, as pcap (pcap-savefile(5))."""
import ipaddress
import struct
import threading
import time

MAGIC_NANOSECONDS = 0xA1B23C4D
LINKTYPE_RAW = 101
PAYLOAD_MAX = 60000  # bytes a packet
FIN, SYN, PSH, ACK = 1, 2, 8, 16


class Capture:
    def __init__(self, path):
        self.file = open(path, "wb", buffering=0)
        self.lock = threading.Lock()
        self.file.write(struct.pack("<IHHiIII", MAGIC_NANOSECONDS, 2, 4, 0, 0, 262144, LINKTYPE_RAW))

    def add(self, packet):
        with self.lock:
            seconds, nanoseconds = divmod(time.time_ns(), 10 ** 9)
            self.file.write(struct.pack("<IIII", seconds, nanoseconds, len(packet), len(packet)) + packet)


class Connection:
    """Both directions of one, from its handshake on; PEER and LOCAL are addresses of its socket."""

    def __init__(self, capture, peer, local):
        self.capture = capture
        self.ends = {"peer": self.end(peer), "local": self.end(local)}
        self.next = {"peer": 1, "local": 1}
        self.open = {"peer", "local"}
        self.lock = threading.Lock()
        for side, flags in (("peer", SYN), ("local", SYN | ACK)):
            self.next[side] -= 1
            self.packet(side, flags)
            self.next[side] += 1
        self.packet("peer", ACK)

    @staticmethod
    def end(address):
        host = ipaddress.ip_address(address[0])
        return getattr(host, "ipv4_mapped", None) or host, address[1]

    def packet(self, side, flags, payload=b""):
        other = "local" if side == "peer" else "peer"
        (source, source_port), (target, target_port) = self.ends[side], self.ends[other]
        tcp = struct.pack(">HHIIBBHHH", source_port, target_port, self.next[side],
                          0 if flags == SYN else self.next[other], 5 << 4, flags, 65535, 0, 0) + payload
        if source.version == 6:
            ip = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64)
        else:
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
        self.capture.add(ip + source.packed + target.packed + tcp)

    def carried(self, side, data):
        """SIDE sent that."""
        with self.lock:
            for at in range(0, len(data), PAYLOAD_MAX):
                piece = data[at:at + PAYLOAD_MAX]
                self.packet(side, PSH | ACK, piece)
                self.next[side] += len(piece)

    def ended(self, side):
        """SIDE sends no more; to be told again does nothing."""
        with self.lock:
            if side in self.open:
                self.open.remove(side)
                self.packet(side, FIN | ACK)
                self.next[side] += 1
