# For the tests in three network namespaces: an agent, a router where the proxy is, and a server.
#
# Addresses: 10.77.1.0/24 and fd77:1::/64 are the agent's side, 2 the server's; the router is 1.

# tls_lab.bash sets $port and others; what is set here is for the tests.
# shellcheck disable=SC2154,SC2034

load tls_lab

record="$BATS_TEST_DIRNAME/../../capturer/record"

eval "lab_$(declare -f setup)"
eval "lab_$(declare -f teardown)"

setup() {
    [ "$(id -u)" -eq 0 ] || skip "network namespaces take root"
    command -v nft >/dev/null || skip "nftables is not installed"
    lab_setup
    agent=mitm-$$-agent router=mitm-$$-router server=mitm-$$-server
    local name
    for name in "$agent" "$router" "$server"; do
        ip netns add "$name"
        ip -n "$name" link set lo up
    done
    wire "$agent" 1
    wire "$server" 2
    within "$router" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    issue_certificate
}

teardown() {
    lab_teardown
    local name
    for name in "$agent" "$router" "$server"; do
        ip netns delete "$name" 2>/dev/null || true
    done
}

# wire NAMESPACE N: a veth pair to the router, and the way through it.
wire() {
    ip -n "$router" link add "side$2" type veth peer name eth0 netns "$1"
    ip -n "$router" address add "10.77.$2.1/24" dev "side$2"
    ip -n "$router" address add "fd77:$2::1/64" dev "side$2" nodad
    ip -n "$1" address add "10.77.$2.2/24" dev eth0
    ip -n "$1" address add "fd77:$2::2/64" dev eth0 nodad
    ip -n "$router" link set "side$2" up
    ip -n "$1" link set eth0 up
    ip -n "$1" route add default via "10.77.$2.1"
    ip -n "$1" route add default via "fd77:$2::1"
}

# within NAMESPACE COMMAND …: what is started in the background is not, so that it has its own id.
within() {
    ip netns exec "$@"
}

# The server's, for a name and its addresses, and for the router's, where it may be led to it without a proxy.
issue_certificate() {
    local names=DNS:agent-b,DNS:xn--bcher-kva.example,IP:10.77.2.2,IP:fd77:2::2,IP:10.77.1.1,IP:fd77:1::1
    openssl req -new -key key.pem -subj "/CN=server" |
        openssl x509 -req -CA ca.pem -CAkey ca.key -days 1 -set_serial 7 -out server.pem 2>/dev/null \
            -extfile <(echo "subjectAltName=$names")
}

# serve [OPTION …]: the mirror, by both versions of IP.
serve() {
    start mirror.log "listening on" ip netns exec "$server" python3 "$BATS_TEST_DIRNAME/mirror_server.py" \
        --host :: "$@"
    port=$(listening_on mirror.log)
    port=${port##*:}
}

# divert [OPTION …]: the proxy on the router, and all connections to the server's port go to it.
divert() {
    start proxy.log "listening on" ip netns exec "$router" "$BIN_DIR/mitm_proxy" --mode transparent \
        --listen '[::]:8080' --admin 127.0.0.1:0 --exchange-log x.ndjson --upstream-ca ca.pem "$@"
    proxy=$started
    within "$router" nft -f - <<END
table inet divert {
    chain prerouting {
        type nat hook prerouting priority dstnat
        iifname "side1" tcp dport $port redirect to :8080
    }
}
END
}

# divert_all [OPTION …]: the same by TPROXY, both ways.
divert_all() {
    start proxy.log "listening on" ip netns exec "$router" "$BIN_DIR/mitm_proxy" --mode transparent --tproxy \
        --listen '[::]:8080' --admin 127.0.0.1:0 --exchange-log x.ndjson --upstream-ca ca.pem "$@"
    proxy=$started
    within "$router" nft -f - <<END
table inet divert {
    chain prerouting {
        type filter hook prerouting priority mangle
        iifname "side1" ip daddr != 10.77.1.1 tcp dport $port tproxy ip to :8080 meta mark set 1 accept
        iifname "side1" ip6 daddr != fd77:1::1 tcp dport $port tproxy ip6 to :8080 meta mark set 1 accept
        iifname "side2" meta l4proto tcp socket transparent 1 meta mark set 1 accept
    }
}
END
    local version
    for version in -4 -6; do
        ip -n "$router" "$version" route add local default dev lo table 100 2>/dev/null || continue # it is there
        ip -n "$router" "$version" rule add fwmark 1 lookup 100
    done
}
