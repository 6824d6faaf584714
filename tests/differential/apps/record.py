"""What the Python origins have in common: a line of JSON for each request, and the answer to it."""
import hashlib
import json
import os


class Record:
    """One write(2) a line, so that the reader never sees half of one."""

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, **members):
        os.write(self.file, json.dumps(members).encode() + b"\n")

    def request(self, port, method, target, body, whole, status=200):
        self.write(port=int(port), method=method, target=target, status=status, whole=whole,
                   bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


def wsgi(record):
    """An application that reads the body, unless the target says early, and answers the target."""
    def application(environ, start_response):
        target = environ["RAW_URI"]
        length = environ.get("CONTENT_LENGTH")
        body, whole, status = b"", False, None  # of a body that cannot be read the server says what it likes
        try:
            if "early" not in target:
                body = environ["wsgi.input"].read()
                whole = not length or int(length) == len(body)
            status = 200
        finally:
            record.request(environ["REMOTE_PORT"], environ["REQUEST_METHOD"], target, body, whole, status)
        answer = target.encode("latin-1")
        start_response("200 OK", [("Content-Length", str(len(answer))), ("X-App", "1")])
        return [answer]
    return application
