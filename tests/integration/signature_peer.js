// usage: signature_peer.js server ALGORITHM | client ALGORITHM URL
//
// The other end of a signed exchange, by the npm package http-message-signatures: agent_b as a server
// that prints "verified" for each good call, or agent_a as a client that prints what came of its one.
// Keys are in the working directory: secret.txt, or a.pem, a.pub, b.pem and b.pub.
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const { createSigner, createVerifier, httpbis } = require("http-message-signatures");

const [role, algorithm, url] = process.argv.slice(2);
const ofRequest = ["@method", "@authority", "@path", "@query", "content-type", "content-digest"];
const ofResponse = ["@status", "content-type", "content-digest",
    ...[...ofRequest, "signature"].map((field) => `${field};req`)];

const key = (file) => fs.readFileSync(algorithm === "ed25519" ? file : "secret.txt", "utf8").trim();
const digest = (body) => `sha-256=:${crypto.createHash("sha256").update(body).digest("base64")}:`;

function sign(own, fields, message, request) {
    return httpbis.signMessage({
        key: createSigner(key(`${own}.pem`), algorithm, `agent_${own}`),
        name: "theirs",
        params: ["created", "nonce", "keyid", "alg", "tag"],
        paramValues: { nonce: crypto.randomUUID(), tag: "agent-mitm" },
        fields,
    }, message, request);
}

function verify(peer, fields, message, request) {
    return httpbis.verifyMessage({
        keyLookup: async (params) => params.keyid === `agent_${peer}` && {
            id: params.keyid, algs: [algorithm], verify: createVerifier(key(`${peer}.pub`), algorithm),
        },
        requiredParams: ["created", "keyid", "tag"],
        requiredFields: fields.map((field) => field.replace(";req", "")),
        tolerance: 5,
    }, message, request);
}

async function read(stream) {
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces);
}

async function answer(incoming, outgoing) {
    const call = await read(incoming);
    const request = { method: incoming.method, url: `http://${incoming.headers.host}${incoming.url}`,
        headers: incoming.headers };
    const good = incoming.headers["content-digest"] === digest(call) &&
        await verify("a", ofRequest, request).catch((error) => console.log(error.message));
    const body = JSON.stringify({ id: JSON.parse(call).id });
    const response = { status: good ? 200 : 403,
        headers: { "Content-Type": "application/json", "Content-Digest": digest(body) } };
    const signed = await sign("b", ofResponse, response, request);
    outgoing.writeHead(response.status, signed.headers).end(body);
    console.log(good ? "verified" : "refused");
}

function serve() {
    const server = http.createServer(answer);
    server.listen(0, "127.0.0.1", () => console.log(`Listening on 127.0.0.1:${server.address().port}`));
}

async function ask() {
    const call = fs.readFileSync("alice.json");
    const request = await sign("a", ofRequest, { method: "POST", url,
        headers: { "Content-Type": "application/json", "Content-Digest": digest(call) } });
    const outgoing = http.request(url, { method: "POST", headers: request.headers });
    outgoing.end(call);
    const incoming = await new Promise((resolve) => outgoing.on("response", resolve));
    const body = await read(incoming);
    const response = { status: incoming.statusCode, headers: incoming.headers };
    const good = incoming.headers["content-digest"] === digest(body) &&
        await verify("b", ofResponse, response, request);
    console.log(incoming.statusCode, good ? "verified" : `not verified: ${body}`);
}

if (role === "server") serve();
else ask().then(() => process.exit(0));
