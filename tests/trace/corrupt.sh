#!/bin/sh
# corrupt.sh - the reader finds every wrong byte, and the tool says so in one line.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

"$FREEHOLD" record -o t -- "$HELPERS/known"
"$HELPERS/corrupt" t 0 1 || fail "corrupt, every byte of a small trace"
"$FREEHOLD" record -o threads.t -- "$HELPERS/threads" 2 500 3
"$HELPERS/corrupt" threads.t 0 "${STEP:-31}" || fail "corrupt, with threads"

# change FILE OFFSET: into `bad`.
change() {
    cp "$1" bad
    printf '\252' | dd of=bad bs=1 seek="$2" conv=notrunc 2>/dev/null
}
block=$(od -An -t u4 -j 16 -N 4 t | tr -d ' ') # header_bytes: where the first block begins
for verb in "--stat" "--with glibc"; do
    change t 3
    # shellcheck disable=SC2086
    expect 1 "" "freehold replay: bad: not a trace; freehold record -o FILE -- COMMAND makes one" \
        "$FREEHOLD" replay bad $verb
    change t 30
    # shellcheck disable=SC2086
    expect 1 "" "freehold replay: bad: its header is damaged" "$FREEHOLD" replay bad $verb
    change t "$block"
    # shellcheck disable=SC2086
    expect 1 "" "freehold replay: bad: damaged at byte $block: no block begins there" "$FREEHOLD" replay bad $verb
    change t $((block + 70))
    # shellcheck disable=SC2086
    "$FREEHOLD" replay bad $verb >out 2>err
    [ $? = 1 ] || fail "a damaged block: status"
    grep -qx "freehold replay: bad: damaged between bytes $block and [0-9]*: the checksum is wrong" err ||
        fail "said: $(cat err)"
done
finish
