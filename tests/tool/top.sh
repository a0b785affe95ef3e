#!/bin/sh
# top.sh - `freehold top`: as text, as JSON, and on a terminal that is resized, of a process that ends meanwhile.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

start "$FREEHOLD" run --sites -- "$HELPERS/helper_pins" some address
"$FREEHOLD" top --once "$pid" >text 2>err || fail "--once: status $?: $(cat err)"
[ ! -s err ] || fail "--once: $(cat err)"
awk 'length > 80 { print; bad = 1 } END { exit bad }' text || fail "--once: over 80 columns"
for word in "process $pid (helper_pins)" account map sizes heaps threads sites "1 thread"; do
    grep -q -e "$word" text || fail "--once does not say '$word'"
done
grep -q "^   208  *1,0[0-9][0-9]  *2[01][0-9] KB" text || fail "--once: the class of 208: $(grep '^ *208' text)"
thread="$pid" # the kernel's id of a thread is known on x86-64 alone
[ "$(uname -m)" = x86_64 ] || thread="#1"
grep -q "^$thread" text || fail "--once does not name the thread: $(grep -A2 '^thread' text)"
if ldd "$FREEHOLD" | grep -q libdw; then
    grep -q "1,000 .*inlined_maker() at helper_pins.c:" text || fail "--once does not name the site"
else
    skip_part "built without libdw"
fi
if command -v python3 >/dev/null; then
    "$FREEHOLD" top --once --json "$pid" >top.json || fail "--json: status $?"
    "$FREEHOLD" top --json --once >list.json || fail "--json: status $? of the list"
    python3 -c "
import json
top, account = json.load(open('top.json')), json.load(open('top.json'))['account']
assert 1000 <= [size for size in top['sizes'] if size['size_bytes'] == 208][0]['live'] < 1100, top['sizes']
assert top['threads'][0]['tid'] in (0, $pid) and len(top['threads']) == 1
assert 150e3 < sum(cell['live_bytes'] for cell in top['map']) < 3e6, top['map']
assert all(int(cell['start'], 16) % 4096 == 0 for cell in top['map']), top['map']
assert top['sites'][0]['live_blocks'] >= 1 and not top['sites'][0]['estimated']
mine = [process for process in json.load(open('list.json')) if process['pid'] == $pid]
assert mine[0]['process'] == 'helper_pins' and mine[0]['live_bytes'] == account['live_bytes'], mine" || fail "JSON"
else
    skip_part "no python3"
fi
"$FREEHOLD" top --once >text || fail "status $? of the list"
grep -q "^ *$pid  helper_pins " text || fail "the list lacks $pid: $(cat text)"

# The live view. What is on the screen is waited for, so that a busy machine only takes longer.
screen() { tmux -S tmux.socket capture-pane -p -t top; }
shows() {
    tries=0
    until screen >screen 2>/dev/null && grep -q -e "$1" screen; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { fail "the screen does not show '$1': $(cat screen)"; return; }
        sleep 0.1
    done
}
keys() { tmux -S tmux.socket send-keys -t top "$@"; }
if ! command -v tmux >/dev/null; then
    skip_part "no tmux"
elif ! ldd "$FREEHOLD" | grep -q libncursesw; then
    skip_part "built without ncursesw"
else
    tmux -S tmux.socket -f /dev/null new-session -d -x 80 -y 24 -s top \
        "$FREEHOLD top $pid; echo status \$?; exec sleep 600"
    shows "process $pid (helper_pins)"
    shows "\[1 account\]"
    shows "over time"
    keys 3
    shows "\[3 sizes\]"
    shows "^   208 "
    keys 6
    shows "\[6 sites\]"
    shows "made by"
    keys Tab
    shows "\[1 account\]"
    keys 2
    shows "not in memory"
    tmux -S tmux.socket resize-window -t top -x 120 -y 40
    shows "every 1 s  ? keys"
    [ "$(grep -c '^0x' screen)" -ge 1 ] || fail "the map after resizing: $(cat screen)"
    tmux -S tmux.socket resize-window -t top -x 30 -y 5
    shows "process $pid"
    tmux -S tmux.socket resize-window -t top -x 80 -y 24
    keys '?'
    shows "another view"
    keys q
    keys Space
    shows "paused"
    keys Space
    kill "$pid"
    wait "$pid" 2>/dev/null
    shows "It ended at"
    keys q
    shows "status 0"
    tmux -S tmux.socket kill-server
fi
stop

# A real program, and a profile instead of sites.
if command -v redis-server >/dev/null; then
    "$FREEHOLD" run --profile -- redis-server --port 0 --unixsocket "$SCRATCH/redis" --save '' >log 2>&1 &
    pid=$!
    tries=0
    until [ -S redis ] || [ $tries -ge 300 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    "$FREEHOLD" top --once "$pid" >text 2>err || fail "redis: status $?: $(cat err)"
    grep -q "process $pid (redis-server)" text || fail "redis: $(cat text)"
    grep -q "estimated from samples" text || fail "redis: no sites: $(cat text)"
    grep -q "^$pid (redis-server) \|^#1 " text || fail "redis: its threads: $(cat text)"
    kill "$pid"
    wait "$pid" 2>/dev/null
else
    skip_part "no redis-server"
fi

expect 2 "" "freehold top: --json goes with --once; see freehold help top" "$FREEHOLD" top --json 1
expect 2 "" "freehold top: --interval takes seconds from 0.1 to 3600, not '0'; see freehold help top" \
    "$FREEHOLD" top --interval 0
start "$FREEHOLD" run "$HELPERS/helper_sleep"
if command -v python3 >/dev/null; then
    "$FREEHOLD" top --once --json "$pid" >top.json || fail "--json: status $?"
    python3 -c "
import json
account = json.load(open('top.json'))['account']
items = ('live', 'rounding', 'cached', 'free', 'untouched', 'metadata')
assert sum(account[item + '_bytes'] for item in items) == account['obtained_bytes'] - account['returned_bytes'], account
" || fail "the account does not add up"
fi
if ldd "$FREEHOLD" | grep -q libncursesw; then
    expect 1 "" "freehold top: the live view needs a terminal; --once prints the same as text" "$FREEHOLD" top "$pid"
fi
stop
start "$HELPERS/helper_sleep"
foreign="process $pid (helper_sleep) does not run on freehold; start it with: freehold run -- COMMAND"
expect 1 "" "freehold top: $foreign" "$FREEHOLD" top --once "$pid"
stop
finish
