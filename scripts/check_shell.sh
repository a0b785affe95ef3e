#!/bin/sh
# check_shell.sh ROOT - every shell script parses, and shellcheck has nothing to say about it.
set -eu
cd "$1"
scripts=$(
    for file in dev .ci/run bench/run; do
        [ ! -e $file ] || echo $file
    done
    find scripts tests bench tools -type f -name '*.sh' 2>/dev/null | sort
)
status=0
for file in $scripts; do
    sh -n "$file" || status=1
done
[ $status -eq 0 ] || exit $status
if ! command -v shellcheck >/dev/null; then
    echo "skipped: shellcheck is not installed"
    exit 77
fi
# Style remarks are not asked for; a file may well be called as some command is (SC2217, SC2238).
# shellcheck disable=SC2086  # one word for each file
exec shellcheck -x -s sh -S warning -e SC2217,SC2238 $scripts
