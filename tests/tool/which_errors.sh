#!/bin/sh
# which_errors.sh - processes that `freehold which` cannot look at: each with its cause, and what helps.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

none=$(($(cat /proc/sys/kernel/pid_max) + 1))
absent="it has ended, or is in another container (see ps -e)"
expect 1 "" "freehold which: no process $none: $absent" "$FREEHOLD" which $none
expect 1 "" "freehold which: no process $none: $absent" "$FREEHOLD" which --json $none

# One that can be looked at is, beside one that cannot.
"$FREEHOLD" which $none $$ >out 2>err
[ $? = 1 ] || fail "one of two processes is missing: not status 1"
grep -q "^process $$ (" out || fail "the process that is there is not shown"

"$HELPERS/helper_sleep" --zombie >zombie &
pid=$!
while [ ! -s zombie ]; do sleep 0.05; done
zombie=$(cat zombie)
expect 1 "" "freehold which: process $zombie (helper_sleep) is a zombie: its memory is gone, \
its parent $pid has yet to collect it" "$FREEHOLD" which "$zombie"
stop

if [ "$(sed -n 's/.*(kthreadd).*/kthreadd/p' /proc/2/stat 2>/dev/null)" = kthreadd ]; then
    expect 1 "" "freehold which: process 2 (kthreadd) is a kernel thread and has no malloc; \
choose a program's" "$FREEHOLD" which 2
else
    skip_part "no kernel threads are visible in this container"
fi

# Another user's, and one that is protected from its own user.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    place=$(mktemp -d) || exit 1
    trap 'rm -rf "$place"' EXIT
    chmod 755 "$place"
    cp "$FREEHOLD" "$place/freehold"
    cp "$HELPERS/helper_sleep" "$place/helper_sleep"
    as_nobody="setpriv --reuid nobody --regid nogroup --clear-groups"
    start "$place/helper_sleep"
    # shellcheck disable=SC2086
    expect 1 "" "freehold which: process $pid belongs to user root; look at it as that user or as root, with sudo" \
        $as_nobody "$place/freehold" which "$pid"
    stop
    # shellcheck disable=SC2086
    start $as_nobody "$place/helper_sleep" --undumpable
    # shellcheck disable=SC2086
    expect 1 "" "freehold which: process $pid is protected by the kernel (setuid, or undumpable); \
try as root, with sudo" $as_nobody "$place/freehold" which "$pid"
    stop
    # shellcheck disable=SC2086
    start $as_nobody "$place/helper_sleep"
    # shellcheck disable=SC2086
    $as_nobody "$place/freehold" which "$pid" >out 2>err || fail "a user's own process: $(cat err)"
    stop
else
    start "$HELPERS/helper_sleep" --undumpable
    expect 1 "" "freehold which: process $pid is protected by the kernel (setuid, or undumpable); \
try as root, with sudo" "$FREEHOLD" which "$pid"
    stop
fi
finish
