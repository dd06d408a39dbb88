# Part of install.sh. Downloads, from nobody but the master, and why one failed.

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
