#!/bin/sh
# Makes this machine a member of a grid: downloads grid-agent and grid-launcher from the grid's master, proves them,
# enrolls, installs and starts them. Needs a shell, curl or wget, and the usual small tools; busybox has them all.
# Everything happens in functions, called by the last line: a download that was cut off runs nothing.
set -eu

usage() {
    cat <<'HELP'
Usage: sh install.sh [options] ['grid://...']

Makes this machine a member of a grid. The join string is what `gridctl agent join-command` prints; it may also come
from GRID_TOKEN or --token-file. On a machine that is a member already this upgrades the agent and keeps everything
else; the join string then only says where the master is, and stays unused, unless the master has removed this machine:
then it joins again, with the data of its nodes.

  --token-file FILE    file that holds the join string
  --id ID              name of this machine in the grid (default: its host name)
  --label K=V          label of this machine; may be repeated
  --nodes N            storage nodes on this machine (default: 1)
  --node-ports A-B     ports that nodes may take (default: 7100-7199)
  --agent-version V    this version and not the newest
  --url URL            the master's HTTP address, to upgrade without a join string
  --from DIR           take the two programs from DIR, where they were copied to, and not from the master
  --insecure           show the join string's token over plain HTTP where the master gives files to nobody else: to
                       whoever answers at that address, and all on the way
  --require-signature  refuse to go on without minisign, or what lacks a signature by the release key
  --prefix DIR         where programs go (default: /usr/local): lib/grid and bin
  --state DIR          where the agent keeps identity, versions and data (default: /var/lib/grid-agent)
  --config FILE        settings of the agent (default: /etc/grid/agent.ini, below --prefix if that is given)
  --no-start           install and enroll, but start nothing
  --dry-run            say what would be done, change nothing
  --uninstall          stop agent and nodes, remove everything but the nodes' data
  --purge              with --uninstall: remove the data, too
  --help               print this

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such build, 4 not allowed, 6 master unreachable, 130 interrupted.
HELP
}

# The one source of the unit is packaging/grid-agent.service.
unit_text() {
    cat <<'UNIT'
@GRID_AGENT_SERVICE@
UNIT
}

# What the master that gave out this script would have it install: lines of "SHA-256 PROGRAM ARCHITECTURE", and the pin of
# the key that its HTTPS shows. Empty in a script that comes from elsewhere.
builds_text() {
    cat <<'BUILDS'
BUILDS
}

say() { printf '%s\n' "$*"; }

# fail EXIT-CODE MESSAGE NEXT-STEP
fail() {
    printf 'install.sh: %s\nNext: %s\n' "$2" "$3" >&2
    exit "$1"
}

have() { command -v "$1" >/dev/null 2>&1; }

# One word without anything that a file, a unit or a shell would take for more.
check_word() {
    case $2 in
        '' | *[!A-Za-z0-9._=,:/+-]*) fail 2 "$1 \"$2\" holds characters that it must not" "see sh install.sh --help" ;;
    esac
}

check_directory() {
    check_word "$1" "$2"
    case $2 in
        /*/../* | /*/.. | *//* | */) fail 2 "$1 $2 is not a plain absolute path" "write it like /opt/grid" ;;
        /?*) ;;
        *) fail 2 "$1 $2 is not an absolute path" "write it like /opt/grid" ;;
    esac
}

defaults() {
    join=${GRID_TOKEN-} token_file='' id='' labels='' nodes='' node_ports='' version='' url='' from='' prefix=/usr/local
    state=/var/lib/grid-agent config='' config_given='' require_signature='' start=1 dry_run='' uninstall='' purge=''
    work='' stage='' release_key='' done='' made='' unsigned='' new_launcher='' own_script='' before='' target='' credential='' stopped=''
    downloads='' turn='' ca='' pin='' insecure=''
    unset GRID_TOKEN # whatever we start need not know it
}

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
            --token-file | --id | --label | --nodes | --node-ports | --agent-version | --url | --from | --prefix | --state | \
                --config)
                [ $# -ge 2 ] || fail 2 "$1 needs a value" "see sh install.sh --help"
                take_value "$1" "$2"
                shift
                ;;
            --require-signature) require_signature=1 ;;
            --insecure) insecure=1 ;;
            --no-start) start='' ;;
            --dry-run) dry_run=1 ;;
            --uninstall) uninstall=1 ;;
            --purge) purge=1 ;;
            --help | -h) usage; exit 0 ;;
            grid://*) join=$1 ;;
            *) fail 2 "$1 is neither an option nor a join string (grid://...)" "see sh install.sh --help" ;;
        esac
        shift
    done
}

