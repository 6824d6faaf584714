#!/usr/bin/env bats
# The lab without Docker, end to end: what it leaves behind, what it refuses, how it dies.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031
# lab.bash sets $started and others.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lab

@test "up: calls, captures and a verdict of same" {
    cd "$BATS_TEST_TMPDIR"
    run -0 up --count 3
    [[ $output == *'[Agent A] Response JSON: {"id":"call-0003"'* ]]
    [[ $output == *"same: 3 exchanges"* ]]
    local name
    for name in proxy.pcap agent_http.pcap exchanges.ndjson verdict.json verdict.txt report.html \
        agent_a.log agent_b.log mitm_proxy.log capturer.log mitm_proxy.metrics; do
        [ -s "$dir/$name" ]
    done
    [ "$(wc -l <"$dir/exchanges.ndjson")" -eq 3 ]
    jq -e . "$dir/verdict.json" >/dev/null
    grep -q "<h1>same</h1>" "$dir/report.html"
    grep -q "^0 packets dropped\|\[capturer\] 0 packets dropped" "$dir/capturer.log"
    nothing_is_left
}

@test "up: both captures are whole, as another program reads them" {
    run -0 up --count 5
    run -0 tcpdump -n -r "$dir/proxy.pcap" tcp
    [[ $output != *truncated* ]]
    run -0 tcpdump -n -r "$dir/agent_http.pcap" tcp
    [[ $output != *truncated* ]]
}

@test "up again: the earlier run is in previous/, the new one alone in the folder" {
    run -0 up --count 2
    run -0 up --count 1
    [ "$(wc -l <"$dir/exchanges.ndjson")" -eq 1 ]
    [ "$(wc -l <"$dir/previous/exchanges.ndjson")" -eq 2 ]
}

@test "diff: the verdict again, and a changed byte is found" {
    run -0 up --count 1
    run -0 lab diff
    [[ $output == *"same: 1 exchange"* ]]
    sed -i 's/libssl/libxsl/' "$dir/agent_http.pcap"
    run -1 lab diff
    [[ $output == *differ* ]]
    [ "$(jq -r 'type' "$dir/verdict.json")" = object ]
}

@test "diff: a capture that began late, or was cut, is no ground for same" {
    run -0 up --count 3
    cp "$dir/agent_http.pcap" "$BATS_TEST_TMPDIR/whole.pcap"
    editcap -F nsecpcap "$BATS_TEST_TMPDIR/whole.pcap" "$dir/agent_http.pcap" 1-8
    run -3 lab diff
    [[ $output == *inconclusive* ]]
    head -c -100 "$BATS_TEST_TMPDIR/whole.pcap" >"$dir/agent_http.pcap"
    run -3 lab diff
    [[ $output == *inconclusive* ]]
}

@test "diff: what the recorders say they lost is no ground for same" {
    run -0 up --count 1
    grep -q '^mitm_capture_packets_total [1-9]' "$dir/mitm_proxy.metrics"
    cp "$dir/mitm_proxy.metrics" "$dir/capturer.log" "$BATS_TEST_TMPDIR"
    sed -i 's/by="kernel"} 0/by="kernel"} 5/' "$dir/mitm_proxy.metrics"
    run -3 lab diff
    [[ $output == *"proxy.pcap lacks 5 packets that its recorder dropped"* ]]
    sed -i 's/by="kernel"} 5/by="kernel"} 0/; s/^\(mitm_capture_packets_lost_total\) 0/\1 3/' \
        "$dir/mitm_proxy.metrics"
    run -3 lab diff
    [[ $output == *"proxy.pcap lacks 3 packets"* ]]
    cp "$BATS_TEST_TMPDIR/mitm_proxy.metrics" "$dir"
    # Stopped twice, and asked three times, the last time after that.
    printf '[capturer] %s\n' "so far, 9 packets captured, 9 packets received by filter, 4 packets dropped by kernel" \
        "1 packet dropped by kernel" "so far, 1 packet captured, 1 packet received by filter, 1 packet dropped by kernel" \
        "so far, 2 packets captured, 2 packets received by filter, 2 packets dropped by kernel" >>"$dir/capturer.log"
    run -3 lab diff
    [[ $output == *"agent_http.pcap lacks 3 packets"* ]]
    rm "$dir/mitm_proxy.metrics" "$dir/capturer.log"
    run -0 lab diff
}

