# For the tests of scripts/lab: each has a folder of its own, $dir, and leaves no process.

# $started comes from the helper; what is set here is for the tests.
# shellcheck disable=SC2154,SC2034

load helper

root="$BATS_TEST_DIRNAME/../.."

setup() {
    unset LAB_CAPTURE_DIR
    export BIN_DIR
    dir=$BATS_TEST_TMPDIR/capture
    network_id=$(readlink /proc/self/ns/net)
}

teardown() {
    stop_all
}

lab() { "$root/scripts/lab" "$1" --capture-dir "$dir" "${@:2}"; }
up() { lab up --native "$@"; }

# start_endless [OPTION…]: a lab that goes on calling; returns when its first call was answered. Its process
# is in $started. Bash ignores SIGINT in what it puts in the background, and a person's shell does not.
start_endless() {
    start lab.out "Agent A\] Status: 200" env --default-signal=INT \
        "$root/scripts/lab" up --native --capture-dir "$dir" --verbose --count 100000 --interval 20 "$@"
}

# The processes whose command line names this test's capture folder.
leftovers() { pgrep -f -- "$dir"; }

# Dying takes the kernel a moment: until nothing is left, a minute at most. Each process of a lab
# shares its lock, also those whose command line says nothing.
nothing_is_left() {
    local deadline=$((SECONDS + 60))
    flock -w 60 "$dir/.lock" true
    while [ -n "$(leftovers)" ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            leftovers
            return 1
        fi
        sleep 0.05
    done
}
