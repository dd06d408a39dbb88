# Part of install.sh. How it speaks, and how it fails.

say() { printf '%s\n' "$*"; }

# fail EXIT-CODE MESSAGE NEXT-STEP
fail() {
    printf 'install.sh: %s\nNext: %s\n' "$2" "$3" >&2
    exit "$1"
}

have() { command -v "$1" >/dev/null 2>&1; }

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

# wait_until COMMAND...: for 20 s, looking ten times a second, or once where sleep knows no fractions.
wait_until() {
    naps=0
    until "$@"; do
        [ "$naps" -lt 200 ] || return 1
        sleep 0.1 2>/dev/null || sleep 1
        naps=$((naps + 1))
    done
}