# in_own_network COMMAND…: with a device of its own beside the loopback.
in_own_network() {
    local words=(--net)
    [ "$(id -u)" -eq 0 ] || words+=(--user --map-current-user --keep-caps)
    # shellcheck disable=SC2016  # for the inner shell
    exec unshare "${words[@]}" -- sh -c 'ip link set lo up && ip link add name other type veth && exec "$@"' - "$@"
}

@test "record says how far it has come when it is asked, and goes on" {
    cd "$BATS_TEST_TMPDIR"
    start record.out "recording port" in_own_network "$root/capturer/record" file.pcap 8000
    kill -s USR1 "$started"
    wait_for_line record.out '^\[capturer\] so far, .* 0 packets dropped by kernel' "$started"
    stop "$started"
    [ "$(grep -c "dropped by kernel" record.out)" -eq 2 ]
    run -0 tcpdump -n -r file.pcap
}

@test "logs: what each program printed" {
    run -0 up --count 1
    run -0 lab logs
    [[ $output == *"[Agent A] Status: 200"* && $output == *"[Agent B] Received JSON"* ]]
    [[ $output == *"[mitm_proxy] listening on"* && $output == *"[capturer] recording"* ]]
}

@test "a call of one's own, from a file" {
    echo '{"id":"mine","type":"tool_call","tool_name":"analyze_dependency","arguments":{"n":9007199254740993}}' \
        >"$BATS_TEST_TMPDIR/call.json"
    run -0 up --call "$BATS_TEST_TMPDIR/call.json"
    [[ $output == *'"n":9007199254740993'* ]]
}

@test "options for each program, and what became of the calls" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"id":"x","type":"tool_call","tool_name":"deposit","arguments":{"account":"a","amount":5}}' >call.json
    run -0 up --call call.json --count 2 --defence all --results --until 2 --without-log \
        --agent-b --body-max --agent-b 4096 --proxy --pcap-source --proxy payload
    [ "$(jq -c '.deposits' "$dir/ledger.json")" = 2 ]
    [ "$(jq -c '.carried_out.deposit' "$dir/calls.json")" = 2 ]
    [ "$(jq -r .outcome "$dir/results.ndjson")" = $'accepted\naccepted' ]
    [ "$(jq -r .verdict "$dir/captures.json")" = same ]
    [ "$(head -c 4 "$dir/proxy.pcap" | od -An -tx1)" = " 0a 0d 0d 0a" ] # pcapng: made by the proxy
    run -0 up
    [ -e "$dir/previous/results.ndjson" ]
    [ ! -e "$dir/results.ndjson" ]
    [ ! -e "$dir/captures.json" ]
    run -2 up --until never
    [ "${#lines[@]}" -eq 1 ]
    run -2 up --proxy
    [ "${#lines[@]}" -eq 1 ]
    run -2 up --defence nonsense
    [[ $output == *"--defence does not take 'nonsense'"* ]]
}

@test "a failed call: the verdict still comes" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"id":"x","type":"tool_call","tool_name":"no_such_tool","arguments":{}}' >call.json
    run -0 up --call call.json
    [[ $output == *"Status: 404"* && $output == *"same: 1 exchange"* ]]
}

@test "two at once, in folders of their own" {
    cd "$BATS_TEST_TMPDIR"
    start_endless
    local first=$dir
    dir=$BATS_TEST_TMPDIR/second
    run -0 up --count 2
    [[ $output == *"same: 2 exchanges"* ]]
    dir=$first
    stop "$started" INT || true
    nothing_is_left
}

@test "two at once in one folder: the second is refused in one line" {
    cd "$BATS_TEST_TMPDIR"
    start_endless
    run -2 up
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"a lab runs in $dir"*"'scripts/lab down --capture-dir $dir'"* ]]
    stop "$started" INT || true
}

@test "Ctrl-C, SIGTERM and even SIGKILL leave no process and no namespace" {
    cd "$BATS_TEST_TMPDIR"
    local signal
    for signal in INT TERM; do
        start_endless
        status=0
        stop "$started" "$signal" || status=$?
        [ "$status" -eq 130 ]
        nothing_is_left
        [ "$(tail -n 1 lab.out)" = "[lab] stopped" ]
    done
    start_endless
    stop "$started" KILL || true
    nothing_is_left
    [ "$(readlink /proc/self/ns/net)" = "$network_id" ]
    run -0 up --count 1
}

