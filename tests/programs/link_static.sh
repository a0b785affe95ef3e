#!/bin/sh
# Fully static programs with libfreehold.a, with threads and forks: at a fixed address (-static) and at any
# (-static-pie).
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
built_only
need readelf binutils
[ -f "$build/libfreehold.a" ] || fail "$build/libfreehold.a is missing: build first"

flags="-std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -pthread -I$root/include -I$here"
# shellcheck disable=SC2086 # a list
${CC:-cc} $flags "$here/linked.c" -o plain
PROOF=no
export PROOF
on_system expected ./plain
unset PROOF

for way in static static-pie; do
    # shellcheck disable=SC2086
    ${CC:-cc} $flags "-$way" "$here/linked.c" "$build/libfreehold.a" -o "$way" 2>link.log || {
        show link.log
        fail "-$way: does not link"
    }
    if readelf -l "$way" | grep -q INTERP; then fail "-$way: the program wants a dynamic linker"; fi
    limited env FREEHOLD_REPORT=1 FREEHOLD_CHECK=1 "./$way" >got 2>got.err || {
        status=$?
        show got.err
        fail "-$way: exit status $status"
    }
    complaints got.err
    same expected got "the output of the program linked by -$way"
    ran_on got.err "$way"
done

# A program whose own files never name malloc takes it from the archive too, if it asks for it.
cat >quiet.c <<'C'
#define _GNU_SOURCE
#include <stdio.h>
int main(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/comm", "r");
    if (file == NULL || getline(&line, &room, file) <= 0)
        return 1;
    fputs(line, stdout);
    return 0;
}
C
${CC:-cc} -O2 -static -Wl,-u,malloc quiet.c "$build/libfreehold.a" -o quiet
FREEHOLD_REPORT=1 ./quiet >got 2>got.err || fail "a program without malloc of its own: exit status $?"
[ "$(cat got)" = quiet ] || fail "a program without malloc of its own prints something else"
ran_on got.err quiet
