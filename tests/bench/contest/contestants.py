"""Who takes part: by what command each proxy is started before an origin, and with what configuration."""
import json
import os
import subprocess
import time

WAIT = 30
REPLACE = {"op": "replace", "path": "/arguments/target", "value": "libtls"}
RULES = {"rules": [{"name": "each-call", "on": "request", "match": {"path": "/tool"},
                    "do": [{"json_patch": [REPLACE]}]}]}
NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 20000; }}
worker_rlimit_nofile 20000;
http {{
    log_format json escape=json '{{"ts":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
        '"target":"$request_uri","status":$status,"request_bytes":"$content_length",'
        '"response_bytes":$body_bytes_sent,"duration":$request_time,"upstream":"$upstream_response_time"}}';
    access_log {log};
    client_max_body_size 0; keepalive_requests 1000000000; keepalive_timeout 300;
    {temporary}
    upstream origin {{ server 127.0.0.1:{origin}; {keepalive} }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin; proxy_max_temp_file_size 0; proxy_request_buffering off;
            {http_1_1} {more}
        }}
    }}
}}
"""
ORIGIN = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 20000; }}
worker_rlimit_nofile 20000;
http {{
    access_log off; sendfile on; client_max_body_size 0;
    keepalive_requests 1000000000; keepalive_timeout 300;
    {temporary}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {dir};
        location /tool {{
            default_type application/json; add_header X-Request-Id $http_x_request_id;
            return 200 '{answer}';
        }}
        location /bytes/ {{ }}
        location /status {{ stub_status; }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 9000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server origin 127.0.0.1:{origin}
"""
# As held_load knows it (held_wire.h).
ANSWER = '{"type":"tool_result","result":{"ok":true,"echo":{"repo":"demo-repo"}}}'


def temporary(folder):
    return " ".join(f"{kind}_temp_path {folder}/{kind};"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Program:
    """A program that runs until stop(), and the port that it listens on."""

    def __init__(self, words, folder, port, wait=True):
        self.log = os.path.join(folder, "output")
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.pid, self.words, self.port = self.process.pid, words, port
        if wait:
            self.wait_for_port()

    def wait_for_port(self):
        """Listens, as /proc/net/tcp tells: what counts connections is not disturbed."""
        wanted = f"0100007F:{self.port:04X} 00000000:0000 0A"
        until = time.monotonic() + WAIT
        while time.monotonic() < until and self.process.poll() is None:
            with open("/proc/net/tcp", encoding="ascii") as table:
                if wanted in table.read():
                    return
            time.sleep(0.002)
        raise SystemExit(f"{self.words[0]} does not start: see {self.log}")

    def stop(self):
        """Ends it as it wants to be ended; what does not is killed."""
        self.process.terminate()
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def origin(folder, port):
    config = write(folder, "nginx.conf", ORIGIN.format(
        dir=folder, port=port, answer=ANSWER, temporary=temporary(folder)))
    return Program(["nginx", "-p", folder, "-c", config], folder, port)


def nginx(log="off", pooled=True, more=""):
    def command(folder, port, to):
        config = write(folder, "nginx.conf", NGINX.format(
            dir=folder, port=port, origin=to, temporary=temporary(folder), more=more,
            log=log.format(dir=folder), keepalive="keepalive 128;" if pooled else "",
            http_1_1='proxy_http_version 1.1; proxy_set_header Connection "";' if pooled else ""))
        return ["nginx", "-p", folder, "-c", config]
    return command


def haproxy(folder, port, to):
    config = write(folder, "haproxy.cfg", HAPROXY.format(port=port, origin=to))
    return ["haproxy", "-db", "-f", config]


def mitmdump(*options):
    def command(folder, port, to):
        words = [word.format(dir=folder) for word in options]
        return ["mitmdump", "-q", "--set", f"confdir={folder}", "--listen-host", "127.0.0.1",
                "-p", str(port), "--mode", f"reverse:http://127.0.0.1:{to}", *words]
    return command


def sslsplit(*options):
    def command(folder, port, to):
        words = [word.format(dir=folder) for word in options]
        return ["sslsplit", "-D", "-P", *words, "http", "127.0.0.1", str(port), "127.0.0.1", str(to)]
    return command


def ours(program, *options, rules=RULES):
    def command(folder, port, to):
        path = write(folder, "rules.json", json.dumps(rules))
        words = [word.format(dir=folder, rules=path) for word in options]
        return [program, "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0", "--user",
                f"{os.getuid()}:{os.getgid()}", "--upstream", f"http://127.0.0.1:{to}", *words]
    return command


LOG = ("--exchange-log", "{dir}/exchanges.ndjson")
PAYLOAD = ("--pcap", "{dir}/proxy.pcap", "--pcap-source", "payload")
WIRE = ("--pcap", "{dir}/proxy.pcap", "--pcap-source", "wire", "--pcap-interface", "lo")
JSON_LOG = "{dir}/access.log json"


def everybody(program):
    """Name: what makes its command, by a folder, its port and the origin's."""
    return {
        "nginx": nginx(),
        "nginx, JSON access log": nginx(JSON_LOG),
        "nginx, upstream not pooled": nginx(pooled=False),
        "HAProxy": haproxy,
        "mitmdump": mitmdump(),
        "mitmdump -w": mitmdump("-w", "{dir}/flows"),
        "SSLsplit": sslsplit(),
        "SSLsplit -X": sslsplit("-X", "{dir}/split.pcap"),
        "ours, bare": ours(program, "--quiet"),
        "ours, log": ours(program, "--quiet", *LOG),
        "ours, log + payload": ours(program, "--quiet", *LOG, *PAYLOAD),
        "ours, log + payload, no sandbox": ours(program, "--quiet", *LOG, *PAYLOAD, "--sandbox", "off"),
        "ours, log + wire": ours(program, "--quiet", *LOG, *WIRE),
        "ours, log + payload + rule": ours(program, "--quiet", *LOG, *PAYLOAD, "--rules", "{rules}"),
        "ours, log + payload + lines": ours(program, *LOG, *PAYLOAD),
    }
