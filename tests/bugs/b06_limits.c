/*
 * b06_limits - a process under RLIMIT_AS or RLIMIT_DATA can use nearly all that the limit allows, as blocks of any
 * size,
 * gets NULL with ENOMEM at the end, keeps what it has, and can use the memory again as blocks of another size.
 *
 * Allocators that reserve gigabytes of address space at the start cannot do this. The limit is set before exec, so
 * that start-up happens under it too.
 * Arguments: "as" or "data", limit in MiB, per cent of it that must be usable, "every" for blocks of nine sizes in turn
 * or "few" for four, each of which fills the limit.
 */
#include "bugs.h"

#include <pthread.h>
#include <sys/resource.h>

struct node {
    struct node *next;
    size_t size;
};

/* Allocates until nothing is left and answers how many bytes that were. */
static size_t fill(struct node **list, size_t size, int randomly)
{
    size_t total = 0;
    uint64_t seed = size;

    for (;;) {
        size_t n = randomly ? sizeof(struct node) + bugs_random_size(&seed) : size;
        struct node *node;

        errno = 0;
        node = malloc(n);
        if (node == NULL)
            break;
        node->next = *list;
        node->size = n;
        ((char *)node)[n - 1] |= 0;
        *list = node;
        total += n;
    }
    CHECK(errno == ENOMEM);
    return total;
}

static void release(struct node **list)
{
    while (*list != NULL) {
        struct node *next = (*list)->next;

        CHECK((*list)->size >= sizeof(struct node));
        free(*list);
        *list = next;
    }
}

/* In this order, because memory must pass from each kind to each other kind. */
static const size_t every_size[] = {64, 1 << 20, 4000, 64, 200000, 1000, 32, 40000, 1 << 20};
static const size_t few_sizes[] = {64, 1 << 20, 1000, 200000};

static void use_it_all(size_t wanted, const char *how)
{
    int every = strcmp(how, "every") == 0;
    const size_t *sizes = every ? every_size : few_sizes;
    struct node *list = NULL;

    for (size_t i = 0; i < (every ? sizeof every_size : sizeof few_sizes) / sizeof sizes[0]; i++) {
        /* What a block of 32 or 64 bytes costs besides itself does not count against the allocator here. */
        size_t expected = sizes[i] <= 64 ? wanted / 10 * 9 : wanted;
        size_t got = fill(&list, sizes[i], 0);

        CHECK_NUMBERS(got >= expected, got, sizes[i]);
        bugs_sound();
        release(&list);
    }
    CHECK(fill(&list, 0, 1) >= wanted / 10 * 8);
    release(&list);
    bugs_sound();
}

static void *in_thread(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    void *blocks[100] = {NULL};

    for (int i = 0; i < 20000; i++) {
        size_t slot = bugs_random(&seed) % 100;

        free(blocks[slot]);
        blocks[slot] = malloc(bugs_random_size(&seed));
        CHECK(blocks[slot] != NULL);
    }
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    return NULL;
}

/* Threads get memory under the limit, too: no arena of theirs may need a reservation that is refused. */
static void use_by_threads(void)
{
    pthread_t threads[8];
    pthread_attr_t small;

    CHECK(pthread_attr_init(&small) == 0);
    CHECK(pthread_attr_setstacksize(&small, 65536) == 0);
    for (uintptr_t i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], &small, in_thread, (void *)i) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pthread_attr_destroy(&small);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    size_t limit_mib;
    size_t percent;

    bugs_start();
    CHECK(argc >= 5);
    limit_mib = strtoul(argv[2], NULL, 10);
    percent = strtoul(argv[3], NULL, 10);
    if (argc == 5) {
        char *const again[] = {argv[0], argv[1], argv[2], argv[3], argv[4], (char *)"limited", NULL};

        limit.rlim_cur = limit.rlim_max = limit_mib << 20;
        CHECK(setrlimit(strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA, &limit) == 0);
        execv("/proc/self/exe", again);
        CHECK(!"exec worked");
    }
    use_it_all((limit_mib << 20) / 100 * percent, argv[4]);
    malloc_trim(0); /* for the stacks: a block that a thread keeps may hold the break up where it is */
    use_by_threads();
    use_it_all((limit_mib << 20) / 100 * (percent - 10), argv[4]);
    return 0;
}
