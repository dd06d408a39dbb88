# Part of install.sh. The way out again.

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
