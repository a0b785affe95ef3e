/*
 * b12_zero_sizes - zero sizes and aligned_alloc's size rule, as glibc has them.
 *
 * malloc(0) and its kin give distinct blocks that can be freed; realloc(p, 0) frees p and answers NULL;
 * realloc(NULL, 0)
 * is malloc(0); aligned_alloc takes a size that is no multiple of the alignment.
 */
#include "bugs.h"

static size_t zero;

static void distinct_blocks(void)
{
    enum { COUNT = 64 };
    unsigned char *blocks[COUNT];

    for (int i = 0; i < COUNT; i++) {
        void *p = NULL;

        switch (i % 9) {
        case 0: p = malloc(zero); break;
        case 1: p = calloc(zero, zero); break;
        case 2: p = calloc(zero, bugs_hide_size(SIZE_MAX)); break;
        case 3: p = calloc(bugs_hide_size(SIZE_MAX), zero); break;
        case 4: p = realloc(NULL, zero); break;
        case 5: p = memalign(64, zero); break;
        case 6: p = aligned_alloc(4096, zero); break;
        case 7: CHECK(posix_memalign(&p, 64, zero) == 0); break;
        case 8: p = valloc(zero); break;
        }
        CHECK_NUMBERS(p != NULL, i % 9, 0);
        CHECK_NUMBERS((uintptr_t)p % 16 == 0, i % 9, p);
        blocks[i] = p;
        for (int j = 0; j < i; j++)
            CHECK(blocks[j] != blocks[i]);
        bugs_mark(p, malloc_usable_size(p), (unsigned)i);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK(bugs_kept(blocks[i], malloc_usable_size(blocks[i]), (unsigned)i));
        free(blocks[i]);
    }
}

/* realloc to zero frees: the memory is there again, for as long as one likes, and errno is left alone. */
static void realloc_to_zero_frees(void)
{
    const size_t sizes[] = {0, 1, 24, 200, 256, 257, 5000, 100000, 131072, 1 << 20};
    size_t before_kib;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int round = 0; round < 100; round++) {
            void *p = malloc(sizes[i]);

            CHECK(p != NULL);
            memset(p, 1, sizes[i]);
            errno = 0;
            CHECK_NUMBERS(realloc(p, zero) == NULL, sizes[i], round);
            CHECK(errno == 0);
        }
    }
    before_kib = bugs_rss_kib();
    for (int round = 0; round < 20000; round++) {
        void *p = malloc(sizes[(size_t)round % (sizeof sizes / sizeof sizes[0])]);

        CHECK(p != NULL);
        CHECK((round % 2 ? realloc(p, zero) : reallocarray(p, zero, 100)) == NULL);
    }
    CHECK_NUMBERS(bugs_rss_kib() <= before_kib + 1024, bugs_rss_kib(), before_kib);
}

static void pvalloc_of_zero(void)
{
    /* glibc rounds the size up to a page, and nothing is a multiple of a page: a block, aligned, that can be freed. */
    void *p = pvalloc(zero);

    CHECK(p != NULL && (uintptr_t)p % (size_t)sysconf(_SC_PAGESIZE) == 0);
    free(p);
}

static void any_size_is_aligned(void)
{
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2)
        for (size_t n = 0; n < 500; n += 3) {
            unsigned char *p = aligned_alloc(alignment, n);

            CHECK_NUMBERS(p != NULL && (uintptr_t)p % alignment == 0, alignment, n);
            CHECK(malloc_usable_size(p) >= n);
            memset(p, 1, n);
            free(p);
        }
}

static void free_of_null(void)
{
    errno = 5;
    free(NULL);
    CHECK(errno == 5);
    free(realloc(NULL, 10));
}

int main(void)
{
    bugs_start();
    distinct_blocks();
    realloc_to_zero_frees();
    pvalloc_of_zero();
    any_size_is_aligned();
    free_of_null();
    bugs_sound();
    return 0;
}
