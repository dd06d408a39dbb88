#!/bin/sh
# A deployment with gridctl, step by step for a CI pipeline (ci-pipeline.yml), or all of it at once by hand.
#
#   deploy.sh [verify|plan|start|diagnose] FILE
#
#   verify     publishes FILE, unless these very bytes are there already, and compares what is published with it
#   plan       whom it would move, in which batches, at which risk; fails when it would be refused
#   start      moves the agents and waits: exit code 0 completed, 7 taken back or stopped, 124 after TIMEOUT
#   diagnose   every machine of the newest rollout, what failed there and how, and what is quarantined
#   (none)     verify, plan, start, and diagnose when that fails
#
# GRID_URL and GRID_TOKEN say which grid (gridctl token create --role publisher). SELECTOR, CANARY, MAX_PARALLEL,
# MIN_HEALTHY, PROBATION, TIMEOUT may be set; see gridctl rollout start --help.
set -eu

step=${1:-}
case $step in
verify | plan | start | diagnose) shift ;;
*) step=all ;;
esac
file=${1:-}
if [ "$step" != diagnose ] && [ ! -f "$file" ]; then
    echo "usage: deploy.sh [verify|plan|start|diagnose] FILE" >&2
    exit 2
fi
base=${file##*/} # NAME-VERSION-PLATFORM-ARCH
rest=${base%-*-*}
version=$(printf '%s\n' "$rest" | sed -n 's/^.*[a-z]-\([0-9][0-9]*\.[0-9][0-9]*\.[0-9].*\)$/\1/p')
name=${rest%-"$version"}

verify() {
    gridctl binary push "$file"
    gridctl binary verify "$file"
}

# with_policy COMMAND...: the command with the same choices for plan and start.
with_policy() {
    "$@" --name "$name" --version "$version" --selector "${SELECTOR:-}" --canary "${CANARY:-1}" \
        --max-parallel "${MAX_PARALLEL:-10%}" --min-healthy "${MIN_HEALTHY:-30s}" --probation "${PROBATION:-2m}"
}

plan() { with_policy gridctl rollout plan; }

start() { with_policy gridctl rollout start --yes --timeout "${TIMEOUT:-1h}"; }

diagnose() {
    gridctl rollout status -o wide
    gridctl quarantine list
}

all() {
    verify
    plan
    code=0
    start || code=$?
    if [ "$code" -ne 0 ]; then diagnose; fi
    exit "$code"
}

"$step"
