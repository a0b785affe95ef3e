/*
 * b10_stack_use - a call on the warm path uses at most 1 KiB of stack, and a thread with the smallest stack works.
 *
 * Each call runs on a stack of its own that was painted before; the deepest byte that lost its paint says how much was
 * used. The program is linked with -z now: the lazy binding of the loader would use more than the allocator does.
 */
#include "bugs.h"

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES 65536
#define PAINT 0xc3
#define WARM_LIMIT_BYTES 1024
#define SMALLEST_STACK 16384 /* PTHREAD_STACK_MIN of Linux, before it depended on the processor */

static unsigned char *stack;
static ucontext_t outside;
static ucontext_t inside;
static void (*operation)(void);
static void *block;
static size_t block_bytes;

static void nothing(void)
{
}

static void do_malloc(void)
{
    block = malloc(block_bytes);
}

static void do_calloc(void)
{
    block = calloc(1, block_bytes);
}

static void do_realloc(void)
{
    block = realloc(block, block_bytes);
}

static void do_memalign(void)
{
    block = memalign(256, block_bytes);
}

static void do_free(void)
{
    free(block);
    block = NULL;
}

static void enter(void)
{
    operation();
}

static size_t measure(void (*what)(void))
{
    size_t deepest = 0;

    memset(stack, PAINT, STACK_BYTES);
    operation = what;
    CHECK(getcontext(&inside) == 0);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = STACK_BYTES;
    inside.uc_link = &outside;
    makecontext(&inside, enter, 0);
    CHECK(swapcontext(&outside, &inside) == 0);
    while (deepest < STACK_BYTES && stack[deepest] == PAINT)
        deepest++;
    return STACK_BYTES - deepest;
}

static int report(const char *name, size_t bytes, size_t used)
{
    int too_much = used > WARM_LIMIT_BYTES;

    printf("%-8s %7zu bytes: %5zu bytes of stack%s\n", name, bytes, used, too_much ? "  TOO MUCH" : "");
    return too_much;
}

/* The most that any of many calls used: slow steps of the warm path (a full cache, an empty one) are among them. */
static int measure_size(size_t bytes, size_t nothing_bytes)
{
    enum { ROUNDS = 400 };
    static void *blocks[ROUNDS];
    size_t most[5] = {0};
    int failed = 0;

    for (int round = 0; round < ROUNDS; round++) {
        size_t used;

        block_bytes = bytes;
        used = measure(round % 2 ? do_malloc : do_calloc);
        most[round % 2] = used > most[round % 2] ? used : most[round % 2];
        CHECK(block != NULL);
        block_bytes = bytes + bytes / 4;
        used = measure(do_realloc);
        most[2] = used > most[2] ? used : most[2];
        blocks[round] = block;
        if (round % 8 == 0) {
            block_bytes = bytes;
            used = measure(do_memalign);
            most[3] = used > most[3] ? used : most[3];
            free(block);
        }
    }
    for (int round = 0; round < ROUNDS; round++) {
        size_t used;

        block = blocks[round];
        used = measure(do_free);
        most[4] = used > most[4] ? used : most[4];
    }
    failed |= report("calloc", bytes, most[0] - nothing_bytes);
    failed |= report("malloc", bytes, most[1] - nothing_bytes);
    failed |= report("realloc", bytes, most[2] - nothing_bytes);
    failed |= report("memalign", bytes, most[3] - nothing_bytes);
    failed |= report("free", bytes, most[4] - nothing_bytes);
    return failed;
}

static void *on_smallest_stack(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    void *blocks[100] = {NULL};

    for (int i = 0; i < 5000; i++) {
        size_t slot = bugs_random(&seed) % 100;

        free(blocks[slot]);
        blocks[slot] = i % 2 ? malloc(bugs_random_size(&seed)) : calloc(1, bugs_random_size(&seed));
        CHECK(blocks[slot] != NULL);
    }
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    malloc_trim(0);
    return NULL;
}

static void smallest_stacks(void)
{
    pthread_attr_t smallest;
    pthread_t threads[4];

    CHECK(pthread_attr_init(&smallest) == 0);
    if (pthread_attr_setstacksize(&smallest, SMALLEST_STACK) != 0)
        CHECK(pthread_attr_setstacksize(&smallest, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
    for (int round = 0; round < 20; round++) {
        for (uintptr_t i = 0; i < 4; i++)
            CHECK(pthread_create(&threads[i], &smallest, on_smallest_stack, (void *)(i + 1)) == 0);
        for (int i = 0; i < 4; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
    }
    pthread_attr_destroy(&smallest);
}

int main(void)
{
    const size_t sizes[] = {24, 200, 1000, 20000, 100000, 200000};
    size_t nothing_bytes;
    int failed = 0;

    bugs_start();
    smallest_stacks();
    stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    on_smallest_stack((void *)5);
    measure(nothing);
    nothing_bytes = measure(nothing);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        failed |= measure_size(sizes[i], nothing_bytes);
    bugs_sound();
    return failed;
}
