#!/bin/sh
# programs.sh PROGRAM - a profile of a real program: its output is unchanged, and the profile names its functions.
# shellcheck source=tests/profile/lib.sh
. "$(dirname "$0")/lib.sh"
program=${1:?}
export FREEHOLD_PROFILE_INTERVAL=16k
case $program in
python3)
    need python3 python3
    export PYTHONMALLOC=malloc PYTHONHASHSEED=0
    set -- python3 -c 'd = [str(i) * 20 for i in range(30000)]; print(len(d))'
    function=PyUnicode ;;
gcc)
    need gcc gcc
    echo 'int f(int x) { return x * 3; }' >f.c
    # cc1 itself: the driver starts it, and profiles are of the program that was started.
    set -- "$(gcc -print-prog-name=cc1)" -quiet -O2 f.c -o -
    function=cc1 ;;
git)
    need git git
    git init -q tree && for i in 1 2 3 4 5 6 7 8 9; do seq 1 3000 >tree/$i; done
    set -- git -C tree add -v .
    function=git ;;
esac
"$@" >plain.out 2>/dev/null || skip "$program does not run here"
[ "$program" != git ] || rm -f tree/.git/index
"$FREEHOLD" run --profile=out.pb -- "$@" >profiled.out 2>err || fail "status $?: $(cat err)"
cmp plain.out profiled.out || fail "the output differs"
"$FREEHOLD" profile --by alloc_space out.pb >text || fail "profile: status $?"
awk 'length > 80 { print; bad = 1 } END { exit bad }' text || fail "over 80 columns"
grep -q "^   1\.  " text && grep -q "$function" text || fail "no stack that names $function: $(cat text)"
finish
