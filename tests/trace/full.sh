#!/bin/sh
# full.sh - a full disk stops the recording with one line; the program goes on, and what was written can be used.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

usable() { # NAME FILE
    "$HELPERS/dump" --check "$2" >checked || fail "$1: $(cat checked)"
    events=$(sed 's/ .*//' checked)
    [ "$events" -gt 1000 ] || fail "$1: $events events"
}
goes_on() { # NAME LINE COMMAND...
    name=$1 line=$2
    shift 2
    "$@" >out 2>err || fail "$name: the program ended with $?"
    [ "$(cat out)" = "done" ] || fail "$name: the program said '$(cat out)'"
    [ "$(cat err)" = "$line" ] || fail "$name: said '$(cat err)', not '$line'"
}
stopped='recording stopped, the program goes on'

# A limit on the size of files: the kernel sends SIGXFSZ, too, which would kill the program.
goes_on limit "freehold record: $SCRATCH/t: file too large; $stopped" \
    sh -c 'ulimit -f 200 && exec "$0" record -o t -- "$1" 1000000' "$FREEHOLD" "$HELPERS/forever"
usable limit t

# A device that is always full. The tool refuses it, so this asks the library itself.
record_library=$(dirname "$LIBRARY")/libfreehold-record.so.0
if [ -c /dev/full ]; then
    goes_on /dev/full "freehold record: /dev/full: no space left on device; $stopped" \
        sh -c 'FREEHOLD_RECORD=$$:/dev/full LD_PRELOAD=$0 exec "$1" 100000' "$record_library" "$HELPERS/forever"
else
    skip_part "/dev/full is not there"
fi

# A small file system that fills up.
mkdir -p small
if mount -t tmpfs -o size=256k none small 2>/dev/null; then
    goes_on tmpfs "freehold record: $SCRATCH/small/t: no space left on device; $stopped" \
        "$FREEHOLD" record -o small/t -- "$HELPERS/forever" 1000000
    cp small/t small.t
    umount small
    usable tmpfs small.t
else
    skip_part "cannot mount a small tmpfs (not root)"
fi

# The folder is gone, or may not be written: the tool says so before anything runs.
expect 125 "" "freehold record: no/such/t: cannot be written: No such file or directory" \
    "$FREEHOLD" record -o no/such/t -- "$HELPERS/forever" 10
finish
