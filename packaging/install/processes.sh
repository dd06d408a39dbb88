# Part of install.sh. The agent, its launcher and its nodes as processes.

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

stop_process() {
    kill "$1" 2>/dev/null || return 0
    wait_until has_ended "$1" "$2" || kill -9 "$1" 2>/dev/null || :
}

# The nodes live on.
stop_agent() {
    if has_systemd && [ -f "$unit" ]; then systemctl stop grid-agent || :; fi
    if pid=$(launcher_pid); then stop_process "$pid" "$state"; fi
}

write_unit() {
    unit_text | sed -e "s|/usr/local/lib/grid/grid-launcher|$launcher|" -e "s|/var/lib/grid-agent|$state|" \
        -e "s|/etc/grid/agent.ini|$config|" >"$unit.new"
    chmod 644 "$unit.new"
    mv -f "$unit.new" "$unit"
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

# Nodes outlive their agent; each wrote its pid into the lock of its data directory.
node_pids() {
    for lock in "$state"/nodes/*/data/lock; do
        [ -f "$lock" ] || continue
        pid=$(sed -n 's/.*"pid":\([0-9][0-9]*\).*/\1/p' "$lock")
        if [ -n "$pid" ] && runs "$pid" "${lock%/lock}"; then say "$pid ${lock%/lock}"; fi
    done
}
