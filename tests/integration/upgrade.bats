#!/usr/bin/env bats
# WebSockets between two ends that know nothing of each other but RFC 6455, through each way in. The
# bytes of it: tests/data/proxy/upgrade.txt and tests/data/websocket/frames.txt.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $at and $port.
# shellcheck disable=SC2030,SC2031,SC2154

load tls_lab

websocket="$BATS_TEST_DIRNAME/websocket.py"

# start_server [OPTION …]: a WebSocket server on $port.
start_server() {
    start server.log "listening on" python3 "$websocket" serve "$@"
    port=$(listening_on server.log)
    port=${port##*:}
}

# call [OPTION …] URL: twenty connections, what passed in each in client.log.
call() {
    timeout 120 python3 "$websocket" call --count 20 "$@" >client.log
}

# both_agree N: of N connections the server heard what the clients said, and the other way round, and
# the proxy's log has counted the same.
both_agree() {
    stop_proxy
    grep '^{' server.log | sort >server.told
    sort client.log | diff - server.told
    [ "$(wc -l <client.log)" -eq "$1" ]
    logged 'select(.tunnel) | .tunnel | tojson' | sort >log.told
    jq -c .tunnel client.log | sort | diff - log.told
    [ "$(logged 'select(.tunnel) | [.status, .error] | @tsv' | sort | uniq -c)" = "     $1 101	" ]
}

@test "a WebSocket through the reverse proxy: byte for byte, and every frame counted" {
    start_server
    start_proxy --upstream "http://127.0.0.1:$port" --pcap p.pcap --pcap-source payload
    call "ws://$at/chat"
    both_agree 20
    grep -q ' #1 GET /chat → 101, 0 B up, 0 B down, .*, websocket [0-9]* B up, [0-9]* B down, [0-9]* frames up, [0-9]* down$' \
        proxy.log
}

@test "a WebSocket through rules that look at each message" {
    start_server
    cat >rules.json <<'JSON'
{"rules": [
  {"name": "up", "on": "request", "match": {"json": {"/never": 1}}, "do": [{"drop": {}}]},
  {"name": "down", "on": "response", "match": {"json": {"/never": 1}}, "do": [{"drop": {}}]},
  {"name": "slow", "on": "response", "do": [{"delay": {"ms": 20}}]}]}
JSON
    start_proxy --upstream "http://127.0.0.1:$port" --rules rules.json
    call "ws://$at/chat"
    both_agree 20
}

@test "a WebSocket over TLS, taken apart, and over TLS that is not" {
    start_server --cert good.pem --key key.pem
    start_proxy --upstream "https://localhost:$port" --ca-dir lab --upstream-ca ca.pem
    call --ca lab/ca.pem "wss://localhost:$proxy_port/chat"
    both_agree 20
    rm x.ndjson
    : >server.log
    start_proxy --upstream "https://localhost:$port" --upstream-ca ca.pem --intercept none --ca-dir lab
    call --ca ca.pem "wss://localhost:$proxy_port/chat"
    stop_proxy
    [ "$(logged '[.method, .tunnel.protocol, .tunnel.frames, .error] | @tsv' | sort | uniq -c)" = "     20 			" ]
}

@test "a WebSocket through the forward proxy: by its URL, within a CONNECT, and over TLS within one" {
    start_server
    start_proxy --mode forward --allow "localhost:$port"
    call --proxy "$at" "ws://localhost:$port/chat"
    both_agree 20
    rm x.ndjson
    : >server.log
    start_proxy --mode forward --allow "localhost:$port"
    call --proxy "$at" --connect "ws://localhost:$port/chat"
    both_agree 20
    rm x.ndjson
    start_server --cert good.pem --key key.pem
    start_proxy --mode forward --allow "localhost:$port" --ca-dir lab --upstream-ca ca.pem
    call --proxy "$at" --connect --ca lab/ca.pem "wss://localhost:$port/chat"
    both_agree 20
}

@test "Node's WebSocket: text, bytes, a ping of ours and a close" {
    node --experimental-websocket -e 'process.exit(typeof WebSocket === "function" ? 0 : 1)' 2>/dev/null ||
        skip "Node has no WebSocket"
    start_server
    start_proxy --upstream "http://127.0.0.1:$port"
    timeout 30 node --experimental-websocket -e '
const socket = new WebSocket(process.argv[1]);
socket.binaryType = "arraybuffer";
const heard = [];
const big = "x".repeat(70000);
socket.onmessage = (event) => {
    heard.push(typeof event.data === "string" ? event.data : Buffer.from(event.data).toString("hex"));
    if (heard.length === 1) {
        socket.send("a call");
        socket.send(new Uint8Array([0, 255]));
        socket.send(big);
    } else if (heard.length === 4) {
        socket.close(3000, "done");
    }
};
socket.onclose = (event) => {
    const wanted = ["welcome", "a call", "00ff", big];
    const same = JSON.stringify(heard) === JSON.stringify(wanted);
    process.exit(same && event.code === 3000 && event.wasClean ? 0 : 1);
};
socket.onerror = () => process.exit(2);' "ws://$at/chat"
    stop_proxy
    logged .tunnel.frames
    [ "$(logged '.tunnel.frames | [.request, .response] | map([.text, .binary, .close, .close_code, .stopped]) | tojson')" = \
        '[[2,1,1,3000,null],[3,1,1,3000,null]]' ]
}

@test "an Upgrade that the server refuses is an ordinary exchange" {
    start_server
    start_proxy --upstream "http://127.0.0.1:$port"
    [ "$(fetch -o /dev/null -w '%{http_code}' -H 'Connection: Upgrade' -H 'Upgrade: websocket' "http://$at/")" = 426 ]
    stop_proxy
    [ "$(logged '[.status, .error, has("tunnel")] | @tsv')" = "426		false" ]
}

@test "h2c is granted or refused by the server, not by the proxy" {
    start_mirror
    start_proxy --upstream "http://127.0.0.1:$port"
    curl -sS -m 15 --http2 "http://$at/tool" >answer
    grep -qx $'Upgrade: h2c\r' answer
    grep -qix $'Connection: Upgrade, HTTP2-Settings\r' answer
    stop_proxy
    [ "$(logged '[.status, .error, has("tunnel")] | @tsv')" = "200		false" ]
}

@test "/metrics counts tunnels and frames" {
    start_server
    start_proxy --upstream "http://127.0.0.1:$port"
    call --seed 1 "ws://$at/chat"
    local admin
    admin=$(sed -n 's/.*admin on \(http[^ ]*\).*/\1/p' proxy.log)
    wait_logged ".exchange == 20" # the last one ends a moment after its client
    fetch "$admin/metrics" >metrics
    grep -qx 'mitm_tunnels_total 20' metrics
    for side in request response; do
        for kind in text binary continuation close ping pong; do
            grep -qxF "mitm_websocket_frames_total{direction=\"$side\",kind=\"$kind\"} $(
                jq -s "map(.tunnel.frames.$side.$kind) | add" client.log)" metrics
        done
    done
    both_agree 20
}

@test "the proxy stops: a tunnel that does not end in time is cut, and on record" {
    start_server
    start_proxy --upstream "http://127.0.0.1:$port" --drain-timeout 1
    mkfifo fifo
    timeout 60 python3 - "$proxy_port" >fifo <<'END' &
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
peer.sendall(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
got = b""
while not got.endswith(b"welcome"):
    got += peer.recv(1000)
print("open", flush=True)
try:
    assert peer.recv(1000) == b"", "more came"
except ConnectionResetError:
    print("cut", flush=True)
END
    exec 5<fifo
    read -r line <&5
    [ "$line" = open ]
    stop_proxy
    read -r line <&5
    [ "$line" = cut ]
    [ "$(logged '[.status, .error, .tunnel.request_bytes, .tunnel.response_bytes] | @tsv')" = "101	shutdown	0	9" ]
}
