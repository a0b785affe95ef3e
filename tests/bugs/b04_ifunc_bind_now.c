/*
 * b04_ifunc_bind_now - an IFUNC resolver that calls malloc, in a program linked with -z now.
 *
 * The resolver runs while the program is being relocated: the library's thread-local storage exists but is all zero,
 * because the loader copies the TLS images only afterwards, and no constructor has run. What the resolver got must
 * stay good in main, and be freed there like any other block.
 */
#include "bugs.h"

#if defined(__x86_64__) || defined(__i386__)
#define IFUNC_RESOLVER __attribute__((no_stack_protector))
#else
#define IFUNC_RESOLVER
#endif

#if !defined(__has_attribute) || !__has_attribute(no_stack_protector)
#undef IFUNC_RESOLVER
#define IFUNC_RESOLVER
#endif

#define BLOCKS 300

static unsigned char *early[BLOCKS];
static size_t early_count;
static int early_zero = 1;
static int early_realloc = 1;

static int chosen(void)
{
    return 42;
}

static size_t size_of(size_t i)
{
    return i < 200 ? i * 3 : i < 290 ? i * 30 : i * 1000;
}

IFUNC_RESOLVER __attribute__((used)) static int (*resolve(void))(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *p = malloc(size_of(i));
        unsigned char *zero = calloc(1, size_of(i) + 1);

        if (p == NULL || zero == NULL)
            return chosen;
        for (size_t j = 0; j <= size_of(i); j++)
            early_zero &= zero[j] == 0;
        free(zero);
        for (size_t j = 0; j < size_of(i); j++)
            p[j] = (unsigned char)i;
        if (i % 5 == 0) {
            p = realloc(p, size_of(i) + 500);
            early_realloc &= p != NULL;
            for (size_t j = 0; j < size_of(i); j++)
                early_realloc &= p[j] == (unsigned char)i;
        }
        early[early_count++] = p;
    }
    return chosen;
}

int resolved(void) __attribute__((ifunc("resolve")));

int main(void)
{
    void *later[BLOCKS];

    bugs_start();
    CHECK(resolved() == 42);
    CHECK_NUMBERS(early_count == BLOCKS, early_count, BLOCKS);
    CHECK(early_zero && early_realloc);
    for (size_t i = 0; i < BLOCKS; i++) {
        later[i] = malloc(size_of(i));
        CHECK(later[i] != NULL);
        memset(later[i], 0xee, size_of(i));
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        CHECK_NUMBERS(bugs_kept(early[i], size_of(i), (unsigned)i), i, early[i]);
        CHECK(malloc_usable_size(early[i]) >= size_of(i));
        free(early[i]);
        free(later[i]);
    }
    bugs_sound();
    return 0;
}
