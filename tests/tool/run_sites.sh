#!/bin/sh
# run_sites.sh - `freehold run --sites` and `--profile`: of the command itself, and not of what it starts.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

set_by() { # VARIABLES... OPTIONS: what the command finds in its environment
    "$FREEHOLD" run "$@" -- sh -c 'echo "$$ $FREEHOLD_PROFILE_PID $FREEHOLD_SITES $FREEHOLD_PROFILE"' >out 2>err ||
        fail "run $*: status $?: $(cat err)"
    [ ! -s err ] || fail "run $*: $(cat err)"
    read -r own pid rest <out
}
unset FREEHOLD_SITES FREEHOLD_PROFILE FREEHOLD_PROFILE_PID
set_by --sites
[ "$own $rest" = "$pid 1" ] || fail "--sites: $(cat out)"
set_by --sites --profile
[ "$own $rest" = "$pid 1 -" ] || fail "--sites --profile: $(cat out)"
set_by --report
[ -z "$pid$rest" ] || fail "without either: $(cat out)"

"$FREEHOLD" run --profile=profile.%p -- "$HELPERS/helper_fork" "$HELPERS/helper_exit" >out 2>err || fail "status $?"
read -r parent child <out
[ -s "profile.$parent" ] || fail "no profile of $parent: $(ls)"
[ ! -e "profile.$child" ] || fail "a profile of $child, which is another program: $(ls)"
expect 2 "" "freehold run: --profile= lacks the name of a file; --profile alone writes none; see freehold help run" \
    "$FREEHOLD" run --profile= -- true
finish
