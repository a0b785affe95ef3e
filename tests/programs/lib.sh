# lib.sh: what the scripts of this folder share; sourced, never run.
#
# A script runs one real program twice, on the system's malloc and on freehold, and compares what comes out. It must
# not be able to pass without freehold, so it also shows that the program's malloc was freehold's, by at least one of
#   binds         the dynamic linker's own account says which library the malloc of a command is bound to
#   ran_on        the account that freehold prints at the exit of a process is there, and names the process
#   mapped_in     a running server has the library mapped
#
# Environment:
#   FH_BUILD      the build directory (default: build at the root of the project)
#   FH_LIB        another malloc to preload instead of $FH_BUILD/libfreehold.so.0, to try the scripts themselves; then
#   FH_PROOF_ENV  is the NAME=value that makes it print something at exit, and
#   FH_PROOF      the pattern of that line, in which %s stands for the pattern of the process' name
# For example: FH_LIB=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2 FH_PROOF_ENV=MALLOC_CONF=stats_print:true \
#              FH_PROOF='Begin jemalloc statistics' sh perl.sh
#
# Exit status: 0 passed, 1 failed, 77 skipped (the last line says what is missing).
# shellcheck shell=sh

set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
test_name=$(basename "$0" .sh)

# Nothing of the caller's surroundings may change what the programs print.
unset LD_PRELOAD LD_LIBRARY_PATH MALLOC_CONF GLIBC_TUNABLES CDPATH ENV BASH_ENV
for name in $(env | sed -n 's/^\(FREEHOLD_[A-Z0-9_]*\)=.*/\1/p; s/^\(MALLOC_[A-Z_]*_\)=.*/\1/p'); do
    unset "$name"
done
LC_ALL=C TZ=UTC
export LC_ALL TZ
umask 022

build=${FH_BUILD:-$root/build}
[ -d "$build" ] || { echo "$build is missing: build first" >&2; exit 1; }
build=$(cd "$build" && pwd)
stand_in=${FH_LIB:+yes}
lib=${FH_LIB:-$build/libfreehold.so.0}
proof_env=${FH_PROOF_ENV:-FREEHOLD_REPORT=1}
proof=${FH_PROOF:-freehold: account of pid [0-9]* (%s)}

work=$(mktemp -d "${TMPDIR:-/tmp}/freehold-$test_name.XXXXXX")
chmod 755 "$work"
server_pids=

