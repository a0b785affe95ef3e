/*
 * b11_truncation - sizes and products that do not fit into 32 bits, and calloc on memory that is not zero.
 *
 * Blocks beyond 4 GiB are reserved, touched at a few places and resized; calloc gets memory that was dirtied in every
 * way it can come back: from the cache, split, coalesced, from the top after trimming, from a mapping.
 */
#include "bugs.h"

#include <sys/mman.h>

#define GIB ((size_t)1 << 30)

static void touch(unsigned char *block, size_t n)
{
    unsigned char *p = bugs_hide(block);

    for (size_t at = 0; at < n; at += GIB / 2 + 4099)
        p[at] = (unsigned char)(at / GIB + 1);
    p[n - 1] = 0x99;
}

static int touched(const unsigned char *p, size_t n)
{
    for (size_t at = 0; at < n; at += GIB / 2 + 4099)
        if (p[at] != (unsigned char)(at / GIB + 1))
            return 0;
    return 1;
}

static void beyond_4_gib(void)
{
    const size_t sizes[] = {4 * GIB - 1, 4 * GIB, 4 * GIB + 1, 4 * GIB + 16, 5 * GIB + 12345, 8 * GIB + 3};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = malloc(sizes[i]);
        unsigned char *q;

        if (p == NULL) {
            CHECK(errno == ENOMEM);
            printf("%zu bytes are refused here\n", sizes[i]);
            continue;
        }
        CHECK_NUMBERS(malloc_usable_size(p) >= sizes[i], malloc_usable_size(p), sizes[i]);
        touch(p, sizes[i]);
        q = realloc(p, sizes[i] + GIB);
        CHECK(q != NULL || errno == ENOMEM);
        p = q != NULL ? q : p;
        CHECK(touched(p, sizes[i]) && p[sizes[i] - 1] == 0x99);
        q = realloc(p, 3 * GIB / 2);
        CHECK(q != NULL && touched(q, 3 * GIB / 2));
        q = realloc(q, 100);
        CHECK(q != NULL && q[0] == 1);
        free(q);

        p = calloc(sizes[i] / 16 + 1, 16);
        if (p != NULL) {
            CHECK(malloc_usable_size(p) >= sizes[i]);
            CHECK(p[0] == 0 && p[sizes[i] / 2] == 0 && p[sizes[i] - 1] == 0);
            p[sizes[i] - 1] = 1;
            free(p);
        }
        p = memalign(1 << 21, sizes[i]);
        if (p != NULL) {
            CHECK((uintptr_t)p % (1 << 21) == 0 && malloc_usable_size(p) >= sizes[i]);
            touch(p, sizes[i]);
            free(p);
        }
    }
}

/* A product whose low 32 or 64 bits are small. */
static void wrapping_products(void)
{
    for (unsigned shift = 1; shift < 64; shift++) {
        size_t a = (size_t)1 << shift;
        size_t b = (size_t)1 << (64 - shift);

        errno = 0;
        CHECK(calloc(bugs_hide_size(a), bugs_hide_size(b)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(calloc(bugs_hide_size(a + 1), bugs_hide_size(b)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(reallocarray(NULL, bugs_hide_size(a), bugs_hide_size(b + 1)) == NULL && errno == ENOMEM);
    }
    for (unsigned shift = 8; shift < 32; shift++) {
        size_t a = ((size_t)1 << shift) + 1;
        size_t b = (size_t)1 << (32 - shift);
        unsigned char *p = calloc(a, b);

        CHECK(p != NULL || errno == ENOMEM);
        CHECK(p == NULL || malloc_usable_size(p) >= a * b);
        free(p);
    }
}

static void dirty_then_calloc(void)
{
    enum { COUNT = 3000 };
    static unsigned char *blocks[COUNT];
    uint64_t seed = 77;

    for (int round = 0; round < 12; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t n = round % 3 == 0 ? i % 300 : bugs_random_size(&seed);

            blocks[i] = malloc(n);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], 0xff, malloc_usable_size(blocks[i]));
        }
        for (size_t i = 0; i < COUNT; i++)
            if (round % 2 == 0 || i % 3 != 0) {
                free(blocks[i]);
                blocks[i] = NULL;
            }
        if (round % 4 == 3)
            malloc_trim(round % 8 == 3 ? 0 : 100000);
        for (size_t i = 0; i < COUNT; i++) {
            size_t n = bugs_random_size(&seed) + (i % 500 == 0 ? 300000 : 0);
            unsigned char *p = calloc(1, n);

            CHECK(p != NULL);
            CHECK_NUMBERS(bugs_kept(p, n, 0), n, round);
            memset(p, 0xfe, malloc_usable_size(p));
            free(p);
            free(blocks[i]);
            blocks[i] = NULL;
        }
    }
}

int main(void)
{
    bugs_start();
    wrapping_products();
    beyond_4_gib();
    dirty_then_calloc();
    bugs_sound();
    return 0;
}
