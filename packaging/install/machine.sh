# Part of install.sh. What this machine is and has.

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

is_member() { [ -f "$state/identity/id" ]; }

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
