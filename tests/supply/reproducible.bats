#!/usr/bin/env bats
# The programs are the same bytes wherever and whenever they are built. BIN_DIR has one build of them.

bats_require_minimum_version 1.5.0

# The sources elsewhere, with other times, built in another folder by another person in another place.
@test "two builds: the same bytes" {
    local root=$BATS_TEST_DIRNAME/../.. copy="$BATS_TEST_TMPDIR/a copy" build="$BATS_TEST_TMPDIR/its build" name
    : "${BIN_DIR:=$root/build/bin}"
    CC=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BIN_DIR/../CMakeCache.txt")
    export CC CCACHE_DISABLE=1 TZ=Asia/Seoul LC_ALL=C
    mkdir "$copy"
    tar -C "$root" -c CMakeLists.txt CMakePresets.json cmake lib agent_a agent_b mitm_proxy capturer |
        tar -C "$copy" -x --touch
    umask 077
    cd "$copy" || return
    cmake --preset release -B "$build" -DBUILD_TESTING=OFF
    cmake --build "$build"
    for name in agent_a agent_b mitm_proxy capdiff; do
        cmp "$BIN_DIR/$name" "$build/bin/$name"
        [ "$(grep -c -a -F -e "$BATS_TEST_TMPDIR" -e "$(realpath "$root")/" "$build/bin/$name")" -eq 0 ]
    done
}
