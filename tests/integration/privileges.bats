#!/usr/bin/env bats
# What a proxy that was started as root, or with a capability, still may do once it runs: nothing.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $proxy and others.
# shellcheck disable=SC2030,SC2031,SC2154

load tls_lab

# standing PROCESS: user, groups, capability sets and no_new_privs, as the kernel has them.
standing() {
    sed -nE 's/^(Uid|Gid|Groups|Cap...|NoNewPrivs):[[:space:]]*/\1 /p' "/proc/$1/status" | tr '\t' ' ' | sed 's/ *$//'
}

# nothing UID GID [EFFECTIVE]: what standing says of one with no privilege, or with that one only.
nothing() {
    local none=0000000000000000
    printf '%s\n' "Uid $1 $1 $1 $1" "Gid $2 $2 $2 $2" Groups "CapInh $none" "CapPrm ${3:-$none}" \
        "CapEff ${3:-$none}" "CapBnd $none" "CapAmb $none" "NoNewPrivs 1"
}

# is PID UID GID [EFFECTIVE]: so stands each of its threads.
is() {
    local thread
    for thread in "/proc/$1/task"/*; do
        diff <(standing "$1/task/${thread##*/}") <(nothing "${@:2}")
    done
}

root_only() {
    [ "$(id -u)" -eq 0 ] || skip "only root has something to give up"
}

# call: one exchange through the proxy.
call() {
    fetch "http://$at/tool" -d '{}' | grep -q 'POST /tool'
}

