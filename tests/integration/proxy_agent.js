// usage: proxy_agent.js URL BODY
// An agent of another stack: posts BODY to URL through HTTP_PROXY or HTTPS_PROXY, as agents for Node
// do it, and prints what comes. NODE_EXTRA_CA_CERTS says whom it trusts besides.
const http = require("node:http");
const https = require("node:https");

const [, , address, body] = process.argv;
const url = new URL(address);
const secure = url.protocol === "https:";
const proxy = new URL(process.env[secure ? "HTTPS_PROXY" : "HTTP_PROXY"]);

function fail(error) {
    console.error(error.message);
    process.exit(1);
}

function post(client, options) {
    const headers = { "content-type": "application/json", host: url.host, "proxy-note": "x" };
    const request = client.request({ method: "POST", headers, timeout: 10000, ...options });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", fail);
    request.on("response", async (response) => {
        let text = "";
        for await (const part of response) text += part;
        process.stdout.write(`${response.statusCode}\n${text}`);
        process.exit(0);
    });
    request.end(body);
}

if (!secure) {
    post(http, { host: proxy.hostname, port: proxy.port, path: address });
} else {
    const connect = http.request({
        host: proxy.hostname, port: proxy.port, method: "CONNECT", path: url.host, timeout: 10000,
        headers: { host: url.host },
    });
    connect.on("timeout", () => connect.destroy(new Error("no answer")));
    connect.on("error", fail);
    connect.on("connect", (response, socket) => {
        if (response.statusCode !== 200) fail(new Error(`CONNECT: ${response.statusCode}`));
        post(https, { host: url.hostname, path: url.pathname + url.search, agent: false, socket,
            servername: url.hostname });
    });
    connect.end();
}
