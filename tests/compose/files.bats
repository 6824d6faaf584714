#!/usr/bin/env bats
# What the Compose files and the Dockerfile ask for, without an engine.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031

bats_require_minimum_version 1.5.0

setup() {
    PATH=/usr/bin:$PATH
    cd "$BATS_TEST_DIRNAME/../.." || return
}

@test "each Compose file: what the CIS benchmark asks of how containers are run" {
    tests/compose/hardening.py files compose.yml compose.transparent.yml compose.forward.yml
}

# change FROM TO: the first lab with one line changed falls short, and is told so.
change() {
    sed "s|$1|$2|" compose.yml >"$BATS_TEST_TMPDIR/compose.yml"
    ! cmp -s compose.yml "$BATS_TEST_TMPDIR/compose.yml"
    run -1 tests/compose/hardening.py files "$BATS_TEST_TMPDIR/compose.yml"
    echo "$output"
    [[ $output == *"$3"* ]]
}

@test "what falls short of it is found" {
    change 'read_only: true' 'read_only: false' "agent-b: can write to its root file system"
    change 'cap_drop: .*' 'cap_drop: [SYS_ADMIN]' "agent-a: does not drop all capabilities"
    change 'cap_add: .*NET_RAW]' 'cap_add: [NET_RAW, SYS_ADMIN]' "mitm-proxy: has other capabilities"
    change '\["no-new-privileges:true"\]' '["seccomp:unconfined"]' "verdict: is unconfined"
    change 'pids_limit: 64' '' "agent-b: may have any number"
    change 'mem_limit: 1g' '' "agent-b: may have any amount"
    change 'container_name: .*agent-b' 'pid: host' "agent-b: has pid: host"
    change 'container_name: .*agent-b' 'ports: ["8000:8000"]' "agent-b: is open to the outside"
    change '- [*]capture$' '- /var/run/docker.sock:/s' "capturer: sees /var/run/docker.sock"
    change 'network_mode: none' 'network_mode: host' "verdict: is in the network host"
    change 'image: .*NETSHOOT.*' 'image: other/netshoot' "capturer: its image has no fixed tag"
    change 'capturer:ro' 'capturer' "of the host"
}

@test "the Dockerfile: fixed tags, nothing from elsewhere, no archive unpacked, and what it is built from is little" {
    local base
    grep '^FROM' Dockerfile | while read -r _ base _; do
        [[ $base == *:* ]] || grep -q "^FROM .* AS $base\$" Dockerfile
        [[ $base != *:latest ]]
    done
    run -1 grep -nE '^ADD|curl|wget|https?://|apt-get|chmod .*s' Dockerfile
    [ "$(sed -n '/^[^#!]/p' .dockerignore)" = "*" ]
}
