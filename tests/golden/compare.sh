#!/bin/sh
# compare.sh SCENARIO LIBRARY GOLDEN_SCENARIO COMPILER BUILD - counts the instructions of one scenario and compares them
# with the golden file of this machine and compiler. Fewer is a failure too: the file is then out of date.
set -eu
name=$1 library=$2 scenario=$3 compiler=$4 build=$5
# shellcheck source=tests/golden/lib.sh
. "$(dirname "$0")/lib.sh"

need_counted_build
[ -f "$golden_file" ] || skip "there is no golden file for $machine-$compiler"
need_valgrind

expected=$(awk -v name="$name" '$1 == name { print $2 }' "$golden_file")
tolerance=$(awk -v name="$name" '$1 == name { print $3 }' "$golden_file")
if [ -z "$expected" ]; then
    echo "golden: $golden_file has no line for $name; tests/golden/update writes one" >&2
    exit 1
fi
counted=$(count "$name" "$tolerance")
awk -v name="$name" -v expected="$expected" -v counted="$counted" -v tolerance="$tolerance" 'BEGIN {
    change = expected > 0 ? 100 * (counted - expected) / expected : (counted > 0 ? 100 : 0)
    printf "%s: %s instructions, golden %s, %+.2f %% (allowed %s %%)\n", name, counted, expected, change, tolerance
    if (change > tolerance || change < -tolerance) {
        print (change > 0 ? "More" : "Fewer") " than before. If that is meant: tests/golden/update, and say why."
        exit 1
    }
}'
