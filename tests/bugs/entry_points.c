/*
 * entry_points - every function of the C and POSIX side is there, is the library's own, and takes the blocks of
 * every other:
 * whatever allocates, whatever frees.
 */
#include "bugs.h"

typedef void free_fn(void *);
typedef void free_sized_fn(void *, size_t);
typedef void free_aligned_sized_fn(void *, size_t, size_t);

static free_fn *cfree_of_library;
static free_sized_fn *free_sized_of_library;
static free_aligned_sized_fn *free_aligned_sized_of_library;

static const char *const names[] = {
    "malloc", "free", "calloc", "realloc", "reallocarray", "aligned_alloc", "memalign", "posix_memalign", "valloc",
    "pvalloc", "malloc_usable_size", "free_sized", "free_aligned_sized", "cfree", "mallopt", "mallinfo", "mallinfo2",
    "malloc_info", "malloc_trim", "malloc_stats",
    "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t", "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t", "_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdlPv", "_ZdaPv",
    "_ZdlPvm", "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t", "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t", "fh_version", "fh_check", "fh_walk", "fh_account_read", "fh_account_print",
};

/* All from one file: half an allocator in place is worse than none. */
static void all_are_ours(void)
{
    Dl_info library;
    Dl_info other;

    CHECK(dladdr(dlsym(RTLD_DEFAULT, "fh_version"), &library) != 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *address = dlsym(RTLD_DEFAULT, names[i]);

        if (address == NULL || dladdr(address, &other) == 0 || strcmp(library.dli_fname, other.dli_fname) != 0) {
            fprintf(stderr, "%s is %s\n", names[i], address == NULL ? "missing" : "another library's");
            exit(1);
        }
    }
}

/* Each way to get a block of n bytes aligned to 64 if `aligned`. */
static void *get(int way, size_t n)
{
    void *p = NULL;

    switch (way) {
    case 0: return malloc(n);
    case 1: return calloc(n, 1);
    case 2: return realloc(NULL, n);
    case 3: return reallocarray(NULL, n, 1);
    case 4: return realloc(malloc(n / 2 + 1), n);
    case 5: return realloc(malloc(n * 2 + 1), n);
    case 6: return aligned_alloc(64, n);
    case 7: return memalign(64, n);
    case 8: return posix_memalign(&p, 64, n) == 0 ? p : NULL;
    case 9: return valloc(n);
    case 10: return pvalloc(n);
    default: return NULL;
    }
}

/* Each way to give it back. free_sized takes what malloc, calloc and realloc gave, free_aligned_sized the others. */
static void give_back(int way, int got, void *p, size_t n)
{
    if (way == 1 && cfree_of_library != NULL)
        cfree_of_library(p);
    else if (way == 2)
        CHECK(realloc(p, bugs_hide_size(0)) == NULL);
    else if (way == 3 && got < 6 && free_sized_of_library != NULL)
        free_sized_of_library(p, n);
    else if (way == 3 && got < 9 && free_aligned_sized_of_library != NULL)
        free_aligned_sized_of_library(p, 64, n);
    else
        free(p);
}

static void every_pair(size_t n)
{
    void *blocks[8];

    for (int got = 0; got < 11; got++)
        for (int way = 0; way < 4; way++) {
            for (unsigned i = 0; i < 8; i++) {
                blocks[i] = get(got, n);
                CHECK_NUMBERS(blocks[i] != NULL, got, n);
                CHECK_NUMBERS((uintptr_t)blocks[i] % (got >= 6 ? 64 : 16) == 0, blocks[i], got);
                CHECK_NUMBERS(malloc_usable_size(blocks[i]) >= n, got, n);
                bugs_mark(blocks[i], n, i);
            }
            for (unsigned i = 0; i < 8; i++) {
                CHECK_NUMBERS(bugs_kept(blocks[i], n, i), got, n);
                give_back(way, got, blocks[i], n);
            }
        }
}

int main(void)
{
    bugs_start();
    *(void **)&cfree_of_library = dlsym(RTLD_DEFAULT, "cfree");
    *(void **)&free_sized_of_library = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&free_aligned_sized_of_library = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (!bugs_any_malloc())
        all_are_ours();
    for (size_t n = 1; n < 300; n++)
        every_pair(n);
    for (size_t n = 300; n < 400000; n = n * 5 / 4)
        every_pair(n);
    for (size_t n = 131072 - 4; n < 131072 + 5; n++)
        every_pair(n);
    if (free_sized_of_library != NULL) {
        free_sized_of_library(NULL, 10);
        free_aligned_sized_of_library(NULL, 64, 10);
    }
    bugs_sound();
    return 0;
}