take_value() {
    case $1 in
        --token-file) token_file=$2 ;;
        --from) from=$2 ;;
        --url) url=${2%/} ;;
        --label) check_word "$1" "$2"; labels=${labels:+$labels,}$2 ;;
        --id) check_word "$1" "$2"; id=$2 ;;
        --nodes) check_word "$1" "$2"; nodes=$2 ;;
        --node-ports) check_word "$1" "$2"; node_ports=$2 ;;
        --agent-version) check_word "$1" "$2"; version=$2 ;;
        --prefix) check_directory "$1" "$2"; prefix=$2 ;;
        --state) check_directory "$1" "$2"; state=$2 ;;
        --config) check_directory "$1" "$2"; config=$2; config_given=1 ;;
    esac
}

# What the agent and this script make in the state directory, but for the nodes; it may have other uses.
state_names='agent current desired.json failed.json identity journal lock previous store tmp tuf'

settle_places() {
    library=$prefix/lib/grid
    launcher=$library/grid-launcher
    builds=$state/agent
    unit=/etc/systemd/system/grid-agent.service
    if [ -z "$config_given" ]; then
        config=/etc/grid/agent.ini
        [ "$prefix" = /usr/local ] || config=$prefix/etc/grid/agent.ini
    fi
    [ -z "$purge" ] || [ -n "$uninstall" ] || fail 2 "--purge goes with --uninstall" "see sh install.sh --help"
}

# How to call this script again in the same way.
options_again() {
    [ "$prefix" = /usr/local ] || printf ' --prefix %s' "$prefix"
    [ "$state" = /var/lib/grid-agent ] || printf ' --state %s' "$state"
    [ -z "$config_given" ] || printf ' --config %s' "$config"
}

check_tools() {
    for tool in uname id mkdir mv rm rmdir cp cat chmod ln ls sed tr grep wc mktemp readlink sha256sum sleep tail; do
        have "$tool" || fail 1 "the tool $tool is missing here" "install coreutils, sed and grep, or busybox"
    done
    [ -r /proc/self/cmdline ] || fail 1 "/proc is not mounted, and the agent needs it" "mount -t proc proc /proc"
}

find_platform() {
    system=$(uname -s) machine=$(uname -m)
    [ "$system" = Linux ] || fail 1 "this is $system; the agent runs on Linux only" "use a Linux machine"
    case $machine in
        x86_64 | amd64) arch=x86_64 ;;
        aarch64 | arm64) arch=aarch64 ;;
        arm | armv[678]*) arch=arm ;;
        i[3-6]86) arch=x86 ;;
        *) fail 3 "the processor architecture $machine is not supported" "use one of x86_64, aarch64, arm, x86" ;;
    esac
}

check_rights() {
    [ "$(id -u)" != 0 ] || return 0
    if [ "$prefix" = /usr/local ] || [ "$state" = /var/lib/grid-agent ]; then
        fail 4 "installing to $prefix and $state needs root" \
            "run the same command as root (sudo), or choose your own --prefix and --state"
    fi
}

# As root where systemd is the first process.
has_systemd() { [ -d /run/systemd/system ] && have systemctl && [ "$(id -u)" = 0 ]; }

