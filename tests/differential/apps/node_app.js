// Node's HTTP server, with a line of JSON when a request begins and one when it is whole.
// usage: node node_app.js PORT LOG
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');

const log = fs.openSync(process.argv[3], 'a');
let number = 0;

function write(members) {
  fs.writeSync(log, JSON.stringify(members) + '\n');
}

function take(status, request, response) {
  const id = ++number;
  const socket = request.socket;
  socket.latest = request;
  socket.unanswered++;
  const hash = crypto.createHash('sha256');
  let bytes = 0;
  write({
    id, status, port: socket.port, method: request.method, target: request.url,
    whole: false,
  });
  const answer = () => {
    const content = Buffer.from(request.url, 'latin1');
    const fields = { 'X-App': '1' };
    if (id % 2) fields['Content-Length'] = content.length; // else in chunks
    response.writeHead(status, fields);
    response.end(content, () => socket.unanswered--);
  };
  const early = request.url.includes('early');
  if (early) answer();
  request.on('data', (data) => {
    hash.update(data);
    bytes += data.length;
  });
  request.on('end', () => {
    write({ ends: id, bytes, sha256: hash.digest('hex') });
    if (!early) answer();
  });
  request.on('error', () => {});
}

const server = http.createServer((request, response) => take(200, request, response));
server.on('checkExpectation', (request, response) => take(417, request, response));
// Of its own, Node may write the 100 into the response before it.
server.on('checkContinue', (request, response) => {
  if (request.socket.unanswered === 0) response.writeContinue();
  take(200, request, response);
});
server.on('connection', (socket) => {
  socket.port = socket.remotePort;
  socket.unanswered = 0;
});
// A request that could not be read, unless what was broken is the body of one that is on record; what
// comes behind it is told again. The 400 must not be taken for the answer to one before it.
server.on('clientError', (error, socket) => {
  const inside = socket.latest && !socket.latest.complete;
  if (!inside && !socket.refused && error.code !== 'ECONNRESET') {
    write({ port: socket.port, status: 400, why: error.code });
  }
  socket.refused = true;
  if (socket.unanswered || !socket.writable) socket.destroy();
  else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
});
server.listen(Number(process.argv[2]), '127.0.0.1');
