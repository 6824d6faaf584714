#!/usr/bin/env bats
# The lab's ways in, without Docker: agent_a is given the proxy's address, has it in its environment, or
# knows nothing of it.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031
# lab.bash sets $root and others.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lab

MODES=(reverse forward transparent "transparent --divert redirect")

callers() { sed -n 's/^\[Agent B\] Caller: //p' "$dir/agent_b.log"; }

logged() { jq -r "$1" "$dir/exchanges.ndjson" | sort -u; }

# called_in MODE [--tls]: what agent_a says that it calls.
called_in() {
    case $* in
    reverse) echo http://10.0.1.1:8080/tool ;;
    "reverse --tls") echo https://agent-b.test:8080/tool ;;
    forward) echo "http://agent-b:8000/tool with HTTP_PROXY=http://10.0.1.1:8080" ;;
    "forward --tls") echo "https://agent-b:8000/tool with HTTPS_PROXY=http://10.0.1.1:8080" ;;
    *--tls) echo https://agent-b:8000/tool ;;
    *) echo http://agent-b:8000/tool ;;
    esac
}

# went_by MODE [--tls]: what agent_a called, and whom agent_b saw.
went_by() {
    local caller=10.0.2.1
    [ "$1" != transparent ] || caller=10.0.1.2
    grep -qxF "[lab] agent_a calls $(called_in "$@")" <<<"$output"
    [ "$(callers)" = "$caller" ]
    [ "$(logged '[.client, .upstream_local] | map(sub(":[0-9]*$"; "")) | join(" ")')" = \
        "10.0.1.2 $caller" ]
}

@test "each mode: calls, a verdict of same, and whom agent_b sees" {
    local mode
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086  # words
        run -0 up --mode $mode --count 3 --without-log
        echo "$mode: $output"
        [[ $output == *"same: 3 exchanges"* ]]
        [[ $output != *"on neither leg"* ]] # what asks the proxy how it is, is not recorded
        went_by "$mode"
        [ "$(jq -r .verdict "$dir/verdict.json")" = same ]
        # By the captures alone the proxy that has whole URLs in its requests has changed them.
        local alone=same
        [ "$mode" != forward ] || alone=differ
        [ "$(jq -r .verdict "$dir/captures.json")" = "$alone" ]
    done
    nothing_is_left
}

@test "each mode: an ordinary person" {
    unshare --user --map-current-user --keep-caps --net -- true 2>/dev/null ||
        skip "this kernel gives no network namespaces to user namespaces"
    [ "$(id -u)" -eq 0 ] || skip "not root: every other test here is this one"
    local home mode
    home=$(mktemp -d)
    dir=$home/capture
    mkdir "$home/scripts" "$home/capturer" "$home/mitm_proxy"
    cp "$root"/scripts/{lab,lab-native,lab-docker,healthz} "$home/scripts/"
    cp "$root"/capturer/{record,verdict,new-run} "$home/capturer/"
    cp "$root/mitm_proxy/divert" "$home/mitm_proxy/"
    cp -r "$BIN_DIR" "$home/bin"
    chown -R 12345:12345 "$home"
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086
        run -0 env HOME="$home" BIN_DIR="$home/bin" setpriv --reuid 12345 --regid 12345 --clear-groups \
            "$home/scripts/lab" up --native --mode $mode --count 2
        [[ $output == *"same: 2 exchanges"* ]]
        went_by "$mode"
    done
    [ -z "$(find "$home" ! -uid 12345)" ]
    rm -rf "$home"
}

# in_a_persons_folder [OPTION …]: who is not root there, and has all of it afterwards.
in_a_persons_folder() {
    local home
    home=$(mktemp -d)
    dir=$home/capture
    mkdir "$dir"
    cp -r "$BIN_DIR" "$home/bin"
    chown -R 12345:12345 "$home"
    BIN_DIR=$home/bin
    run -0 up --mode transparent "$@"
    went_by transparent "$@"
    [ -z "$(find "$home" ! -uid 12345)" ]
    rm -rf "$home"
}

@test "TPROXY: root in a person's folder" {
    [ "$(id -u)" -eq 0 ] || skip "not root"
    in_a_persons_folder
}

@test "--tls: each mode, taken apart by the proxy, and read with agent_b's own keys" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    cd "$BATS_TEST_TMPDIR"
    echo '{"rules": [{"name": "swap", "on": "request", "do": [{"json_patch":
        [{"op": "replace", "path": "/arguments/target", "value": "libssh"}]}]}]}' >rules.json
    local mode
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086
        run -0 up --tls --mode $mode --count 3
        echo "$mode: $output"
        [[ $output == *"same: 3 exchanges, byte for byte, in all 3 views"* ]]
        [[ $output != *"not sure"* ]]
        went_by "$mode" --tls
        [ "$(logged 'select(.method == "POST") | .call_id' | wc -l)" -eq 3 ]
        [ "$(grep -c libssl "$dir/agent_http.pcap")" -eq 0 ]
        run -0 lab diff
        [[ $output == *"same: 3 exchanges"* ]]
        # shellcheck disable=SC2086
        run -1 up --tls --mode $mode --rules rules.json --proxy --conceal --proxy swap
        [[ $output == *"differ: "*" in 1 exchange "*"/arguments/target"* ]]
    done
    run -0 up
    [[ $output == *"same: 1 exchange"* ]]
    [ "$(callers)" = 10.0.2.1 ]
    [ -e "$dir/previous/tls/agent_b.keys" ] # with the captures that they open
    [ ! -e "$dir/tls" ]
    run -0 lab diff
}

