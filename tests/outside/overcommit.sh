#!/bin/sh
# overcommit.sh LIMITS LIBRARY - runs the test overcommit_never with vm.overcommit_memory = 2 and restores the value,
# whatever becomes of this script: a guardian in a session of its own waits for our end. Skipped (77) where the value
# cannot be set, or where the machine has too little left to promise.
set -u
limits=$1
library=$2
setting=/proc/sys/vm/overcommit_memory
skip() {
    echo "skipped: $1"
    exit 77
}

[ -w "$setting" ] || skip "$setting cannot be written"
old=$(cat "$setting")
[ "$old" = 2 ] && exec "$limits" --library "$library" overcommit_never
limit_kib=$(awk '/^CommitLimit:/ { print $2 }' /proc/meminfo)
used_kib=$(awk '/^Committed_AS:/ { print $2 }' /proc/meminfo)
[ $((limit_kib - used_kib)) -gt 2000000 ] || skip "less than 2 GB are left to promise on this machine"

dir=$(mktemp -d)
mkfifo "$dir/alive"
# The guardian sees the end of the file when the last holder of the fifo's other end, this script, is gone.
# shellcheck disable=SC2016 # $1 is the guardian's
setsid sh -c 'cat "$1/alive" >/dev/null; echo "$2" >"$3"; rm -rf "$1"' guardian "$dir" "$old" "$setting" &
guardian=$!
exec 3>"$dir/alive"
if ! echo 2 2>/dev/null >"$setting"; then
    exec 3>&-
    wait "$guardian"
    skip "the kernel does not let us set $setting"
fi
"$limits" --library "$library" overcommit_never 3>&-
status=$?
exec 3>&-
wait "$guardian"
[ "$(cat "$setting")" = "$old" ] || { echo "$setting was not restored"; exit 1; }
exit "$status"
