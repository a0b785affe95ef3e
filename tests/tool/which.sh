#!/bin/sh
# which.sh - `freehold which`: the allocators that it knows, and the ways in which they come into a process.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

sleeper=$HELPERS/helper_sleep
libc=$(ldd "$sleeper" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
[ -n "$libc" ] || skip "needs a system with glibc"
libc=$(readlink -f "$libc")

# which PID NAME, or RESULT for the lines that follow the first.
looks() { # "malloc and version" "other lines"
    expect 0 "process $pid (${name-helper_sleep}): $1
$2" "" "$FREEHOLD" which "$pid"
}

# The C library's own.
start "$sleeper"
glibc=$("$FREEHOLD" which "$pid" | sed -n '1s/.*): //p')
case $glibc in
"glibc malloc 2."[0-9]*) ;;
*) fail "glibc is said to be '$glibc'" ;;
esac
looks "$glibc" "  file  $libc
  how   part of the C library; nothing replaces it"
expect 0 "$("$FREEHOLD" which "$pid")
$("$FREEHOLD" which $$)" "" "$FREEHOLD" which "$pid" $$
stop

# Freehold, by its own program and by the loader's variable; the version is in the name of the file.
real=$(readlink -f "$LIBRARY")
version=${real##*.so.}
start "$FREEHOLD" run "$sleeper"
looks "freehold $version" "  file  $real
  how   preloaded: LD_PRELOAD has ${LIBRARY##*/}"
stop
start env LD_PRELOAD=libfreehold.so.0 LD_LIBRARY_PATH="${LIBRARY%/*}" "$sleeper"
looks "freehold $version" "  file  $real
  how   preloaded: LD_PRELOAD has libfreehold.so.0"
stop
start env LD_PRELOAD="$LIBRARY" "$sleeper" --overwrite --name redis
name=redis
looks "freehold $version" "  file  $real
  how   preloaded, as it seems: it came before the C library"
unset name
stop
# By the loader, called as a command.
loader=$(ldd "$sleeper" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) (.*/\1/p')
if [ -n "$loader" ] && "$loader" --preload "$LIBRARY" "$HELPERS/helper_exit" 2>/dev/null; then
    start "$loader" --preload "$LIBRARY" "$sleeper" --name sleeper
    name=sleeper
    looks "freehold $version" "  file  $real
  how   preloaded, as it seems: it came before the C library"
    unset name
    stop
else
    skip_part "no loader that can preload (glibc 2.30)"
fi

# Linked, and linked statically, with symbols and without.
start "$HELPERS/helper_linked"
name=helper_linked
looks "freehold $version" "  file  $real
  how   linked: helper_linked needs it"
stop
start "$HELPERS/helper_built_in"
name=helper_built_in
looks freehold "  file  $HELPERS/helper_built_in
  how   linked into the program, which comes before all libraries"
stop
# The program's own comes before a preloaded one.
start env LD_PRELOAD="$HELPERS/libmark_rpmalloc.so" "$HELPERS/helper_built_in"
looks freehold "  file  $HELPERS/helper_built_in
  how   linked into the program, which comes before all libraries
  also  rpmalloc (not used, it comes later)
        $HELPERS/libmark_rpmalloc.so"
stop
for kind in "" _stripped; do
    if [ -x "$HELPERS/helper_static_freehold$kind" ]; then
        start "$HELPERS/helper_static_freehold$kind"
        name=helper_static_f
        looks freehold "  file  $HELPERS/helper_static_freehold$kind
  how   linked into the program, which is static"
        stop
    fi
    if [ -x "$HELPERS/helper_static$kind" ]; then
        start "$HELPERS/helper_static$kind"
        name=$(printf 'helper_static%s' "$kind" | head -c 15)
        looks "glibc malloc" "  file  $HELPERS/helper_static$kind
  how   linked into the program, which is static"
        stop
    else
        skip_part "no static C library (libc.a)"
    fi
done
unset name

# Other allocators, by their symbols, in a library of any name.
known() { # ID NAME
    start env LD_PRELOAD="$HELPERS/libmark_$1.so" "$sleeper"
    looks "$2" "  file  $HELPERS/libmark_$1.so
  how   preloaded: LD_PRELOAD has libmark_$1.so"
    stop
}
known jemalloc jemalloc
known mimalloc mimalloc
known tcmalloc tcmalloc
known snmalloc snmalloc
known rpmalloc rpmalloc
known scudo Scudo
known hardened hardened_malloc
known tbb tbbmalloc
known none "an unknown malloc"
# By the name of the file alone.
for pair in libsnmallocshim.so:snmalloc librpmallocwrap.so:rpmalloc libhardened_malloc.so:hardened_malloc; do
    cp "$HELPERS/libmark_none.so" "${pair%:*}"
    start env LD_PRELOAD="./${pair%:*}" "$sleeper"
    looks "${pair#*:}" "  file  $(pwd -P)/${pair%:*}
  how   preloaded: LD_PRELOAD has ${pair%:*}"
    stop
done
# The real ones, where they are installed.
real_one() { # NAME FILE
    start env LD_PRELOAD="$2" "$sleeper"
    got=$("$FREEHOLD" which "$pid" | sed -n '1s/.*): //p')
    stop
    if [ "$got" = "$glibc" ]; then
        skip_part "$2 is not installed"
    elif [ "$got" != "$1" ]; then
        fail "$2 is said to be '$got', not $1"
    fi
}
real_one jemalloc libjemalloc.so.2
real_one mimalloc libmimalloc.so.2
real_one tcmalloc libtcmalloc_minimal.so.4
real_one tbbmalloc libtbbmalloc_proxy.so.2
real_one AddressSanitizer "$(${CC:-cc} -print-file-name=libasan.so)"

# Of several the first in the loader's order, whatever the order of their addresses.
rp=$HELPERS/libmark_rpmalloc.so mi=$HELPERS/libmark_mimalloc.so
start env LD_PRELOAD="$rp $mi" "$sleeper"
looks rpmalloc "  file  $rp
  how   preloaded: LD_PRELOAD has libmark_rpmalloc.so
  also  mimalloc (not used, it comes later)
        $mi"
stop
start env LD_PRELOAD="$mi:$rp" "$sleeper"
looks mimalloc "  file  $mi
  how   preloaded: LD_PRELOAD has libmark_mimalloc.so
  also  rpmalloc (not used, it comes later)
        $rp"
stop
start "$FREEHOLD" run "$HELPERS/helper_linked_rpmalloc"
name=helper_linked_r
looks "freehold $version" "  file  $real
  how   preloaded: LD_PRELOAD has ${LIBRARY##*/}
  also  rpmalloc (not used, it comes later)
        $rp"
stop
start "$HELPERS/helper_linked_rpmalloc"
looks rpmalloc "  file  $rp
  how   linked: helper_linked_rpmalloc needs it"
stop
unset name
start "$sleeper" --dlopen "$rp"
looks "$glibc" "  file  $libc
  how   part of the C library; nothing replaces it
  also  rpmalloc (came by dlopen, too late to be used)
        $rp"
stop
# One that was to be preloaded and is not there: the loader only says so at the start, among other messages.
# shellcheck disable=SC2016
start sh -c 'LD_PRELOAD=/none/libjemalloc.so.2 exec "$1" 2>/dev/null' sh "$sleeper"
looks "$glibc" "  file  $libc
  how   part of the C library; nothing replaces it
  note  LD_PRELOAD has /none/libjemalloc.so.2,
        which the loader did not take"
stop
# A library that was replaced or deleted since.
cp "$rp" gone.so
start env LD_PRELOAD=./gone.so "$sleeper"
rm gone.so
got=$("$FREEHOLD" which "$pid" | sed -n 1p)
case $got in
*": rpmalloc") ;;
*) [ "$(id -u)" = 0 ] && fail "a deleted library: '$got'" ;;
esac
stop

if [ -x "$HELPERS/helper_musl" ] && "$HELPERS/helper_musl" --help >/dev/null 2>&1; [ $? = 2 ]; then
    start "$HELPERS/helper_musl"
    got=$("$FREEHOLD" which "$pid" | sed -n '1p;3p')
    [ "$got" = "process $pid (helper_musl): musl malloc
  how   part of the C library; nothing replaces it" ] || fail "musl: $got"
    stop
else
    skip_part "no musl (musl-tools)"
fi

# JSON: names come from strangers.
start env LD_PRELOAD="$rp:$mi" "$sleeper" --name "$(printf 'a"b\\c\001\351')"
expect 0 "{\"pid\": $pid, \"process\": \"a\\\"b\\\\c\\u0001\\ufffd\", \"executable\": \"$sleeper\", \
\"used\": {\"malloc\": \"rpmalloc\", \"version\": null, \"file\": \"$rp\", \"arrival\": \"LD_PRELOAD\", \
\"through\": \"$rp\"}, \"also\": [{\"malloc\": \"mimalloc\", \"version\": null, \"file\": \"$mi\", \
\"arrival\": \"LD_PRELOAD\", \"through\": \"$mi\", \
\"replaces_malloc\": true}], \"missing_preload\": null}" "" "$FREEHOLD" which --json "$pid"
expect 0 "$("$FREEHOLD" which --json "$pid")" "" "$FREEHOLD" which "$pid" --json
name=$(printf 'a"b\\c?\351')
looks rpmalloc "  file  $rp
  how   preloaded: LD_PRELOAD has libmark_rpmalloc.so
  also  mimalloc (not used, it comes later)
        $mi"
stop
finish
