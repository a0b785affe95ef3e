#!/bin/sh
# run_keeps.sh - what a command gets and gives under `freehold run` is what it gets and gives without.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

# Every exit status.
status=0
while [ $status -le 255 ]; do
    "$FREEHOLD" run -- "$HELPERS/helper_exit" $status
    got=$?
    [ $got = $status ] || fail "exit status $status became $got"
    status=$((status + 1))
done

# Death by a signal is that, not an exit status above 128.
for signal in 1 2 6 9 11 13 14 15; do
    expect 0 "signal $signal" "" "$HELPERS/helper_status" "$FREEHOLD" run -- sh -c "ulimit -c 0; kill -$signal \$\$"
done
expect 0 "exit 143" "" "$HELPERS/helper_status" "$FREEHOLD" run -- sh -c 'exit 143'

# It is the same process: the same id, so signals and terminals need no forwarding.
# shellcheck disable=SC2016  # the inner shells expand these
expect 0 same "" sh -c 'exec "$1" run -- sh -c "[ \$\$ = $$ ] && echo same"' sh "$FREEHOLD"

# Arguments and input.
expect 0 "[$HELPERS/helper_show]
[a b]
[]
[*]
[--report]
[--]
[-h]" "" "$FREEHOLD" run -- "$HELPERS/helper_show" "a b" "" "*" --report -- -h
expect 0 "[$HELPERS/helper_show]
[--report]" "" "$FREEHOLD" run "$HELPERS/helper_show" --report
# shellcheck disable=SC2016
expect 0 "[$HELPERS/helper_show]
line 1
line 2" "" sh -c 'printf "line 1\nline 2\n" | "$1" run -- "$2"' sh "$FREEHOLD" "$HELPERS/helper_show"
# The name by which the command was called stays its name.
PATH=$HELPERS:$PATH
export PATH
expect 0 "[helper_show]" "" "$FREEHOLD" run helper_show

# The environment: the library in front, what the user preloads behind it, the library once, all else untouched.
stand_in=$HELPERS/libstandin.so
other=$HELPERS/libmark_none.so
# shellcheck disable=SC2016
show='printf "%s\n" "$LD_PRELOAD"'
FREEHOLD_LIBRARY=$stand_in
export FREEHOLD_LIBRARY
expect 0 "$stand_in" "" "$FREEHOLD" run -- sh -c "$show"
expect 0 "$stand_in:$other" "" env LD_PRELOAD="$other" "$FREEHOLD" run -- sh -c "$show"
expect 0 "$stand_in:$other" "" env LD_PRELOAD="$other:$stand_in" "$FREEHOLD" run -- sh -c "$show"
expect 0 "$stand_in:$other" "" env LD_PRELOAD=" $other  $stand_in:" "$FREEHOLD" run -- sh -c "$show"
expect 0 "$stand_in" "" "$FREEHOLD" run -- "$FREEHOLD" run sh -c "$show"
env A=1 "B=x y" sh -c 'env | grep -v -e ^LD_PRELOAD= -e ^_= -e ^PWD= | sort' >before
env A=1 "B=x y" "$FREEHOLD" run \
    sh -c 'env | grep -v -e ^LD_PRELOAD= -e ^_= -e ^PWD= | sort' >after
cmp -s before after || fail "the environment changed: $(diff before after)"

# The library is really in the command, and in what the command starts.
STAND_IN_SAY=1
export STAND_IN_SAY
expect 0 "" "stand-in is here" "$FREEHOLD" run "$HELPERS/helper_exit" 0
# shellcheck disable=SC2016
expect 4 "" "stand-in is here
stand-in is here" "$FREEHOLD" run sh -c '"$1" 3; exit 4' sh "$HELPERS/helper_exit"
unset STAND_IN_SAY FREEHOLD_LIBRARY

# No file stays open: what the command sees is what it would see without.
expect 0 "$(ls /proc/self/fd 2>/dev/null)" "" "$FREEHOLD" run ls /proc/self/fd

# A file without #! goes to the shell, as execvp does it.
# shellcheck disable=SC2016
printf 'echo "$0" "$1"; exit 7\n' >plain
chmod +x plain
expect 7 "./plain one" "" "$FREEHOLD" run ./plain one
printf '#!/bin/sh\nexit 8\n' >script
chmod +x script
expect 8 "" "" "$FREEHOLD" run ./script
printf '#!/usr/bin/env sh\nexit 9\n' >script
expect 9 "" "" "$FREEHOLD" run ./script
printf '#!/usr/bin/env -S A=b sh -u\nexit 10\n' >script
expect 10 "" "" "$FREEHOLD" run ./script

# PATH: the first that can be executed; an empty place is the current folder.
mkdir no yes
printf 'not executable\n' >no/tool
printf '#!/bin/sh\necho found\n' >yes/tool
chmod +x yes/tool
expect 0 found "" env PATH="$SCRATCH/no:$SCRATCH/yes:$PATH" "$FREEHOLD" run tool
cp yes/tool here_only
expect 0 found "" env PATH=":$PATH" "$FREEHOLD" run here_only
expect 0 found "" env PATH="$PATH:" "$FREEHOLD" run here_only
finish