@test "TPROXY with TLS: root in a person's folder" {
    [ "$(id -u)" -eq 0 ] || skip "not root"
    command -v tshark >/dev/null || skip "tshark is not installed"
    in_a_persons_folder --tls
}

@test "what a rule does is declared, or found" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"rules": [{"name": "swap", "on": "request", "when": {"nth": 2}, "do": [{"json_patch":
        [{"op": "replace", "path": "/arguments/target", "value": "libssh"}]}]}]}' >rules.json
    local mode
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086
        run -0 up --mode $mode --count 3 --rules rules.json
        [[ $output == *"same: 3 exchanges"*"declared by the exchange log"* ]]
        grep -q '"target":"libssh"' "$dir/agent_b.log"
        # shellcheck disable=SC2086
        run -1 up --mode $mode --count 3 --rules rules.json --proxy --conceal --proxy swap
        echo "$mode: $output"
        [[ $output == *"differ: "*" in 1 exchange "*"call-0002"*"/arguments/target"* ]]
    done
}

@test "transparent: many connections at once, whose ports are the same on both legs" {
    run -0 up --mode transparent --count 200 --concurrency 8
    [[ $output == *"same: 200 exchanges"* ]]
    [ "$(logged '.client == .upstream_local')" = true ]
    [ "$(logged .connection | wc -l)" -eq 8 ]
    went_by transparent
}

@test "transparent: Ctrl-C leaves no process and no rule" {
    cd "$BATS_TEST_TMPDIR"
    local rules
    rules=$(nft list tables 2>/dev/null || true)
    start_endless --mode transparent
    status=0
    stop "$started" INT || status=$?
    [ "$status" -eq 130 ]
    nothing_is_left
    [ "$(readlink /proc/self/ns/net)" = "$network_id" ]
    [ "$(nft list tables 2>/dev/null || true)" = "$rules" ]
}

@test "wrong input gets one line and 2" {
    local words
    for words in "--mode sideways" "--mode" "--divert iptables --mode transparent" "--divert tproxy"; do
        # shellcheck disable=SC2086
        run -2 up $words
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == "[lab] ${words%% *} "* ]]
    done
}

# without_nft COMMAND…: where nobody has it, nor what else is in its folder.
without_nft() {
    local words=(--mount) place
    [ "$(id -u)" -eq 0 ] || words+=(--user --map-root-user)
    place=$(PATH=$PATH:/usr/sbin:/sbin command -v nft)
    # shellcheck disable=SC2016  # for the inner shell
    unshare "${words[@]}" -- sh -c 'mount -t tmpfs none "$0" && exec "$@"' \
        "$(dirname "$(realpath "$place")")" "$@"
}

@test "without nft, transparent says what to install, and the others need none" {
    run -2 without_nft "$root/scripts/lab" up --native --capture-dir "$dir" --mode transparent
    [ "$(grep -c nft <<<"$output")" -eq 1 ]
    [[ ${lines[-1]} == *"--mode transparent needs nft: run 'scripts/setup', or install nftables" ]]
    run -0 without_nft "$root/scripts/lab" up --native --capture-dir "$dir" --mode forward
    run -2 without_nft "$root/mitm_proxy/divert" tproxy 8000
    [[ $output == *"install nftables"* ]]
}

@test "divert says how it is used" {
    local words
    for words in "" tproxy "redirect 1 2" gateway sideways; do
        # shellcheck disable=SC2086
        run -2 "$root/mitm_proxy/divert" $words
        [[ ${lines[0]} == "[divert] usage: divert "* ]]
    done
    local nobody=()
    [ "$(id -u)" -ne 0 ] || nobody=(setpriv --no-new-privs --bounding-set=-all --inh-caps=-all)
    for words in "" "," 80,,81 abc 0 65536 8000000000 '80 81' '{80}'; do
        run -2 "${nobody[@]}" "$root/mitm_proxy/divert" redirect "$words"
        [ "$output" = "[divert] '$words' is no list of ports: as in 8000,8443" ]
    done
    run -2 "${nobody[@]}" "$root/mitm_proxy/divert" redirect 8000,8443
    [[ $output == "[divert] this needs CAP_NET_ADMIN"* ]]
}
