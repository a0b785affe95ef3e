/*
 * b06_map_count - vm.max_map_count is reached: mmap fails, and so does munmap of the middle of a mapping.
 *
 * The program uses up all mappings itself while it holds blocks of every kind. Small requests must still be served,
 * free must neither fail nor set errno where munmap is refused, and when there are mappings again all goes on.
 */
#include "bugs.h"

#include <sys/mman.h>

#define LARGE 200
#define MOST_MAPPINGS 1000000

static unsigned char *large[LARGE];

static long read_limit(void)
{
    char text[32] = "";
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY);

    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    return strtol(text, NULL, 10);
}

/* A region in which every second page has another protection: one mapping a page. */
static char *use_up(size_t pages, size_t page)
{
    char *region = mmap(NULL, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(region != MAP_FAILED);
    for (size_t i = 0; i < pages; i += 2)
        if (mprotect(region + i * page, page, PROT_READ) != 0) {
            CHECK(errno == ENOMEM);
            /* The last few may be left: take those one by one. */
            for (i++; i < pages && mprotect(region + i * page, page, PROT_READ | PROT_WRITE) == 0;)
                i += 2;
            return region;
        }
    CHECK(!"all mappings are used up");
    return NULL;
}

static void at_the_limit(void)
{
    static void *blocks[20000];
    size_t served = 0;

    for (size_t i = 0; i < 20000; i++) {
        blocks[i] = malloc(16 + i % 400);
        CHECK_NUMBERS(blocks[i] != NULL, i, errno);
        bugs_mark(blocks[i], 16, (unsigned)i);
    }
    for (int i = 0; i < 50; i++) {
        void *p;

        errno = 0;
        p = malloc(1 << 20);
        CHECK(p != NULL || errno == ENOMEM);
        if (p != NULL) {
            bugs_mark(p, 1 << 20, 1);
            served++;
        }
        free(p);
    }
    /* Every second of neighbouring mappings: the kernel has joined them, and cannot part them now. */
    for (size_t i = 0; i < LARGE; i += 2) {
        CHECK(bugs_kept(large[i], 150000, (unsigned)i));
        errno = 77;
        free(large[i]);
        CHECK(errno == 77);
        large[i] = NULL;
    }
    for (size_t i = 1; i < LARGE; i += 4) {
        unsigned char *p = realloc(large[i], 300000);

        CHECK(p != NULL || errno == ENOMEM);
        if (p != NULL)
            large[i] = p;
        CHECK(bugs_kept(large[i], 150000, (unsigned)i));
    }
    for (size_t i = 0; i < 20000; i++) {
        CHECK(bugs_kept(blocks[i], 16, (unsigned)i));
        free(blocks[i]);
    }
    malloc_trim(0);
    bugs_sound();
    printf("1 MiB blocks served at the limit: %zu of 50\n", served);
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    long limit = read_limit();
    size_t pages = (size_t)limit + 64;
    char *region;

    bugs_start();
    if (limit > MOST_MAPPINGS)
        bugs_skip("vm.max_map_count is so large here that the test would take minutes");
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = malloc(150000);
        free(malloc(i * 20)); /* the heap has begun: at the limit it grows, which takes no mapping more */
        CHECK(large[i] != NULL);
        bugs_mark(large[i], 150000, (unsigned)i);
    }
    region = use_up(pages, page);
    at_the_limit();
    CHECK(munmap(region, pages * page) == 0);
    for (size_t i = 0; i < LARGE; i++) {
        CHECK(large[i] == NULL || bugs_kept(large[i], 150000, (unsigned)i));
        free(large[i]);
    }
    for (int i = 0; i < 1000; i++) {
        unsigned char *p = calloc(1, 150000 + (size_t)i * 500);

        CHECK(p != NULL && bugs_kept(p, 150000 + (size_t)i * 500, 0));
        memset(p, 1, 150000);
        free(p);
    }
    bugs_sound();
    return 0;
}
