#!/usr/bin/env bats
# The lab with Docker Compose, on a real engine, from a checkout that belongs to an ordinary person.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031

bats_require_minimum_version 1.5.0

PERSON=12345

setup_file() {
    export CHECKOUT PATIENCE=300
    CHECKOUT=$(mktemp -d)
    copy_checkout
    cd "$CHECKOUT" || return
    /usr/bin/docker compose down --remove-orphans --timeout 3 >/dev/null 2>&1
    echo "# building the images (some minutes the first time)" >&3
    /usr/bin/docker compose build >"$CHECKOUT/build.log" 2>&1 || {
        tail -n 30 "$CHECKOUT/build.log" >&2
        return 1
    }
}

# What git has, and what it would have: this is what a person clones.
copy_checkout() {
    local root=$BATS_TEST_DIRNAME/../..
    mkdir "$CHECKOUT/capture"
    (cd "$root" && tar -c --exclude=__pycache__ --exclude='./capturer/*.pcap' compose*.yml compose \
        Dockerfile .dockerignore LICENSE CMakeLists.txt CMakePresets.json cmake lib agent_a agent_b mitm_proxy capturer \
        scripts) | tar -C "$CHECKOUT" -x
    chmod 755 "$CHECKOUT"
    if [ "$(id -u)" -eq 0 ]; then
        chown -R "$PERSON:$PERSON" "$CHECKOUT"
    fi
}

teardown_file() {
    cd "$CHECKOUT" || return
    /usr/bin/docker compose down --remove-orphans --timeout 3 >/dev/null 2>&1
    cd / && rm -rf "$CHECKOUT"
}

setup() {
    cd "$CHECKOUT" || return
}

docker() { /usr/bin/docker "$@"; }

# What is mounted in a container is the person's, wherever the test itself runs.
owner() { stat -c %u "$1"; }

# until_true WHAT COMMAND…: waits for it, PATIENCE seconds at most.
until_true() {
    local what=$1 deadline=$((SECONDS + PATIENCE))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "not within $PATIENCE s: $what"
            docker compose ps -a
            docker compose logs --tail 20
            return 1
        fi
        sleep 0.1
    done
}

state() { docker inspect -f "{{.State.$1}}" "$2"; }
is() { [ "$(state "$1" "$2")" = "$3" ]; }
healthy() { is Health.Status "$1" healthy; }

# up [FILE]: runs "docker compose up" as a person does, until the verdict is there; its output is in
# up.log.
up() {
    docker compose ${1:+-f "$1"} up --build >up.log 2>&1 3>&- &
    up_pid=$!
    until_true "the verdict" verdict_came
}

verdict_came() {
    grep -q 'verdict exited with code' up.log
}

# shown PATTERN: waited for, since the lines of one container may come behind those of another.
shown() { until_true "$1" grep -q "$1" up.log; }

@test "docker compose up --build: the whole story, and a verdict of same" {
    up
    shown 'agent-a .*\[Agent A\] Sending JSON: {"id":"call-0001"'
    shown 'agent-b .*\[Agent B\] Received JSON: {"id":"call-0001"'
    shown 'mitm-proxy .*POST /tool'
    shown 'agent-a .*\[Agent A\] Status: 200'
    shown 'verdict .*same: 1 exchange'
    is ExitCode verdict 0
    is ExitCode agent-a 0
    healthy agent-b
    healthy mitm-proxy
    healthy capturer
}

@test "the recording began before the first call" {
    local recording calling
    recording=$(docker logs --timestamps capturer 2>&1 | grep 'recording port' | head -n 1 | cut -d ' ' -f 1)
    calling=$(docker logs --timestamps agent-a 2>&1 | head -n 1 | cut -d ' ' -f 1)
    [[ $recording < $calling ]]
}

@test "files in capture/ are there, whole, and the person's" {
    local name
    for name in proxy.pcap agent_http.pcap exchanges.ndjson verdict.json verdict.txt report.html; do
        [ -s "capture/$name" ]
        [ "$(owner "capture/$name")" = "$(owner capture)" ]
    done
    jq -e . capture/verdict.json >/dev/null
    run -0 tcpdump -n -r capture/proxy.pcap tcp
    run -0 tcpdump -n -r capture/agent_http.pcap tcp
}

