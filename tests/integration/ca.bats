#!/usr/bin/env bats
# The certificate authority: mitm_proxy ca, and what openssl, curl and others say of what it signs.

# helper.bash sets $started.
# shellcheck disable=SC2154

load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    proxy=$BIN_DIR/mitm_proxy
}

teardown() {
    stop_all
}

# serve CA_DIR [UPSTREAM.der]: an HTTPS server that has a certificate for whoever is asked for; its
# port is in $port, and why it had none in log.
serve() {
    start log 'listening on' "$BIN_DIR/../tests/mint_server" "$1" '[::]:0' "${@:2}"
    port=$(listening_on log)
    port=${port##*:}
}

# fetch HOST [CA]: what curl gets from the server by that name or address.
fetch() {
    local host=$1 resolve=(--resolve "$1:$port:127.0.0.1")
    case $host in
    *:*) host="[$host]" resolve=() ;;
    [0-9]*) resolve=() ;;
    esac
    curl -sS --noproxy '*' --globoff "${resolve[@]}" --cacert "${2:-ca/ca.pem}" "https://$host:$port/"
}

# leaf HOST: the server's certificate into leaf.pem, and all that it sent into sent.
leaf() {
    openssl s_client -connect "127.0.0.1:$port" -servername "$1" -showcerts </dev/null >sent 2>errors ||
        true # it may not have one
    openssl x509 -in sent -out leaf.pem
}

# field NAME …: that of leaf.pem, or of what else is given.
field() {
    openssl x509 -noout -nameopt utf8 "$@" -in "${certificate:-leaf.pem}"
}

# digests DIR: of all that is in it.
digests() {
    (cd "$1" && find . -type f -exec sha256sum {} + | sort)
}

@test "ca init: what openssl says of it" {
    run "$proxy" ca init ca
    [ "$status" -eq 0 ]
    [ "$output" = "[mitm_proxy] made ca/ca.pem, for clients to trust, and ca/ca-key.pem, for nobody else" ]
    [ "$(stat -c %a ca ca/ca.pem ca/ca-key.pem | tr '\n' ' ')" = "700 644 600 " ]
    [ "$(ls -A ca)" = $'ca-key.pem\nca.pem' ]
    head -n 1 ca/ca-key.pem | grep -qx -e '-----BEGIN PRIVATE KEY-----'
    openssl pkey -in ca/ca-key.pem -noout -text | grep -q 'NIST CURVE: P-256'
    [ "$(openssl pkey -in ca/ca-key.pem -pubout)" = "$(openssl x509 -in ca/ca.pem -noout -pubkey)" ]
    openssl verify -x509_strict -check_ss_sig -CAfile ca/ca.pem ca/ca.pem

    openssl x509 -in ca/ca.pem -noout -text >text
    grep -A1 'Basic Constraints: critical' text | grep -q 'CA:TRUE, pathlen:0$'
    grep -A1 'Key Usage: critical' text | grep -q 'Certificate Sign, CRL Sign$'
    grep -q 'Subject Key Identifier' text
    [ "$(grep -c 'Name Constraints' text)" -eq 0 ]
    [ "$(certificate=ca/ca.pem field -subject)" = \
        "subject=CN=Agent MITM CA ($(hostname | cut -c1-36), $(date -u +%F))" ]
    [[ $(openssl x509 -in ca/ca.pem -noout -serial) =~ ^serial=[0-9A-F]{32}$ ]]
    local begins ends now
    now=$(date +%s)
    begins=$(date -d "$(certificate=ca/ca.pem field -startdate | cut -d= -f2)" +%s)
    ends=$(date -d "$(certificate=ca/ca.pem field -enddate | cut -d= -f2)" +%s)
    [ $((now - begins)) -ge 86400 ] && [ $((now - begins)) -lt 86460 ]
    [ $(((ends - begins) / 86400)) -ge 3652 ] && [ $(((ends - begins) / 86400)) -le 3653 ]
}

