/*
 * b08_own_malloc - a program that brings its own malloc, free, calloc and realloc (as redis does with a static
 * jemalloc) runs under the preload: what libc allocates for it comes from its own malloc and is freed there.
 *
 * A preloaded library that defined strdup, realpath or getline on its own would hand out its own blocks to the
 * program's free, which knows nothing of them.
 */
#include "bugs.h"

#include <limits.h>
#include <search.h>
#include <sys/stat.h>
#include <wchar.h>

#define POOL_BYTES (16u << 20)

static _Alignas(16) unsigned char pool[POOL_BYTES];
static size_t pool_used;
static long held;
static int foreign_frees;

static int is_own(const void *p)
{
    return (const unsigned char *)p >= pool && (const unsigned char *)p < pool + POOL_BYTES;
}

void *malloc(size_t n)
{
    size_t *p = (size_t *)(void *)(pool + pool_used);

    if (n > POOL_BYTES / 4 || pool_used + n + 32 > POOL_BYTES)
        return NULL;
    pool_used += (n + 16 + 15) / 16 * 16;
    *p = n;
    held++;
    return p + 2;
}

void free(void *p)
{
    if (p == NULL)
        return;
    held--;
    if (!is_own(p))
        foreign_frees++;
}

void *calloc(size_t a, size_t b)
{
    return malloc(a * b); /* the pool is never used twice */
}

void *realloc(void *p, size_t n)
{
    void *q = malloc(n);

    if (p != NULL && q != NULL) {
        size_t old = ((size_t *)p)[-2];

        memcpy(q, p, old < n ? old : n);
        free(p);
    }
    return q;
}

static void own(void *p)
{
    CHECK(p != NULL);
    CHECK(is_own(p));
    free(p);
}

int main(void)
{
    char path[] = "/";
    char *line = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *stream;
    void *root = NULL;

    bugs_start();
    own(strdup("a string"));
    own(strndup("a string", 3));
    own(wcsdup(L"a wide string"));
    own(realpath(path, NULL));
    own(get_current_dir_name());
    own(getcwd(NULL, 0));
    CHECK(asprintf(&text, "%d and %s", 12, "more") > 0);
    own(text);
    stream = fopen("/proc/self/status", "r");
    CHECK(stream != NULL);
    CHECK(getline(&line, &size, stream) > 0);
    own(line);
    fclose(stream);
    stream = open_memstream(&text, &size);
    CHECK(stream != NULL && fputs("text", stream) >= 0 && fclose(stream) == 0);
    own(text);
    CHECK(tsearch(path, &root, (int (*)(const void *, const void *))strcmp) != NULL);
    tdelete(path, &root, (int (*)(const void *, const void *))strcmp);
    CHECK(setenv("BUGS_VARIABLE", "value", 1) == 0);
    CHECK_NUMBERS(foreign_frees == 0, foreign_frees, held);
    return 0;
}
