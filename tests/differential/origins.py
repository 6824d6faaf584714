"""The origins: how each is configured and started, and what its log says it saw.

A request that an origin saw is a Seen. Web servers tell it by their access log, applications by a
line that they write; both with the port that the connection came from, which is the proxy's.
"""
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import time

APPS = pathlib.Path(__file__).parent / "apps"
PYTHON = "/usr/bin/python3"  # the one that Debian's packages are for
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
TIMEOUT = 60
ACCESS = re.compile(rb'(\d+|-) (\d+) "(.*)"')
ESCAPED = re.compile(rb'\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)', re.S)


class Seen:
    """One request in an origin's log; without a line it is one that the origin could not read."""

    def __init__(self, line=None, status=None):
        self.line = line      # method and target, as they came
        self.status = status  # what the origin answered
        self.whole = None     # None: this origin does not tell
        self.bytes = self.sha256 = None

    def __repr__(self):
        body = "" if self.whole is None else f" ({self.bytes} bytes{'' if self.whole else ', cut'})"
        return f"{self.line} {self.status}{body}"


def canon(raw):
    """As the exchange log writes it: what is no UTF-8 is a replacement, here one for a run."""
    return re.sub("\ufffd+", "\ufffd", raw.decode("utf-8", "replace"))


def unescape(raw):
    def one(found):
        word = found[1]
        if word[:1] in b"xu" and len(word) > 1:
            return bytes([int(word[1:], 16) & 255])
        return {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v"}.get(word, word)
    return ESCAPED.sub(one, raw)


class Origin:
    """A server on loopback, a child of ours, in the foreground."""

    name = ""
    needs = ""            # the command that must be there
    module = None         # … or the Python module
    rare = False          # True: Debian 13 has it no more
    app = False           # its answers carry the target, and its log the body
    unlogged = frozenset()  # statuses of its own that it answers without a line in the log

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / self.name
        self.folder.mkdir()
        (self.folder / "www").mkdir()
        (self.folder / "www/index.html").write_text("ok\n")
        self.log = self.folder / "seen.log"
        self.log.touch()
        self.reading, self.half = None, b""
        self.unfinished, self.ports = {}, {}
        self.process = None
        for _ in range(5):  # somebody may take the port before the server does
            self.port = free_port()
            if self.start():
                break
            self.stop()
        else:
            raise RuntimeError(f"{self.name} did not start; see {self.folder}")
        self.reading = open(self.log, "rb")

    @classmethod
    def present(cls):
        if cls.module:
            found = subprocess.run([PYTHON, "-c", f"import {cls.module}"], capture_output=True, check=False)
            return found.returncode == 0
        return shutil.which(cls.needs, path=PATH) is not None

    def command(self):
        raise NotImplementedError

    def config(self, text):
        path = self.folder / "config"
        path.write_text(text)
        return str(path)

    def start(self):
        environ = {**os.environ, "PATH": PATH, "DIFFERENTIAL_LOG": str(self.log), "PYTHONPATH": str(APPS)}
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ,
                cwd=self.folder)
        deadline = time.monotonic() + TIMEOUT
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                select.select([], [], [], 0.05)
        return False

    def stop(self):
        """Ends it and waits; what it still had to log is there afterwards."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def flush(self):
        """Where a server keeps its lines back."""

    def read(self):
        """What came into the log since the last time, as (port, Seen); no port where it could not tell."""
        data = self.half + self.reading.read()
        *lines, self.half = data.split(b"\n")
        found = []
        for line in lines:
            found += self.read_line(line)
        return found

    def read_line(self, raw):
        """An access log, until told otherwise."""
        found = ACCESS.fullmatch(raw)
        if not found:
            raise RuntimeError(f"{self.name} wrote a line that is not of its format: {raw!r}")
        words = unescape(found[3]).split(b" ")
        readable = words[0] and any(words[1:-1])  # lighttpd leaves out what it did not take
        port = None if found[1] == b"-" else int(found[1])
        return [(port, Seen(canon(b" ".join(words[:-1])) if readable else None, int(found[2])))]

    def line_of(self, method, target):
        """How this origin logs a request that the proxy passed on with this method and target."""
        return canon(f"{method} {target}".encode())


class App(Origin):
    app = True

    def read_line(self, raw):
        said = json.loads(raw)
        if "ends" in said:
            seen = self.unfinished.pop(said["ends"])
            seen.whole, seen.bytes, seen.sha256 = True, said["bytes"], said["sha256"]
            return []
        seen = Seen(None, said["status"])
        if "method" in said:
            seen.line = canon(f"{said['method']} ".encode() + said["target"].encode("latin-1", "replace"))
            seen.whole, seen.bytes, seen.sha256 = said["whole"], said.get("bytes"), said.get("sha256")
        if "id" in said:
            self.unfinished[said["id"]] = seen
        return [(said.get("port"), seen)]


class Nginx(Origin):
    name = needs = "nginx"

    def command(self):
        places = "".join(f"{kind}_temp_path {self.folder}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return ["nginx", "-p", str(self.folder), "-e", f"{self.folder}/error.log", "-c", self.config(f"""
