#!/usr/bin/env bats
# agent_a and agent_b with defences, and someone between them: what is noticed, and what is not.

# Each @test is a subshell, and what it sets is for itself alone.
# shellcheck disable=SC2030,SC2031

load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    printf 'a secret of more than sixteen bytes\n' >secret.txt
    printf '%s' '{"id":1,"tool_name":"deposit","arguments":{"account":"alice","amount":5}}' >alice.json
    printf '%s' '{"id":1,"tool_name":"deposit","arguments":{"account":"bob","amount":5}}' >bob.json
}

teardown() {
    stop_all
}

# start_b PROFILE [OPTION…]: agent_b, its address in $b.
start_b() {
    start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 --defence "$1" \
        --key secret.txt "${@:2}"
    b=$(listening_on b.log)
}

# start_between ATTACK: the relay before it, its address in $between.
start_between() {
    start relay.log "Listening on" python3 "$BATS_TEST_DIRNAME/tamper_relay.py" "$b" "$1"
    between=$(listening_on relay.log)
}

# call ADDRESS PROFILE [OPTION…]: alice's deposit, unless the options name another call.
call() {
    local calls=(--call alice.json)
    case " $* " in *" --call "*) calls=() ;; esac
    run "$BIN_DIR/agent_a" --url "http://$1/tool" --defence "$2" --key secret.txt "${calls[@]}" "${@:3}"
}

# Without the number of deposits.
ledger() {
    curl -sS -m 10 "http://$b/ledger" | sed 's/,"deposits":[0-9]*//'
}

# attack ATTACK PROFILE OUTCOME BALANCES [OPTION…]: OUTCOME is the word that agent_a must fail with, or
# "unnoticed"; the options go to agent_a. Afterwards the ledger must be BALANCES.
attack() {
    start_b "$2"
    start_between "$1"
    call "$between" "$2" "${@:5}"
    echo "attack $1 against $2: exit $status, $(ledger)"
    echo "$output"
    if [ "$3" = unnoticed ]; then
        [ "$status" -eq 0 ]
    else
        [ "$status" -eq 1 ]
        [[ "$output" == *"agent_a: call 1 failed: "*"$3"* ]]
    fi
    [ "$(ledger)" = "{\"balances\":$4}" ]
    stop_all
}

five='{"alice":5.00}'
nine='{"alice":9.00}'

@test "with each profile on both sides calls are carried out" {
    local profile
    for profile in none digest signed signed-nonce strict-json all; do
        attack none "$profile" unnoticed "$five"
    done
}

@test "a key pair for each agent does the same" {
    local agent
    for agent in a b; do
        openssl genpkey -algorithm ed25519 -out "$agent.pem"
        openssl pkey -in "$agent.pem" -pubout -out "$agent.pub"
    done
    start_b all --key b.pem --peer-key a.pub
    call "$b" all --key a.pem --peer-key b.pub --count 3
    [ "$status" -eq 0 ]
    call "$b" all --key b.pem --peer-key b.pub # another's key
    [ "$status" -eq 1 ]
    [[ "$output" == *signature_invalid* ]]
    call "$b" all --key a.pem --peer-key a.pub # the answer's signature cannot be verified
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed: signature_invalid"* ]]
    [ "$(ledger)" = '{"balances":{"alice":20.00}}' ] # the last was carried out nevertheless
}

@test "many connections at once, each call with a nonce of its own" {
    start_b all
    call "$b" all --count 200 --concurrency 16
    [ "$status" -eq 0 ]
    [ "$(ledger)" = '{"balances":{"alice":1000.00}}' ]
}

@test "through mitm_proxy the signatures hold" {
    start_b all
    start proxy.log "[Ll]istening on" "$BIN_DIR/mitm_proxy" --listen 127.0.0.1:0 \
        --admin 127.0.0.1:0 --upstream "http://$b"
    local proxy
    proxy=$(sed -n 's/.*[Ll]istening on \([0-9.:]*\).*/\1/p' proxy.log | head -n 1)
    call "$proxy" all --count 3
    [ "$status" -eq 0 ]
    [ "$(ledger)" = '{"balances":{"alice":15.00}}' ]
}

@test "a changed body is noticed where there is a digest" {
    attack body none unnoticed "$nine"
    attack body strict-json unnoticed "$nine"
    attack body digest digest_mismatch '{}'
    attack body signed digest_mismatch '{}'
    attack body signed-nonce digest_mismatch '{}'
    attack body all digest_mismatch '{}'
}

@test "a changed body with a new digest is noticed where there is a signature" {
    attack body-and-digest digest unnoticed "$nine"
    attack body-and-digest signed signature_invalid '{}'
    attack body-and-digest signed-nonce signature_invalid '{}'
    attack body-and-digest all signature_invalid '{}'
    grep -qF '[Agent B] Refused: signature_invalid: ' b.log
}