read_join() {
    if [ -n "$token_file" ]; then
        if [ ! -r "$token_file" ] || [ -d "$token_file" ]; then
            fail 2 "--token-file $token_file cannot be read" "check the name"
        fi
        join=$(tr -d ' \t\r\n' <"$token_file")
    fi
    [ -n "$join" ] || return 0
    case $join in
        *[!]A-Za-z0-9._:/?=\&%~[-]*) fail 2 "the join string holds characters that none has" "copy all of it, within quotes" ;;
        grid://?*\?*) ;;
        *) fail 2 "a join string looks like grid://HOST:PORT?..." "copy all of it, within quotes" ;;
    esac
    address=${join#grid://}
    address=${address%%\?*}
    address=${address%/}
    case $address in
        -* | */*) fail 2 "a join string looks like grid://HOST:PORT?..." "copy all of it, within quotes" ;;
        *]:* | *[!]]:*[0-9]) ;;
        *) address=$address:7001 ;;
    esac
    ca=$(parameter ca)
    [ -n "$url" ] || url=http${ca:+s}://$address
    downloads=$(parameter d)
    release_key=$(parameter rk)
    case $release_key in
        *[!A-Za-z0-9+/=]* | '') fail 2 "the join string holds no release key (rk=)" "copy all of it, within quotes" ;;
    esac
}

# The value of a parameter of the join string, percent-decoded as far as base64 needs it.
parameter() {
    printf '%s\n' "${join#*\?}" | tr '&' '\n' | sed -n "s/^$1=//p" |
        sed -e 's/%2[Bb]/+/g' -e 's|%2[Ff]|/|g' -e 's/%3[Dd]/=/g' -e 1q
}

is_member() { [ -f "$state/identity/id" ]; }

check_origin() {
    [ -n "$join" ] || is_member ||
        fail 2 "this machine is in no grid yet, and there is no join string" \
            "paste what gridctl agent join-command prints where the master is"
    [ -n "$url" ] || [ -n "$from" ] ||
        fail 2 "there is nothing that says where the master is" "give a join string, --url http://HOST:7001 or --from DIR"
    case $url in
        *@*) fail 2 "--url $url names a user, and what stands before @ is no host" "write it like http://HOST:7001" ;;
        '' | http://?* | https://?*) ;;
        *) fail 2 "--url $url is no URL" "write it like http://HOST:7001" ;;
    esac
    [ -n "$from" ] || have curl || have wget ||
        fail 1 "neither curl nor wget is here, so nothing can be downloaded" \
            "install one, or copy the programs here and use --from DIR"
}

# Temporary things, and what was half done, go whenever this script ends.
clean_up() {
    status=$?
    trap - EXIT
    if [ -z "$done" ]; then
        [ -z "$stage" ] || rm -rf "$stage"
        [ -z "$new_launcher" ] || rm -f "$new_launcher"
        [ -z "$turn" ] || undo_state
    fi
    [ -z "$turn" ] || rm -f "$turn"
    [ -n "$done" ] || undo_directories
    [ -z "$stopped" ] || launch # the agent that ran before
    [ -z "$work" ] || rm -rf "$work"
    exit "$status"
}

# What runs left that were killed, for a join string may be in it. Their pid is in the name.
remove_stale_work() {
    for directory in "${TMPDIR:-/tmp}"/grid-install.*.*; do
        pid=${directory#"${TMPDIR:-/tmp}/grid-install."}
        [ -d "/proc/${pid%%.*}" ] || rm -rf "$directory"
    done
}

begin_work() {
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    umask 077
    for path in "$state"/*; do before="$before ${path##*/}"; done
    remove_stale_work
    work=$(mktemp -d "${TMPDIR:-/tmp}/grid-install.$$.XXXXXX") ||
        fail 1 "there is no directory for temporary files" "make /tmp, or name one in TMPDIR"
    [ -z "$join" ] || printf '%s\n' "$join" >"$work/join"
    join=''
    printf 'timeout = 30\ntries = 3\n' >"$work/wgetrc"
}

