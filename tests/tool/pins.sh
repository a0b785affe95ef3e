#!/bin/sh
# pins.sh - `freehold pins`: 250,000 blocks of 200 bytes, freed but for the last, and but for one in a thousand; the
# verb names the blocks and the lines of source that made them, and its sums are those of `freehold explain`.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

source=$(dirname "$0")/helper_pins.c
line_of() { # the line of the helper's source with that comment
    grep -n "/\* $1 \*/" "$source" | cut -d: -f1
}
first="make_block() at helper_pins.c:$(line_of 'first site')"
second="inlined_maker() at helper_pins.c:$(line_of 'second site')"
caller="keep_block() at helper_pins.c:$(line_of 'its caller')"
has_libdw=yes
grep -q dwarf_none "$(dirname "$FREEHOLD")/tools/freehold/CMakeFiles/freehold_tool.dir/link.txt" 2>/dev/null &&
    has_libdw=no

pins() { # all of it, and as one line without double spaces
    "$FREEHOLD" pins "$@" >text 2>err || fail "pins $*: status $?: $(cat err)"
    [ ! -s err ] || fail "pins $*: $(cat err)"
    awk 'length > 80 { print; bad = 1 } END { exit bad }' text || fail "pins $*: over 80 columns"
    words=$(tr '\n' ' ' <text | tr -s ' ')
}
says() {
    case $words in
    *"$1"*) ;;
    *) fail "it does not say '$1': $(head -12 text)" ;;
    esac
}
names() { # a place of the source
    [ $has_libdw = no ] || says "$1"
}
held() { # what is held by all blocks, in a row of the first table
    sed -n "s/^  $1  *\([0-9,]*\) .*/\1/p" text | tr -d , | head -1
}
json() { # EXPRESSION over p (pins) and e (explain)
    command -v python3 >/dev/null || return 0
    "$FREEHOLD" pins --json "$pid" >pins.json || fail "pins --json: status $?"
    "$FREEHOLD" explain --json "$pid" >explain.json || fail "explain --json: status $?"
    python3 -c "
import json
p, e = json.load(open('pins.json')), json.load(open('explain.json'))
assert $1, (p, e)" || fail "not so: $1"
}
adds_up="p['free_bytes'] == e['resident']['free_bytes'] + e['resident']['cached_bytes'] and \
p['free_bytes'] == p['held_bytes'] + p['caches_bytes'] + sum(p['kept_bytes'].values()) and \
p['held_bytes'] == sum(s['held_bytes'] for s in p['sizes']) and \
p['held_bytes'] == sum(s['held_bytes'] for s in p['threads'] + p['heaps']) and \
p['live_blocks'] == e['blocks']['live'] and p['unreadable_bytes'] == 0"

