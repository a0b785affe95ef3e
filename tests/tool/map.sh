#!/bin/sh
# map.sh - freehold map: cells add up to the account, and the pictures are what they should be, of a heap that is known.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/tool/map_lib.sh
. "$(dirname "$0")/map_lib.sh"

# --- a heap that is known ---
start "$FREEHOLD" run -- "$HELPERS/helper_map"
everything helper_map "$pid"
check helper helper_map.json , pixels helper_map.png
"$FREEHOLD" map "$pid" --cell 64k --json >coarse.json || fail "--cell 64k"
check json coarse.json helper_map.explain
grep -q '"cell_bytes": 65536' coarse.json || fail "--cell 64k: other cells"
grep -q '^heap 0' helper_map.text || fail "no heap 0"
grep -q '!' helper_map.text || fail "nothing is marked as kept by few live bytes"
if command -v node >/dev/null; then
    for script in helper_map.html.*.js; do
        node --check "$script" || fail "$script is no script"
    done
else
    skip_part "no node: the page's script is not parsed"
fi

# --- a terminal ---
cat >terminal.py <<'END'
import os, pty, sys
text = b""
def read(fd):
    global text
    data = os.read(fd, 4096)
    text += data
    return data
os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
status = pty.spawn(sys.argv[2:], read)
open(sys.argv[1], "wb").write(text.replace(b"\r", b""))
sys.exit(status)
END
on_terminal() { python3 terminal.py "$1" "$FREEHOLD" map "$pid" >/dev/null </dev/null; }
on_terminal terminal.text || fail "map on a terminal"
check columns terminal.text
grep -q "$(printf '\033\\[48;5;')" terminal.text || fail "no colours on a terminal"
grep -q '█' terminal.text || fail "no blocks on a terminal"
NO_COLOR=1 on_terminal plain.text || fail "map with NO_COLOR"
grep -q "$(printf '\033')" plain.text && fail "colours in spite of NO_COLOR"
COLORTERM=truecolor on_terminal true.text || fail "map with 24 bits of colour"
grep -q "$(printf '\033\\[48;2;')" true.text || fail "no 24 bits of colour"
"$FREEHOLD" map --color never "$pid" | LC_ALL=C grep -q '[^ -~]' && fail "--color never in the C locale: not ASCII"

# --- through time ---
if "$FREEHOLD" snapshot "$pid" -o before.snap >/dev/null 2>err; then
    kill -USR1 "$pid"
    while [ ! -e freed ]; do sleep 0.1; done
    "$FREEHOLD" snapshot "$pid" -o after.snap >/dev/null || fail "snapshot"
    "$FREEHOLD" explain --json after.snap >after.explain || fail "explain after.snap"
    "$FREEHOLD" map after.snap before.snap --json >time.json || fail "map of two snapshots"
    [ "$(grep -o '"pid"' time.json | wc -l)" = 2 ] || fail "not two frames"
    "$FREEHOLD" map before.snap after.snap -o time.html || fail "map -o time.html"
    "$FREEHOLD" map before.snap after.snap -o time.svg || fail "map -o time.svg"
    check html time.html "2 snapshots" , cells time.html after.explain , svg time.svg , \
        json time.json after.explain
else
    skip_part "$(cat err)"
fi
last=$pid

# --- mistakes ---
expect 2 '' "freehold map: 'heap.gif' ends in neither .svg nor .html nor .png; see freehold help map" \
    "$FREEHOLD" map "$pid" -o heap.gif
expect 2 '' "freehold map: --cell is a power of two, such as 4k, 64k or 1m, not '5k'; see freehold help map" \
    "$FREEHOLD" map "$pid" --cell 5k
expect 2 '' "freehold map: --color is auto, always or never, not 'red'; see freehold help map" \
    "$FREEHOLD" map --color red "$pid"
expect 2 '' "freehold map: a process ID, a snapshot or a core file is missing; see freehold help map" "$FREEHOLD" map
expect 1 '' "freehold map: ./no/heap.svg: cannot be written: No such file or directory" \
    "$FREEHOLD" map "$pid" -o ./no/heap.svg
[ -c /dev/full ] && ln -s /dev/full full.png && expect 1 '' \
    "freehold map: full.png: cannot be written: No space left on device" "$FREEHOLD" map "$pid" -o full.png
start "$FREEHOLD" run -- "$HELPERS/helper_sleep"
expect 2 '' "freehold map: $last is of process $last, $pid of process $pid; a time line is of one process; see freehold\
 help map" "$FREEHOLD" map "$last" "$pid"
stop
pid=$last
stop

finish
