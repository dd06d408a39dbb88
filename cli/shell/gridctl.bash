
# The line is read as text and never evaluated; only plain names come from a master into the shell.
_gridctl_ask() {
    gridctl "${master[@]}" "$1" list -o name --timeout 2s 2>/dev/null </dev/null | grep -xE '[A-Za-z0-9._/+-]+'
}

_gridctl_names() {
    if [[ $1 == version ]]; then
        _gridctl_ask binary | sed -E 's/^[a-z0-9_-]+-([0-9]+\.[0-9]+\.[0-9]+.*)-[a-z]+-[a-z0-9_]+$/\1/' | sort -u
    else
        _gridctl_ask "$1"
    fi
}

# Sorts the words before the cursor: noun, verb, how many arguments, which master, and the option
# whose value comes next.
_gridctl_read() {
    local word
    for word in "$@"; do
        if [[ $before ]]; then
            case $before in --url | --state | --token-file) master+=("$before=${word/#\~/$HOME}") ;; esac
            before=''
        elif [[ $word == --url=* || $word == --state=* || $word == --token-file=* ]]; then
            master+=("$word")
        elif [[ " $_gridctl_taking " == *" $word "* ]]; then
            before=$word
        elif [[ $word == -* ]]; then
            continue
        elif [[ ! $noun ]]; then
            noun=$word
        elif [[ ! $verb && " $_gridctl_groups " == *" $noun "* ]]; then
            verb=$word
        else
            ((count += 1))
        fi
    done
}

_gridctl() {
    local line=${COMP_LINE:0:COMP_POINT} current='' before='' noun='' verb='' count=0 kind values candidates='' REPLY=''
    local -a words master=()
    COMPREPLY=()
    read -ra words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        current=${words[-1]}
        unset 'words[-1]'
    fi
    _gridctl_read "${words[@]:1}"
    if [[ ! $before && $current == --*=* ]]; then
        before=${current%%=*}
        current=${current#*=}
    fi
    if [[ $before || $current != -* ]]; then _gridctl_values "$noun $verb ${before:-$count}"; fi
    if [[ ! $before && ! $REPLY ]]; then _gridctl_flags "$noun $verb"; fi
    read -r kind values <<<"$REPLY"
    case $kind in
    words) candidates=$values ;;
    names) candidates=$(_gridctl_names "$values") ;;
    directories) compopt -o dirnames 2>/dev/null ;;
    esac
    [[ $kind == files ]] || compopt +o default 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
}
complete -o default -F _gridctl gridctl
