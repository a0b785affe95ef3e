#!/bin/sh
# gcc: the driver, cc1, the assembler and the linker on a generated file of size, with link-time optimisation by two
# workers, and on sources of this project. Object files and the program must come out byte for byte the same.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need gcc gcc
need awk mawk

# A file that keeps the middle end busy: structures, tables, switches, loops, calls among themselves.
awk 'BEGIN {
    print "#include <stdio.h>\n#include <string.h>"
    print "struct node { int kind; long value; struct node *next; char name[24]; };"
    for (f = 0; f < 130; f++) {
        printf "static const int table_%d[] = {", f
        for (i = 0; i < 60; i++) printf "%d,", (f * 7919 + i * 104729) % 100003
        printf "};\n__attribute__((noinline)) static long walk_%d(const struct node *n, int depth)\n{\n", f
        print "    long sum = 0;"
        printf "    for (; n; n = n->next) {\n        switch ((n->kind + %d) %% 9) {\n", f
        for (c = 0; c < 8; c++)
            printf "        case %d: sum += table_%d[(unsigned)(n->value * %d + depth) %% 60] ^ (sum << %d); break;\n",
                c, f, c + 3, c
        printf "        default: sum -= (long)strlen(n->name) * %d;\n        }\n    }\n", f + 1
        printf "    for (int i = 0; i < depth; i++)\n        sum = sum * %d + table_%d[i %% 60];\n", 2 * f + 3, f
        printf f ? "    return depth > 3 ? sum : sum + walk_%d(0, depth + 1);\n}\n" : "    return sum;\n}\n", f - 1
    }
    print "int main(void)\n{\n    struct node a[64];\n    memset(a, 0, sizeof a);\n    long sum = 0;"
    print "    for (int i = 0; i < 64; i++) {\n        a[i].kind = i * 5;\n        a[i].value = i * i;"
    print "        a[i].next = i < 63 ? &a[i + 1] : 0;"
    print "        snprintf(a[i].name, sizeof a[i].name, \"node %d\", i);\n    }"
    for (f = 0; f < 130; f++) printf "    sum = sum * 31 + walk_%d(a, 1 + %d);\n", f, f % 4
    print "    printf(\"%ld\\n\", sum);\n    return 0;\n}"
}' >big.c

check_at_exit
on_system system.log gcc -O2 -g -c big.c -o expected.o
on_freehold freehold.log gcc -O2 -g -c big.c -o got.o
same expected.o got.o "the object file of the generated source"
ran_on freehold.log.err '[^()]*gcc[-0-9]*' cc1 'as'

# -save-temps would do as well; a seed makes the temporary names of link-time optimisation repeat.
lto="-O1 -flto=2 -flto-partition=balanced -frandom-seed=1 -Wl,--build-id=none"
# shellcheck disable=SC2086 # $lto is a list
on_system system.log gcc $lto big.c -o expected
# shellcheck disable=SC2086
on_freehold freehold.log gcc $lto big.c -o got
on_system expected.out ./expected
on_freehold got.out ./got
same expected.out got.out "the output of the linked program"
same expected got "the linked program"
ran_on freehold.log.err 'ld[.a-z]*' lto-wrapper 'lto1[-a-z]*'

# Sources of this project: those that compile by themselves, the largest first, at most three.
compiled=0
includes=$(find "$root/include" "$root/src" -type d 2>/dev/null | sed 's/^/-I/')
find "$root/src" -name '*.c' -size +7k -exec ls -S {} + >sources
while read -r source; do
    # shellcheck disable=SC2086
    gcc -std=gnu11 -O2 -D_GNU_SOURCE $includes -c "$source" -o expected.o 2>/dev/null || continue
    # shellcheck disable=SC2086
    on_freehold freehold.log gcc -std=gnu11 -O2 -D_GNU_SOURCE $includes -c "$source" -o got.o
    same expected.o got.o "the object file of $source"
    compiled=$((compiled + 1))
    [ "$compiled" -lt 3 ] || break
done <sources
[ "$compiled" -gt 0 ] || fail "no source of this project compiles by itself"
binds "$(gcc -print-prog-name=cc1)" --version
