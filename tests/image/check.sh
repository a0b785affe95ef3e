#!/bin/sh
# check.sh - every invariant, broken on purpose in another process, is seen from outside: in the process, in a snapshot
# of it, and in a core; and a sound heap is sound in all three.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"
# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

gcore=$(command -v gcore) || skip_part "no gcore (package gdb): cores are not checked"

for kind in none h1 h2 h2_footer h3 h4 h4_link h4_back h4_lost h5 s1 s1_head s2 s3 p1 p1_foreign a1 a1_heap; do
    run_on_freehold "$HELPERS/damage" $kind
    set -- "$pid"
    ok "$FREEHOLD" snapshot --stop "$pid" -o $kind.snap
    set -- "$@" $kind.snap
    if [ -n "$gcore" ] && case $kind in none | h3) true ;; *) false ;; esac; then
        "$gcore" -o core "$pid" >/dev/null 2>&1
        set -- "$@" "core.$pid"
    fi
    for image in "$@"; do
        if [ $kind = none ]; then
            ok "$FREEHOLD" check "$image"
            says ": every invariant holds"
        else
            id=$(echo $kind | cut -c 1-2 | tr a-z A-Z)
            exits 1 "$FREEHOLD" check "$image"
            says "^  $id  "
            [ ! -s err ] || fail "$kind: said $(cat err)"
        fi
        narrow "$kind of $image"
    done
    case $kind in none | h2)
        "$FREEHOLD" check --json $kind.snap >>json
        ;;
    esac
    stop
    rm -f core.*
done

if command -v python3 >/dev/null; then
    python3 - <<'END' || fail "JSON: $(cat json)"
import json
sound, damaged = [json.loads(line) for line in open("json")]
assert sound["violations"] == 0 and sound["shown"] == [] and sound["stood_still"]
assert damaged["violations"] >= 1 and damaged["shown"][0]["invariant"] == "H2" and damaged["kind"] == "snapshot"
assert damaged["shown"][0]["address"].startswith("0x") and damaged["process"] == "damage"
END
fi

exits 2 "$FREEHOLD" check
exits 2 "$FREEHOLD" check 1 2
exits 1 "$FREEHOLD" check /nowhere
grep -q "cannot open '/nowhere'" err || fail "said: $(cat err)"
finish
