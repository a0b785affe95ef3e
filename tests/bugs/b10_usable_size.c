/*
 * b10_usable_size - every block is aligned to 16, its usable size is usable to the last byte, overlaps nobody, and
 * is what
 * realloc keeps.
 *
 * Programs write to all that malloc_usable_size() told them, and then expect realloc to move all of that.
 */
#include "bugs.h"

/* What realloc to `to` bytes must keep of a block whose whole usable size was written. */
static void realloc_keeps(size_t from, size_t to)
{
    unsigned char *p = malloc(from);
    size_t usable = malloc_usable_size(p);
    size_t kept = usable < to ? usable : to;
    unsigned char *q;

    CHECK(p != NULL);
    bugs_mark(p, usable, 0x6b);
    q = realloc(p, to);
    CHECK(q != NULL);
    CHECK_NUMBERS((uintptr_t)q % 16 == 0, q, to);
    CHECK_NUMBERS(bugs_kept(q, kept, 0x6b), from, to);
    CHECK_NUMBERS(malloc_usable_size(q) >= to, malloc_usable_size(q), to);
    bugs_mark(q, malloc_usable_size(q), 0x6c);
    free(q);
}

static void neighbours_keep(size_t n)
{
    enum { COUNT = 24, COUNT_LARGE = 6 };
    unsigned char *blocks[COUNT];
    size_t usable[COUNT];
    unsigned count = n < 65536 ? COUNT : COUNT_LARGE;

    for (unsigned i = 0; i < count; i++) {
        blocks[i] = malloc(n);
        CHECK(blocks[i] != NULL);
        CHECK_NUMBERS((uintptr_t)blocks[i] % 16 == 0, blocks[i], n);
        usable[i] = malloc_usable_size(blocks[i]);
        CHECK_NUMBERS(usable[i] >= n, usable[i], n);
        bugs_mark(blocks[i], usable[i], i + 1);
    }
    for (unsigned i = 0; i < count; i++) {
        CHECK_NUMBERS(bugs_kept(blocks[i], usable[i], i + 1), n, i);
        for (unsigned j = 0; j < i; j++)
            CHECK(blocks[j] + usable[j] <= blocks[i] || blocks[i] + usable[i] <= blocks[j]);
    }
    for (unsigned i = 0; i < count; i += 2)
        free(blocks[i]);
    for (unsigned i = 1; i < count; i += 2) {
        CHECK_NUMBERS(bugs_kept(blocks[i], usable[i], i + 1), n, i);
        free(blocks[i]);
    }
}

static void aligned_blocks(void)
{
    for (size_t alignment = 1; alignment <= 4u << 20; alignment *= 2)
        for (size_t n = 0; n < 300000; n = n * 2 + 7) {
            unsigned char *p = memalign(alignment, n);
            size_t usable;

            CHECK(p != NULL && (uintptr_t)p % alignment == 0 && (uintptr_t)p % 16 == 0);
            usable = malloc_usable_size(p);
            CHECK(usable >= n);
            bugs_mark(p, usable, 0x17);
            /* realloc of an aligned block keeps its contents, though not its alignment. */
            p = realloc(p, usable * 2 + 1);
            CHECK(p != NULL && bugs_kept(p, usable, 0x17));
            free(p);
        }
}

int main(void)
{
    bugs_start();
    CHECK(malloc_usable_size(NULL) == 0);
    for (size_t n = 0; n < 5000; n++)
        neighbours_keep(n);
    for (size_t n = 5000; n < 600000; n += 4999)
        neighbours_keep(n);
    for (size_t power = 4096; power <= 1 << 20; power *= 2)
        for (size_t n = power - 24; n < power + 24; n++)
            neighbours_keep(n);
    for (size_t from = 0; from < 1200; from += 7)
        for (size_t to = 1; to < 1500; to += 11)
            realloc_keeps(from, to);
    for (size_t from = 1; from < 1 << 20; from = from * 3 / 2 + 1)
        for (size_t to = 1; to < 1 << 20; to = to * 3 / 2 + 1)
            realloc_keeps(from, to);
    for (size_t n = 0; n < 300000; n = n * 2 + 1) {
        unsigned char *p = malloc(n);
        size_t usable = malloc_usable_size(p);

        /* Asking for what one has is no reason to move, nor to lose any of it. */
        bugs_mark(p, usable, 0x22);
        p = realloc(p, usable);
        CHECK(p != NULL && malloc_usable_size(p) >= usable && bugs_kept(p, usable, 0x22));
        free(p);
    }
    aligned_blocks();
    bugs_sound();
    return 0;
}
