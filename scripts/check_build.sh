#!/bin/sh
# check_build.sh SOURCE DIRECTORY TARGETS COMPILER CMAKE [ARGUMENT...] - the project, or targets of it ("all", or names
# between spaces), builds in another way than the default (compiler, debug, sanitizer), without a warning; what that
# build has of tests passes, and if it has the shared library, programs run with it.
set -eu
source=$1
directory=$2
targets=$3
compiler=$4
cmake=$5
shift 5

if ! command -v "$compiler" >/dev/null; then
    echo "skipped: $compiler is not installed"
    exit 77
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

quietly() {
    "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

quietly "$cmake" -S "$source" -B "$directory" -DCMAKE_C_COMPILER="$compiler" "$@"
# shellcheck disable=SC2086 # a list
quietly "$cmake" --build "$directory" --target $targets
if [ -f "$directory/tests/CTestTestfile.cmake" ]; then
    ctest --test-dir "$directory" -LE '^long$' --output-on-failure --no-tests=error >"$log" 2>&1 ||
        { cat "$log"; exit 1; }
    tail -n 3 "$log"
fi
library=$directory/libfreehold.so
if [ -f "$library" ] && readelf -dW "$library" | grep -q 'NEEDED.*\[libc\.so\.6\]'; then
    # A shell that forks and execs, with the heap checked at the end of each process.
    quietly env LD_PRELOAD="$library" FREEHOLD_CHECK=1 sh -c 'ls -lR /etc | sort | grep -c .'
fi
