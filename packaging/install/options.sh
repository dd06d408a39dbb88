# Part of install.sh. What it is told: options, join string, and the places that follow from them.

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
