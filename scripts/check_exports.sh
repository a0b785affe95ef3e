#!/bin/sh
# check_exports.sh LIBRARY LIST - the dynamic symbols that the library exports are exactly those of the list.
# check_exports.sh --update LIBRARY LIST - writes the list anew. From the root of the project, after ./dev build:
#     sh scripts/check_exports.sh --update build/libfreehold.so scripts/exports.txt
set -eu
export LC_ALL=C

update=no
if [ "$1" = --update ]; then
    update=yes
    shift
fi
library=$1
list=$2

# The node itself is an absolute symbol of its own name; it is no export.
exports() {
    nm -D --defined-only --with-symbol-versions "$library" | awk '$3 !~ /^FREEHOLD_[0-9]+(@|$)/ { print $3 }' | sort
}

if [ $update = yes ]; then
    {
        echo "# The exported symbols of libfreehold.so; scripts/check_exports.sh compares, and says how to renew this."
        exports
    } >"$list"
    exit 0
fi

now=$(mktemp)
trap 'rm -f "$now"' EXIT
exports >"$now"
status=0

if grep -v '^#' "$list" | diff - "$now" | sed -n 's/^</missing:/p; s/^>/not in the list:/p' | grep .; then
    echo "the exports of $library are not those of $list"
    status=1
fi
if grep '@' "$now" | grep -v '^fh_[a-z0-9_]*@@FREEHOLD_0$'; then
    echo "these carry a version and must not: only fh_* belongs to FREEHOLD_0"
    status=1
fi
if grep '^fh_' "$now" | grep -v '@@FREEHOLD_0$'; then
    echo "these lack the version FREEHOLD_0"
    status=1
fi
exit $status