# All but the last freed, and only the top goes back by itself: it holds 50 MB.
start env FREEHOLD_RETURN=0 "$FREEHOLD" run --sites -- "$HELPERS/helper_pins" last address 250000
pins "$pid"
says "One block of 208 bytes keeps 52." # and some, by how far the last huge page reaches
says " MB of free memory from going back to the kernel"
says "it is the last live block of its heap, and the break cannot move down below it"
says "FREEHOLD_RETURN=0"
names "$first made it"
[ "$(held top)" -gt 50000000 ] || fail "top: $(held top) bytes are held"
says "$(cat address) 208 top"
json "$adds_up and p['blocks'][0]['address'] == hex($(cat address)) and p['blocks'][0]['live_blocks_above'] == 0 and \
p['blocks'][0]['held_bytes'] > 50e6 and p['knows_sites'] and p['blocks'][0]['site'] == p['sites'][0]['site'] and \
p['sites'][0]['holders'] == p['sites'][0]['live_blocks'] == 1 and 0 <= p['sites'][0]['oldest_ms'] < 600e3"
# What it says of malloc_trim is so.
exec 4<ready
kill -USR1 "$pid"
tries=0
until "$FREEHOLD" pins "$pid" >text && [ "$(held top)" -lt 1000000 ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { fail "malloc_trim(0) leaves $(held top) bytes held"; break; }
    sleep 0.1
done
exec 4<&-
stop

# One in a thousand kept, from a second call site.
start env FREEHOLD_RETURN=0 "$FREEHOLD" run --sites -- "$HELPERS/helper_pins" some address 250000
pins "$pid"
says "keep 52."
says " MB of free memory from going back to the kernel"
names "250 live blocks, made by $second, keep"
names "$second by $caller"
says "250 250"
[ "$(held chunk)" -gt 25000000 ] || fail "chunk: $(held chunk) bytes are held"
[ "$(held slab)" -gt 2500000 ] || fail "slab: $(held slab) bytes are held"
json "$adds_up and p['sites'][0]['holders'] == 250 and p['sites'][0]['held_bytes'] > 50e6 and \
p['held_bytes'] == sum(s['held_bytes'] for s in p['sites'])"
"$FREEHOLD" pins --stacks --rows 1 "$pid" >text
[ $has_libdw = no ] || grep -q "main() at /.*/helper_pins.c:" text || fail "--stacks: $(cat text)"
stop

# As the library is: most of that goes back by itself. Without --sites nobody is named, but the remedy is.
start "$FREEHOLD" run "$HELPERS/helper_pins" last address 250000
pins "$pid"
says "Little is held"
json "$adds_up and p['held_bytes'] < 1e6 and not p['knows_sites'] and p['sites'] == []"
stop
start "$FREEHOLD" run "$HELPERS/helper_pins" some address 250000
pins "$pid"
says "250 live blocks of 208 bytes keep"
says "'freehold run --sites -- COMMAND'"
json "$adds_up and 0.25e6 < p['held_bytes'] < 4e6"
stop

# Without debug information and symbols: module and offset.
start env FREEHOLD_RETURN=0 "$FREEHOLD" run --sites -- "$HELPERS/helper_pins_stripped" last address 50000
pins "$pid"
says "helper_pins_stripped+0x"
stop

# A core file.
if command -v gcore >/dev/null; then
    start env FREEHOLD_RETURN=0 "$FREEHOLD" run --sites -- "$HELPERS/helper_pins" last address 50000
    if gcore -o core "$pid" >gcore.log 2>&1; then
        pins "core.$pid"
        says "core of process $pid (helper_pins)"
        says "One block of 208 bytes keeps 10."
        names "$first made it"
    else
        skip_part "gcore: $(tail -1 gcore.log)"
    fi
    stop
    rm -f core.*
else
    skip_part "no gcore (gdb)"
fi

# A real program.
if command -v python3 >/dev/null; then
    cat >real.py <<'END'
import time
kept = [bytes(600 + i % 2000) for i in range(40000)]
del kept[::2]
print("ready", flush=True)
time.sleep(600)
END
    start "$FREEHOLD" run --sites -- python3 real.py
    pins "$pid"
    says "call sites"
    json "p['held_bytes'] > 1e6 and p['sites'][0]['live_blocks'] > 10000"
    stop
else
    skip_part "no python3"
fi

# What it cannot do.
expect 2 "" "freehold pins: a process ID, a snapshot or a core file is missing; see freehold help pins" \
    "$FREEHOLD" pins
expect 2 "" "freehold pins: --rows takes a number from 0 to 100000, not 'x'; see freehold help pins" \
    "$FREEHOLD" pins --rows x 1
expect 2 "" "freehold pins: one process or file at a time, not '2' as well; see freehold help pins" \
    "$FREEHOLD" pins 1 2
start "$HELPERS/helper_sleep"
foreign="process $pid (helper_sleep) does not run on freehold; start it with: freehold run -- COMMAND"
expect 1 "" "freehold pins: $foreign" "$FREEHOLD" pins "$pid"
stop
finish