# Makes a directory with this mode, and remembers what was not there before.
make_directory() {
    missing='' directory=$1
    while [ ! -d "$directory" ]; do
        missing="$directory $missing"
        directory=${directory%/*}
        [ -n "$directory" ] || directory=/
    done
    for directory in $missing; do
        mkdir "$directory" || fail 1 "cannot make $directory" "see the message above"
        chmod "$2" "$directory"
        made="$directory $made"
    done
}

# One run at a time: a link is made at once with the pid that it names.
take_turn() {
    if ! ln -s "$$" "$builds/installing" 2>/dev/null; then
        other=$(readlink "$builds/installing") || other=0
        [ ! -d "/proc/$other" ] ||
            fail 1 "another install.sh (pid $other) is at work in $state" \
                "wait until it has ended; if that is another program, remove $builds/installing"
        rm -f "$builds/installing"
        ln -s "$$" "$builds/installing" || fail 1 "cannot write to $builds" "see the message above"
    fi
    turn=$builds/installing
}

# What an attempt to enroll leaves behind belongs to no member and is worth nothing. What somebody else put there
# meanwhile is not ours.
undo_state() {
    for path in $state_names; do
        case " $before " in
            *" $path "*) ;;
            *) is_member || rm -rf "${state:?}/$path" ;;
        esac
    done
    case " $before " in
        *" nodes "*) ;;
        *) is_member || rmdir "$state/nodes" 2>/dev/null || : ;;
    esac
}

undo_directories() {
    for directory in $made; do
        rmdir "$directory" 2>/dev/null || :
    done
}

# get URL FILE BYTES: takes no more than about that many bytes. The words of a failure are in $work/http, its HTTP
# status, if any, in $http_status. The join token is shown only where the join string says that the master gives no files
# to strangers, and to nobody but the master: else anybody who answers in its place need only ask.
get() {
    download "$@" && return 0
    case $http_status in
        401 | 403) [ "$downloads" = closed ] && [ -z "$credential" ] || return 1 ;;
        *) return 1 ;;
    esac
    [ -s "$work/join" ] || return 1
    [ -n "$proven" ] || fail_unproven
    credential=1
    printf 'header = "Authorization: Bearer %s"\n' "$(join=$(cat "$work/join") && parameter t)" >"$work/curlrc"
    sed 's/"//g' "$work/curlrc" >>"$work/wgetrc"
    download "$@"
}

fail_unproven() {
    case $url in
        https://*) fail 4 "the master gives files only to machines with a token, and nothing here can prove that it is the master" \
            "install curl, or copy the programs here and use --from DIR" ;;
    esac
    fail 4 "the master at $url gives files only to machines with a token (--public-downloads=off), and over plain HTTP anybody could ask for it" \
        "let the master speak TLS (--tls on) and get a new line; or copy the programs here and use --from DIR; or --insecure"
}

# A master whose CA no machine knows proves itself by the pin of its key. Without a pin, or a program that compares it,
# what is downloaded is proven by its digest all the same, but nothing secret is sent. Plain HTTP proves nothing, but for
# a master on this very machine.
choose_proof() {
    own_ca='' wget_pins='' proven=1
    case $url in
        https://*) ;;
        http://localhost | http://localhost:*[0-9] | http://127.0.0.1 | http://127.0.0.1:*[0-9] | 'http://[::1]' | \
            'http://[::1]:'*[0-9]) return 0 ;;
        *) proven=$insecure; return 0 ;;
    esac
    pin=$(builds_text | sed -n 's/^pin //p')
    [ -n "$pin$ca" ] || return 0
    own_ca=1
    if [ -z "$pin" ]; then
        proven=''
    elif ! have curl; then
        if wget --help 2>&1 | grep -q pinnedpubkey; then wget_pins=1; else proven=''; fi
    fi
}

# Secrets go by files, for everybody here can see arguments. So do wget's limits: the busybox of Debian 12 crashes when
# it is given a time limit as an option, and reads no such file. GNU wget gives the status 401 only beside the dots.
download() {
    http_status=''
    if have curl; then
        set -- "$3" curl -fsS --connect-timeout 10 --speed-limit 1 --speed-time 30 -o "$2" "$1" \
            ${own_ca:+-k} ${pin:+--pinnedpubkey "$pin"} ${credential:+-K "$work/curlrc"}
    else
        set -- "$3" wget ${own_ca:+--no-check-certificate} ${wget_pins:+--pinnedpubkey="$pin"} -O "$2" "$1"
    fi
    WGETRC=$work/wgetrc LC_ALL=C limited "$@" 2>"$work/http" && return 0
    http_status=$(sed -n -e 's/.*error: \([0-9][0-9][0-9]\).*/\1/p' -e 's/.*ERROR \([0-9][0-9][0-9]\).*/\1/p' \
        -e 's|.*error: HTTP/1.[01] \([0-9][0-9][0-9]\).*|\1|p' -e 's/.*\.\.\. \([45][0-9][0-9]\) .*/\1/p' \
        "$work/http" | tail -n 1)
    return 1
}

# limited BYTES COMMAND...: what answers may send without end. A file stops growing a little above this, at twice of it
# in shells that count by 1024, and the command fails.
limited() (
    trap '' XFSZ
    ulimit -f $(($1 / 512 + 64)) 2>/dev/null || :
    shift
    "$@"
)

# Says why a download failed; called with what was wanted and what to do when the master has it not.
fail_download() {
    case $http_status in
        404) fail 3 "the master at $url has no $1" "$2" ;;
        401 | 403) fail 4 "the master at $url does not give $1 to this machine (--public-downloads=off)" \
            "use a fresh join string, with curl or GNU wget here; or copy the programs here and use --from DIR" ;;
        429 | 503) fail 6 "the master at $url is busy (HTTP $http_status)" "try again in a minute" ;;
        [0-9]*) fail 1 "the master at $url refused $1 (HTTP $http_status)" "look at the master's log" ;;
    esac
    fail_if_full
    ! grep -q -e '(23)' -e 'File too large' "$work/http" || not_a_master
    fail 6 "cannot download $1 from $url: $(tail -n 1 "$work/http")" \
        "check that this machine reaches $url: a firewall, or a master that listens on loopback only (--http)"
}

