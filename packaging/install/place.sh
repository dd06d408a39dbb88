# Part of install.sh. Programs, settings and the identity get to their places.

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
