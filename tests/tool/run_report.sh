#!/bin/sh
# run_report.sh - `freehold run --report`: the account of the started process, of its children only when asked for.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

first="freehold: account of pid"
accounts() {
    sed -n "s/^$first \([0-9]*\) (.*).*/\1/p" err | sort | tr '\n' ' '
}

"$FREEHOLD" run "$HELPERS/helper_fork" >out 2>err || fail "status $?"
[ ! -s err ] || fail "a report without --report: $(cat err)"

"$FREEHOLD" run --report -- "$HELPERS/helper_fork" >out 2>err || fail "--report: status $?"
read -r parent child <out
[ "$(accounts)" = "$parent " ] || fail "--report of $parent (child $child) has accounts of: $(accounts)"
for item in live rounding cached free untouched metadata "= from the kernel" resident; do
    grep -q -e "$item" err || fail "--report does not say '$item'"
done
awk 'length > 80 { print; bad = 1 } END { exit bad }' err || fail "--report: over 80 columns"
[ -n "$child" ] || fail "the command's own output is gone"

"$FREEHOLD" run --report=all -- "$HELPERS/helper_fork" >out 2>err || fail "--report=all: status $?"
read -r parent child <out
[ "$(accounts)" = "$(printf '%s\n%s\n' "$parent" "$child" | sort | tr '\n' ' ')" ] ||
    fail "--report=all of $parent and $child has accounts of: $(accounts)"

"$FREEHOLD" run --report=all -- "$HELPERS/helper_fork" "$HELPERS/helper_exit" >out 2>err || fail "status $?"
grep -q "^$first [0-9]* (helper_exit)" err || fail "--report=all says nothing of an executed child: $(accounts)"
"$FREEHOLD" run --report -- "$HELPERS/helper_fork" "$HELPERS/helper_exit" >out 2>err || fail "--report: status $?"
read -r parent child <out
[ "$(accounts)" = "$parent " ] || fail "--report of $parent speaks of an executed child: $(accounts)"

# A command that a program turns into by exec is still the one that was started.
# shellcheck disable=SC2016
"$FREEHOLD" run --report -- sh -c 'exec "$1" 3' sh "$HELPERS/helper_exit" >out 2>err
[ $? = 3 ] || fail "the exit status is not kept with --report"
grep -q "^$first [0-9]* (helper_exit)" err || fail "--report is lost by exec: $(cat err)"

# Process 1, the first of a container, is one process as well.
if unshare --pid --fork --mount-proc true 2>/dev/null; then
    unshare --pid --fork --mount-proc "$FREEHOLD" run --report -- "$HELPERS/helper_fork" >out 2>err ||
        fail "--report as process 1: status $?"
    [ "$(accounts)" = "1 " ] || fail "--report as process 1 has accounts of: $(accounts)"
else
    skip_part "no new namespace of processes can be made here"
fi

# Programs that close their standard error at the end (all of coreutils do) report too.
"$FREEHOLD" run --report -- ls / >out 2>err || fail "ls: status $?"
grep -q "^$first [0-9]* (ls)" err || fail "--report says nothing for ls, which closes its standard error: $(cat err)"
finish
