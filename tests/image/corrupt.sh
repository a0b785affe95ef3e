#!/bin/sh
# corrupt.sh - no snapshot, whatever is in it, makes its reader fail in any other way than with a message.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"
# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

FREEHOLD_SITES=0
export FREEHOLD_SITES
run_on_freehold "$HELPERS/damage" none
ok "$FREEHOLD" snapshot --stop "$pid" -o sound.snap
stop
"$HELPERS/corrupt" sound.snap changed.snap "${ROUNDS:-40}" >out 2>err || fail "status $?: $(cat out) $(tail -30 err)"
finish
