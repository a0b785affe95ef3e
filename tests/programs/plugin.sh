#!/bin/sh
# A plug-in linked with libfreehold, loaded by dlopen three times over: into a program on the system's malloc (which the
# plug-in then shares), with RTLD_DEEPBIND (which gives it freehold for itself, beside the other), and into programs
# that run on freehold already.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
built_only

flags="-std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -pthread -I$root/include -I$here"
# shellcheck disable=SC2086 # a list
${CC:-cc} $flags -fPIC -shared -Wl,-z,defs "$here/plugin.c" -o plugin.so -L "$build" -lfreehold "-Wl,-rpath,$build"
# shellcheck disable=SC2086
${CC:-cc} $flags -DHOST "$here/plugin.c" -o host -ldl
# shellcheck disable=SC2086
${CC:-cc} $flags -DHOST "$here/plugin.c" -o linked -ldl -L "$build" -Wl,--no-as-needed -lfreehold "-Wl,-rpath,$build"

# expect WHOSE NAME COMMAND…: the plug-in's malloc is freehold's (1) or not (0).
expect() {
    whose=$1
    name=$2
    shift 2
    limited env FREEHOLD_REPORT=1 "$@" >got 2>got.err || {
        status=$?
        show got.err
        fail "$name: exit status $status"
    }
    complaints got.err
    [ "$(sed -n 1p got)" = "freehold $whose" ] || fail "$name: '$(sed -n 1p got)', where freehold $whose was expected"
    [ "$(sed 1d got | sort | uniq | wc -l) $(sed 1d got | wc -l)" = "1 3" ] ||
        fail "$name: the rounds differ: $(cat got)"
}

expect 0 "into the system's malloc" ./host ./plugin.so plain
expect 1 "beside the system's malloc" ./host ./plugin.so deep
ran_on got.err host
expect 1 "into a preloaded freehold" env LD_PRELOAD="$lib" ./host ./plugin.so plain
ran_on got.err host
expect 1 "into a preloaded freehold, RTLD_DEEPBIND" env LD_PRELOAD="$lib" ./host ./plugin.so deep
expect 1 "into a linked freehold" ./linked ./plugin.so plain
ran_on got.err linked