@test "ca init: another name, and name constraints" {
    "$proxy" ca init ca --name 'Prüfstelle' --permit example.test --permit=10.0.0.0/8 --permit fd00::/8
    [ "$(certificate=ca/ca.pem field -subject)" = "subject=CN=Prüfstelle" ]
    certificate=ca/ca.pem field -ext nameConstraints >text
    diff - text <<'END'
X509v3 Name Constraints: critical
    Permitted:
      DNS:example.test
      IP:10.0.0.0/255.0.0.0
      IP:FD00:0:0:0:0:0:0:0/FF00:0:0:0:0:0:0:0
END
}

@test "ca init: what is there is never overwritten" {
    "$proxy" ca init ca
    digests ca >before
    run "$proxy" ca init ca
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: ca/ca-key.pem is there already and stays: choose another directory" ]
    digests ca | diff before -
    rm ca/ca-key.pem
    digests ca >before
    run "$proxy" ca init ca
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: ca/ca.pem is there already and stays: choose another directory" ]
    digests ca | diff before -
}

@test "ca init: many at once make one" {
    local pids=() won=0 pid
    for _ in {1..8}; do
        "$proxy" ca init ca 2>>errors &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" && won=$((won + 1))
    done
    [ "$won" -eq 1 ]
    [ "$(grep -c 'is there already and stays' errors)" -eq 7 ]
    [ "$(ls -A ca)" = $'ca-key.pem\nca.pem' ]
    [ "$(openssl pkey -in ca/ca-key.pem -pubout)" = "$(openssl x509 -in ca/ca.pem -noout -pubkey)" ]
}

@test "ca init: where it cannot write" {
    mkdir closed
    chmod 500 closed
    local as=()
    # root without the right to write everywhere
    [ "$(id -u)" -ne 0 ] ||
        as=(setpriv --inh-caps=-dac_override --bounding-set=-dac_override)
    run "${as[@]}" "$proxy" ca init closed
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: closed/ca-key.pem cannot be made: Permission denied" ]
    run "${as[@]}" "$proxy" ca init closed/ca
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: closed/ca cannot be made: Permission denied" ]
    [ -z "$(ls -A closed)" ]
    touch file
    run "$proxy" ca init file
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: file cannot be made: Not a directory" ]
    run "$proxy" ca init none/ca
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: none/ca cannot be made: No such file or directory" ]
}

@test "ca init: what fails on the way leaves nothing" {
    command -v strace >/dev/null || skip "strace is not installed"
    strace -o /dev/null true || skip "strace may not trace here"
    local fault
    export ASAN_OPTIONS=detect_leaks=0 # which would trace too
    mkdir there
    for fault in fsync:error=ENOSPC:when=1 fsync:error=EIO:when=2 fchmod:error=EPERM:when=2 \
        linkat:error=EPERM:when=1 linkat:error=EIO:when=2; do
        for dir in there new; do
            echo "$fault $dir"
            run strace -f -o trace -e "inject=$fault" "$proxy" ca init "$dir"
            grep -q INJECTED trace
            [ "$status" -eq 2 ]
            [[ "$output" == "mitm_proxy ca: $dir/ca"*".pem cannot be made: "* ]]
            [ ! -e new ]
            [ -z "$(ls -A there)" ]
        done
    done
}

@test "ca export: the certificate, and on a terminal how to trust it" {
    "$proxy" ca init ca
    "$proxy" ca export ca >out 2>errors
    diff ca/ca.pem out
    [ ! -s errors ]
    # What else is in the file stays there.
    cat ca/ca-key.pem >>ca/ca.pem
    "$proxy" ca export ca | diff out -
    run "$proxy" ca export none
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: there is no none/ca.pem: mitm_proxy ca init DIR makes one" ]
    run bash -c '"$1" ca export ca >/dev/full' - "$proxy"
    [ "$status" -eq 2 ]
    [ "$output" = "mitm_proxy ca: stdout does not take the certificate" ]
    command -v script >/dev/null || skip "script is not installed"
    script -qec "'$proxy' ca export ca >/dev/null" typed </dev/null
    grep -q -- 'curl --cacert FILE, NODE_EXTRA_CA_CERTS=FILE, REQUESTS_CA_BUNDLE=FILE, where FILE is ca/ca.pem' typed
}