daemon off; master_process off; pid {self.folder}/pid;
events {{ worker_connections 512; }}
http {{ {places}
    log_format seen escape=json '$remote_port $status "$request"';
    access_log {self.log} seen;
    server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 "ok"; }} }}
}}
""")]


class Apache(Origin):
    name = needs = "apache2"

    def command(self):
        modules = "/usr/lib/apache2/modules"
        user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        return ["apache2", "-D", "FOREGROUND", "-f", self.config(f"""
ServerRoot {self.folder}
PidFile {self.folder}/pid
DefaultRuntimeDir {self.folder}
ServerName localhost
Listen 127.0.0.1:{self.port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
{user}StartServers 1
DocumentRoot {self.folder}/www
FallbackResource /index.html
ErrorLog {self.folder}/error.log
LogFormat "%{{remote}}p %>s \\"%r\\"" seen
CustomLog {self.log} seen
""")]


class Lighttpd(Origin):
    name = needs = "lighttpd"

    def command(self):
        return ["lighttpd", "-D", "-f", self.config(f"""
server.document-root = "{self.folder}/www"
server.port = {self.port}
server.bind = "127.0.0.1"
server.modules = ("mod_accesslog", "mod_rewrite")
url.rewrite-once = (".*" => "/index.html")
server.errorlog = "{self.folder}/error.log"
accesslog.filename = "{self.log}"
accesslog.format = "%{{remote}}p %s \\"%r\\""
""")]

    def flush(self):
        self.process.send_signal(signal.SIGHUP)

    def read_line(self, raw):
        """Where it made a connection HTTP/2, by a 101, it logs that as a request: none came."""
        return [(port, seen) for port, seen in super().read_line(raw) if seen.line != "PRI *"]

    def line_of(self, method, target):
        """Of a target in absolute form it logs the path."""
        return super().line_of(method, re.sub("^https?://[^/?]*", "", target, flags=re.IGNORECASE) or "/")


class H2o(Origin):
    name = needs = "h2o"
    rare = True
    unlogged = frozenset({400})

    def command(self):
        user = "user: root\n" if os.geteuid() == 0 else ""
        return ["h2o", "-m", "worker", "-c", self.config(f"""
listen: {{host: 127.0.0.1, port: {self.port}}}
num-threads: 1
{user}pid-file: {self.folder}/pid
hosts:
  default:
    paths:
      "/": {{file.dir: {self.folder}/www}}
access-log: {{path: {self.log}, format: '%{{connection-id}}x %{{remote}}p %s "%r"'}}
""")]

    def read_line(self, raw):
        """It knows no port of a peer that has gone, but may have told it before."""
        connection, _, rest = raw.partition(b" ")
        [(port, seen)] = super().read_line(rest)
        if port:
            self.ports[connection] = port
        return [(port or self.ports.get(connection), seen)]

    def line_of(self, method, target):
        """It escapes bytes, but not the backslash."""
        return canon(unescape(f"{method} {target}".encode()))


class Waitress(App):
    name = module = "waitress"

    def command(self):
        return [PYTHON, str(APPS / "waitress_app.py"), str(self.port), str(self.log)]


class Gunicorn(App):
    name = module = "gunicorn"
    unlogged = frozenset({400, 414, 431, 500, 501, 505})  # of a head that it does not take

    def command(self):
        return [PYTHON, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread",
                "--threads", "16", "--keep-alive", "2", "--graceful-timeout", "5",
                "--worker-tmp-dir", str(self.folder), "gunicorn_app:application"]


class Tornado(App):
    name = module = "tornado"
    unlogged = frozenset({400})

    def command(self):
        return [PYTHON, str(APPS / "tornado_app.py"), str(self.port), str(self.log)]


class Node(App):
    name, needs = "node", "node"

    def command(self):
        return ["node", str(APPS / "node_app.js"), str(self.port), str(self.log)]


ALL = (Nginx, Apache, Lighttpd, H2o, Waitress, Gunicorn, Tornado, Node)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