@test "a changed target is noticed where there is a signature" {
    attack path digest unnoticed "$five"
    attack path signed signature_invalid '{}'
}

@test "a stripped signature is missed" {
    attack strip digest unnoticed "$five"
    attack strip signed signature_missing '{}'
    attack strip all signature_missing '{}'
    grep -qF '[Agent B] Refused: signature_missing: ' b.log
}

@test "a changed answer is noticed; the call was carried out all the same" {
    attack answer none unnoticed "$five"
    attack answer digest digest_mismatch "$five"
    attack answer-and-digest digest unnoticed "$five"
    attack answer-and-digest signed signature_invalid "$five"
    attack answer-strip signed signature_missing "$five"
    attack answer-strip all signature_missing "$five"
}

@test "a stream of events is proven as a whole" {
    local attack profile
    printf '%s' '{"id":1,"tool_name":"follow_build","arguments":{"steps":2}}' >build.json
    for profile in none digest signed signed-nonce strict-json all; do
        attack none "$profile" unnoticed '{}' --call build.json
        [ "$(grep -c '^\[Agent A\] Event: progress ' <<<"$output")" -eq 2 ]
    done
    for attack in event event-added; do
        for profile in none strict-json; do
            attack "$attack" "$profile" unnoticed '{}' --call build.json
        done
        attack "$attack" digest digest_mismatch '{}' --call build.json
        attack "$attack-and-digest" digest unnoticed '{}' --call build.json
        attack "$attack-and-digest" signed signature_invalid '{}' --call build.json
        attack "$attack-and-digest" all signature_invalid '{}' --call build.json
    done
}

@test "a refusal that is made to look like success is noticed" {
    printf '%s' '{"id":1,"tool_name":"deposit","arguments":{"account":"alice","amount":-5}}' >bad.json
    attack answer-status digest unnoticed '{}' --call bad.json
    attack answer-status signed signature_invalid '{}' --call bad.json
}

@test "another call's answer is noticed where answers are bound to their requests" {
    local both='{"alice":5.00,"bob":5.00}'
    attack swap none unnoticed "$both" --call alice.json --call bob.json
    attack swap digest unnoticed "$both" --call alice.json --call bob.json
    attack swap strict-json unnoticed "$both" --call alice.json --call bob.json
    attack swap signed signature_invalid "$both" --call alice.json --call bob.json
    attack swap signed-nonce signature_invalid "$both" --call alice.json --call bob.json
    attack swap all signature_invalid "$both" --call alice.json --call bob.json
}

@test "a call that is sent again is noticed where there is a nonce" {
    local profile
    for profile in none digest signed strict-json; do
        attack replay "$profile" unnoticed '{"alice":10.00}'
        grep -qx 'replay: 200' relay.log
    done
    for profile in signed-nonce all; do
        attack replay "$profile" unnoticed "$five"
        grep -qx 'replay: 409 replayed' relay.log
        grep -qF '[Agent B] Refused: replayed: ' b.log
    done
}

