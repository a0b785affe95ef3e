#!/bin/sh
# probes.sh - the static probes of the otel_memory contract are in the library, and fire with the right arguments.
# shellcheck source=tests/profile/lib.sh
. "$(dirname "$0")/lib.sh"
real=$(readlink -f "$LIBRARY")
need readelf binutils
readelf -n "$real" >notes
for probe in alloc free; do
    awk -v probe=$probe '/Provider: otel_memory/ { ours = 1; next } ours && $2 == probe { found = 1 } { ours = 0 }
        END { exit !found }' notes || fail "readelf -n shows no otel_memory:$probe"
done
grep -A2 'Provider: otel_memory' notes | grep -q 'Arguments: 8@%[a-z0-9]* 8@%[a-z0-9]* 8@' || {
    [ "$(uname -m)" = x86_64 ] && grep -A3 'Provider: otel_memory' notes | grep -q 'Arguments: 8@%r.. 8@%r.. 8@%r' ||
        fail "otel_memory:alloc has not three arguments of 8 bytes: $(grep -A4 'Provider: otel' notes)"
}

need gdb gdb
# One block of each kind that is chosen: with an interval of 1 byte that is every block.
cat >script <<'END'
set pagination off
set confirm off
set breakpoint pending on
set debuginfod enabled off
break -probe-stap otel_memory:alloc
commands
silent
printf "alloc %#lx %lu %lu\n", $_probe_arg0, $_probe_arg1, $_probe_arg2
continue
end
break -probe-stap otel_memory:free
commands
silent
printf "free %#lx\n", $_probe_arg0
continue
end
run
END
FREEHOLD_PROFILE=- FREEHOLD_PROFILE_INTERVAL=512k FREEHOLD_PROFILE_SEED=3 \
    gdb -nx -batch -ex "set exec-wrapper env LD_PRELOAD=$LIBRARY" -x script --args "$KNOWN" >log 2>&1
allocs=$(grep -c '^alloc 0x' log)
frees=$(grep -c '^free 0x' log)
if [ "$allocs" = 0 ] && grep -q -i 'ptrace: Operation not permitted\|Could not trace' log; then
    skip "gdb may not trace processes here"
fi
[ "$allocs" -gt 8 ] || fail "otel_memory:alloc fired $allocs times: $(tail -n 5 log)"
[ "$frees" -gt 0 ] || fail "otel_memory:free fired $frees times"
# A pointer comes before it goes; the weight is not less than the size; 6 blocks of 1 MB are nearly all there.
awk '$1 == "alloc" { if ($4 < $3 || $3 < 16) { print "weight: " $0; bad = 1 } live[$2] = 1; large += $3 >= 1000000 }
     $1 == "free" { if (!($2 in live)) { print "never came: " $0; bad = 1 } delete live[$2] }
     END { if (large < 3) { print large " large blocks"; bad = 1 } exit bad }' log || fail "the probes' arguments"
finish