# status CONTAINER FIELD: a line of /proc/PID/status for each of its processes, but for those of the
# health checks, which come from outside.
status() {
    local pid parent own
    own=" $(state Pid "$1") "
    while read -r pid parent; do
        [[ $own == *" $pid "* || $own == *" $parent "* ]] || continue
        own+="$pid "
        sed -n "s/^$2:[[:space:]]*//p" "/proc/$pid/status" 2>/dev/null
    done < <(docker top "$1" -o pid,ppid | tail -n +2)
}

@test "nobody runs as root, and nobody has more rights than the recorder needs" {
    local name uids
    for name in agent-b mitm-proxy capturer; do
        uids=$(status "$name" Uid | tr '\t' '\n' | sort -u)
        [ -n "$uids" ]
        [[ $'\n'$uids$'\n' != *$'\n0\n'* ]]
        [ "$(status "$name" NoNewPrivs | sort -u)" = 1 ]
        [ "$(status "$name" Seccomp | sort -u)" = 2 ]
    done
    for name in CapPrm CapEff CapInh CapAmb; do
        [ "$(status agent-b "$name" | sort -u)" = 0000000000000000 ]
        [ "$(status mitm-proxy "$name" | sort -u)" = 0000000000000000 ]
        [ "$(status capturer "$name" | sort -u)" = 0000000000002000 ]
    done
    [ "$(status mitm-proxy CapBnd | sort -u)" = 0000000000002000 ]
    [ "$(status capturer CapBnd | sort -u)" = 0000000000002000 ]
    [ "$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}}' agent-a agent-b mitm-proxy capturer verdict | sort -u)" = true ]
}

# hardened SERVICE…: by what the engine says of their containers, and of the images of these.
hardened() {
    PATH=/usr/bin:$PATH "$BATS_TEST_DIRNAME/hardening.py" containers "$@"
}

@test "what the CIS benchmark asks of containers and their images" {
    hardened new-run agent-b mitm-proxy capturer agent-a verdict
}

# in_image IMAGE COMMAND…: as root there, with no right beyond that.
in_image() {
    local image=$1
    shift
    docker run --rm --network none --read-only --cap-drop ALL --user 0:0 --entrypoint "$1" "$image" "${@:2}"
}

@test "no image has a setuid or setgid file" {
    local name
    for name in agent-a agent-b mitm-proxy verdict; do
        [ -z "$(in_image "agent-mitm-$name" find / -xdev -type f -perm /6000)" ]
    done
}