# The relay keeps agent_a's answer back for as long as it goes on, and so that has expired too.
@test "a call that is sent again after the time window has expired" {
    start_b signed-nonce --defence-window 5
    start_between replay-later
    call "$between" signed-nonce --defence-window 60
    [ "$(grep replay: relay.log)" = "replay: 409 replayed
replay: 403 expired" ]
    [ "$(ledger)" = "{\"balances\":$five}" ]
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed: expired: "* ]]
}

@test "a key that stands twice is noticed by strict JSON, or by a signature if it was put in" {
    attack duplicate none unnoticed "$nine"
    attack duplicate digest unnoticed "$nine"
    attack duplicate strict-json ambiguous_json '{}'
    attack duplicate signed signature_invalid '{}'
    attack duplicate-by-case none unnoticed "$five"
    attack duplicate-by-case strict-json ambiguous_json '{}'
    attack answer-duplicate none unnoticed "$five"
    attack answer-duplicate strict-json ambiguous_json "$five"
}

@test "a key that agent_a itself sends twice is signed, and only strict JSON refuses it" {
    printf '%s' '{"id":1,"tool_name":"deposit","arguments":{"account":"alice","amount":5,"AMOUNT":9}}' >twice.json
    attack none signed-nonce unnoticed "$five" --call twice.json
    attack none all ambiguous_json '{}' --call twice.json
    printf '{"id":1,"tool_name":"deposit","arguments":{"account":"a\xff","amount":5}}' >bytes.json
    attack none strict-json ambiguous_json '{}' --call bytes.json
    grep -qF '[Agent B] Refused: ambiguous_json: ' b.log
}

@test "a side that lacks the defence is refused by the other" {
    start_b all
    call "$b" none
    [ "$status" -eq 1 ]
    [[ "$output" == *'"word":"digest_missing"'* ]]
    call "$b" digest
    [ "$status" -eq 1 ]
    [[ "$output" == *signature_missing* ]]
    call "$b" signed
    [ "$status" -eq 1 ]
    [[ "$output" == *signature_invalid* ]]
    [ "$(ledger)" = '{"balances":{}}' ]
    stop_all
    start_b none
    call "$b" all
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed: digest_missing: "* ]]
    [ "$(ledger)" = "{\"balances\":$five}" ] # it came unguarded and was carried out
}

@test "without a defence not a byte is other than before" {
    local profile
    for profile in none strict-json; do
        start_b none
        start_between show
        call "$between" "$profile"
        [ "$status" -eq 0 ]
        grep -qF "sent: b'POST /tool HTTP/1.1\\r\\nHost: $between\\r\\nUser-Agent: agent_a/" relay.log
        grep -qF "\\r\\nContent-Type: application/json\\r\\nAccept: application/json, text/event-stream\\r\\nContent-Length: 73\\r\\n\\r\\n{\"id\":1," relay.log
        curl -sS -m 10 -D head -o answer -H 'Content-Type: application/json' -d @alice.json "http://$b/tool"
        [ "$(sed -n 's/:.*//p' head)" = "Date
Content-Type
Content-Length" ]
        stop_all
    done
}

@test "the options: by environment, and refused with a sentence" {
    start b.log "Listening on" env AGENT_DEFENCE=all AGENT_SECRET='a secret in the environment' \
        "$BIN_DIR/agent_b" --listen 127.0.0.1:0
    b=$(listening_on b.log)
    AGENT_DEFENCE=all AGENT_SECRET='a secret in the environment' \
        "$BIN_DIR/agent_a" --url "http://$b/tool"
    local program
    for program in agent_a agent_b; do
        run "$BIN_DIR/$program" --defence everything
        [ "$status" -eq 2 ]
        [[ "$output" == *"it takes one of none, digest, signed, signed-nonce, strict-json, all" ]]
        run "$BIN_DIR/$program" --defence signed
        [ "$status" -eq 2 ]
        [[ "$output" == *"give it a key with --key FILE or AGENT_SECRET" ]]
        run "$BIN_DIR/$program" --defence signed --key /no/such/file
        [ "$status" -eq 2 ]
        [[ "$output" == *"cannot read the key in /no/such/file: No such file or directory" ]]
        printf short >short.txt
        run "$BIN_DIR/$program" --defence signed --key short.txt
        [ "$status" -eq 2 ]
        [[ "$output" == *"shorter than 16 bytes"* ]]
    done
}

# The library is another's work, by the same RFCs: it verifies ours and signs for us, both ways.
@test "an independent implementation agrees, with either algorithm" {
    command -v npm >/dev/null || skip "npm is not installed"
    npm install --silent --no-audit --no-fund --prefix library http-message-signatures@1.0.6 \
        >npm.log 2>&1 || skip "npm could not install http-message-signatures: $(tail -n 1 npm.log)"
    local agent keys_a=(--key secret.txt) keys_b=(--key secret.txt) algorithm
    for agent in a b; do
        openssl genpkey -algorithm ed25519 -out "$agent.pem"
        openssl pkey -in "$agent.pem" -pubout -out "$agent.pub"
    done
    for algorithm in hmac-sha256 ed25519; do
        # Its server takes agent_a's calls, and agent_a its answers.
        start server.log "Listening on" env NODE_PATH=library/node_modules \
            node "$BATS_TEST_DIRNAME/signature_peer.js" server "$algorithm"
        call "$(listening_on server.log)" all "${keys_a[@]}" --count 3
        echo "$output"
        cat server.log
        [ "$status" -eq 0 ]
        [ "$(grep -c '^verified' server.log)" -eq 3 ]
        # Its client's call is taken by agent_b, and it takes the answer.
        start b.log "Listening on" "$BIN_DIR/agent_b" --listen 127.0.0.1:0 --defence all "${keys_b[@]}"
        b=$(listening_on b.log)
        run env NODE_PATH=library/node_modules \
            node "$BATS_TEST_DIRNAME/signature_peer.js" client "$algorithm" "http://$b/tool?x=1"
        echo "$output"
        [ "$status" -eq 0 ]
        [ "$output" = "200 verified" ]
        [ "$(ledger)" = "{\"balances\":$five}" ]
        keys_a=(--key a.pem --peer-key b.pub)
        keys_b=(--key b.pem --peer-key a.pub)
    done
}
