#!/bin/sh
# check_counters.sh ROOT COMPILER - the manual page of the counters is what the table of counters says, and each name in
# the table is one that OpenMetrics takes.
# check_counters.sh --update ROOT COMPILER - writes the page anew. From the root of the project:
#     sh scripts/check_counters.sh --update . cc
set -eu
export LC_ALL=C

update=no
if [ "$1" = --update ]; then
    update=yes
    shift
fi
root=$1
compiler=$2
page=$root/docs/man/freehold-counters.7

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$compiler" -Wall -Wextra -I"$root/src/config" "$root/scripts/counters_page.c" -o "$folder/write"
"$folder/write" >"$folder/page"
if [ $update = yes ]; then
    cp "$folder/page" "$page"
    exit 0
fi
status=0
if ! diff -u "$page" "$folder/page"; then
    echo "$page is stale: sh scripts/check_counters.sh --update . cc"
    status=1
fi
# The unit is the end of the name, and only of those that have it; _total is OpenMetrics' own end.
bad=$(sed -n 's/^\.B freehold_//p' "$page" | grep -Ev '^[a-z][a-z0-9_]*$' || :)
bad=$bad$(awk '/^\.B freehold_/ { name = $2; sub(/_total$/, "", name); next }
    name != "" { if ((name ~ /_bytes$/) != ($0 ~ /, in bytes\. /)) print name; name = "" }' "$page")
if [ -n "$bad" ]; then
    echo "these names do not fit OpenMetrics, or their unit: $bad"
    status=1
fi
exit $status