# Arguments, then a part of the error.
@test "ca: bad usage" {
    while IFS='|' read -r words error; do
        echo "$words"
        # shellcheck disable=SC2086 # they are words
        run "$proxy" ca $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == "mitm_proxy ca: "*"$error"* ]]
        [ ! -e new ]
    done <<'END'
|give ca init DIR or ca export DIR
init|give ca init DIR or ca export DIR
make new|give ca init DIR or ca export DIR
init new new|is one word too many
init new --nam x|there is no option --nam
init new --permit|--permit needs a value
init new --permit *.example.test|is no host name
init new --permit bücher.example|xn--
init new --permit 10.0.0.1/8|it has bits behind the prefix
init new --permit 10.0.0.0/33|no prefix
init new --permit 10.0.0|neither a DNS name
init new --name 12345678901234567890123456789012345678901234567890123456789012345|1 to 64 characters
init new --name=|1 to 64 characters
export new --name x|--name and --permit are for ca init
export new --permit x|--name and --permit are for ca init
END
    run "$proxy" ca --help
    [ "$status" -eq 0 ]
    [[ "$output" == *"usage: mitm_proxy ca init DIR"* ]]
}

@test "certificates for names and addresses hold for openssl and curl" {
    "$proxy" ca init ca
    serve ca
    local host long=a23456789012345678901234567890123456789012345678901234567890
    for host in agent-b agent-b.example.test xn--bcher-kva.example _x.example "$long.$long.test"; do
        echo "$host"
        [ "$(fetch "$host")" = ok ]
        leaf "$host"
        openssl verify -x509_strict -purpose sslserver -verify_hostname "$host" -CAfile ca/ca.pem leaf.pem
        run openssl verify -verify_hostname other.example -CAfile ca/ca.pem leaf.pem
        [ "$status" -eq 2 ]
        [[ "$output" == *"ostname mismatch"* ]]
        [ "$(field -ext subjectAltName | tail -n 1)" = "    DNS:$host" ]
    done
    [ "$(grep -c 'BEGIN CERT' sent)" -eq 1 ] # who trusts the CA has it
    [ "$(fetch 127.0.0.1)" = ok ]
    [ "$(fetch ::1)" = ok ]
    run openssl s_client -connect "127.0.0.1:$port" -noservername -verify_return_error -verify_ip 127.0.0.1 \
        -CAfile ca/ca.pem </dev/null
    [ "$status" -eq 0 ]
    "$proxy" ca init other
    run fetch agent-b other/ca.pem
    [ "$status" -eq 60 ]
    stop "$started"
}

@test "certificates hold for Python, Node and GnuTLS" {
    "$proxy" ca init ca --permit localhost --permit 127.0.0.0/8 --permit ::1
    serve ca
    local host
    for host in localhost 127.0.0.1; do
        python3 - "$host" "$port" <<'END'
import socket, ssl, sys
context = ssl.create_default_context(cafile="ca/ca.pem")
context.verify_flags |= ssl.VERIFY_X509_STRICT
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))),
                         server_hostname=sys.argv[1]) as peer:
    print(peer.version(), peer.getpeercert()["subjectAltName"])
END
        if command -v node >/dev/null; then
            NODE_EXTRA_CA_CERTS=ca/ca.pem node -e 'fetch(process.argv[1]).then(r => r.text()).then(
                t => process.exit(t === "ok\n" ? 0 : 1), e => { console.error(e); process.exit(1) })' \
                "https://$host:$port/"
        fi
        if wget --version 2>/dev/null | grep -q '+ssl/gnutls'; then
            wget --no-proxy -q -O - --ca-certificate=ca/ca.pem "https://$host:$port/" | grep -qx ok
        fi
    done
    stop "$started"
}

