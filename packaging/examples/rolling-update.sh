#!/bin/sh
# Publishes a build, moves the grid to it step by step, and follows until that has ended. An example of the REST
# interface: it needs sh, curl and the tools of POSIX, nothing else.
#
#   GRID_TOKEN=... GRID_URL=http://127.0.0.1:7001 rolling-update.sh FILE [SELECTOR]
#
#   FILE        named NAME-VERSION-PLATFORM-ARCH, such as storage-server-1.1.0-linux-x86_64
#   SELECTOR    labels of the agents to move, such as rack=b,role!=edge; without it all of them
#   GRID_TOKEN  a token that may publish and move agents: gridctl token create --role publisher
#   CANARY, MAX_PARALLEL, MIN_HEALTHY_S, PROBATION_S    how carefully; the master's defaults without them
#   GRID_TIMEOUT_S                                      how long to follow, an hour without it
#
# Exit codes: 0 every agent runs it, 7 it was taken back or stopped, 124 still under way after GRID_TIMEOUT_S,
# 2 wrong usage, 1 anything else.
set -eu

url=${GRID_URL:-http://127.0.0.1:7001}
file=${1:-}
selector=${2:-}
if [ ! -f "$file" ] || [ -z "${GRID_TOKEN:-}" ]; then
    echo "usage: GRID_TOKEN=... [GRID_URL=...] rolling-update.sh FILE [SELECTOR]" >&2
    exit 2
fi
base=${file##*/}
arch=${base##*-} rest=${base%-*}
platform=${rest##*-} rest=${rest%-*}
version=$(printf '%s\n' "$rest" | sed -n 's/^.*[a-z]-\([0-9][0-9]*\.[0-9][0-9]*\.[0-9].*\)$/\1/p')
name=${rest%-"$version"}
if [ -z "$version" ]; then
    echo "rolling-update: $base is not named NAME-VERSION-PLATFORM-ARCH" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

say() { echo "rolling-update: $*" >&2; }

# field NAME: the last string with this name in the JSON on stdin; count NAME: the last number.
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
count() { sed -n 's/.*"'"$1"'":\([0-9][0-9]*\).*/\1/p'; }

# call METHOD PATH [options of curl]: leaves the body in $work/answer. 1: refused, and why is said; 6: no answer.
# The token goes by a pipe: arguments can be read by others.
call() {
    method=$1 path=$2
    shift 2
    status=$(printf 'header = "Authorization: Bearer %s"\n' "$GRID_TOKEN" |
        curl -sS --max-time 300 --config - -X "$method" -o "$work/answer" -w '%{http_code}' "$@" "$url$path" \
            2>"$work/error") || return 6
    case $status in
    2*) return 0 ;;
    esac
    say "$method $path: $status $(field detail <"$work/answer")"
    hint=$(field hint <"$work/answer")
    if [ -n "$hint" ]; then say "next: $hint"; fi
    return 1
}

# The same for a step that cannot be left out.
must() {
    call "$@" && return
    case $? in
    6) say "no answer from $url: $(cat "$work/error")" ;;
    esac
    exit 1
}

say "publishing $base"
must PUT "/api/binaries/$version/$platform/$arch?name=$name" -T "$file"

body="{\"version\":\"$version\",\"name\":\"$name\",\"selector\":\"$selector\""
if [ -n "${CANARY:-}" ]; then body="$body,\"canary\":\"$CANARY\""; fi
if [ -n "${MAX_PARALLEL:-}" ]; then body="$body,\"max_parallel\":\"$MAX_PARALLEL\""; fi
if [ -n "${MIN_HEALTHY_S:-}" ]; then body="$body,\"min_healthy_s\":$MIN_HEALTHY_S"; fi
if [ -n "${PROBATION_S:-}" ]; then body="$body,\"probation_s\":$PROBATION_S"; fi
body="$body}"

must POST /api/rollouts/plan -H 'Content-Type: application/json' -d "$body"
say "$(count selected <"$work/answer") agents would move; at most $(count before_revert <"$work/answer") before a" \
    "bad version is taken back"
if grep -q '"conflict":{' "$work/answer"; then
    say "refused: $(field text <"$work/answer")"
    say "next: $(sed -n 's/.*"conflict":{\(.*\)/\1/p' <"$work/answer" | field hint)"
    exit 1
fi

# One key for all attempts: a lost answer starts no second rollout.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
attempts=0
until call POST /api/rollouts -H 'Content-Type: application/json' -H "Idempotency-Key: $key" -d "$body"; do
    attempts=$((attempts + 1))
    if [ ! -s "$work/error" ] || [ "$attempts" -ge 5 ]; then exit 1; fi
    sleep "$attempts"
done
id=$(field id <"$work/answer")
say "$id has begun; to stop it: curl -X POST $url/api/rollouts/$id/stop"

# Follow. A master that is away moves nothing meanwhile, and is waited for.
give_up=$(($(date +%s) + ${GRID_TIMEOUT_S:-3600}))
seen=
state=
while :; do
    if call GET "/api/rollouts/$id"; then
        state=$(field state <"$work/answer")
        now="$state: $(count committed <"$work/answer") of $(count selected <"$work/answer") moved,"
        now="$now $(count failed <"$work/answer") failed, $(count returned <"$work/answer") went back"
        reason=$(field reason <"$work/answer")
    else
        now="the master does not answer, trying again"
    fi
    if [ "$now" != "$seen" ]; then say "$id $now"; fi
    seen=$now
    case $state in
    completed) exit 0 ;;
    reverted | revert_stuck | stopped | superseded) break ;;
    esac
    if [ "$(date +%s)" -ge "$give_up" ]; then
        say "$id goes on; last: $state $reason"
        exit 124
    fi
    sleep 1
done

say "$id ended as $state: $reason"
# Who failed, and how: one machine a line, those with a cause.
if call GET "/api/rollouts/$id/agents"; then
    sed 's/},{/}\
{/g' "$work/answer" | grep -v '"cause":""' >&2 || true
fi
exit 7