@test "down: stops the lab that runs there" {
    cd "$BATS_TEST_TMPDIR"
    start_endless
    run -0 lab down
    nothing_is_left
    run -0 lab down
}

@test "an ordinary person can run it, and owns what it leaves" {
    unshare --user --map-current-user --keep-caps --net -- true 2>/dev/null ||
        skip "this kernel gives no network namespaces to user namespaces"
    [ "$(id -u)" -eq 0 ] || skip "not root: every other test here is this one"
    local home
    home=$(mktemp -d)
    mkdir "$home/scripts" "$home/capturer"
    cp "$root"/scripts/{lab,lab-native,lab-docker,healthz} "$home/scripts/"
    cp "$root"/capturer/{record,verdict,new-run} "$home/capturer/"
    cp -r "$BIN_DIR" "$home/bin"
    chown -R 12345:12345 "$home"
    run -0 env HOME="$home" BIN_DIR="$home/bin" setpriv --reuid 12345 --regid 12345 --clear-groups \
        "$home/scripts/lab" up --native --count 2
    [[ $output == *"same: 2 exchanges"* ]]
    [ -z "$(find "$home" ! -uid 12345)" ]
    rm -rf "$home"
}

@test "root can run it in a person's folder, and leaves nothing there that is not theirs" {
    [ "$(id -u)" -eq 0 ] || skip "not root"
    local home
    home=$(mktemp -d)
    dir=$home/capture
    mkdir "$dir"
    cp -r "$BIN_DIR" "$home/bin"
    chown -R 12345:12345 "$home"
    export BIN_DIR=$home/bin
    for _ in first second; do
        run -0 up --count 2
        [[ $output == *"same: 2 exchanges"* ]]
    done
    [ -z "$(find "$home" ! -uid 12345)" ]
    run -2 up --count none
    [ -z "$(find "$home" ! -uid 12345)" ]
    rm -rf "$home"
}

@test "what agent_a does not take is trouble, not a verdict" {
    run -2 up --count none
    [[ $output == *"agent_a: --count does not take 'none'"* ]]
    [[ $output == *"agent_a did not run"* && $output != *inconclusive* ]]
}

@test "logs, diff and down make no folder" {
    run -2 lab logs
    [ "${#lines[@]}" -eq 1 ]
    run -2 lab diff
    run -0 lab down
    [ ! -e "$dir" ]
}

@test "record wants a file, not an option" {
    cd "$BATS_TEST_TMPDIR"
    run -2 "$root/capturer/record" --help
    [[ $output == *"usage: record"* ]]
    run -2 "$root/capturer/record"
    [ ! -e ./--help ]
}

@test "wrong input gets one line and 2" {
    cd "$BATS_TEST_TMPDIR"
    run -2 "$root/scripts/lab" up --native --capture-dir /proc/none
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"--capture-dir"* ]]
    run -2 lab up --nonsense
    [ "${#lines[@]}" -eq 1 ]
    run -2 up --call /does/not/exist
    [ "${#lines[@]}" -eq 1 ]
    run -2 lab diff
    [ "${#lines[@]}" -eq 1 ]
    run -2 "$root/scripts/lab" scenario no-such-scenario
    [ "${#lines[@]}" -eq 1 ]
    run -2 "$root/scripts/lab"
}

@test "a folder that cannot be written gets one line and 2" {
    mkdir "$dir"
    chmod 555 "$dir"
    if [ -w "$dir" ]; then
        # Root writes anywhere but on a file system that is read-only.
        # shellcheck disable=SC2016  # for the inner shell
        run -2 unshare --mount bash -c 'mount -t tmpfs -o ro none "$1" && shift && "$@"' - "$dir" \
            "$root/scripts/lab" up --native --capture-dir "$dir"
    else
        run -2 up
    fi
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"cannot write into $dir"* ]]
}

@test "a program that does not start is named, with its own words" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cp "$BIN_DIR"/* "$BATS_TEST_TMPDIR/bin/"
    printf '#!/bin/sh\necho "mitm_proxy: the port is taken" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/mitm_proxy"
    BIN_DIR=$BATS_TEST_TMPDIR/bin
    run -2 up
    [[ $output == *"mitm_proxy did not start: mitm_proxy: the port is taken"* ]]
    nothing_is_left
}
