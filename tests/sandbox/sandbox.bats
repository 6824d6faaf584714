#!/usr/bin/env bats
# What the sandbox forbids, tried; and the proxy in it, with all that it needs. For the optimised build: with
# sanitizers there is no sandbox.

# Each @test is a subshell, and what it sets is for itself alone; tls_lab.bash sets $proxy and others.
# shellcheck disable=SC2030,SC2031,SC2154

HERE=$BATS_TEST_DIRNAME
BATS_TEST_DIRNAME=${HERE%/*}/integration # whose tools look for each other there

load tls_lab

TRIAL="$BIN_DIR/../tests/sandbox_trial"

root_only() {
    [ "$(id -u)" -eq 0 ] || skip "only root could do what is forbidden"
}

# try ROLE ATTEMPT [FILE]: what came of it: done, the name of an error, or killed.
try() {
    local said status=0
    said=$("$TRIAL" "$@" 2>trial.log) || status=$?
    case $status in
    0) echo "$said" ;;
    134) echo aborted ;;
    159) grep -qE 'the sandbox ends it: system call [0-9]+ ' trial.log && echo killed || echo "killed silently" ;;
    *) echo "status $status: $(cat trial.log)" ;;
    esac
}

# Columns: what it tries, without a sandbox, as the proxy, as the broker. What depends on the machine is "-".
tries() {
    cat <<'END'
nothing                     done         done         done
exec                        done         killed       killed
fork                        done         killed       killed
clone                       EINVAL       killed       killed
clone-user                  EINVAL       ENOSYS       ENOSYS
clone3                      EINVAL       ENOSYS       ENOSYS
thread                      done         done         ENOSYS
ptrace                      done         killed       killed
peek                        -            killed       killed
poke                        -            killed       killed
kill                        done         killed       killed
tgkill                      done         ENOSYS       ENOSYS
pidfd                       done         killed       killed
unshare                     -            killed       killed
setns                       -            killed       killed
mount                       -            killed       killed
umount                      -            killed       killed
pivot-root                  -            killed       killed
chroot log                  done         killed       killed
handle                      -            killed       killed
bpf                         -            killed       killed
perf                        -            killed       killed
userfault                   -            killed       killed
module                      -            killed       killed
kexec                       -            killed       killed
keys                        -            killed       killed
setuid                      done         killed       killed
setgroups                   done         killed       killed
capset                      EFAULT       killed       killed
listen                      done         killed       killed
bind                        done         ENOSYS       ENOSYS
connect                     ECONNREFUSED ECONNREFUSED ENOSYS
tcp                         done         done         done
tcp6                        -            -            -
udp                         done         done         ENOSYS
unix                        done         done         ENOSYS
packet                      done         ENOSYS       ENOSYS
raw                         done         ENOSYS       ENOSYS
ping                        -            ENOSYS       ENOSYS
mptcp                       -            ENOSYS       ENOSYS
netlink                     done         ENOSYS       ENOSYS
algorithm                   -            ENOSYS       ENOSYS
vsock                       -            ENOSYS       ENOSYS
mark                        done         ENOSYS       ENOSYS
transparent                 done         ENOSYS       done
type                        -            ENOSYS       ENOSYS
uring                       -            ENOSYS       ENOSYS
limit                       done         ENOSYS       ENOSYS
dumpable                    done         ENOSYS       ENOSYS
personality                 done         ENOSYS       ENOSYS
memfd                       EFAULT       ENOSYS       ENOSYS
run-memory                  done         ENOSYS       ENOSYS
anonymous-code              done         ENOSYS       ENOSYS
map-library libc            done         done         ENOSYS
map-writable-library libc   done         ENOSYS       ENOSYS
catch                       done         ENOSYS       ENOSYS
abort                       aborted      aborted      aborted
unknown                     ENOSYS       ENOSYS       ENOSYS
names                       done         done         -
read /etc/shadow            done         EACCES       ENOSYS
read /etc/passwd            done         EACCES       ENOSYS
read /etc/resolv.conf       done         done         ENOSYS
read /proc/self/environ     done         EACCES       ENOSYS
read other/file             done         EACCES       ENOSYS
read rules/rules.json       done         done         ENOSYS
read log/x.ndjson           done         done         ENOSYS
list /etc                   done         EACCES       ENOSYS
list log                    done         EACCES       ENOSYS
write other/new             done         EACCES       ENOSYS
write rules/rules.json      done         EACCES       ENOSYS
write rules/new             done         EACCES       ENOSYS
write log/x.ndjson          done         done         ENOSYS
write log/new               done         done         ENOSYS
mkdir log/folder            done         ENOSYS       ENOSYS
mknod log/fifo              done         ENOSYS       ENOSYS
truncate log/file           done         ENOSYS       ENOSYS
chmod log/file              done         ENOSYS       ENOSYS
chown log/file              done         ENOSYS       ENOSYS
fchmod-own                  done         done         ENOSYS
fchmod-all                  done         ENOSYS       ENOSYS
rename log/file             done         ENOSYS       ENOSYS
unlink log/elsewhere        done         ENOSYS       ENOSYS
END
}

@test "what is forbidden is refused, or the end; what is needed is not" {
    root_only
    local words deed file expected came roles=(none proxy broker) i libc wrong=0
    libc=$(ldd "$TRIAL" | sed -n 's/.*libc.so.6 => \([^ ]*\) .*/\1/p')
    mkdir rules log other
    echo '{}' | tee rules/rules.json other/file log/file >log/x.ndjson
    while read -r -a words; do
        file=
        [ ${#words[@]} -eq 4 ] || file=${words[1]}
        expected=("${words[@]: -3}")
        deed=${words[0]}
        # The one without a sandbox last: it really does it.
        for i in 1 2 0; do
            came=$(try "${roles[i]}" "$deed" "${file/#libc/$libc}")
            [ "${expected[i]}" = - ] || [ "$came" = "${expected[i]}" ] || {
                echo "${roles[i]} $deed $file: $came, not ${expected[i]}"
                wrong=1
            }
        done
    done < <(tries)
    [ "$wrong" -eq 0 ]
}

@test "from the start there is no io_uring, which no filter sees" {
    mkdir rules log
    [ "$(try begun uring)" = ENOSYS ]
    [ "$(try begun exec)" = "done" ]
}

@test "with --tproxy connections may have addresses, and that is all" {
    root_only
    mkdir rules log
    [ "$(try tproxy bind)" = "done" ]
    [ "$(try tproxy listen)" = killed ]
    [ "$(try tproxy transparent)" = ENOSYS ]
    [ "$(try tproxy exec)" = killed ]
    [ "$(try tproxy read /etc/passwd)" = EACCES ]
}

@test "system calls of another ABI are the end, too" {
    [ "$(uname -m)" = x86_64 ] || skip "only x86-64 has x32"
    root_only
    mkdir rules log
    [ "$(try proxy x32)" = "killed silently" ]
    [ "$(try broker x32)" = "killed silently" ]
}

# sandboxed PID: each of its threads has a filter.
sandboxed() {
    local thread
    for thread in "/proc/$1/task"/*; do
        grep -qx 'Seccomp:[[:space:]]*2' "$thread/status"
    done
}

# metric NAME: its value on the admin port.
metric() {
    local admin
    admin=$(sed -n 's/.*admin on \(http[^ ]*\).*/\1/p' proxy.log)
    curl -sS "$admin/metrics" | sed -n "s/^mitm_$1 //p"
}

# call: one exchange through the proxy.
call() {
    fetch "http://$at/tool" -d '{}' | grep -q 'POST /tool'
}

@test "all threads are in it, whatever the mode, and /metrics says what is in force" {
    root_only
    start_mirror
    local options
    while read -r options; do
        echo "$options"
        # shellcheck disable=SC2086 # they are words
        start_proxy --sandbox require $options
        [[ "$options" != *upstream* ]] || call
        sandboxed "$proxy"
        [[ "$options" != *tproxy* ]] || sandboxed "$(pgrep -P "$proxy")"
        [ "$(metric 'sandbox{by="seccomp"}')" -eq 1 ]
        [ "$(metric 'sandbox{by="landlock"}')" -ge 1 ]
        stop_proxy
        rm -f ./*.pcap
    done <<END
--upstream http://localhost:$port --pcap w.pcap --pcap-interface lo
--upstream http://localhost:$port --pcap p.pcap --pcap-source payload
--mode forward --allow 127.0.0.1 --ca-dir lab --keylog keys.log
--mode transparent --tproxy --pcap p.pcap --pcap-source payload
END
    start_proxy --sandbox off --upstream "http://127.0.0.1:$port"
    call
    grep -qx 'Seccomp:[[:space:]]*0' "/proc/$proxy/status"
    [ "$(metric 'sandbox{by="seccomp"}')" -eq 0 ]
    [ "$(metric 'sandbox{by="landlock"}')" -eq 0 ]
    stop_proxy
}

@test "it has whatever a SIGHUP asks for: new files, new rules, also where others were put in their place" {
    root_only
    mkdir theirs rules
    chown 4242:4242 theirs
    start_mirror good
    printf '{"rules": [{"name": "%s", "on": "request", "do": [{"delay": {"ms": 1}}]}]}' before >rules/rules.json
    start_proxy --sandbox require --upstream "https://localhost:$port" --upstream-ca ca.pem --ca-dir lab \
        --rules rules/rules.json --exchange-log theirs/x.ndjson --keylog theirs/keys.log --pcap theirs/w.pcap \
        --pcap-interface lo
    sed s/before/after/ rules/rules.json >rules/new
    mv rules/new rules/rules.json
    mkdir old
    mv theirs/* old
    kill -HUP "$proxy"
    wait_for_line proxy.log "rules.json: 1 rule now" "$proxy"
    wait_for_line proxy.log "files reopened" "$proxy"
    fetch --cacert lab/ca.pem --resolve "localhost:$proxy_port:127.0.0.1" "https://localhost:$proxy_port/tool" |
        grep -q 'GET /tool'
    [ "$(jq -r '.rules[]' theirs/x.ndjson)" = after ]
    [ "$(stat -c %a theirs/keys.log)" = 600 ]
    stop "$proxy"
    [ -s theirs/keys.log ] && [ -s theirs/w.pcap ]
    tcpdump -nr theirs/w.pcap 2>/dev/null | grep -q .
}

@test "a folder that was put in the place of its log's is not its own, and is said so" {
    root_only
    mkdir -m 777 theirs
    start_mirror
    start_proxy --sandbox require --upstream "http://127.0.0.1:$port" --exchange-log theirs/x.ndjson
    mv theirs old
    mkdir -m 777 theirs
    kill -HUP "$proxy"
    wait_for_line proxy.log "theirs/x.ndjson cannot be reopened: .ermission denied; the old file stays in use" "$proxy"
    call
    [ "$(wc -l <old/x.ndjson)" -eq 1 ]
    stop "$proxy"
}

@test "it still knows its own addresses" {
    local own
    own=$(ip -4 -o address show up scope global | awk '{ sub("/.*", "", $4); print $4; exit }')
    [ -n "$own" ] || skip "this machine has no address but 127.0.0.1"
    start_proxy --mode forward --allow '*:*' --listen 0.0.0.0:0
    fetch -o body -x "http://127.0.0.1:$proxy_port" "http://$own:$proxy_port/tool"
    fetch -o body -x "http://127.0.0.1:$proxy_port" "http://127.9.9.9:$proxy_port/tool"
    stop_proxy
    [ "$(logged .error)" = $'loop\nloop' ]
}

@test "where descriptors run out it turns connections away, and goes on" {
    start_mirror
    start_proxy_under prlimit --nofile=64:64 --
    local round
    for round in 1 2 3; do
        echo "round $round"
        python3 -c 'import socket, sys
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]' "${at##*:}"
        call
    done
    stop "$proxy"
}

# in_the_proxys COMMAND …: where it is, by curl.
in_the_proxys() {
    nsenter --net="/proc/$proxy/ns/net" "$@"
}

@test "names: by a server, over UDP and TCP, and from a hosts file that was replaced" {
    root_only
    unshare --mount --net true || skip "no namespaces here"
    mkdir -p etc
    cp -aL /etc/nsswitch.conf /etc/ld.so.cache /etc/passwd /etc/group etc
    echo 'nameserver 127.0.0.1' >etc/resolv.conf
    echo '127.0.0.1 localhost' >etc/hosts
    # shellcheck disable=SC2016 # it is for the other shell
    start proxy.log "listening on" unshare --mount --net sh -c 'ip link set lo up && mount --bind etc /etc && exec "$@"' \
        - "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:8080 --admin 127.0.0.1:8081 --mode forward --allow '*.test' \
        --exchange-log x.ndjson --sandbox require
    proxy=$started
    start mirror.log "listening on" nsenter --net="/proc/$proxy/ns/net" python3 \
        "$BATS_TEST_DIRNAME/mirror_server.py"
    port=$(listening_on mirror.log)
    port=${port##*:}
    start names.log "answers" nsenter --net="/proc/$proxy/ns/net" python3 "$HERE/name_server.py" \
        served.test 127.0.0.1
    in_the_proxys curl -sS -m 30 -x http://127.0.0.1:8080 "http://served.test:$port/tool" | grep -q 'GET '
    grep -q 'asked by TCP' names.log
    [ "$(in_the_proxys curl -sS -m 30 -o body -w '%{http_code}' -x http://127.0.0.1:8080 "http://later.test:$port/")" = 502 ]
    echo '127.0.0.1 localhost later.test' >etc/new
    mv etc/new etc/hosts
    in_the_proxys curl -sS -m 30 -x http://127.0.0.1:8080 "http://later.test:$port/tool" | grep -q 'GET '
    stop "$proxy"
}

@test "what the kernel lacks is said, and with --sandbox require is the end" {
    strace -o /dev/null true || skip "strace may not trace here"
    start_mirror
    local fault words mode
    while IFS='|' read -r fault words; do
        for mode in "--upstream http://127.0.0.1:$port" "--mode transparent --tproxy"; do
            echo "$fault $mode"
            # shellcheck disable=SC2086 # they are words
            run timeout 20 strace -f -o trace -e "inject=$fault" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 \
                --admin 127.0.0.1:0 --sandbox require $mode
            echo "$output"
            [ "$status" -eq 1 ]
            [[ "$output" == *"$words"* && "$output" != *"--tproxy: "* ]]
            [[ "$output" != *"listening on"* ]]
        done
        start_proxy_under strace -f -o trace -e "inject=$fault" --
        grep -q "goes on without .*: ${words##*: }" proxy.log
        call
        kill "$(pgrep -P "$proxy")"
        wait "$proxy"
    done <<'END'
landlock_create_ruleset:error=ENOSYS|--sandbox require: Landlock: this kernel has none
landlock_create_ruleset:error=EOPNOTSUPP|--sandbox require: Landlock: this kernel has none
landlock_create_ruleset:error=EPERM|--sandbox require: Landlock: it is not permitted here
landlock_restrict_self:error=E2BIG|--sandbox require: Landlock: argument list too long
seccomp:error=EINVAL|--sandbox require: seccomp: invalid argument
END
}

# start_proxy_under COMMAND … --: as start_proxy, in the hands of another program.
start_proxy_under() {
    start proxy.log "listening on" "${@:1:$#-1}" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --upstream "http://127.0.0.1:$port"
    proxy=$started
    at=$(listening_on proxy.log | tr -d ,)
}