@test "a bill of materials for each image: valid, with every library that ldd shows there" {
    local name packages
    for name in agent-a agent-b mitm-proxy verdict; do
        PATH=/usr/bin:$PATH scripts/sbom image "agent-mitm-$name" >"$name.spdx.json"
        # shellcheck disable=SC2016  # for the shell there
        packages=$(in_image "agent-mitm-$name" sh -ec 'ldd /usr/local/bin/* 2>/dev/null |
            sed -n "s/.* => \(.*\) (.*/\1/p" | xargs realpath | sort -u | xargs dpkg-query --search |
            sed "s/:.*//" | sort -u')
        echo "$name: $packages"
        [[ $packages == *libuv1t64* ]]
        # shellcheck disable=SC2086  # a word for each
        python3 "$BATS_TEST_DIRNAME/../supply/spdx.py" "$name.spdx.json" $packages agent-mitm gcc-14
    done
    [ -z "$(docker ps -aq --filter status=created)" ]
}

@test "no port is open to the outside" {
    [ -z "$(docker ps --format '{{.Ports}}' --filter label=com.docker.compose.project=agent-mitm | grep -e '->' || true)" ]
}

@test "agent-b restarted by Compose: so is the capturer, which goes on behind what it had" {
    local before
    before=$(state StartedAt capturer)
    docker compose restart --timeout 3 agent-b
    until_true "capturer started again" differs_from "$before"
    until_true "capturer healthy again" healthy capturer
    docker compose up agent-a verdict >again.log 2>&1
    grep -q 'same: 2 exchanges' again.log
    [ "$(wc -l <capture/exchanges.ndjson)" -eq 2 ]
}

differs_from() { [ "$(state StartedAt capturer)" != "$1" ]; }

@test "docker stop capturer leaves a whole file with all packets" {
    docker compose run --rm --no-deps agent-a --count 50 >/dev/null 2>&1
    docker stop --time "$PATIENCE" capturer >/dev/null
    is ExitCode capturer 0
    run -0 tcpdump -n -r capture/agent_http.pcap 'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x504f5354'
    [[ $output != *truncated* ]]
    [ "$(grep -c ' > .*\.8000: ' <<<"$output")" -eq 52 ]
}

@test "a second up, after everything was stopped: a new run beside the earlier one" {
    docker compose stop --timeout 3 >/dev/null 2>&1
    up
    shown 'verdict .*same: 1 exchange'
    [ "$(wc -l <capture/previous/exchanges.ndjson)" -eq 52 ]
    docker compose down --timeout 3 >/dev/null 2>&1
    wait "$up_pid" || true
}

@test "scripts/lab: up with options, logs, diff, down" {
    run -0 ./scripts/lab up --docker --count 3
    [[ $output == *"same: 3 exchanges"* ]]
    grep -q 'Agent A. Summary: 3 calls, 3 ok' capture/agent_a.log
    grep -q 'Received JSON' capture/agent_b.log
    grep -q '^mitm_capture_packets_total [1-9]' capture/mitm_proxy.metrics
    grep -qx 'mitm_sandbox{by="seccomp"} 1' capture/mitm_proxy.metrics
    grep -q '^.capturer. so far, .* 0 packets dropped by kernel' capture/capturer.log
    run -0 ./scripts/lab diff
    [[ $output == *"same: 3 exchanges"* ]]
    run -0 ./scripts/lab down
    [ -z "$(docker ps -q --filter label=com.docker.compose.project=agent-mitm)" ]
}

@test "scripts/lab scenario: an attack in containers, and nothing is left running" {
    run -0 --separate-stderr ./scripts/lab scenario tool-name-swap --docker
    [ "${#lines[@]}" -eq 6 ]
    [ "${lines[1]}" = "agent_b:          carried out read_file once" ]
    [[ ${lines[4]} == *"differ: 2 differences in 1 exchange"*"in the proxy"* ]]
    [ "${lines[5]}" = "verdict:          succeeds: agent_b reads the file, and its content goes over the wire" ]
    run -0 --separate-stderr ./scripts/lab scenario replay-at-once --docker --defence signed-nonce
    [[ ${lines[2]} == "noticed by:       agent_b (replayed);"* ]]
    [ "$(owner capture/results.ndjson)" = "$(owner capture)" ]
    [ -z "$(docker ps -q --filter label=com.docker.compose.project=agent-mitm)" ]
}

# ended FILE: what "up FILE" began is gone, its networks, too.
ended() {
    docker compose -f "$1" down --timeout 3 >/dev/null 2>&1
    wait "$up_pid" || true
    nothing_is_left
}

nothing_is_left() {
    [ -z "$(docker ps -aq --filter label=com.docker.compose.project=agent-mitm)" ]
    [ -z "$(docker network ls -q --filter label=com.docker.compose.project=agent-mitm)" ]
}

callers() { sed -n 's/^.*\[Agent B\] Caller: //p' "$1"; }

@test "docker compose -f compose.transparent.yml up --build: agent-b sees agent-a, and a verdict of same" {
    up compose.transparent.yml
    shown 'agent-a .*\[Agent A\] Status: 200'
    shown 'verdict .*same: 1 exchange'
    shown 'Agent B\] Caller: '
    [ "$(callers up.log)" = 10.213.1.2 ]
    [ "$(jq -r '[.client, .upstream_local, .upstream] | map(sub(":[0-9]*$"; "")) | join(" ")' \
        capture/exchanges.ndjson)" = "10.213.1.2 10.213.1.2 10.213.2.2" ]
    is ExitCode verdict 0
}

@test "TPROXY: only what sets the rules may set them, and it has ended" {
    hardened new-run agent-b mitm-proxy divert capturer agent-a verdict
    [ -z "$(in_image agent-mitm-divert find / -xdev -type f -perm /6000)" ]
    is ExitCode divert 0
    is Running divert false
    [ "$(docker inspect -f '{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}
        {{- .HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}}' divert | sed 's/CAP_//g')" = \
        "[NET_ADMIN] [ALL] [no-new-privileges:true]false true" ]
    local name
    for name in agent-b mitm-proxy; do
        [[ $'\n'$(status "$name" Uid | tr '\t' '\n')$'\n' != *$'\n0\n'* ]]
        [ "$(status "$name" NoNewPrivs | sort -u)" = 1 ]
    done
    for name in CapPrm CapEff CapInh CapAmb; do
        [ "$(status agent-b "$name" | sort -u)" = 0000000000000000 ]
        # Of the proxy's two processes, the one that makes its sockets has CAP_NET_RAW.
        [ "$(status mitm-proxy "$name" | grep -cvx '000000000000[02]000')" -eq 0 ]
    done
    [ "$(status mitm-proxy CapEff | grep -cx 0000000000000000)" -eq 1 ]
}

@test "the images of all labs together: 100 MB at most" {
    PATH=/usr/bin:$PATH "$BATS_TEST_DIRNAME/../bench/images"
}

@test "TPROXY: a proxy that Compose restarts is in the way again" {
    local before
    before=$(state StartedAt divert)
    docker compose -f compose.transparent.yml restart --timeout 3 mitm-proxy
    until_true "the proxy healthy again" healthy mitm-proxy
    docker compose -f compose.transparent.yml up agent-a verdict >again.log 2>&1
    grep -q 'same: 2 exchanges' again.log
    [[ $(state StartedAt divert) > $before ]]
    [ "$(docker logs agent-b 2>&1 | callers /dev/stdin)" = 10.213.1.2 ]
    ended compose.transparent.yml
}

@test "docker compose -f compose.forward.yml up --build: through the proxy that http_proxy names" {
    up compose.forward.yml
    shown 'mitm-proxy .*POST http://agent-b:8000/tool'
    shown 'verdict .*same: 1 exchange.* 1 difference declared'
    is ExitCode verdict 0
    ended compose.forward.yml
}

@test "scripts/lab: each mode, one after the other" {
    local mode
    for mode in transparent "transparent --divert redirect" forward reverse; do
        # shellcheck disable=SC2086  # words
        run -0 ./scripts/lab up --docker --mode $mode --count 3
        echo "$mode: $output"
        [[ $output == *"same: 3 exchanges"* ]]
        case $mode in
        transparent) [ "$(callers capture/agent_b.log)" = 10.213.1.2 ] ;;
        *redirect) [ "$(callers capture/agent_b.log)" = 10.213.2.3 ] ;;
        esac
    done
    run -0 ./scripts/lab down
    nothing_is_left
}

@test "scripts/lab: a transparent proxy that lies, beside another folder's lab" {
    echo '{"rules": [{"name": "swap", "on": "request", "do": [{"json_patch":
        [{"op": "replace", "path": "/arguments/target", "value": "libssh"}]}]}]}' >rules.json
    run -0 ./scripts/lab up --docker --mode transparent
    run -1 ./scripts/lab up --docker --mode transparent --capture-dir other --rules rules.json \
        --proxy --conceal --proxy swap
    [[ $output == *"differ: "*"/arguments/target"* ]]
    run -0 ./scripts/lab diff
    [[ $output == *"same: 1 exchange"* ]]
    run -0 ./scripts/lab down --capture-dir other
    run -0 ./scripts/lab down
    nothing_is_left
}