# When the file system that we download to takes no more.
fail_if_full() {
    [ -n "$target" ] || return 0
    full=''
    (printf '%4096s' '' >"${target%/*}/.room") 2>/dev/null || full=1
    rm -f "${target%/*}/.room"
    [ -z "$full" ] || fail 1 "no room left in ${target%/*}" "make room there, or choose another --state and --prefix"
}

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

# The build goes to a directory named by what is in it, which nothing uses until the links say so.
place_build() {
    look_up grid-agent
    build=$found-$sha256 agent_version=$found
    make_directory "$state" 700
    make_directory "$builds" 700
    take_turn
    stage=$(mktemp -d "$builds/.new-XXXXXX") || fail 1 "cannot write to $builds" "see the message above"
    say "Downloading grid-agent $found for linux/$arch from ${from:-$url} ..."
    mkdir "$stage/build"
    fetch "$stage/build/grid-agent"
    chmod 500 "$stage/build/grid-agent"
    words=$("$stage/build/grid-agent" --version 2>&1) ||
        fail 1 "grid-agent $found does not run on this machine: $words" \
            "push a static build (ci/release makes them); if it says Permission denied, $state allows no programs: --state"
}

place_launcher() {
    look_up grid-launcher
    make_directory "$library" 755
    new_launcher=$library/.grid-launcher.new
    fetch "$new_launcher"
    chmod 755 "$new_launcher"
    "$new_launcher" --version >/dev/null 2>&1 ||
        fail 1 "grid-launcher $found does not run on this machine" "push a static build (ci/release makes them)"
}

write_settings() {
    if [ -f "$config" ]; then
        settings=$config
        [ -z "$id$labels$nodes$node_ports" ] ||
            say "Note: $config is there already and stays as it is: --id, --label, --nodes, --node-ports change nothing."
        return
    fi
    settings=$work/agent.ini
    {
        say "# Settings of the grid's agent on this machine; grid-agent --help says what there is."
        say "[agent]"
        [ -z "$id" ] || say "agent_id = \"$id\""
        [ -z "$nodes" ] || say "nodes = $nodes"
        [ -z "$node_ports" ] || say "node_ports = $node_ports"
        [ -z "$labels" ] || say "labels = \"$labels\""
    } >"$settings"
}

# The join string goes through a file that only we can read, and that is gone when we end.
ask_to_join() {
    status=0
    "$stage/build/grid-agent" --state "$state" --config "$settings" --token-file "$work/join" --enroll-within 20s \
        >"$work/enroll" 2>&1 || status=$?
}

