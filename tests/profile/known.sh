#!/bin/sh
# known.sh - profiles of a program whose allocations are known: exact when every block is chosen, without bias when few
# are; of threads and of forked children; from outside as from inside.
# shellcheck source=tests/profile/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 python3
judge=$here/judge.py

"$FREEHOLD" profile --help | grep -q . || fail "no help"
profile() { # FILE KNOWN'S ARGUMENTS...
    file=$1
    shift
    "$FREEHOLD" run --profile="$file" -- "$KNOWN" "$@" || fail "run --profile $*: status $?"
}
judged() {
    python3 "$judge" "$@" >said 2>&1 || fail "$*: $(tail -n 3 said)"
}
"$FREEHOLD" run --profile=try.pb -- "$KNOWN" || fail "run --profile: status $?"
"$FREEHOLD" profile --json try.pb >try.json || fail "profile --json: status $?"
grep -q '"function": "known_' try.json || skip "freehold was built without libdw (package libdw-dev): no names"

# Exact, in one thread, in four, in a child.
FREEHOLD_PROFILE_INTERVAL=1
export FREEHOLD_PROFILE_INTERVAL
profile all.pb
profile threads.pb threads
profile fork.pb fork
for name in all threads fork; do
    "$FREEHOLD" profile --json $name.pb >$name.json || fail "profile $name.pb: status $?"
done
judged exact all.json 1
judged exact threads.json 4
judged exact fork.json 1
children=$(ls fork.pb.*)
"$FREEHOLD" profile --json "$children" >child.json || fail "the child's profile: status $?"
judged exact child.json 2

# Few are chosen, from one seed after the other.
FREEHOLD_PROFILE_INTERVAL=100k
for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
    export FREEHOLD_PROFILE_SEED=$seed
    profile seed.pb
    "$FREEHOLD" profile --json seed.pb >seed$seed.json || fail "profile seed.pb: status $?"
done
unset FREEHOLD_PROFILE_SEED
judged unbiased seed*.json

# From outside, by reading, while the process stands still; the same as it wrote of itself.
mkfifo ready
"$FREEHOLD" run --profile -- "$KNOWN" dump inside.pb >ready 2>&1 &
pid=$!
read -r answer <ready
[ "$answer" = ready ] || fail "known says $answer"
"$FREEHOLD" profile --json $pid >outside.json || fail "profile PID: status $?"
"$FREEHOLD" profile -o outside.pb $pid || fail "profile -o: status $?"
"$FREEHOLD" profile --leaks $pid >leaks.text || fail "profile --leaks PID: status $?"
"$FREEHOLD" snapshot $pid -o then.snap >/dev/null || fail "snapshot: status $?"
kill $pid
wait $pid 2>/dev/null
"$FREEHOLD" profile --json then.snap >then.json || fail "profile SNAPSHOT: status $?"
"$FREEHOLD" profile then.snap | grep -q '^  live  ' || fail "profile SNAPSHOT: $("$FREEHOLD" profile then.snap)"
"$FREEHOLD" profile --json inside.pb >inside.json
"$FREEHOLD" profile --json outside.pb >again.json || fail "profile of what profile -o has written: status $?"
judged same inside.json outside.json
judged same inside.json again.json
judged same inside.json then.json
grep -q 'known_stay_large() at known.c:' leaks.text || fail "--leaks PID: $(cat leaks.text)"
finish
