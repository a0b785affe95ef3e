#!/bin/sh
# A program linked by -lfreehold: one that uses freehold.h, one that only calls malloc and is linked --as-needed, and
# the same found by a run path, by LD_LIBRARY_PATH, and with every symbol bound at start.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
built_only
need readelf binutils

flags="-std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -pthread -I$root/include -I$here"
# shellcheck disable=SC2086 # a list
${CC:-cc} $flags "$here/linked.c" -o plain
PROOF=no
export PROOF
on_system expected ./plain
unset PROOF

cat >small.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    char *text = malloc(100);
    snprintf(text, 100, "a block");
    puts(text);
    free(text);
    return 0;
}
C

# linked NAME OPTION…: links, looks whether the library is needed, runs, compares.
linked() {
    name=$1
    shift
    # shellcheck disable=SC2086
    ${CC:-cc} $flags "$here/linked.c" -o "$name" -L "$build" "$@" -lfreehold
    readelf -d "$name" | grep -q 'NEEDED.*libfreehold\.so\.0' || fail "$name does not need libfreehold.so.0"
    limited env FREEHOLD_REPORT=1 FREEHOLD_CHECK=1 "./$name" >got 2>got.err || {
        status=$?
        show got.err
        fail "$name: exit status $status"
    }
    complaints got.err
    same expected got "the output of $name"
    ran_on got.err "$name"
}

linked by_run_path "-Wl,-rpath,$build"
linked bound_now "-Wl,-rpath,$build" -Wl,-z,now
linked fixed_address "-Wl,-rpath,$build" -no-pie -fno-pie
LD_LIBRARY_PATH=$build
export LD_LIBRARY_PATH
linked by_library_path

${CC:-cc} -O2 small.c -o small -L "$build" -Wl,--as-needed -lfreehold
readelf -d small | grep -q 'NEEDED.*libfreehold\.so\.0' ||
    fail "--as-needed drops the library of a program that calls malloc"
FREEHOLD_REPORT=1 ./small >got 2>got.err || fail "a small program: exit status $?"
[ "$(cat got)" = "a block" ] || fail "a small program prints something else"
ran_on got.err small
