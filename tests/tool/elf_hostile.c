/*
 * elf_hostile.c - the ELF reader on files that lie: every prefix of a small program, and many more with wrong bytes.
 * What it says does not matter here; that it ends, stays inside its memory (the test is built with sanitizers where
 * there are any) and inside the file, does. The first argument is a program, the second, when given, how many files
 * have wrong bytes (1,000), the third the seed.
 */
#include "allocators.h"
#include "elf_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEADER_BYTES = 64 };

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % limit;
}

static bool count_symbol(const char *name, void *arg)
{
    size_t *total = arg;
    *total += strlen(name); /* reads each name to its end */
    return true;
}

static size_t read_all(int fd)
{
    static struct fh_elf elf;
    struct fh_elf_dynamic dynamic;
    char after[32];
    size_t total = 0;

    if (fh_elf_open(&elf, dup(fd)) == FH_ELF_DAMAGED && !elf.damage)
        abort();
    fh_elf_dynamic_read(&elf, &dynamic);
    for (size_t i = 0; i < dynamic.needed_count; i++)
        total += strlen(dynamic.needed[i]);
    total += dynamic.soname ? strlen(dynamic.soname) : 0;
    total += strlen(elf.interpreter);
    total += strlen(fh_elf_machine_name(&elf));
    fh_elf_symbols(&elf, true, count_symbol, &total);
    fh_elf_symbols(&elf, false, count_symbol, &total);
    total += fh_elf_contains(&elf, "ELF", after, sizeof(after)) ? strlen(after) : 0;
    fh_elf_dynamic_free(&dynamic);
    fh_elf_close(&elf);
    return total;
}

static void write_all(int fd, const unsigned char *bytes, size_t count)
{
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, count, 0) != (ssize_t)count)
        abort();
}

/* Wrong values where they hurt: mostly in the header, else anywhere; whole words of ones, large numbers, single bits.
 */
static void damage(unsigned char *bytes, size_t count)
{
    static const uint64_t values[] = {0, 1, UINT64_MAX, UINT32_MAX, INT64_MAX, 0x8000000000000000u, 0xffff, 1u << 31};
    for (uint32_t n = 1 + random_below(4); n > 0; n--) {
        size_t at = random_below(3) ? random_below(HEADER_BYTES) : random_below((uint32_t)count);
        size_t width = (size_t)1 << random_below(4);
        uint64_t value = random_below(2) ? values[random_below(8)] : random_below((uint32_t)(2 * count));
        if (at + width > count)
            continue;
        if (random_below(3) == 0)
            bytes[at] ^= (unsigned char)(1u << random_below(8));
        else
            memcpy(bytes + at, &value, width);
    }
}

int main(int argc, char **argv)
{
    state = argc > 3 ? strtoull(argv[3], NULL, 0) | 1 : 0x9e3779b97f4a7c15u;
    int rounds = argc > 2 ? atoi(argv[2]) : 1000;
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!file)
        return 2;
    static unsigned char good[1 << 20], bad[1 << 20];
    size_t count = fread(good, 1, sizeof(good), file), total = 0;
    fclose(file);
    int fd = memfd_create("elf", 0);
    if (fd < 0 || count < HEADER_BYTES)
        return 2;

    write_all(fd, good, count);
    if (read_all(fd) == 0) {
        puts("the program itself is not understood");
        return 1;
    }
    for (size_t length = 0; length < count; length += length < 1024 ? 1 : 509) {
        write_all(fd, good, length);
        total += read_all(fd);
    }
    for (int round = 0; round < rounds; round++) {
        memcpy(bad, good, count);
        damage(bad, count);
        if (random_below(8) == 0)
            bad[4] = 1; /* as a 32-bit file */
        if (random_below(8) == 0)
            bad[5] = 2; /* in the other byte order */
        write_all(fd, bad, count);
        total += read_all(fd);
    }
    printf("read %zu bytes of names\n", total);
    return 0;
}
