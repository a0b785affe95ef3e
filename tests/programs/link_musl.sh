#!/bin/sh
# A fully static program on musl: the library's sources compiled by musl-gcc, and linked in the place of musl's malloc.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
built_only
need musl-gcc musl-tools
need readelf binutils
need xargs findutils

# The kernel's headers do not come with musl-tools; those of the system belong to no C library.
mkdir kernel
for part in linux asm asm-generic; do
    for place in /usr/include "/usr/include/$(gcc -print-multiarch 2>/dev/null)"; do
        if [ -d "$place/$part" ] && [ ! -e "kernel/$part" ]; then ln -s "$place/$part" "kernel/$part"; fi
    done
done
[ -e kernel/linux/futex.h ] || skip "the kernel's headers are not installed (package linux-libc-dev)"

# Every layer's folder is in the path, whichever layer it is: their order is the other checks' business.
common="-std=gnu11 -O1 -Wall -Wextra -D_GNU_SOURCE -idirafter $work/kernel -I$root/include"
layers=$(find "$root/src" -mindepth 1 -type d | sort | sed 's/^/-I/')
mkdir objects
cat >compile <<'SH'
#!/bin/sh
name=$(echo "$1" | tr / _)
exec musl-gcc $OPTIONS -c "$1" -o "objects/$name.o"
SH
OPTIONS="$common $layers -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc -fno-builtin-calloc
    -fno-builtin-realloc -fno-builtin-free -fexceptions"
export OPTIONS
find "$root/src" -name '*.c' -print0 | xargs -0 -n 1 -P 2 sh compile >compile.log 2>&1 || {
    show compile.log
    fail "the library does not compile with musl"
}
ld -r objects/*.o -o freehold.o
objcopy --localize-hidden freehold.o
ar rcs libfreehold.a freehold.o

# shellcheck disable=SC2086 # a list
musl-gcc $common -I"$here" -static "$here/linked.c" -o plain
PROOF=no
export PROOF
on_system expected ./plain
unset PROOF
# shellcheck disable=SC2086
musl-gcc $common -I"$here" -static "$here/linked.c" libfreehold.a -o on_musl 2>link.log || {
    show link.log
    fail "does not link with musl"
}
if readelf -l on_musl | grep -q INTERP; then fail "the program wants a dynamic linker"; fi
limited env FREEHOLD_REPORT=1 FREEHOLD_CHECK=1 ./on_musl >got 2>got.err || {
    status=$?
    show got.err
    fail "exit status $status"
}
complaints got.err
same expected got "the output of the program on musl"
ran_on got.err on_musl
