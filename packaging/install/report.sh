# Part of install.sh. What was done, or would be.

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
