#!/bin/sh
# check_archive.sh ARCHIVE LIST - libfreehold.a is one object, and shows the names of the export list and no others.
set -eu
export LC_ALL=C
archive=$1
list=$2

status=0
if [ "$(ar t "$archive" | wc -l)" -ne 1 ]; then
    echo "more than one object in $archive: hidden symbols of the others are visible to a program"
    status=1
fi
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT
nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort >"$shown"
if grep -v '^#' "$list" | sed 's/@.*//' | sort | diff - "$shown" |
    sed -n 's/^</missing:/p; s/^>/not in the list:/p' | grep .; then
    echo "the symbols of $archive are not those of $list"
    status=1
fi
exit $status
