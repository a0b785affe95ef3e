#!/bin/sh
# explain.sh - `freehold explain` and `diff` call memory what it is: what call stacks take, and is part of the account;
# what a trim gives back, and is no growth of anything.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

explain() { # all of it, and as one line without double spaces
    "$FREEHOLD" explain "$1" >text 2>err || fail "explain $1: status $?: $(cat err)"
    awk 'length > 80 { print; bad = 1 } END { exit bad }' text || fail "explain $1: over 80 columns"
    words=$(tr '\n' ' ' <text | tr -s ' ')
    "$FREEHOLD" explain --json "$1" >explain.json || fail "explain --json $1: status $?"
}
says() {
    case $words in
    *"$1"*) ;;
    *) fail "it does not say '$1': $(cat text)" ;;
    esac
}
silent() { # it must not say that
    case $words in
    *"$1"*) fail "it says '$1': $(cat text)" ;;
    esac
}
json() { # EXPRESSION over e
    command -v python3 >/dev/null || return 0
    python3 -c "
import json
e = json.load(open('explain.json'))
about = {a['about']: a['bytes'] for a in e['advice']}
tables = e['stack_tables']
assert $1, e" || fail "not so: $1"
}

# 40 MB came, and most of it went; the tables stay, and are what there is.
start "$FREEHOLD" run --sites -- "$HELPERS/helper_pins" last address 200000
for image in "$pid" sites.snap; do
    if [ "$image" = sites.snap ]; then
        "$FREEHOLD" snapshot "$pid" -o sites.snap >out 2>err || { skip_part "no snapshots: $(cat err)"; continue; }
    fi
    explain "$image"
    says "are tables of call stacks, which the library keeps because the program was started with --sites:"
    says "Started without --sites, the program does without them"
    says " of it tables "
    silent "page map, states of threads"
    json "tables['resident_bytes'] > 8e6 and about['call stacks'] == tables['resident_bytes'] and \
0 < e['resident']['metadata_bytes'] - tables['resident_bytes'] < 5e6 and 'metadata' not in about"
done
"$FREEHOLD" report -o report.html "$pid" >out 2>err || fail "report: $(cat err)"
grep -q "of metadata: call stacks" report.html || fail "the report does not tell the tables from the rest"
if command -v gcore >/dev/null && gcore -o core "$pid" >gcore.log 2>&1; then # of the tables what was written, no more
    explain "core.$pid"
    silent "in memory"
    json "8e6 < tables['bytes'] < 20e6 and about['call stacks'] == tables['bytes'] and e['resident'] is None"
    rm -f core.*
else
    skip_part "no core: no gcore (gdb), or $(tail -1 gcore.log 2>/dev/null)"
fi
stop

# A profile's are small; without either there are none.
start "$FREEHOLD" run --profile -- "$HELPERS/helper_pins" some address 50000
explain "$pid"
says " of it tables "
json "0 < tables['bytes'] < 5e6"
stop
start "$FREEHOLD" run "$HELPERS/helper_pins" last address 50000
explain "$pid"
silent "of it tables"
silent "call stacks"
json "tables == {'bytes': 0, 'resident_bytes': 0}"
stop

# Who made most of what lives, where that is known.
if command -v python3 >/dev/null; then
    cat >real.py <<'END'
import time
kept = [bytes(1000 + i % 100) for i in range(40000)]
print("ready", flush=True)
time.sleep(600)
END
    for option in --sites --profile; do
        start "$FREEHOLD" run $option -- python3 real.py
        explain "$pid"
        says "Of all call sites "
        case $option in
        --sites) says " has most: " && says "in 40,000 blocks. 'freehold top --once' lists the others." ;;
        *) says " has most: about " && says "'freehold profile' lists the others." ;;
        esac
        stop
    done
else
    skip_part "no python3"
fi

# Pages between live blocks go back, and their addresses stay.
start env FREEHOLD_RETURN=0 "$FREEHOLD" run "$HELPERS/helper_pins" some address 200000
if "$FREEHOLD" snapshot "$pid" -o before.snap >out 2>err; then
    exec 4<ready
    kill -USR1 "$pid"
    tries=0
    until "$FREEHOLD" diff --json before.snap "$pid" >diff.json && grep -q "went back to the kernel" diff.json; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { fail "malloc_trim(0) gave nothing back: $(cat diff.json)"; break; }
        sleep 0.1
    done
    "$FREEHOLD" diff before.snap "$pid" >text || fail "diff: status $?"
    words=$(tr '\n' ' ' <text | tr -s ' ')
    says 'Of "free" there is'
    says 'as pages whose addresses are kept ("untouched").'
    silent 'Most grew'
    exec 4<&-
else
    skip_part "no snapshots: $(cat err)"
fi
stop
finish
