#!/bin/sh
# run_refuses.sh - commands into which nothing can be preloaded: refused in one line that says why, and what helps.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in=$HELPERS/libstandin.so
FREEHOLD_LIBRARY=$stand_in
PATH=$HELPERS:$PATH
export FREEHOLD_LIBRARY PATH
run="$FREEHOLD run --"

# refused STATUS "what is said after the name" FILE
refused() {
    # shellcheck disable=SC2086  # two words
    expect "$1" "" "freehold run: $3$2" $run "$3"
}

# patch FILE OFFSET BYTES: writes bytes (printf's octal) over a file.
patch() {
    # shellcheck disable=SC2059
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

static=$HELPERS/helper_static
relink="so nothing can be preloaded; relink it with libfreehold.a"
if [ -x "$static" ]; then
    refused 125 " is statically linked, $relink" "$static"
    printf '#!%s\n' "$static" >script
    chmod +x script
    refused 125 ": its interpreter $static is statically linked, $relink" ./script
    printf '#! %s -x\n' "./script" >script2
    chmod +x script2
    refused 125 ": its interpreter $static is statically linked, $relink" ./script2
    for words in "helper_static" "-S helper_static -x" "-S A=1 helper_static"; do
        printf '#! /usr/bin/env %s\n' "$words" >script
        refused 125 ": its interpreter $static is statically linked, $relink" ./script
    done
else
    skip_part "no static C library (libc.a) to link a static program with"
fi
if [ -x "$HELPERS/helper_static_pie" ]; then
    refused 125 " is statically linked (static-pie), $relink" "$HELPERS/helper_static_pie"
else
    skip_part "the compiler cannot link static-pie programs"
fi

# Other architectures: the header of a program of this one, changed.
good=$HELPERS/helper_exit
case $(uname -m) in
x86_64) here=x86-64 ;;
aarch64) here=aarch64 ;;
*) here=$(uname -m) ;;
esac
foreign() { # NAME, then pairs of OFFSET BYTES
    name=$1
    shift
    cp "$good" foreign
    while [ $# -gt 0 ]; do
        patch foreign "$1" "$2"
        shift 2
    done
    refused 125 " is built for $name, the library for $here; use a Freehold built for $name" ./foreign
}
[ "$here" = aarch64 ] || foreign aarch64 18 '\267'
[ "$here" = x86-64 ] || foreign x86-64 18 '\076'
foreign "64-bit RISC-V" 18 '\363'
foreign "64-bit machine number 47806" 18 '\276\272'
foreign "32-bit x86" 4 '\001' 18 '\003' 44 '\000\000'
foreign "32-bit x86-64" 4 '\001' 18 '\076' 44 '\000\000'
foreign "32-bit big-endian ARM" 4 '\001\002' 16 '\000\002\000\050' 44 '\000\000'
foreign "64-bit S/390" 5 '\002' 16 '\000\002\000\026' 56 '\000\000'

# A program for the other C library.
if [ -x "$HELPERS/helper_musl" ]; then
    refused 125 " uses musl libc, the library glibc; use a Freehold built for musl libc" "$HELPERS/helper_musl"
fi
if [ -x "$HELPERS/helper_no_loader" ]; then
    refused 127 " needs the loader /no/such/loader.so.1, which is missing; install its C library" \
        "$HELPERS/helper_no_loader"
fi

# A program that has its own malloc: it would be found before ours.
own="which comes before any preloaded; build it without"
refused 125 " has a malloc of its own inside (jemalloc), $own" "$HELPERS/helper_own_malloc"

# Scripts that cannot run on it.
printf '#!/usr/bin/env -i sh\n' >script
chmod +x script
refused 125 ": its #! line empties the environment, and LD_PRELOAD with it; take -i out of it" ./script
printf '#!/no/such/interpreter -x\n' >script
refused 127 ": its interpreter /no/such/interpreter: No such file or directory; install it, or correct the #! line" \
    ./script
printf '#!/usr/bin/env no_such_interpreter\n' >script
# shellcheck disable=SC2086
expect 127 "" "freehold run: no_such_interpreter: not found in PATH; check the spelling, or give its path" $run ./script
printf '#!/bin/sh\r\nexit 0\r\n' >script
refused 126 ": its #! line ends in a carriage return, as DOS files do; correct the #! line" ./script
printf '#! \nexit 0\n' >script
refused 126 ": its #! line names no interpreter; correct the #! line" ./script
printf '#!./script\n' >script
refused 126 ": too many scripts that have scripts as interpreters; correct the #! line" ./script

# What is no program at all.
refused 127 ": not found in PATH; check the spelling, or give its path" no_such_command
refused 127 ": no such file" ./no_such_command
refused 127 ": no such file" "$good/x"
refused 126 ": is a directory; name a program in it" "$SCRATCH"
printf 'text\n' >text
refused 126 ": not executable (permission denied); chmod +x makes it so" ./text
mkdir bin
cp text bin/only_here
expect 126 "" "freehold run: $SCRATCH/bin/only_here: not executable (permission denied); chmod +x makes it so" \
    env PATH="$SCRATCH/bin:$PATH" "$FREEHOLD" run only_here
refused 126 " is a shared library, not a program" "$stand_in"
cp "$good" object
patch object 16 '\001'
refused 126 " is not a program but another kind of ELF file" ./object
head -c 50 "$good" >./cut
chmod +x cut
refused 126 " is a damaged ELF file: its header is cut short; rebuild or reinstall it" ./cut
head -c 100 "$good" >./cut
refused 126 " is a damaged ELF file: its program headers are cut short; rebuild or reinstall it" ./cut
cp "$good" cut
patch cut 4 '\003'
refused 126 " is a damaged ELF file: it is neither 32-bit nor 64-bit; rebuild or reinstall it" ./cut
patch cut 4 '\002\003'
refused 126 " is a damaged ELF file: its byte order is unknown; rebuild or reinstall it" ./cut

# Names cannot play with the terminal, or make two lines of one.
name=$(printf 'a\nb\033[2J')
# shellcheck disable=SC2086
expect 127 "" "freehold run: ./a?b?[2J: no such file" $run "./$name"
finish
