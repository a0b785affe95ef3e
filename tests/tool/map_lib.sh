# map_lib.sh - what the tests of `freehold map` share; sourced after lib.sh.
# shellcheck shell=sh

command -v python3 >/dev/null || skip "needs python3"
: "${CHECKS:?}"

check() { python3 "$CHECKS" "$@" || fail "$*"; }

# everything NAME PID: all that there is of a process that stands still.
everything() {
    "$FREEHOLD" explain --json "$2" >"$1.explain" || fail "explain $1"
    "$FREEHOLD" map --json "$2" >"$1.json" || fail "map --json $1"
    "$FREEHOLD" map "$2" >"$1.text" || fail "map $1"
    grep -q "$(printf '\033')" "$1.text" && fail "$1: colours in a file"
    for ending in svg png html; do
        "$FREEHOLD" map "$2" -o "$1.$ending" || fail "map -o $1.$ending"
    done
    check json "$1.json" "$1.explain" , columns "$1.text" , svg "$1.svg" , png "$1.png" , \
        html "$1.html" "($1)" , cells "$1.html" "$1.explain"
}