# A member stays what it is, unless the master says that it was removed. Its agent still runs then, and holds its state.
enroll() {
    if [ -s "$work/join" ]; then
        ask_to_join
        if [ "$status" -eq 5 ] && launcher_pid >/dev/null; then
            stopped=1
            stop_agent
            ask_to_join
        fi
        rm -f "$work/join"
        if [ "$status" -ne 0 ] || ! is_member; then
            grep -v '^20[0-9][0-9]-' "$work/enroll" >&2 || :
            [ "$status" -ne 0 ] || status=1
            fail "$status" "this machine could not join the grid" "do what is said above, and run the same command again"
        fi
    fi
    member=$(cat "$state/identity/id")
    if grep -q 'enroll\.done' "$work/enroll" 2>/dev/null; then
        say "Enrolled as $member."
    else
        say "This machine is a member already, as $member; its identity is kept."
    fi
}

# From here on only names change: first of all that of the current build.
commit() {
    if [ "$(sha256_of "$builds/$build/grid-agent" 2>/dev/null)" != "${build##*-}" ]; then
        rm -rf "${builds:?}/$build"
        mv "$stage/build" "$builds/$build"
    fi
    "$new_launcher" --state "$state" --use "$build" || fail 1 "cannot make $build the current build" "see the message above"
    done=1
    rm -rf "$stage"
    mv -f "$new_launcher" "$launcher"
    new_launcher=''
    make_directory "${config%/*}" 755
    make_directory "$prefix/bin" 755
    if [ "$settings" != "$config" ]; then
        cp "$settings" "$config.new"
        chmod 644 "$config.new"
        mv -f "$config.new" "$config"
    fi
    if [ -f "$0" ] && [ "$0" != "$library/install.sh" ] && grep -q '^# Makes this machine a member of a grid' "$0"; then
        # without the table: it upgrades this machine to builds that are not there yet
        sed "/<<'BUILDS'\$/,/^BUILDS\$/{/^[0-9a-f#]/d;}" "$0" >"$library/install.sh"
        chmod 755 "$library/install.sh"
        own_script=1
    fi
    place_link "$launcher" "$prefix/bin/grid-launcher"
    place_link "$builds/current/grid-agent" "$prefix/bin/grid-agent"
    remove_old_builds
}

# A program that somebody else put there stays.
place_link() {
    if [ -L "$2" ] || [ ! -e "$2" ]; then
        ln -sf "$1" "$2"
    else
        say "Note: $2 is no link of ours and stays as it is; what was installed is $1."
    fi
}

remove_old_builds() {
    for directory in "$builds"/* "$builds"/.new-*; do
        if [ ! -d "$directory" ] || [ -L "$directory" ]; then continue; fi
        case ${directory##*/} in
            "$(readlink "$builds/current")" | "$(readlink "$builds/previous" || :)") ;;
            *) rm -rf "$directory" ;;
        esac
    done
}

write_unit() {
    unit_text | sed -e "s|/usr/local/lib/grid/grid-launcher|$launcher|" -e "s|/var/lib/grid-agent|$state|" \
        -e "s|/etc/grid/agent.ini|$config|" >"$unit.new"
    chmod 644 "$unit.new"
    mv -f "$unit.new" "$unit"
}

# runs PID WORD: whether a process of this number lives and was started with this word, or works in this directory.
runs() {
    [ -r "/proc/$1/cmdline" ] || return 1
    tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF -- "$2" || [ "$(readlink "/proc/$1/cwd" 2>/dev/null)" = "$2" ]
}

has_ended() { ! runs "$@"; }

# The pid that a lock names, if it is of a process on our state directory.
holder_of() {
    pid=$(sed -n 's/^pid \([0-9][0-9]*\)$/\1/p' "$1" 2>/dev/null) && [ -n "$pid" ] && runs "$pid" "$state" && say "$pid"
}

launcher_pid() { holder_of "$builds/lock"; }

both_run() { holder_of "$state/lock" >/dev/null && launcher_pid >/dev/null; }

# wait_until COMMAND...: for 20 s, looking ten times a second, or once where sleep knows no fractions.
wait_until() {
    naps=0
    until "$@"; do
        [ "$naps" -lt 200 ] || return 1
        sleep 0.1 2>/dev/null || sleep 1
        naps=$((naps + 1))
    done
}

