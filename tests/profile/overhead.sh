#!/bin/sh
# overhead.sh - what profiling at the default interval costs, in instructions: below 2 % of a program of small objects.
# shellcheck source=tests/profile/lib.sh
. "$(dirname "$0")/lib.sh"
need valgrind valgrind
need lua5.4 lua5.4
cat >trees.lua <<'END'
local function tree(d) if d == 0 then return {} end return {tree(d - 1), tree(d - 1)} end
local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end
local keep, n = tree(12), 0
for i = 1, 12 do n = n + count(tree(11)) end
print(n + count(keep))
END
instructions() {
    LD_PRELOAD=$LIBRARY valgrind --tool=callgrind --callgrind-out-file=/dev/null lua5.4 trees.lua 2>&1 |
        sed -n 's/.*Collected : //p'
}
export FREEHOLD_PROFILE_SEED=5
without=$(instructions)
FREEHOLD_PROFILE=-
export FREEHOLD_PROFILE
with=$(instructions)
echo "lua5.4 trees: $without instructions, $with with a profile"
[ "${without:-0}" -gt 20000000 ] || fail "callgrind counts nothing"
[ "$with" -gt "$without" ] || fail "nothing is profiled"
[ $((with * 100)) -lt $((without * 102)) ] || fail "2 % or more"
finish