@test "the upstream's names, common name and end are taken over" {
    "$proxy" ca init ca
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -days 7 \
        -subj "/O=Someone/CN=The upstream" -outform DER -out upstream.der \
        -addext "subjectAltName=DNS:agent-b.example.test,DNS:*.tools.example.test,IP:192.0.2.1"
    serve ca upstream.der
    leaf agent-b.example.test
    [ "$(field -subject)" = "subject=CN=The upstream" ]
    [ "$(field -ext subjectAltName | tail -n 1)" = \
        "    DNS:agent-b.example.test, DNS:*.tools.example.test, IP Address:192.0.2.1" ]
    [ "$(field -enddate)" = "$(openssl x509 -inform DER -in upstream.der -noout -enddate)" ]
    [ "$(fetch agent-b.example.test)" = ok ]
    [ "$(fetch read.tools.example.test)" = ok ]
    [ "$(fetch proxy.example.test)" = ok ] # which the upstream is not for
    stop "$started"
}

@test "name constraints are respected, by the CA and by openssl" {
    "$proxy" ca init ca --permit example.test --permit 127.0.0.0/8
    serve ca
    [ "$(fetch agent-b.example.test)" = ok ]
    [ "$(fetch 127.0.0.1)" = ok ]
    run fetch agent-b.example.org
    [ "$status" -eq 35 ]
    run fetch ::1
    [ "$status" -eq 35 ]
    stop "$started"
    diff <(tail -n +2 log) - <<'END'
the CA cannot stand for agent-b.example.org: permitted subtree violation
the CA cannot stand for ::1: permitted subtree violation
END
    # Who has the key can sign what it likes: clients do not take it.
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -subj / -out request
    openssl x509 -req -in request -CA ca/ca.pem -CAkey ca/ca-key.pem -out forged.pem -days 1 \
        -extfile <(echo "subjectAltName=critical,DNS:agent-b.example.org")
    run openssl verify -CAfile ca/ca.pem forged.pem
    [ "$status" -ne 0 ]
    [[ "$output" == *"permitted subtree violation"* ]]
}

@test "names that are none, and TLS that is too old" {
    "$proxy" ca init ca
    serve ca
    local name
    for name in '*' '*.example.test' 'a b' 'bücher.example' 'a..b'; do
        run openssl s_client -connect "127.0.0.1:$port" -servername "$name" </dev/null
        [ "$status" -ne 0 ]
        tail -n 1 log
        [[ "$(tail -n 1 log)" == "'$name' is no host name"* ]]
    done
    run openssl s_client -connect "127.0.0.1:$port" -servername a -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null
    [[ "$output" == *"alert protocol version"* ]]
    run openssl s_client -connect "127.0.0.1:$port" -servername a -alpn h2 </dev/null
    [[ "$output" == *"alert no application protocol"* ]]
    [ "$(curl -sS --http2 --noproxy '*' --resolve "a:$port:127.0.0.1" --cacert ca/ca.pem "https://a:$port/" \
        -w '%{http_version}')" = $'ok\n1.1' ]
    stop "$started"
}

@test "a key that others can read, and a CA that has expired" {
    "$proxy" ca init ca
    chmod 644 ca/ca-key.pem
    run "$BIN_DIR/../tests/mint_server" ca '[::]:0'
    [ "$status" -eq 1 ]
    [[ "$output" == *"ca/ca-key.pem is a key that not only its owner can read: chmod 600 mends that" ]]
    chmod 600 ca/ca-key.pem

    mkdir new
    touch index
    cat >config <<'END'
[ca]
default_ca = old
[old]
database = index
new_certs_dir = new
default_md = sha256
policy = any
rand_serial = yes
x509_extensions = is_ca
[any]
commonName = supplied
[is_ca]
basicConstraints = critical,CA:TRUE
END
    openssl req -new -key ca/ca-key.pem -subj "/CN=old" -out request
    openssl ca -batch -selfsign -config config -keyfile ca/ca-key.pem -in request -out ca/ca.pem -notext \
        -startdate 20200101000000Z -enddate 20210101000000Z
    run "$BIN_DIR/../tests/mint_server" ca '[::]:0'
    [ "$status" -eq 1 ]
    [[ "$output" == *"the CA expired on 2021-01-01: make one with mitm_proxy ca init in a new directory" ]]
    "$proxy" ca export ca | openssl x509 -noout -enddate | grep -q 2021
}
