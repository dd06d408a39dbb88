#!/bin/sh
# Makes this machine a member of a grid: downloads grid-agent and grid-launcher from the grid's master, proves them,
# enrolls, installs and starts them. Needs a shell, curl or wget, and the usual small tools; busybox has them all.
# Everything happens in functions, called by the last line: a download that was cut off runs nothing.
# shellcheck source-path=SCRIPTDIR
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

# The parts, which become one file when the master is built (packaging/CMakeLists.txt).
. "${0%/*}/install/words.sh"
. "${0%/*}/install/options.sh"
. "${0%/*}/install/machine.sh"
. "${0%/*}/install/undo.sh"
. "${0%/*}/install/download.sh"
. "${0%/*}/install/builds.sh"
. "${0%/*}/install/place.sh"
. "${0%/*}/install/processes.sh"
. "${0%/*}/install/report.sh"
. "${0%/*}/install/uninstall.sh"

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
