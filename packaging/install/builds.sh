# Part of install.sh. Which builds there are, and their bytes, proven.

# field NAME FILE: a member of one flat JSON object.
field() {
    # shellcheck disable=SC2020 # each of the three becomes a line feed
    tr '{},' '\n\n\n' <"$2" | sed -n -e 's/^ *"'"$1"'" *: *"\{0,1\}\([^"]*\)"\{0,1\} *$/\1/p' | sed 1q
}

sha256_of() { sha256sum <"$1" | sed 's/ .*//'; }

# What the master (or --from) offers of a program: sets file, sha256, size and its version.
look_up() {
    if [ -n "$from" ]; then
        look_up_here "$1"
        return
    fi
    get "$url/api/binaries/${version:-latest}/linux/$arch?name=$1" "$work/$1.json" 65536 ||
        fail_download "$1${version:+ $version} for linux/$arch" \
            "where the master is: gridctl binary push $1-VERSION-linux-$arch, then run this again"
    found=$(field version "$work/$1.json") sha256=$(field checksum "$work/$1.json")
    size=$(field size_bytes "$work/$1.json") file=$(field path "$work/$1.json")
    is_offer "$1" || not_a_master
    [ -n "$version" ] || ! builds_text | grep -q '^[0-9a-f]' || builds_text | grep -qxF "$sha256 $1 $arch" ||
        fail 1 "refused: $1 $found is not what this install.sh was made for" \
            "get a new line from gridctl agent join-command; if it stays so, somebody alters what comes from $url"
}

is_offer() {
    case "$found|$size" in
        *[!0-9A-Za-z.+\|-]* | '|'* | *'|' | *'|'*[!0-9]*) return 1 ;;
    esac
    case $sha256 in *[!0-9a-f]*) return 1 ;; esac
    case $file in
        "$1-$found-linux-$arch" | "$1-$found-linux-any" | "$1-$found-any-any" | "$1-$found-any-$arch") ;;
        *) return 1 ;;
    esac
    [ ${#sha256} -eq 64 ] && [ ${#size} -le 12 ]
}

not_a_master() {
    fail 1 "what answers at $url does not describe a binary as a master does" "check the address and its port"
}

# The last by name, unless --agent-version says which; SHA256SUMS beside it is believed as the master would be.
look_up_here() {
    file=''
    for path in "$from/$1"-[0-9]*"-linux-$arch"; do
        [ -f "$path" ] || continue
        if [ -n "$version" ] && [ "$path" != "$from/$1-$version-linux-$arch" ]; then continue; fi
        file=${path##*/}
    done
    [ -n "$file" ] ||
        fail 3 "$from holds no $1${version:+ $version} for linux/$arch" "copy $1-VERSION-linux-$arch there"
    size=$(wc -c <"$from/$file") sha256=$(sha256_of "$from/$file")
    found=${file#"$1-"}
    found=${found%"-linux-$arch"}
    [ ! -f "$from/SHA256SUMS" ] || grep -q "^$sha256 [ *]$file\$" "$from/SHA256SUMS" ||
        fail 1 "$from/$file does not have the SHA-256 that $from/SHA256SUMS says" "copy it again"
}

# fetch TARGET: what was looked up last, proven.
fetch() {
    target=$1
    if [ -n "$from" ]; then
        cp "$from/$file" "$1" || { fail_if_full; fail 1 "cannot copy $file" "see the message above"; }
    else
        get "$url/binaries/$file" "$1" "$size" || fail_download "$file" "run this again"
    fi
    if [ "$(wc -c <"$1")" -ne "$size" ] || [ "$(sha256_of "$1")" != "$sha256" ]; then
        fail_if_full
        fail 1 "refused: $file does not have the SHA-256 that the master promises" \
            "run this again; if it stays so, look at the master's disk, and at what is between"
    fi
    check_signature "$1"
}

# Whether the pasted line vouches for what was looked up: its SHA-256 is this script's, and the script lists the build.
is_listed() { builds_text | grep -qxF "$sha256 ${file%%-[0-9]*} $arch"; }

# The key's own name in a line of base64 of minisign, public key or signature.
key_of() { sed 's/^...\(.\{10\}\).*/\1/'; }

release_key_line() {
    if [ -n "$release_key" ]; then printf '%s\n' "$release_key"; else sed -n 2p "$state/identity/release.pub"; fi
}

# Builds that are published after the release key went offline carry another signature, or none.
has_release_signature() {
    if [ -n "$from" ]; then
        cp "$from/$file.minisig" "$work/minisig" 2>/dev/null || return 1
    else
        get "$url/binaries/$file.minisig" "$work/minisig" 65536 || return 1
    fi
    [ "$(sed -n 2p "$work/minisig" | key_of)" = "$(release_key_line | key_of)" ]
}

# Against the release key of the join string, or the one this machine enrolled with. A build that the pasted line vouches
# for needs no signature, but one of that key must hold.
check_signature() {
    if have minisign && [ -z "$require_signature" ] && is_listed && ! has_release_signature; then
        unsigned="none by the release key of $file; SHA-256 as in install.sh" signatures=$unsigned
        return
    fi
    if ! have minisign; then
        [ -z "$require_signature" ] || fail 1 "minisign is not here to check signatures" "install minisign"
        signatures="not checked, for minisign is not installed"
        return
    fi
    signatures=${unsigned:-"checked against the grid's release key"}
    if [ -n "$from" ]; then
        cp "$from/$file.minisig" "$work/minisig" || fail 1 "$from holds no $file.minisig" "copy it there, too"
    else
        get "$url/binaries/$file.minisig" "$work/minisig" 65536 || fail_download "$file.minisig" "run this again"
    fi
    if [ -n "$release_key" ]; then
        set -- "$1" -P "$release_key"
    else
        set -- "$1" -p "$state/identity/release.pub"
    fi
    comment=$(minisign -V -Q -x "$work/minisig" -m "$@" 2>&1) ||
        fail 1 "refused: the signature of $file is not of the grid's release key" \
            "get a new join string (gridctl agent join-command); if it stays so, somebody altered $file"
    printf '%s\n' "$comment" | tr '\t' '\n' | grep -qxF "file:$file" ||
        fail 1 "refused: the signature of $file was made for another file" "run this again"
}
