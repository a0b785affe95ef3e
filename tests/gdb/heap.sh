#!/bin/sh
# heap.sh - the gdb extension on a live process and on its core: preloaded, stripped, linked statically and stripped.
# From the build: SCRIPT (the extension), LIBRARY, SUBJECT, SUBJECT_STATIC (may be empty), SCRATCH.
set -u
unset LD_PRELOAD
LC_ALL=C
export LC_ALL
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH" || exit 1
failures=0
fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
}
skip() {
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}
command -v gdb >/dev/null || skip 'gdb is not installed (package gdb)'
gdb -nx -batch -ex 'python print(40 + 2)' 2>/dev/null | grep -qx 42 || skip 'gdb was built without Python'

# The commands of every run; addresses are those that the program has printed.
cat >heap.gdb <<'END'
heap
heap check
heap block *(unsigned long *)&subject_small
heap block *(unsigned long *)&subject_freed_small
heap block *(unsigned long *)&subject_chunk + 100
heap block *(unsigned long *)&subject_freed_chunk
heap block *(unsigned long *)&subject_large + 2000000
heap block $sp
END

# on_live NAME GDB'S ARGUMENTS...: what gdb prints of the process, and of a core that it writes.
on_live() {
    name=$1
    shift
    gdb -nx -batch -iex 'set debuginfod enabled off' -ex "set exec-wrapper env LD_PRELOAD=$PRELOAD" \
        -ex run -ex "source $SCRIPT" -ex 'echo begin\n' -x heap.gdb -ex "generate-core-file $name.core" \
        -ex kill --args "$@" >"$name.live" 2>&1
    if ! grep -q 'SIGABRT' "$name.live"; then
        grep -q 'Operation not permitted\|Could not trace' "$name.live" && skip 'gdb may not trace processes here'
        fail "$name: gdb: $(tail -n 5 "$name.live")"
    fi
}

# is_sound NAME FILE
is_sound() {
    grep -q '^heap of freehold [0-9.]*, in bytes$' "$2" || fail "$1: no account: $(cat "$2")"
    sums=$(sed -n '/^heap of freehold/,/from the kernel/s/^  [a-z= ]* \([0-9,]*\).*/\1/p' "$2" | tr -d , | tr '\n' ' ')
    # shellcheck disable=SC2086
    set -- "$1" "$2" $sums
    [ $# = 9 ] && [ $(($3 + $4 + $5 + $6 + $7 + $8)) = "$9" ] || fail "$1: the account does not add up: $sums"
    grep -q 'the ledger says' "$2" && fail "$1: the ledger differs"
    [ "${3:-0}" -gt 5000000 ] || fail "$1: ${3:-no} bytes live"
    grep -Eq '^no violations in [1-9][0-9,]* chunks, [1-9][0-9]* slabs with [1-9][0-9,]* objects, [1-9]' "$2" ||
        fail "$1: heap check: $(grep 'violation\|hold' "$2")"
}

has_blocks() { # NAME FILE
    # The program's line; gdb writes to the same file, and may not have ended its own.
    addresses=$(grep -o 'small 0x.*' "$1.live" | sed -n '1s/[a-z_]* \(0x[0-9a-f]*\)/\1/gp')
    # shellcheck disable=SC2086
    set -- "$1" "$2" $addresses
    [ $# -ge 7 ] || fail "$1: the program did not say where its blocks are: $(cat "$1.live")"
    grep -q "^$3: block $3, 48 bytes, live$" "$2" || fail "$1: small: $(cat "$2")"
    grep -q "^$4: block $4, 48 bytes, cached (freed)$" "$2" || fail "$1: freed small: $(cat "$2")"
    grep -q ": block $5, 50[01][0-9] bytes, live; the address is 100 bytes into it$" "$2" || fail "$1: chunk"
    grep -Eq "^$6: block 0x[0-9a-f]*, [0-9]* bytes, free(, pages given back)?(; the .*)?$" "$2" ||
        fail "$1: freed chunk"
    grep -q ": block $7, 300[0-9]* bytes, live; the address is 2000000 bytes into it$" "$2" || fail "$1: large"
    grep -q ": not Freehold's$" "$2" || fail "$1: the stack"
    awk 'length > 80 && /^ / { print; bad = 1 } END { exit bad }' "$2" || fail "$1: over 80 columns"
}

PRELOAD=$LIBRARY
on_live plain "$SUBJECT"
sed -n '/^begin$/,$p' plain.live >plain.text
is_sound plain plain.text
has_blocks plain plain.text

# The core of it, with the library stripped of all but what the loader needs.
gdb -nx -batch -iex 'set debuginfod enabled off' -ex "source $SCRIPT" -x heap.gdb "$SUBJECT" plain.core >core.text 2>&1
is_sound core core.text
has_blocks plain core.text
cp "$(readlink -f "$LIBRARY")" stripped.so
strip stripped.so
PRELOAD=$SCRATCH/stripped.so
on_live stripped "$SUBJECT"
sed -n '/^begin$/,$p' stripped.live >stripped.text
is_sound stripped stripped.text
has_blocks stripped stripped.text

# A static program without symbols: the root is found by what it looks like.
if [ -n "$SUBJECT_STATIC" ]; then
    PRELOAD=
    cp "$SUBJECT_STATIC" static
    strip static
    sed '/subject_/d' heap.gdb >heap.static && mv heap.static heap.gdb
    on_live static ./static
    sed -n '/^begin$/,$p' static.live >static.text
    is_sound static static.text
else
    echo 'skipped a part: no static programs can be linked here'
fi

# Damage is found, and named.
PRELOAD=$LIBRARY
on_live tag "$SUBJECT" tag
grep -q '^H1 does not hold at 0x[0-9a-f]*: chunk does not tile the heap$' tag.live || fail "tag: $(cat tag.live)"
on_live link "$SUBJECT" link
grep -q '^H4 does not hold at 0x[0-9a-f]*: chunk in a bin' link.live || fail "link: $(cat link.live)"

# A process without the library: one line that says so.
gdb -nx -batch -ex "source $SCRIPT" -ex start -ex heap -ex kill "$(command -v true)" >none.text 2>&1
grep -q '^there is no heap of Freehold here' none.text || fail "a process without it: $(cat none.text)"

[ "$failures" = 0 ] || exit 1
