#!/bin/sh
# b08_exports.sh LIBRARY LIBC - of the functions that libc defines, the library overrides the malloc family and no
# other.
#
# An allocator that overrides strdup or realpath breaks programs that bring their own malloc. The other way round, the
# library calls nothing of libc that allocates or that a program may have replaced with something that does; but for
# malloc_info, which is to write to the program's FILE.
set -u
export LC_ALL=C
library=$1
libc=$2

command -v nm >/dev/null 2>&1 || { echo "skipped: nm (binutils) is missing"; exit 77; }
[ -r "$libc" ] || { echo "skipped: $libc cannot be read"; exit 77; }

family='malloc free calloc realloc reallocarray aligned_alloc memalign posix_memalign valloc pvalloc cfree
malloc_usable_size free_sized free_aligned_sized mallopt mallinfo mallinfo2 malloc_info malloc_trim malloc_stats'

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

say() {
    echo "$*" >&2
    failed=1
}

names() {
    nm -D "$1" "$2" | awk '{ print $NF }' | sed 's/@.*//' | sort -u
}

names --defined-only "$library" >"$folder/ours"
names --defined-only "$libc" >"$folder/libc"
names --undefined-only "$library" >"$folder/needed"
[ -s "$folder/ours" ] || say "no exported symbol found in $library"

for name in $(comm -12 "$folder/ours" "$folder/libc"); do
    case " $(echo "$family" | tr '\n' ' ') " in
        *" $name "*) ;;
        *) say "overrides libc's $name, which is not of the malloc family" ;;
    esac
done
for name in $family; do
    grep -qx "$name" "$folder/ours" || say "not exported, so that libc's would work on libc's empty heap: $name"
done
for name in $family strdup printf snprintf vsnprintf dprintf fopen getenv qsort \
    mmap mmap64 munmap mremap madvise mprotect brk sbrk open open64 openat read write close; do
    if grep -qx "$name" "$folder/needed"; then
        say "calls $name of whoever defines it"
    fi
done
exit $failed
