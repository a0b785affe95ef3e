#!/bin/sh
# check_layers.sh OBJECTS SEES - no layer calls upwards: each layer, linked with the layers that it may include, leaves
# no fh_* symbol undefined. OBJECTS has lines "layer object", SEES lines "layer seen seen...": the build writes both.
set -eu
export LC_ALL=C
objects=$1
sees=$2

whole=$(mktemp)
trap 'rm -f "$whole"' EXIT
status=0
while read -r layer seen; do
    files=$(awk -v layers=" $layer $seen " 'index(layers, " " $1 " ") { sub(/^[^ ]* /, ""); print }' "$objects")
    [ -n "$files" ] || continue
    # shellcheck disable=SC2086  # one word for each object
    ld -r -o "$whole" $files
    missing=$(nm --undefined-only "$whole" | awk '$NF ~ /^fh_/ { print $NF }')
    if [ -n "$missing" ]; then
        printf '%s\n' "$missing" | sed "s/^/layer $layer calls upwards: /"
        status=1
    fi
done <"$sees"
exit $status