stop_process() {
    kill "$1" 2>/dev/null || return 0
    wait_until has_ended "$1" "$2" || kill -9 "$1" 2>/dev/null || :
}

# The nodes live on.
stop_agent() {
    if has_systemd && [ -f "$unit" ]; then systemctl stop grid-agent || :; fi
    if pid=$(launcher_pid); then stop_process "$pid" "$state"; fi
}

# Starts what is installed: in a clean environment, as after a reboot, without a terminal that could hang up.
launch() {
    if has_systemd && [ -f "$unit" ]; then
        systemctl restart grid-agent
        return
    fi
    in_background='nohup'
    if have setsid; then in_background='setsid'; fi
    env -i PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$in_background" "$launcher" \
        --state "$state" -- --config "$config" </dev/null >>"$builds/log" 2>&1 &
}

start_agent() {
    log=$builds/log
    if has_systemd; then
        log="journalctl -u grid-agent"
        write_unit
        systemctl daemon-reload
        systemctl enable --quiet grid-agent
    fi
    stop_agent
    stopped=''
    launch
    if wait_until both_run; then return; fi
    [ ! -f "$builds/log" ] || tail -n 5 "$builds/log" >&2
    fail 1 "the agent is installed, but does not come up" "look at its log: $log"
}

# What starts the agent after a reboot where systemd does not.
say_how_to_boot() {
    command="$launcher --state $state -- --config $config </dev/null >>$log 2>&1"
    say "There is no systemd here, so nothing starts the agent after a reboot yet. This does:"
    if have rc-update && [ "$(id -u)" = 0 ]; then
        say "  echo '$command &' >/etc/local.d/grid-agent.start; chmod +x /etc/local.d/grid-agent.start; rc-update add local"
    elif have crontab; then
        say "  (crontab -l; echo '@reboot $command') | crontab -"
    else
        say "  $command &"
        say "run by what starts things here, /etc/rc.local for one."
    fi
}

report() {
    say ""
    say "grid-agent $agent_version runs as $(cat "$state/identity/id"). Signatures: $signatures."
    say "  Programs   $library, links in $prefix/bin"
    say "  Settings   $config"
    say "  Data       $state"
    [ -z "$start" ] || say "  Log        $log"
    if [ -n "$own_script" ]; then say "  Undo       sh $library/install.sh --uninstall$(options_again)"; fi
    if [ -n "$start" ] && ! has_systemd; then say_how_to_boot; fi
    say "See it where the master is: gridctl agent show $(cat "$state/identity/id")"
}

say_plan() {
    look_up grid-agent
    say "Would install grid-agent $found for linux/$arch ($size bytes, SHA-256 $sha256) from ${from:-$url}"
    say "  to $builds/$found-$sha256"
    look_up grid-launcher
    say "Would install grid-launcher $found to $launcher, with links in $prefix/bin"
    if is_member; then
        say "Would keep the identity of $(cat "$state/identity/id"), unless the master has removed it"
    else
        say "Would enroll this machine as ${id:-its host name}"
    fi
    if [ -f "$config" ]; then say "Would keep $config"; else say "Would write $config"; fi
    if [ -z "$start" ]; then
        say "Would start nothing"
    elif has_systemd; then
        say "Would write $unit, and start it now and at every boot"
    else
        say "Would start $launcher in the background, its log in $builds/log (there is no systemd here)"
    fi
    say "Nothing was changed."
}

has_user() { grep -q '^grid-node:' /etc/passwd 2>/dev/null; }

# Nodes run as this user, which owns nothing but their data.
make_user() {
    if [ "$(id -u)" != 0 ] || [ "$state" != /var/lib/grid-agent ] || has_user; then return; fi
    if have useradd; then
        useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin grid-node >/dev/null 2>&1 || :
    elif have adduser; then
        adduser -S -D -H -h / -s /sbin/nologin grid-node >/dev/null 2>&1 || :
    fi
    has_user || say "Note: there is no user grid-node and none could be made, so storage nodes run as root."
}

remove_user() { if have userdel; then userdel grid-node; else deluser grid-node; fi >/dev/null 2>&1; }

