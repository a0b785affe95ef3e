#!/bin/sh
# demo.sh - gcc compiles the sources of Freehold, on the malloc of the system and on Freehold in turn: what each took,
# and what the heap of the largest compilation looked like at its end. Called by ./dev demo, after a build.
set -eu
cd "$(dirname "$0")/.."
work=build/demo
rounds=3

# ---- compile every source file; called as `demo.sh --compile DIRECTORY`, which is what is measured ----
if [ "${1-}" = --compile ]; then
    includes='-Iinclude'
    for folder in src/*/; do
        includes="$includes -I$folder"
    done
    for file in src/*/*.c; do
        # shellcheck disable=SC2086  # one word for each folder
        gcc -std=gnu11 -O2 -g -fPIC $includes -c "$file" -o "$2/$(echo "$file" | tr / _).o" || exit
    done
    exit 0
fi

mkdir -p $work/system $work/freehold
gcc -O1 -o $work/measure scripts/measure.c
files=$(find src -name '*.c' | wc -l)
lines=$(cat src/*/*.c | wc -l)
echo "gcc compiles the sources of Freehold: $files files, $lines lines of C, -O2 -g,"
echo "one after the other; $rounds rounds of each, in turn; the best time counts."
echo

# With --report=all every process prints the account of its heap when it exits; all but the largest are dropped below.
best_of() { # FIELD FILE...: the smallest of a field over all rounds
    field=$1
    shift
    awk -v f="$field" 'NR == 1 || $f < best { best = $f } END { print best }' "$@"
}
round=1
while [ $round -le $rounds ]; do
    $work/measure $work/system.$round sh "$0" --compile $work/system
    $work/measure $work/freehold.$round build/freehold run --report=all -- sh "$0" --compile $work/freehold \
        2>$work/report || { cat $work/report >&2; exit 1; }
    round=$((round + 1))
done

row() { # NAME PREFIX
    printf '  %-18s %9.2f s %9.2f s %10.1f MiB\n' "$1" "$(best_of 1 $work/"$2".[0-9])" "$(best_of 2 $work/"$2".[0-9])" \
        "$(best_of 3 $work/"$2".[0-9] | awk '{ print $1 / 1024 }')"
}
printf '  %-18s %11s %11s %14s\n' 'malloc' 'time' 'processor' 'peak RSS'
row "the system's" system
row 'freehold' freehold
echo

for object in "$work"/system/*.o; do
    cmp "$object" "$work/freehold/${object##*/}" || {
        echo 'gcc on freehold made another object file than gcc alone: that must not be' >&2
        exit 1
    }
done
echo 'Both made the same object files, byte for byte.'
echo
echo 'The account of the largest heap among those processes, as it was at exit:'
echo
awk '
    # How many bytes the text of a line stands for: "12,345", "12.3 KiB", "4 MiB".
    function bytes(text,    n, unit) {
        gsub(/,/, "", text)
        if (!match(text, /[0-9][0-9.]*/)) return 0
        n = substr(text, RSTART, RLENGTH) + 0
        unit = substr(text, RSTART + RLENGTH)
        if (unit ~ /^ *k/ || unit ~ /^ *K/) n *= 1024
        if (unit ~ /^ *M/) n *= 1048576
        if (unit ~ /^ *G/) n *= 1073741824
        return n
    }
    function finish() { if (size > best) { best = size; kept = block } size = 0; block = "" }
    /^freehold: account of pid/ { finish(); inside = 1; block = $0 "\n"; next }
    inside && /^[ =]/ {
        block = block $0 "\n"
        if (/from the kernel/) size = bytes($0)
        next
    }
    { inside = 0 }
    END { finish(); printf "%s", kept }
' $work/report
