# For every bats file here: programs that are started, waited for by a line, and stopped.
#
# Ports are never fixed: a program listens on port 0 and the test reads the line that names it.

BIN_DIR="${BIN_DIR:-$BATS_TEST_DIRNAME/../../build/bin}"

# start LOG PATTERN COMMAND …: in the background with its output in LOG, until a line matches.
# The process is in $started.
start() {
    local log=$1 pattern=$2
    shift 2
    : >"$log" # now, not when the process comes to it: an earlier one's line must not be taken for its
    "$@" >>"$log" 2>&1 3>&- &
    started=$!
    started_all+=("$started")
    wait_for_line "$log" "$pattern" "$started"
}

# wait_for_line LOG PATTERN PID: fails when the process ends, or a minute passes, without such a line.
wait_for_line() {
    # tail ends when grep has its line, when the process ends, or when the time is up. The process may
    # not have made its log yet.
    timeout 60 tail -n +1 -F --pid="$3" "$1" 2>/dev/null | grep -q -m1 -E "$2" && return
    echo "no line like '$2' came; $1 says:" >&2
    cat "$1" >&2
    return 1
}

# listening_on LOG: the HOST:PORT that the program printed.
listening_on() {
    sed -n 's/.*[Ll]istening on \([^ ]*\).*/\1/p' "$1" | head -n 1
}

# stop PID [SIGNAL]: its exit status is returned.
stop() {
    kill -s "${2:-TERM}" "$1"
    wait "$1"
}

# What is still running of what start began; call it from teardown.
stop_all() {
    local pid
    for pid in "${started_all[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
