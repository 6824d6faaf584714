"""Sends each request body back as it comes in, on a port that it prints."""
import http.server


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left:
            piece = self.rfile.read(min(left, 65536))
            left -= len(piece)
            self.wfile.write(piece)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print("Listening on 127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
