// usage: client_fetch.js CALLS BASE …
//
// Node's fetch (undici) as an agent: makes the calls of a file under each URL, and prints what it saw of
// each answer as a line of JSON. NODE_EXTRA_CA_CERTS says whom it trusts besides. fetch does not look at
// HTTP_PROXY by itself: where it is set, undici's ProxyAgent goes there, by CONNECT for http URLs, too.
const fs = require("node:fs");
const crypto = require("node:crypto");

const [calls, ...bases] = process.argv.slice(2);

if (process.env.HTTP_PROXY) {
    const { ProxyAgent, setGlobalDispatcher } = require("undici");
    setGlobalDispatcher(new ProxyAgent(process.env.HTTP_PROXY));
}

function bodyOf(call) {
    if (call.pieces) {
        const pieces = call.pieces.map((piece) => new TextEncoder().encode(piece));
        return new ReadableStream({
            pull(controller) {
                if (pieces.length) controller.enqueue(pieces.shift());
                else controller.close();
            },
        });
    }
    return call.body === undefined ? undefined : call.body.repeat(call.times ?? 1);
}

async function make(call, base) {
    const headers = call.type ? { "content-type": call.type } : {};
    const answer = await fetch(`${base}/${call.path}`, {
        method: call.method, headers, body: bodyOf(call), duplex: "half", signal: AbortSignal.timeout(60000),
    });
    const sum = crypto.createHash("sha256");
    let bytes = 0;
    for await (const piece of answer.body ?? []) {
        sum.update(piece);
        bytes += piece.length;
    }
    console.log(JSON.stringify({ call: call.path, at: base, status: answer.status, reason: answer.statusText,
        fields: [...answer.headers], bytes, sha256: sum.digest("hex") }));
}

async function main() {
    for (const base of bases)
        for (const call of JSON.parse(fs.readFileSync(calls))) await make(call, base);
    process.exit(0);
}

main();