install_agent() {
    find_platform
    check_rights
    read_join
    check_origin
    choose_proof
    begin_work
    if [ -n "$dry_run" ]; then
        say_plan
        return
    fi
    place_build
    place_launcher
    make_user
    write_settings
    enroll
    commit
    [ -z "$start" ] || start_agent
    report
}

# Nodes outlive their agent; each wrote its pid into the lock of its data directory.
node_pids() {
    for lock in "$state"/nodes/*/data/lock; do
        [ -f "$lock" ] || continue
        pid=$(sed -n 's/.*"pid":\([0-9][0-9]*\).*/\1/p' "$lock")
        if [ -n "$pid" ] && runs "$pid" "${lock%/lock}"; then say "$pid ${lock%/lock}"; fi
    done
}

# do_or_say WORDS COMMAND...
do_or_say() {
    words=$1
    shift
    if [ -n "$dry_run" ]; then
        say "Would $words"
    else
        "$@"
    fi
}

stop_nodes() {
    node_pids | while read -r pid directory; do
        do_or_say "stop the storage node of $directory (pid $pid)" stop_process "$pid" "$directory"
    done
}

disable_unit() {
    systemctl disable --quiet --now grid-agent || :
    rm -f "$unit"
    systemctl daemon-reload
}

# Our link and nobody else's.
remove_link() {
    [ "$(readlink "$1" 2>/dev/null)" = "$2" ] || return 0
    do_or_say "remove $1" rm -f "$1"
}

remove_state() {
    for path in $state_names ${purge:+nodes} "$state"/identity.*; do
        path=$state/${path#"$state/"}
        if [ -e "$path" ] || [ -L "$path" ]; then do_or_say "remove $path" rm -rf "$path"; fi
    done
    [ -n "$dry_run" ] || rmdir "$state/nodes" "$state" 2>/dev/null || :
}

is_installed() {
    [ -e "$launcher" ] || [ -d "$builds" ] || { [ -n "$purge" ] && [ -d "$state/nodes" ]; }
}

# The link to the agent tells whose state directory the launcher below our prefix serves.
check_owner() {
    owner=$(readlink "$prefix/bin/grid-agent" 2>/dev/null) || return 0
    if [ "$owner" != "$builds/current/grid-agent" ] && [ -e "$owner" ]; then
        fail 2 "what is in $library is not of $state but runs $owner" \
            "give the --state and --prefix that it was installed with"
    fi
}

uninstall_agent() {
    if ! is_installed; then
        say "Nothing is installed in $library and $state."
        return
    fi
    check_rights
    check_owner
    member=$(cat "$state/identity/id" 2>/dev/null) || member=ID
    if has_systemd && [ -f "$unit" ]; then
        do_or_say "stop grid-agent and remove $unit" disable_unit
    fi
    if pid=$(launcher_pid); then do_or_say "stop the agent (launcher pid $pid)" stop_process "$pid" "$state"; fi
    stop_nodes
    remove_link "$prefix/bin/grid-agent" "$builds/current/grid-agent"
    remove_link "$prefix/bin/grid-launcher" "$launcher"
    for path in "$launcher" "$library/install.sh" "$config"; do
        [ ! -e "$path" ] || do_or_say "remove $path" rm -f "$path"
    done
    [ -n "$dry_run" ] || rmdir "$library" "${config%/*}" 2>/dev/null || :
    remove_state
    if [ -n "$purge" ] && [ "$state" = /var/lib/grid-agent ] && has_user; then
        do_or_say "remove user grid-node" remove_user
    fi
    if [ -n "$dry_run" ]; then
        say "Nothing was changed."
    elif [ -d "$state/nodes" ]; then
        say "Removed. The data of the storage nodes is kept in $state/nodes (--purge removes it, too)."
    else
        say "Removed."
    fi
    [ -n "$dry_run" ] || say "Next, where the master is: gridctl agent rm $member --force"
}

main() {
    defaults
    parse "$@"
    settle_places
    check_tools
    if [ -n "$uninstall" ]; then
        uninstall_agent
    else
        install_agent
    fi
}

main "$@"
