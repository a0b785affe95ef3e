#!/bin/sh
# explain.sh - `freehold explain`: the memory that call stacks take is called what it is, and is part of the account.
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
finish
