#!/bin/sh
# check_install.sh BUILD_DIRECTORY CMAKE - an installed Freehold can be used in each of the ways that the README gives:
# -lfreehold, the archive in a fully static program, pkg-config, find_package, the preload and the program.
set -eu
build=$1
cmake=$2

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
"$cmake" --install "$build" --prefix "$root/usr" >"$root/log" || { cat "$root/log"; exit 1; }
lib=$(dirname "$(find "$root/usr" -name libfreehold.a)")

cat >"$root/user.c" <<'END'
#include <freehold.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct fh_account account;
    char *volatile block = malloc(100);
    memset(block, 1, 100);
    fh_account_read(&account);
    free(block);
    if (account.live_blocks == 0 || fh_check(NULL, NULL) != 0)
        return 1;
    return printf("%s\n", fh_version()) > 0 ? 0 : 1;
}
END

status=0
works() { # NAME COMMAND...: the command succeeds, and its output is a version
    name=$1
    shift
    if ! "$@" >"$root/out" 2>&1 || ! grep -qx '[0-9]*\.[0-9]*\.[0-9]*' "$root/out"; then
        echo "$name does not work:"
        cat "$root/out"
        status=1
    fi
}

gcc -I"$root/usr/include" "$root/user.c" -L"$lib" -lfreehold -o "$root/shared"
works 'a program linked by -lfreehold' env LD_LIBRARY_PATH="$lib" "$root/shared"

gcc -static -I"$root/usr/include" "$root/user.c" "$lib/libfreehold.a" -o "$root/static"
works 'a fully static program' "$root/static"

if command -v pkg-config >/dev/null; then
    # shellcheck disable=SC2046
    gcc "$root/user.c" $(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs libfreehold) -o "$root/pkg"
    works 'a program built by pkg-config' env LD_LIBRARY_PATH="$lib" "$root/pkg"
else
    echo 'without pkg-config: its file is not tried'
fi

mkdir "$root/package"
cat >"$root/package/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
find_package(Threads REQUIRED)
find_package(freehold 0.1 REQUIRED)
add_executable(shared ../user.c)
target_link_libraries(shared freehold::freehold)
add_executable(static ../user.c)
target_link_libraries(static freehold::static)
END
{
    "$cmake" -S "$root/package" -B "$root/package/build" -DCMAKE_PREFIX_PATH="$root/usr" &&
        "$cmake" --build "$root/package/build"
} >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
works 'a program built by find_package, shared' "$root/package/build/shared"
works 'a program built by find_package, static' "$root/package/build/static"

if ! LD_PRELOAD="$lib/libfreehold.so.0" ls / >/dev/null; then
    echo 'the installed library cannot be preloaded'
    status=1
fi
if [ -x "$root/usr/bin/freehold" ] && ! "$root/usr/bin/freehold" run -- ls / >/dev/null; then
    echo 'the installed program does not find the installed library'
    status=1
fi
exit $status
