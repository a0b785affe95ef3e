#!/bin/sh
# The bare SONAME, LD_PRELOAD=libfreehold.so.0, found by the dynamic linker's path, in a program (births.c) that forks,
# execs, and creates and ends threads by the thousand. Each process looks whose malloc it has.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need "${CC:-cc}" gcc

${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -pthread "$here/births.c" -o births -ldl
on_system expected ./births

directory=$(dirname "$lib")
lib=$(basename "$lib")
LD_LIBRARY_PATH=$directory WANTED=${lib%%.so*}
export LD_LIBRARY_PATH WANTED
on_freehold got ./births
same expected got "the output"
ran_on got.err births