@test "started as root: no user, group or capability is left, whatever it opened" {
    root_only
    start_mirror
    local options
    while read -r options; do
        echo "$options"
        # shellcheck disable=SC2086 # they are words
        start_proxy --ca-dir lab $options
        is "$proxy" 65534 65534
        [[ "$options" != *upstream* ]] || call
        if [[ "$options" == *tproxy* ]]; then
            is "$(pgrep -P "$proxy")" 65534 65534 0000000000002000 # CAP_NET_RAW
        else
            [ -z "$(pgrep -P "$proxy")" ]
        fi
        stop_proxy
        rm -f ./*.pcap
    done <<END
--upstream http://127.0.0.1:$port
--upstream http://127.0.0.1:$port --pcap w.pcap --pcap-interface lo
--upstream http://127.0.0.1:$port --pcap p.pcap --pcap-source payload
--mode forward --allow 127.0.0.1 --pcap w.pcap --pcap-interface lo
--mode transparent
--mode transparent --tproxy
--mode transparent --tproxy --pcap w.pcap --pcap-interface lo
--mode transparent --tproxy --pcap p.pcap --pcap-source payload
END
}

@test "whom root becomes: the owner of the folder, nobody, or who is named" {
    root_only
    local daemon options uid gid
    daemon=$(id -u daemon)
    mkdir theirs roots
    chown 4242:4243 theirs
    while read -r uid gid options; do
        echo "$options"
        # shellcheck disable=SC2086 # they are words
        start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
            --upstream http://127.0.0.1:1 $options
        is "$started" "$uid" "$gid"
        # what was not asked for is said
        [[ "$options" == *--user* ]] || wait_for_line proxy.log "runs as user $uid and group $gid from here on" "$started"
        stop "$started"
    done <<END
65534 65534
65534 65534 --exchange-log roots/x.ndjson
4242 4243 --exchange-log theirs/x.ndjson
4242 4243 --pcap theirs/w.pcap --pcap-interface lo
4242 4243 --upstream https://127.0.0.1:1 --keylog theirs/keys.log
$daemon $(id -g daemon) --user daemon
$daemon 12 --exchange-log theirs/x.ndjson --user daemon:12
12 13 --user 12:13
0 0 --exchange-log theirs/x.ndjson --user root
END
    [ "$(stat -c %a theirs/keys.log)" = 600 ]
    MITM_USER=12:13 start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream http://127.0.0.1:1
    is "$started" 12 13
}

@test "not root: what capabilities there were are gone, also those of the broker but one" {
    root_only # to begin as somebody else
    # shellcheck disable=SC2054 # the commas are setpriv's
    local as=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all,+net_raw,+net_admin
        --ambient-caps=-all,+net_raw,+net_admin)
    chown 65534:65534 .
    local words capture
    for words in "--upstream http://127.0.0.1:1" "--mode transparent --tproxy"; do
        for capture in "" "--pcap w.pcap --pcap-interface lo"; do
            # shellcheck disable=SC2086 # they are words
            start proxy.log "listening on" "${as[@]}" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
                $words $capture
            # Only CAP_SETPCAP takes something out of the bounding set.
            diff <(standing "$started" | grep -v CapBnd) <(nothing 65534 65534 | grep -v CapBnd)
            [[ "$words" != *tproxy* ]] ||
                diff <(standing "$(pgrep -P "$started")" | grep -v CapBnd) \
                    <(nothing 65534 65534 0000000000002000 | grep -v CapBnd)
            stop "$started"
            rm -f w.pcap
        done
    done
    # with CAP_NET_ADMIN alone the broker has that
    start proxy.log "listening on" setpriv --inh-caps=-net_raw --bounding-set=-net_raw "$BIN_DIR/mitm_proxy" \
        --listen 127.0.0.1:0 --admin 127.0.0.1:0 --mode transparent --tproxy
    is "$(pgrep -P "$started")" 65534 65534 0000000000001000
    stop "$started"
    # the root that the lab starts it as cannot become another, and stays, without anything
    chown 0:0 .
    start proxy.log "listening on" setpriv --no-new-privs --inh-caps=-all,+net_raw --bounding-set=-all,+net_raw \
        "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --upstream http://127.0.0.1:1 \
        --pcap w.pcap --pcap-interface lo
    diff <(standing "$started" | grep -v -e CapBnd -e Groups) <(nothing 0 0 | grep -v -e CapBnd -e Groups)
}

@test "the root of a user namespace of its own stays who it is" {
    unshare --user --map-root-user true 2>/dev/null || skip "no user namespaces here"
    start proxy.log "listening on" unshare --user --map-root-user "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 \
        --admin 127.0.0.1:0 --upstream http://127.0.0.1:1
    diff <(standing "$started" | grep -e Cap -e No) <(nothing 0 0 | grep -e Cap -e No)
}

@test "what is open stays so, and files are begun anew where the user may" {
    root_only
    mkdir theirs
    chown 4242:4242 theirs
    start_mirror
    printf '{"rules": [{"name": "%s", "on": "request", "do": [{"delay": {"ms": 1}}]}]}' before >theirs/rules.json
    echo '{"exchange":0}' >theirs/x.ndjson # root's own, as all here
    chmod 600 theirs/*
    start_proxy --upstream "http://127.0.0.1:$port" --rules theirs/rules.json --exchange-log theirs/x.ndjson \
        --keylog theirs/keys.log --ca-dir lab --pcap theirs/p.pcap --pcap-source payload
    is "$proxy" 4242 4242
    fetch --cacert lab/ca.pem --resolve "localhost:$proxy_port:127.0.0.1" "https://localhost:$proxy_port/tool" >answer
    grep -q 'GET /tool' answer
    [ "$(jq -s length theirs/x.ndjson)" -eq 2 ]
    [ -s theirs/keys.log ] && [ -s theirs/p.pcap ]
    # rules that it may not read again
    kill -HUP "$proxy"
    wait_for_line proxy.log "rules.json.*ermission denied.*the rules stay as they were" "$proxy"
    wait_for_line proxy.log "files reopened" "$proxy"
    call
    [ "$(jq -s -r '.[-1].rules[]' theirs/x.ndjson)" = before ]
    # and that it may
    sed -i s/before/after/ theirs/rules.json
    chown 4242 theirs/rules.json
    mkdir old
    mv theirs/x.ndjson theirs/keys.log theirs/p.pcap old
    kill -HUP "$proxy"
    wait_for_line proxy.log "rules.json: 1 rule now" "$proxy"
    wait_until_exists theirs/keys.log
    call
    [ "$(jq -r '.rules[]' theirs/x.ndjson)" = after ]
    [ "$(stat -c '%n %u %a' theirs/{x.ndjson,keys.log,p.pcap})" = \
        $'theirs/x.ndjson 4242 600\ntheirs/keys.log 4242 600\ntheirs/p.pcap 4242 600' ]
    stop "$proxy"
}

# wait_until_exists FILE
wait_until_exists() {
    local deadline=$((SECONDS + 20))
    until [ -e "$1" ]; do [ "$SECONDS" -lt "$deadline" ]; done
}

@test "where it may not begin a file anew the old one goes on" {
    root_only
    start_mirror
    start_proxy --upstream "http://127.0.0.1:$port"
    call
    mv x.ndjson x.old
    kill -HUP "$proxy"
    wait_for_line proxy.log "x.ndjson cannot be reopened: permission denied; the old file stays in use" "$proxy"
    call
    [ "$(wc -l <x.old)" -eq 2 ]
    stop "$proxy"
}

@test "a port below 1024, and a folder that only root sees" {
    root_only
    mkdir -m 700 closed
    start proxy.log "listening on 127.0.0.1:80," unshare --net sh -c 'ip link set lo up && exec "$@"' - \
        "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:80 --admin 127.0.0.1:81 --upstream http://127.0.0.1:1 \
        --exchange-log "$PWD/closed/x.ndjson" --pcap "$PWD/closed/w.pcap"
    is "$started" 65534 65534
    [ "$(nsenter --net="/proc/$started/ns/net" curl -sS -m 15 -o body -w '%{http_code}' http://127.0.0.1/)" = 502 ]
    [ "$(wc -l <closed/x.ndjson)" -eq 1 ]
    stop "$started"
}

@test "its memory is for nobody, and the broker's neither" {
    root_only
    start proxy.log "listening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --mode transparent --tproxy
    local pid owner=0
    # LeakSanitizer has to see it.
    [ "$(nm -D "$BIN_DIR/mitm_proxy" | grep -c __asan_init)" -eq 0 ] || owner=65534
    for pid in "$started" "$(pgrep -P "$started")"; do
        [ "$(stat -c %u "/proc/$pid/mem")" -eq "$owner" ]
    done
}

@test "what cannot be given up ends it" {
    root_only
    command -v strace >/dev/null || skip "strace is not installed"
    strace -o /dev/null true || skip "strace may not trace here"
    export ASAN_OPTIONS=detect_leaks=0 # which would trace too
    local fault mode
    # that the kernel says no, or says yes and does nothing
    for fault in setgroups:error=EPERM setresgid:error=EPERM setresuid:error=EAGAIN setresuid:retval=0 \
        setresgid:retval=0 capset:error=EPERM capset:retval=0 prctl:error=EINVAL; do
        for mode in "--upstream http://127.0.0.1:1" "--mode transparent --tproxy"; do
            echo "$fault $mode"
            # shellcheck disable=SC2086 # they are words
            run timeout 20 strace -f -o trace -e "inject=$fault" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 \
                --admin 127.0.0.1:0 $mode
            echo "$output"
            grep -q INJECTED trace
            [ "$status" -eq 1 ]
            [[ "$output" == *"cannot be given up"* || "$output" == *"--tproxy"* ]]
            [[ "$output" != *"listening on"* ]]
        done
    done
}

@test "whom it cannot become" {
    local user words
    while IFS='|' read -r user words; do
        run "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --upstream http://127.0.0.1:1 --user "$user"
        [ "$status" -eq 2 ]
        [ "$output" = "mitm_proxy: --user '$user': $words" ]
    done <<'END'
nobody-of-that-name|there is no such user
|there is no such user
4294967295|there is no such user
-1|there is no such user
root:nobody-of-that-name|there is no such group
root:|there is no such group
4242|it has no group of its own: give one, as in 1000:1000
END
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    run "${as[@]}" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --upstream http://127.0.0.1:1 \
        --user root
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy: --user 'root': only root can become another user" ]
}

@test "no agent can win a privilege" {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    grep -qx 'NoNewPrivs:[[:space:]]*1' "/proc/$started/status"
    "$BIN_DIR/agent_a" --url http://127.0.0.1:1/tool --wait 60 >a.log 2>&1 3>&- &
    started_all+=($!)
    local deadline=$((SECONDS + 20))
    until grep -qx 'NoNewPrivs:[[:space:]]*1' "/proc/$!/status"; do [ "$SECONDS" -lt "$deadline" ]; done
}
