#!/usr/bin/env bats
# --mode transparent in three network namespaces: an agent, a router that diverts its connections to
# the proxy, and a server. Neither end knows of a proxy.

# Each @test is a subshell, and what it sets is for itself alone; namespaces.bash sets $port and others.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

load namespaces

# call URL [OPTION …]: curl as the agent.
call() {
    LC_ALL=C.UTF-8 within "$agent" curl -sS -m 15 --http1.1 --globoff --resolve "agent-b:$port:10.77.2.2" \
        --resolve "xn--bcher-kva.example:$port:10.77.2.2" "$@"
}

@test "plain HTTP, by IPv4 and IPv6: as it was sent, and recorded" {
    serve
    divert
    local host
    for host in 10.77.2.2 '[fd77:2::2]' agent-b; do
        call "http://$host:$port/tool" -d '{"id":7}' -H 'Proxy-Note:  x' >answer
        cat answer
        grep -qx $'POST /tool HTTP/1.1\r' answer
        grep -qxF "Host: $host:$port"$'\r' answer
        grep -qx $'Proxy-Note:  x\r' answer # which is the server's
    done
    stop_proxy
    [ "$(logged '[.method, .target, .status, .upstream, .error, .changes[]] | @tsv')" = \
        "$(printf 'POST\t/tool\t200\t%s\t\n' "10.77.2.2:$port" "[fd77:2::2]:$port" "10.77.2.2:$port")" ]
    [ "$(logged .client | sed 's/:[0-9]*$//')" = $'10.77.1.2\n[fd77:1::2]\n10.77.1.2' ]
}

@test "TLS, by IPv4, IPv6 and a name: taken apart for who trusts the CA" {
    serve server.pem key.pem
    divert --ca-dir lab
    local host
    for host in 10.77.2.2 '[fd77:2::2]' agent-b bücher.example; do
        call --cacert lab/ca.pem "https://$host:$port/tool" -d '{"id":7}' | grep -q 'POST /tool'
    done
    [ "$(grep '^secured' mirror.log | cut -d' ' -f3,4)" = $'http/1.1 None\nhttp/1.1 None\nhttp/1.1 agent-b\nhttp/1.1 xn--bcher-kva.example' ]
    run call --cacert ca.pem "https://agent-b:$port/tool"
    [ "$status" -eq 60 ]
    wait_logged '.error == "client_tls"'
    stop_proxy
    [ "$(logged 'select(.method) | [.method, .target, .status, .call_id, .upstream, .error] | @tsv')" = \
        "$(printf 'POST\t/tool\t200\t7\t%s\t\n' "10.77.2.2:$port" "[fd77:2::2]:$port" "10.77.2.2:$port" "10.77.2.2:$port")" ]
}

@test "sslscan calls nothing weak" {
    command -v sslscan >/dev/null || skip "sslscan is not installed"
    serve server.pem key.pem
    divert --ca-dir lab --quiet
    [ -z "$(sslscan_finds "10.77.2.2:$port" ip netns exec "$agent")" ]
    grep -q 'Agent MITM CA' scan
    stop_proxy
}

@test "TLS that is not taken apart passes" {
    serve server.pem key.pem
    divert --ca-dir lab --intercept none
    call --cacert ca.pem "https://agent-b:$port/tool" | grep -q 'GET /tool'
    call --cacert ca.pem "https://[fd77:2::2]:$port/tool" | grep -q 'GET /tool'
    stop_proxy
    [ "$(logged '[.method, .target, .error] | @tsv')" = \
        "$(printf '\t%s\t\n' "10.77.2.2:$port" "[fd77:2::2]:$port")" ]
}

@test "TLS of a server that cannot be believed" {
    serve self-signed.pem key.pem
    divert --ca-dir lab
    run call --cacert lab/ca.pem "https://agent-b:$port/tool"
    [ "$status" -eq 35 ]
    wait_logged '.error == "upstream_tls"'
    stop_proxy
}

@test "Python and Node that know nothing of a proxy" {
    serve server.pem key.pem
    divert --ca-dir lab
    python3 -c 'import requests' 2>/dev/null || skip "python3-requests is not installed"
    REQUESTS_CA_BUNDLE=lab/ca.pem timeout 20 ip netns exec "$agent" python3 -c '
import requests, sys
print(requests.post(sys.argv[1], json={"id": 1}, timeout=10).text)' "https://10.77.2.2:$port/tool" >answer
    grep -q 'POST /tool' answer
    command -v node >/dev/null || skip "Node is not installed"
    NODE_EXTRA_CA_CERTS=lab/ca.pem timeout 20 ip netns exec "$agent" node -e '
fetch(process.argv[1], { method: "POST", body: "{}" }).then((r) => r.text()).then(console.log)' \
        "https://[fd77:2::2]:$port/tool" >answer
    grep -q 'POST /tool' answer
    stop_proxy
    [ "$(logged .status)" = $'200\n200' ]
}

