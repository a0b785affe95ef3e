#!/bin/sh
# limits.sh LIBRARY GOLDEN_SCENARIO GOLDEN_STEP COMPILER BUILD - the hard limits of the fast paths, by single-stepping.
# On the real kernel, and with no tool that may be missing. They hold for the compilers that have a golden file; what
# another one makes of the same source is told, not judged.
set -eu
library=$1 scenario=$2 step=$3 compiler=$4 build=$5
# shellcheck source=tests/golden/lib.sh
. "$(dirname "$0")/lib.sh"

need_counted_build
most_malloc=28
most_free=34

status=0
out=$("$step" "$library" "$scenario") || status=$?
echo "$out"
[ "$status" -eq 0 ] || exit "$status"
for limit in malloc:$most_malloc free:$most_free; do
    call=${limit%:*}
    counted=$(echo "$out" | awk -v call="$call" '$1 == call { print $2 }')
    if [ "${counted:-0}" -eq 0 ] || [ "$counted" -gt "${limit#*:}" ]; then
        echo "$call(64) that the cache serves takes ${counted:-0} instructions; the limit is ${limit#*:}"
        status=1
    fi
done
if [ $status -ne 0 ] && [ ! -f "$golden_file" ]; then
    skip "the limits are for compilers with a golden file, and $machine-$compiler has none"
fi
exit $status
