/*
 * b01_memalign_overflow - size + alignment must never wrap (CVE-2018-6485, CVE-2026-0861).
 *
 * Every size near 0, PTRDIFF_MAX and SIZE_MAX meets every alignment 2^0..2^63 and many that are no power of two, in
 * every function that takes an alignment; the functions that multiply meet every pair of factors around 2^k.
 * The answer is a usable, aligned block, or NULL with the errno that glibc sets; never a short block.
 */
#include "bugs.h"

#define NEAR 40

static size_t sizes[8 * NEAR + 64];
static size_t size_count;

static void list_sizes(void)
{
    const size_t middles[] = {NEAR, (size_t)PTRDIFF_MAX, SIZE_MAX - NEAR};

    for (size_t m = 0; m < 3; m++)
        for (size_t d = 0; d < 2 * NEAR + 1; d++)
            sizes[size_count++] = middles[m] - NEAR + d;
    for (unsigned bit = 6; bit < 64; bit++)
        if (size_count < sizeof sizes / sizeof sizes[0] - 1)
            sizes[size_count++] = (size_t)1 << bit;
    sizes[size_count++] = SIZE_MAX - 4096;
}

static size_t next_power(size_t n)
{
    size_t power = 1;

    while (power < n && power != 0)
        power <<= 1;
    return power;
}

/* One answer: `alignment` is what the block must be aligned to, 0 if the call had to be refused with EINVAL. */
static void judge(void *p, int error, size_t size, size_t alignment)
{
    if (p == NULL) {
        CHECK_NUMBERS(error == ENOMEM || (error == EINVAL && alignment == 0), size, error);
        return;
    }
    CHECK_NUMBERS(size <= (size_t)PTRDIFF_MAX, size, alignment);
    CHECK_NUMBERS(alignment != 0, size, alignment);
    CHECK_NUMBERS((uintptr_t)p % alignment == 0, p, alignment);
    CHECK_NUMBERS((uintptr_t)p % 16 == 0, p, alignment);
    CHECK_NUMBERS(malloc_usable_size(p) >= size, size, malloc_usable_size(p));
    if (size > 0) {
        ((volatile char *)p)[0] = 1;
        ((volatile char *)p)[size - 1] = 1;
    }
    free(p);
}

static void aligned(size_t alignment, size_t size)
{
    size_t power = next_power(alignment == 0 ? 1 : alignment);
    int is_power = alignment != 0 && power == alignment;
    void *untouched = (void *)0x5a5a;
    void *p = untouched;
    int error;

    errno = 0;
    p = memalign(bugs_hide_size(alignment), bugs_hide_size(size));
    judge(p, errno, size, power);

    errno = 0;
    p = aligned_alloc(bugs_hide_size(alignment), bugs_hide_size(size));
    /* glibc before 2.38 rounds other alignments up, later ones refuse them with EINVAL: either will do. */
    if (p == NULL && errno == EINVAL)
        CHECK_NUMBERS(!is_power, size, alignment);
    else
        judge(p, errno, size, power);

    p = untouched;
    error = posix_memalign(&p, bugs_hide_size(alignment), bugs_hide_size(size));
    if (!is_power || alignment % sizeof(void *) != 0) {
        CHECK_NUMBERS(error == EINVAL, alignment, error);
        CHECK(p == untouched);
    } else if (error != 0) {
        CHECK_NUMBERS(error == ENOMEM, size, error);
        CHECK(p == untouched);
    } else {
        judge(p, 0, size, power);
    }
}

static void plain(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p;
    void *q;

    errno = 0;
    p = malloc(bugs_hide_size(size));
    judge(p, errno, size, 16);
    errno = 0;
    p = calloc(1, bugs_hide_size(size));
    judge(p, errno, size, 16);
    errno = 0;
    p = valloc(bugs_hide_size(size));
    judge(p, errno, size, page);
    errno = 0;
    p = pvalloc(bugs_hide_size(size));
    if (p != NULL)
        CHECK_NUMBERS(malloc_usable_size(p) >= (size + page - 1) / page * page, size, malloc_usable_size(p));
    judge(p, errno, size, page);

    if (size == 0)
        return;
    p = malloc(24);
    CHECK(p != NULL);
    memset(p, 0x37, 24);
    errno = 0;
    q = realloc(p, bugs_hide_size(size));
    if (q == NULL) {
        CHECK_NUMBERS(errno == ENOMEM, size, errno);
        CHECK(bugs_kept(p, 24, 0x37));
        free(p);
        return;
    }
    CHECK(bugs_kept(q, size < 24 ? size : 24, 0x37));
    judge(q, 0, size, 16);
}

static void product(size_t a, size_t b)
{
    size_t size;
    int wraps = __builtin_mul_overflow(a, b, &size);
    void *p;
    void *q;

    errno = 0;
    p = calloc(bugs_hide_size(a), bugs_hide_size(b));
    if (wraps)
        CHECK_NUMBERS(p == NULL && errno == ENOMEM, a, b);
    else
        judge(p, errno, size, 16);

    p = malloc(40);
    CHECK(p != NULL);
    memset(p, 0x29, 40);
    errno = 0;
    q = reallocarray(p, bugs_hide_size(a), bugs_hide_size(b));
    if (wraps) {
        CHECK_NUMBERS(q == NULL && errno == ENOMEM, a, b);
        CHECK(bugs_kept(p, 40, 0x29));
        free(p);
    } else if (size != 0) {
        if (q == NULL) {
            CHECK(bugs_kept(p, 40, 0x29));
            free(p);
        }
        judge(q, errno, size, 16);
    }
}

int main(void)
{
    bugs_start();
    list_sizes();
    for (size_t i = 0; i < size_count; i++) {
        plain(sizes[i]);
        for (unsigned bit = 0; bit < 64; bit++) {
            size_t power = (size_t)1 << bit;

            aligned(power, sizes[i]);
            aligned(power - 1, sizes[i]);
            aligned(power + 1, sizes[i]);
            aligned(power + power / 2, sizes[i]);
        }
        aligned(SIZE_MAX, sizes[i]);
        aligned(SIZE_MAX - 15, sizes[i]);
        aligned((size_t)1 << 63 | 1, sizes[i]);
    }
    for (unsigned i = 0; i < 64; i++)
        for (unsigned j = 0; j < 64; j++)
            for (size_t d = 0; d < 9; d++)
                product(((size_t)1 << i) + d % 3 - 1, ((size_t)1 << j) + d / 3 - 1);
    bugs_sound();
    return 0;
}
