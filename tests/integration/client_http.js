// usage: client_http.js CALLS BASE …
//
// Node's core modules http and https as an agent: makes the calls of a file under each URL, and prints
// what it saw of each answer as a line of JSON. NODE_EXTRA_CA_CERTS says whom it trusts besides. They do
// not look at HTTP_PROXY by themselves: where it is set, this goes there as libraries for Node do it, with
// an absolute target for http and by CONNECT for https.
const fs = require("node:fs");
const crypto = require("node:crypto");
const http = require("node:http");
const https = require("node:https");
const tls = require("node:tls");

const [calls, ...bases] = process.argv.slice(2);
const proxy = process.env.HTTP_PROXY && new URL(process.env.HTTP_PROXY);
const hostOf = (url) => url.hostname.replace(/^\[|\]$/g, "");
const toProxy = () => ({ host: hostOf(proxy), port: proxy.port });

class TunnelAgent extends https.Agent {
    createConnection(options, done) {
        const authority = `${options.host.includes(":") ? `[${options.host}]` : options.host}:${options.port}`;
        const connect = http.request({
            ...toProxy(), method: "CONNECT", path: authority, headers: { host: authority },
        });
        connect.on("connect", (answer, socket) => {
            if (answer.statusCode === 200) done(null, tls.connect({ ...options, socket }));
            else done(new Error(`CONNECT: ${answer.statusCode}`));
        });
        connect.on("error", done).end();
    }
}

const secure = new (proxy ? TunnelAgent : https.Agent)({ keepAlive: true, maxSockets: 1 });
const plain = new http.Agent({ keepAlive: true, maxSockets: 1 });

function begin(call, url) {
    const headers = { host: url.host };
    if (call.type) headers["content-type"] = call.type;
    if (call.expect) headers.expect = "100-continue";
    if (call.body !== undefined) headers["content-length"] = Buffer.byteLength(call.body) * (call.times ?? 1);
    const options = {
        method: call.method, headers, host: hostOf(url), port: url.port, path: url.pathname + url.search,
    };
    if (url.protocol === "https:") return https.request({ ...options, agent: secure });
    if (proxy) Object.assign(options, toProxy(), { path: url.href });
    return http.request({ ...options, agent: plain });
}

function make(call, base) {
    return new Promise((resolve, reject) => {
        const request = begin(call, new URL(`${base}/${call.path}`));
        const informed = [];
        const send = () => {
            for (const piece of call.pieces ?? []) request.write(piece);
            request.end(call.body?.repeat(call.times ?? 1));
        };
        request.setTimeout(60000, () => request.destroy(new Error("no answer")));
        request.on("error", reject);
        request.on("information", (info) => informed.push(info.statusCode, ...info.rawHeaders));
        request.on("response", (answer) => {
            const sum = crypto.createHash("sha256");
            let bytes = 0;
            answer.on("data", (piece) => {
                sum.update(piece);
                bytes += piece.length;
            });
            answer.on("error", reject);
            answer.on("end", () => {
                console.log(JSON.stringify({ call: call.path, at: base, status: answer.statusCode, informed,
                    reason: answer.statusMessage, fields: answer.rawHeaders, trailers: answer.rawTrailers, bytes,
                    sha256: sum.digest("hex") }));
                resolve();
            });
        });
        if (call.expect) request.on("continue", send).flushHeaders();
        else send();
    });
}

async function main() {
    for (const base of bases)
        for (const call of JSON.parse(fs.readFileSync(calls))) await make(call, base);
    process.exit(0);
}

main();
