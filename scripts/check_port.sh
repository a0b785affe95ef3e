#!/bin/sh
# check_port.sh SOURCE COMPILER [RUNNER...] - the library compiles without a warning for another C library or another
# architecture, and a small program runs on it. Cross compilers are known by their prefix; RUNNER runs what they make.
set -eu
source=$1 compiler=$2
shift 2
for tool in "$compiler" "$@"; do
    case $tool in -*|/*) continue ;; esac
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
includes=''
for layer in "$source"/src/*/; do includes="$includes -I$layer"; done
# shellcheck disable=SC2086
"$compiler" -std=gnu11 -D_GNU_SOURCE -O2 -fPIC -fvisibility=hidden -ftls-model=initial-exec -fexceptions \
    -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free -Wall -Wextra -Wundef -Werror \
    $includes -I"$source/include" "$source"/src/*/*.c -shared -Wl,-z,nodelete -o "$temporary/libfreehold.so.0"
"$compiler" -O2 -I"$source/include" "$source/scripts/port.c" "$temporary/libfreehold.so.0" -pthread -o "$temporary/port"
LD_LIBRARY_PATH=$temporary "$@" "$temporary/port"
