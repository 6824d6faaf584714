"""tornado's HTTP server with a callback that records. usage: tornado_app.py PORT LOG"""
import sys

import tornado.httpserver
import tornado.httputil
import tornado.ioloop

import record

log = record.Record(sys.argv[2])


def answer(request):
    log.request(request.connection.context.address[1], request.method, request.uri, request.body, True)
    content = request.uri.encode("latin-1", "replace")
    request.connection.write_headers(
        tornado.httputil.ResponseStartLine("HTTP/1.1", 200, "OK"),
        tornado.httputil.HTTPHeaders({"Content-Length": str(len(content)), "X-App": "1"}), content)
    request.connection.finish()


server = tornado.httpserver.HTTPServer(answer)
server.listen(int(sys.argv[1]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