@test "both agents, plain and by TLS; capdiff finds the same" {
    local way tls
    for way in http https; do
        rm -f x.ndjson proxy.pcap server.pcap
        tls=()
        [ "$way" = http ] || tls=(--tls-cert server.pem --tls-key key.pem)
        start b.log "Listening on" ip netns exec "$server" "$BIN_DIR/agent_b" --listen '[::]:0' "${tls[@]}"
        port=$(listening_on b.log)
        port=${port##*:}
        divert --ca-dir lab --pcap proxy.pcap --pcap-source payload
        start recorder.log "recording" ip netns exec "$server" "$record" server.pcap "$port"
        local recorder=$started ca=()
        [ "$way" = http ] || ca=(--ca lab/ca.pem)
        for host in 10.77.2.2 '[fd77:2::2]'; do
            within "$agent" "$BIN_DIR/agent_a" --url "$way://$host:$port/tool" "${ca[@]}" --count 5 --concurrency 2
        done
        stop_proxy
        stop "$recorder"
        [ "$(logged '[.tool_name, .status] | @tsv' | sort | uniq -c)" = "     10 analyze_dependency	200" ]
        [ "$way" = https ] || "$BIN_DIR/capdiff" --exchange-log x.ndjson proxy.pcap server.pcap
        within "$router" nft delete table inet divert
    done
}

@test "a connection to the proxy itself is refused" {
    serve
    divert
    local host
    for host in 10.77.1.1 '[fd77:1::1]'; do
        run call "http://$host:8080/tool"
        [ "$status" -ne 0 ]
        echo "$output"
    done
    stop_proxy
    [ "$(logged .error)" = $'loop\nloop' ]
}

@test "a server that is not there: the connection breaks, or a call that came at once gets 502" {
    port=9
    divert
    run call -o body -w '%{http_code}' "http://10.77.2.2:$port/tool"
    echo "$status $output"
    [ "$status" -ne 0 ] || [ "$(tail -n 1 <<<"$output")" = 502 ]
    within "$agent" timeout 20 python3 - "$port" <<'END'
import socket, sys
for host in "10.77.2.2", "fd77:2::2":
    try:
        got = socket.create_connection((host, int(sys.argv[1])), 10).recv(100)
    except ConnectionResetError:
        continue
    raise SystemExit(f"got {got}")
END
    stop_proxy
    [ "$(logged .error)" = $'connect_failed\nconnect_failed\nconnect_failed' ]
}

# greet: a server that speaks first, and then says all again that it hears, up to the end.
greet() {
    cat >greeter.py <<'END'
import socket, threading
def serve(peer):
    peer.sendall(b"220 ready\r\n")
    while data := peer.recv(65536):
        peer.sendall(data)
    peer.close()
listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening on %s:%d" % listener.getsockname()[:2], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
    start greeter.log "listening on" ip netns exec "$server" python3 greeter.py
    port=$(listening_on greeter.log)
    port=${port##*:}
}

# is_greeted: clients that wait for the greeting, say something, and hear it: what looks like HTTP, or
# TLS, too. One only ends.
is_greeted() {
    within "$agent" timeout 60 python3 - "$port" <<'END'
import socket, sys
def hear(peer, wanted):
    got = b""
    while len(got) < len(wanted) and (data := peer.recv(65536)):
        got += data
    assert got == wanted, got
for host in "10.77.2.2", "fd77:2::2":
    for said in b"SSH-2.0-a b\r\n", b"EHLO a\r\n" * 50000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05", b"":
        peer = socket.create_connection((host, int(sys.argv[1])), 10)
        if not said:
            peer.shutdown(socket.SHUT_WR)
        if said.startswith(b"SSH-"):  # does not wait
            peer.sendall(said)
            hear(peer, b"220 ready\r\n" + said)
            said = b""
            peer.shutdown(socket.SHUT_WR)
        else:
            hear(peer, b"220 ready\r\n")
        for at in range(0, len(said), 50000):
            peer.sendall(said[at:at + 50000])
            hear(peer, said[at:at + 50000])
        if said:
            peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
END
}

@test "a server that speaks first is heard, by REDIRECT and by TPROXY" {
    greet
    local way
    for way in divert divert_all; do
        rm -f x.ndjson
        "$way" --ca-dir lab
        is_greeted
        stop_proxy
        logged '[.method, .status, .error, .tunnel.request_bytes, .tunnel.response_bytes] | @tsv' | sort >records
        printf '\t\t\t%s\n' $'0\t11' $'0\t11' $'18\t29' $'18\t29' $'400000\t400011' $'400000\t400011' \
            $'5\t16' $'5\t16' $'13\t24' $'13\t24' | sort | diff records -
        within "$router" nft delete table inet divert
    done
}

@test "one connection too many: a request gets 503, all else is turned away" {
    greet
    divert --ca-dir lab --max-connections 1
    within "$agent" timeout 60 python3 - "$port" <<'END'
import socket, ssl, sys
def connect():
    return socket.create_connection(("10.77.2.2", int(sys.argv[1])), 10)
first = connect()
assert first.recv(100) == b"220 ready\r\n"
def hear(peer, said):
    peer.sendall(said)
    got = b""
    while data := peer.recv(65536):
        got += data
    peer.close()
    return got
assert hear(connect(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 503 ")
assert hear(connect(), b"SSH-2.0-a b\r\n") == b""
try:
    ssl._create_unverified_context().wrap_socket(connect())
    raise SystemExit("TLS was spoken")
except (ssl.SSLError, ConnectionError):
    pass
END
    stop_proxy
    [ "$(logged '[.status, .error] | @tsv' | sort)" = "$(printf '%s\t%s\n' '' '' '' overloaded '' overloaded 503 overloaded | sort)" ]
}

@test "what cannot be recorded does not pass unread, either" {
    greet
    divert --exchange-log /dev/full --on-record-failure refuse
    within "$agent" timeout 60 python3 - "$port" <<'END'
import socket, sys
heard = b"something"
while heard:  # up to the first one behind the one that could not be recorded
    with socket.create_connection(("10.77.2.2", int(sys.argv[1])), 10) as peer:
        heard = peer.recv(100)
END
    stop "$proxy"
}

@test "WebSockets pass and are counted, by REDIRECT and by TPROXY, plain and over TLS" {
    local way websocket="$BATS_TEST_DIRNAME/websocket.py"
    local -a ca cert
    for way in divert divert_all; do
        for scheme in ws wss; do
            rm -f x.ndjson
            ca=() cert=()
            [ "$scheme" = ws ] || ca=(--ca lab/ca.pem) cert=(--cert server.pem --key key.pem)
            start server.log "listening on" ip netns exec "$server" python3 "$websocket" serve --host :: "${cert[@]}"
            port=$(listening_on server.log)
            port=${port##*:}
            "$way" --ca-dir lab
            for host in 10.77.2.2 '[fd77:2::2]'; do
                within "$agent" timeout 60 python3 "$websocket" call --count 5 "${ca[@]}" "$scheme://$host:$port/chat"
            done >client.log
            stop_proxy
            grep '^{' server.log | sort | diff - <(sort client.log)
            jq -c .tunnel client.log | sort | diff - <(logged '.tunnel | tojson' | sort)
            [ "$(logged '[.status, .error] | @tsv' | sort | uniq -c)" = "     10 101	" ]
            within "$router" nft delete table inet divert
        done
    done
}

@test "a connection without a word is none to record" {
    serve
    divert
    within "$agent" timeout 60 python3 - "$port" <<'END'
import socket, sys
for host in "10.77.2.2", "fd77:2::2":
    peer = socket.create_connection((host, int(sys.argv[1])), 10)
    peer.shutdown(socket.SHUT_WR)
    assert peer.recv(100) == b""
END
    stop_proxy
    [ ! -s x.ndjson ]
}

@test "the wire capture has both legs, to whichever port" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    serve
    divert --pcap wire.pcap
    call "http://10.77.2.2:$port/tool" >answer
    stop_proxy
    tshark -r wire.pcap -d "tcp.port==$port,http" -Y http.request -T fields -e ip.src -e ip.dst -e http.request.uri \
        2>errors | sort >seen
    diff seen - <<END
10.77.1.2	10.77.2.2	/tool
10.77.2.1	10.77.2.2	/tool
END
}

@test "TPROXY: the server sees the agent's own address and port" {
    serve
    divert_all
    local host
    for host in 10.77.2.2 '[fd77:2::2]'; do
        call "http://$host:$port/tool" -d '{"id":7}' -w '%{local_ip} %{local_port}\n' -o answer >>callers
        grep -qxF "Host: $host:$port"$'\r' answer
    done
    sed -n 's/^connected from //p' mirror.log | diff - callers
    stop_proxy
    [ "$(logged '[.target, .status, .upstream, .error, (.client == .upstream_local)] | @tsv')" = \
        "$(printf '/tool\t200\t%s\t\ttrue\n' "10.77.2.2:$port" "[fd77:2::2]:$port")" ]
}

@test "TPROXY: TLS, taken apart or not" {
    serve server.pem key.pem
    divert_all --ca-dir lab --intercept agent-b
    call --cacert lab/ca.pem "https://agent-b:$port/tool" | grep -q 'GET /tool'
    call --cacert ca.pem "https://[fd77:2::2]:$port/tool" | grep -q 'GET /tool'
    sed -n 's/^connected from \([^ ]*\) .*/\1/p' mirror.log | diff - <(printf '10.77.1.2\nfd77:1::2\n')
    stop_proxy
    [ "$(logged '[.method, .error] | @tsv')" = $'GET\t\n\t' ]
}

@test "TPROXY: many connections at once, and the same ones again" {
    serve
    divert_all
    for _ in 1 2 3; do
        within "$agent" timeout 60 python3 - "$port" <<'END'
import socket, sys
# from the same ports each time, which the proxy takes over
peers = []
for i in range(100):
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    peer.bind(("10.77.1.2", 20000 + i))
    peer.settimeout(10)
    peer.connect(("10.77.2.2", int(sys.argv[1])))
    peers.append(peer)
for peer in peers:
    peer.sendall(b"GET /tool HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
for peer in peers:
    got = b""
    while data := peer.recv(65536):
        got += data
    assert got.startswith(b"HTTP/1.1 200 OK") and b"GET /tool" in got, got
    peer.close()
END
    done
    stop_proxy
    [ "$(logged '[.status, .error, (.client == .upstream_local)] | @tsv' | sort | uniq -c)" = "    300 200		true" ]
}

@test "TPROXY: a connection to the proxy itself is refused" {
    serve
    divert_all
    run call "http://10.77.1.1:8080/tool"
    [ "$status" -ne 0 ]
    stop_proxy
    [ "$(logged .error)" = loop ]
}

@test "TPROXY: a server's port may be the same as the proxy's" {
    serve --port 8080
    divert_all
    local host
    for host in 10.77.2.2 '[fd77:2::2]'; do
        call "http://$host:8080/tool" | grep -q 'GET /tool'
    done
    stop_proxy
    [ "$(logged '[.status, .error] | @tsv')" = $'200\t\n200\t' ]
}

# without_privileges PID: neither CAP_NET_ADMIN (12) nor CAP_NET_RAW (13), and none can be won back.
without_privileges() {
    local set
    while read -r set; do
        (((16#$set & (3 << 12)) == 0)) || return 1
    done < <(awk '/^Cap(Prm|Eff|Inh|Amb|Bnd):/ { print $2 }' "/proc/$1/status")
    [ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$1/status")" = 1 ]
}

@test "TPROXY: the proxy that runs has no privilege for it, whatever it records" {
    serve
    local capture
    for capture in "" "--pcap p.pcap --pcap-source payload" "--pcap w.pcap"; do
        echo "$capture"
        # shellcheck disable=SC2086 # they are words
        divert_all $capture
        without_privileges "$proxy"
        call "http://10.77.2.2:$port/tool" | grep -q 'GET /tool'
        local broker
        broker=$(pgrep -P "$proxy")
        stop_proxy
        timeout 10 tail -f /dev/null --pid="$broker" # the one that makes its sockets ends with it
        within "$router" nft delete table inet divert
    done
    [ "$(logged '[.status, (.client == .upstream_local)] | @tsv' | sort | uniq -c)" = "      3 200	true" ]
    run setpriv --inh-caps=-net_admin,-net_raw --bounding-set=-net_admin,-net_raw "$BIN_DIR/mitm_proxy" \
        --mode transparent --tproxy --listen 127.0.0.1:0 --admin 127.0.0.1:0
    [ "$status" -ne 0 ]
    [[ "$output" == *"--tproxy needs CAP_NET_RAW or CAP_NET_ADMIN: "* ]]
}
