#!/bin/sh
# run_setuid.sh - programs that raise privileges, for which the loader ignores LD_PRELOAD.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root, to make a setuid program and to run it as another user"
command -v setpriv >/dev/null || skip "needs setpriv (util-linux)"
grep -q '^nobody:' /etc/passwd || skip "needs a user 'nobody'"

# Where nobody may go: the folder of the build may be closed to others.
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
cp "$FREEHOLD" "$place/freehold"
cp "$HELPERS/libstandin.so" "$place/libfreehold.so.0"
cp "$HELPERS/helper_exit" "$place/plain"
as_nobody() {
    setpriv --reuid nobody --regid nogroup --clear-groups "$@"
}
as_nobody "$place/plain" 5
[ $? = 5 ] || skip "user nobody cannot run programs in $place"
expect 5 "" "" as_nobody "$place/freehold" run "$place/plain" 5

make() { # NAME MODE OWNER
    cp "$HELPERS/helper_exit" "$place/$1"
    chown "$3" "$place/$1"
    chmod "$2" "$place/$1"
}
cause="so the loader ignores LD_PRELOAD; run it as"
make setuid 4755 root:root
expect 125 "" "freehold run: $place/setuid is setuid, $cause user root" \
    as_nobody "$place/freehold" run "$place/setuid" 5
expect 5 "" "" "$place/freehold" run "$place/setuid" 5 # root gains nothing by it
make setuid 4755 nobody:root
expect 5 "" "" as_nobody "$place/freehold" run "$place/setuid" 5
expect 125 "" "freehold run: $place/setuid is setuid, $cause user nobody" "$place/freehold" run "$place/setuid" 5
make setgid 2755 root:root
expect 125 "" "freehold run: $place/setgid is setgid, $cause group root" \
    as_nobody "$place/freehold" run "$place/setgid" 5
make setgid 2745 root:root # without the group's x the bit means something else
expect 5 "" "" "$place/freehold" run "$place/setgid" 5

printf '#!%s\n' "$place/setuid" >"$place/script"
chmod 755 "$place/script"
chown root:root "$place/setuid"
chmod 4755 "$place/setuid"
expect 125 "" "freehold run: $place/script: its interpreter $place/setuid is setuid, $cause user root" \
    as_nobody "$place/freehold" run "$place/script"
make script4755 755 root:root
printf '#!/bin/sh\nexit 6\n' >"$place/script4755"
chmod 4755 "$place/script4755" # of a script the kernel ignores the bit
expect 6 "" "" as_nobody "$place/freehold" run "$place/script4755"

# With no_new_privs the kernel ignores the bits, and the loader takes the library.
expect 5 "" "" setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs \
    "$place/freehold" run "$place/setuid" 5

make capable 755 root:root
if command -v setcap >/dev/null && setcap cap_net_bind_service=ep "$place/capable" 2>/dev/null; then
    expect 125 "" "freehold run: $place/capable has file capabilities, $cause root" \
        as_nobody "$place/freehold" run "$place/capable" 5
    expect 5 "" "" "$place/freehold" run "$place/capable" 5
else
    skip_part "no setcap (libcap2-bin), or a file system without capabilities"
fi

# A folder of PATH that is closed to the user holds nothing for them, as for a shell.
mkdir -m 700 "$place/closed"
cp "$HELPERS/helper_exit" "$place/closed/closed_tool"
expect 127 "" "freehold run: closed_tool: not found in PATH; check the spelling, or give its path" \
    as_nobody env PATH="$place/closed:$PATH" "$place/freehold" run closed_tool
expect 126 "" "freehold run: $place/closed/closed_tool: permission denied; a directory above it is closed to you" \
    as_nobody "$place/freehold" run "$place/closed/closed_tool"

# A program that may be executed but not read cannot be checked: it runs, with a note.
make unreadable 711 root:root
expect 5 "" "freehold run: note: $place/unreadable cannot be read, so whether it runs on freehold is not known" \
    as_nobody "$place/freehold" run "$place/unreadable" 5
finish
