#!/usr/bin/env bats
# scripts/sbom: what the programs and an image are made of. The images' own are in tests/compose.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    sbom=$BATS_TEST_DIRNAME/../../scripts/sbom
    spdx=$BATS_TEST_DIRNAME/spdx.py
    : "${BIN_DIR:=$BATS_TEST_DIRNAME/../../build/bin}"
}

# The packages that have the libraries of the programs, by their names in dpkg's lists of files.
packages_of_libraries() {
    ldd "$@" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u | while read -r library; do
        grep -lx -e "$(realpath "$library")" -e "$(realpath "$library" | sed 's|^/usr||')" \
            /var/lib/dpkg/info/*.list | sed 's|.*/||; s|\.list$||; s|:.*||'
    done | sort -u
}

@test "programs: valid, with every library that ldd shows" {
    local programs=("$BIN_DIR"/agent_a "$BIN_DIR"/agent_b "$BIN_DIR"/mitm_proxy "$BIN_DIR"/capdiff) packages
    "$sbom" programs "${programs[@]}" >bill.json
    mapfile -t packages < <(packages_of_libraries "${programs[@]}")
    echo "${packages[*]}"
    [[ " ${packages[*]} " == *" libc6 "*" libllhttp9"* ]]
    python3 "$spdx" bill.json "${packages[@]}"
    [ "$(jq -r '.files[] | select(.fileName == "./capdiff").checksums[1].checksumValue' bill.json)" = \
        "$(sha256sum <"$BIN_DIR/capdiff" | cut -d ' ' -f 1)" ]
}

# A file system as small as can be: two packages, a document that is a link, a program, what built it.
small_root() {
    local doc=root/usr/share/doc
    mkdir -p root/var/lib/dpkg root/usr/lib "$doc"/{one,agent-mitm} root/usr/local/bin
    printf '%s\n' 'NAME="Debian GNU/Linux"' ID=debian VERSION_CODENAME=trixie >root/usr/lib/os-release
    {
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0+b1~x\n' one
        printf 'Description: a first line\n Version: 9 of nothing\n\n'
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3\nSource: s (4)\n\n' two++
        printf 'Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 5\n'
    } >root/var/lib/dpkg/status
    printf 'Format: x\n\nFiles: *\nCopyright: y\nLicense: GPL-2+ or Expat\n\nFiles: z\nLicense: Odd\n' >"$doc/one/copyright"
    ln -s one "$doc/two++"
    printf 'Package: cmake\nVersion: 1\n\nPackage: gcc-14\nVersion: 14.2\n' >"$doc/agent-mitm/built-with"
    echo program >root/usr/local/bin/agent_a
}

@test "root: a file system with a few packages" {
    small_root
    "$sbom" root root >bill.json
    python3 "$spdx" bill.json one two++ cmake gcc-14 agent-mitm
    [ "$(jq -c '[.packages[] | select(.name | test("^(one|two|gone)")) | [.versionInfo, .licenseDeclared, .sourceInfo]]' bill.json)" = \
        '[["1:2.0+b1~x","GPL-2.0-or-later OR MIT","from the Debian source package one 1:2.0+b1~x"],["3","GPL-2.0-or-later OR MIT","from the Debian source package s 4"]]' ]
    jq -r '.packages[].externalRefs[]?.referenceLocator' bill.json |
        grep -Fx 'pkg:deb/debian/two%2B%2B@3?arch=amd64&distro=trixie'
}

@test "the same things give the same bytes" {
    small_root
    export SOURCE_DATE_EPOCH=1000000000
    "$sbom" root root >one.json
    "$sbom" root root >two.json
    cmp one.json two.json
    [ "$(jq -r .creationInfo.created one.json)" = 2001-09-09T01:46:40Z ]
}

@test "a link that leads out of the file system is not followed" {
    small_root
    printf 'Files: *\nLicense: ISC\n' >outside
    ln -sf "$PWD/outside" root/usr/share/doc/one/copyright
    "$sbom" root root >bill.json
    [ "$(jq -r '.packages[] | select(.name == "one").licenseDeclared' bill.json)" = NOASSERTION ]
}

@test "what it cannot do is one line, and 2" {
    mkdir empty
    local words
    for words in "" "root" "root empty" "programs" "programs nothing" "image a b" "what is"; do
        # shellcheck disable=SC2086  # words
        run -2 --separate-stderr "$sbom" $words
        [ -z "$output" ]
        # shellcheck disable=SC2154  # run sets it
        [[ $stderr == "[sbom] "* && $stderr != *$'\n'* ]]
    done
}
