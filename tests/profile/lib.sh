# lib.sh - what the tests of profiles share; sourced by each.
#
# The build gives: FREEHOLD (the program), LIBRARY (libfreehold.so.0), KNOWN (the program known.c), SCRATCH (a folder
# that this test may fill).
# shellcheck shell=sh

set -u
: "${FREEHOLD:?}" "${LIBRARY:?}" "${KNOWN:?}" "${SCRATCH:?}"
for name in $(env | sed -n 's/^\(FREEHOLD_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
unset LD_PRELOAD
LC_ALL=C
PYTHONDONTWRITEBYTECODE=1
export LC_ALL PYTHONDONTWRITEBYTECODE
# shellcheck disable=SC2034  # used by those who source this
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH" || exit 1
failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
}

skip() {
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}

need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || skip "$1 is not installed (package $2)"
}

finish() {
    [ "$failures" = 0 ] || { printf '%s failures\n' "$failures"; exit 1; }
    exit 0
}
