
# Only plain names come from a master into the shell.
_gridctl_ask() {
    gridctl $master $1 list -o name --timeout 2s 2>/dev/null </dev/null | grep -xE '[A-Za-z0-9._/+-]+'
}

# The noun comes last, behind what _arguments wants compadd to be told.
_gridctl_names() {
    local noun=${@[-1]}
    local -a names
    if [[ $noun == version ]]; then
        names=(${(fu)"$(_gridctl_ask binary | sed -E 's/^[a-z0-9_-]+-([0-9]+\.[0-9]+\.[0-9]+.*)-[a-z]+-[a-z0-9_]+$/\1/')"})
    else
        names=(${(f)"$(_gridctl_ask $noun)"})
    fi
    compadd "${@[1,-2]}" -a names
}

_gridctl_describe() {
    local -a rows
    _gridctl_rows $1
    _describe -t commands command rows
}

_gridctl() {
    local curcontext=$curcontext state='' command word before=''
    local -a line specs master
    local -A opt_args
    for word in "${(@Q)words[2,CURRENT-1]}"; do
        case $before in (--url|--state|--token-file) master+=("$before=${word/#\~/$HOME}") ;; esac
        case $word in (--url=*|--state=*|--token-file=*) master+=("$word") ;; esac
        before=$word
    done
    _gridctl_specs ''
    _arguments -C $specs '1: :->noun' '*:: :->rest'
    if [[ $state == noun ]]; then
        _gridctl_describe ''
        return
    fi
    [[ $state == rest ]] || return
    command=$words[1]
    if (( ${_gridctl_groups[(Ie)$command]} )); then
        state=''
        _arguments -C $specs '1: :->verb' '*:: :->rest'
        if [[ $state == verb ]]; then
            _gridctl_describe $command
            return
        fi
        [[ $state == rest ]] || return
        command+=" $words[1]"
    fi
    _gridctl_specs $command
    _arguments $specs
}

if [[ $funcstack[1] == _gridctl ]]; then
    _gridctl "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _gridctl gridctl
fi