clean_up() {
    status=$?
    trap - EXIT
    for pid in $server_pids; do
        stop_server "$pid"
    done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work"

fail() {
    echo "$test_name: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# need COMMAND PACKAGE: the test makes no sense without it.
need() {
    command -v "$1" >/dev/null 2>&1 || skip "$1 is not installed (package $2)"
}

# show FILE: the end of a log, for the reader of a failure.
show() {
    [ -f "$1" ] || return 0
    echo "--- the end of $(basename "$1"):" >&2
    tail -n "${2:-15}" "$1" >&2
}

# limited COMMAND…: a program that hangs ends, with its children, after a minute and status 124.
limited() {
    timeout -k 5 400 "$@"
}

# on_system OUT COMMAND…: runs on the system's malloc; OUT gets the output, OUT.err the messages.
on_system() {
    out=$1
    shift
    "$@" >"$out" 2>"$out.err" || {
        status=$?
        show "$out.err"
        fail "exit status $status on the system's malloc: $*"
    }
}

# check_at_exit: from here on every process checks all invariants at its exit, and aborts if one is broken. That wants
# all other threads at rest, so it is for programs without threads at their exit.
check=
check_at_exit() {
    check=yes
}

# on_freehold OUT COMMAND…: as on_system, on freehold, with the account at exit.
on_freehold() {
    out=$1
    shift
    preloaded "$@" >"$out" 2>"$out.err" || {
        status=$?
        show "$out.err" 40
        fail "exit status $status on freehold, 0 on the system's malloc: $*"
    }
    complaints "$out.err"
}

# preloaded COMMAND…: runs it on freehold and keeps its exit status.
preloaded() {
    if [ -n "$check" ] && [ -z "$stand_in" ]; then
        limited env LD_PRELOAD="$lib" "$proof_env" FREEHOLD_CHECK=1 "$@"
    else
        limited env LD_PRELOAD="$lib" "$proof_env" "$@"
    fi
}

# complaints FILE: whatever freehold says beside its account is a fault, an unknown option or a failed preload.
complaints() {
    if grep -a -v 'freehold: account of pid' "$1" |
        grep -a -E '(^|[^a-z])freehold: |ld\.so: .*LD_PRELOAD' >"$work/complaints"; then
        show "$work/complaints"
        fail "freehold complained, see above"
    fi
}

# same EXPECTED GOT WHAT: byte for byte, and not empty.
same() {
    [ -s "$1" ] || fail "$3: the run on the system's malloc left nothing to compare"
    if ! cmp -s "$1" "$2"; then
        diff -a "$1" "$2" 2>&1 | cut -c 1-160 | head -n 20 >&2 || :
        show "$2.err"
        fail "$3: differs on freehold"
    fi
}

# ran_on FILE NAME…: the messages in FILE hold an account of a process of each name (a basic regular expression).
ran_on() {
    messages=$1
    shift
    for process in "$@"; do
        pattern=$(printf '%s\n' "$proof" | sed "s/%s/$process/")
        grep -a -q "$pattern" "$messages" || {
            show "$messages"
            fail "no sign that $process ran on freehold: nothing like '$pattern' in its messages"
        }
    done
}

# binds COMMAND…: the malloc and free of the command, or of the libraries it calls, are bound to the preloaded library.
binds() {
    rm -f "$work"/bindings.*
    env LD_PRELOAD="$lib" LD_BIND_NOW=1 LD_DEBUG=bindings LD_DEBUG_OUTPUT="$work/bindings" \
        "$@" >bound.out 2>&1 </dev/null || {
        show bound.out
        fail "does not run on freehold at all: $*"
    }
    for symbol in malloc free; do
        cat "$work"/bindings.* | grep -F " to $lib " | grep -q "symbol \`$symbol'" ||
            fail "$symbol is not bound to $lib in: $*"
    done
    # A program at a fixed address that takes the address of malloc lends the whole process its own jump to it, which
    # the checks above have followed; what must not be is another library.
    if cat "$work"/bindings.* | grep -E "symbol \`(malloc|free|calloc|realloc|posix_memalign)'" |
        grep -E ' to [^ ]*\.so[.0-9]* ' | grep -v -F " to $lib " >bound.elsewhere; then
        show bound.elsewhere 5
        fail "some calls are bound to another malloc in: $*"
    fi
    rm -f "$work"/bindings.* bound.*
}

# mapped_in PID: a running process has the library mapped.
mapped_in() {
    grep -q -F "$(basename "$(readlink -f "$lib")")" "/proc/$1/maps" || fail "process $1 runs without $lib"
}

# wait_until WHAT COMMAND…: polls for at most 20 seconds.
wait_until() {
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || fail "gave up waiting: $what"
        sleep 0.05
    done
}

gone() {
    ! kill -0 "$1" 2>/dev/null
}

# ended PID NAME: a server that was asked to end does so, with status 0.
ended() {
    wait_until "$2 to end" gone "$1"
    # shellcheck disable=SC2086 # a list
    server_pids=$(printf '%s\n' $server_pids | grep -v -x "$1" || :)
    wait "$1" || fail "$2 ended with status $?"
}

# stop_server PID: asks, waits for at most 10 seconds, kills.
stop_server() {
    kill -TERM "$1" 2>/dev/null || return 0
    tries=0
    until gone "$1"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 200 ]; then
            # Its children first, or they would outlive it.
            # shellcheck disable=SC2046 # a list
            kill -KILL $(cat "/proc/$1/task/$1/children" 2>/dev/null) "$1" 2>/dev/null || :
            break
        fi
        sleep 0.05
    done
    wait "$1" 2>/dev/null || :
}

# built_only: for scripts that link against what this project builds; a stand-in has no part in them.
built_only() {
    [ -z "$stand_in" ] || skip "this test links with the library that was built; FH_LIB is set"
    need "${CC:-cc}" gcc
}

[ -e "$lib" ] || fail "$lib is missing: build first"
