# Part of install.sh. Temporary things, and the way back when it fails or is stopped.

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

# What the agent and this script make in the state directory, but for the nodes; it may have other uses.
state_names='agent current desired.json failed.json identity journal lock previous store tmp tuf'

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
