"""Where a contest takes place: a folder, the origin, and whoever stands before it at the moment."""
import contextlib
import fnmatch
import os
import random
import shutil
import signal
import socket
import sys
import tempfile

from . import contestants

NEEDS = {"nginx": "nginx", "HAProxy": "haproxy", "mitmdump": "mitmdump", "SSLsplit": "sslsplit"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class Ground:
    """OPTIONS are those of tests/bench/run."""

    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was started is stopped
        self.folder = tempfile.mkdtemp(dir=options.folder)
        self.all = contestants.everybody(os.path.join(options.bin, "mitm_proxy"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def room(self, name):
        """A folder for it, which is empty."""
        path = os.path.join(self.folder, name.replace(" ", "_"))
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        return path

    @contextlib.contextmanager
    def origin(self):
        """nginx."""
        program = contestants.origin(self.room("origin"), free_port())
        try:
            yield program
        finally:
            program.stop()

    @contextlib.contextmanager
    def standing(self, command, origin_port, wait=True):
        """A program by its name or by what makes its command, and its room, which is gone afterwards."""
        name, make = (command, self.all[command]) if isinstance(command, str) else ("another", command)
        room, port = self.room(name), free_port()
        program = contestants.Program(make(room, port, origin_port), room, port, wait)
        try:
            yield program, room
        finally:
            program.stop()
            shutil.rmtree(room)

    def able(self, names):
        """Those of them that are asked for and installed."""
        wanted = [name for name in names
                  if any(fnmatch.fnmatchcase(name, glob) for glob in self.options.only or "*")]
        for name in wanted[:]:
            need = NEEDS.get(name.split(",")[0].split()[0])
            if need and not shutil.which(need):
                print(f"{name}: not installed, left out")
                wanted.remove(name)
        return wanted

    def how(self, each=""):
        count = self.options.rounds
        return f"medians of {count} rounds{each}" if count > 1 else f"one round{each}"

    def rounds(self, names):
        """Names in another order each round."""
        for _ in range(self.options.rounds):
            order = list(names)
            self.chance.shuffle(order)
            yield order
