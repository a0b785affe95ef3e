/*
 * benign_random - ten million random operations of a correct program, in which nothing may be reported.
 *
 * New blocks are mostly left as they come, and what is in them, remains of free lists among it, is copied to other
 * blocks and back to the same ones, at the places where the library would look for its own words. Some blocks are
 * filled
 * to their usable size. Argument: number of operations (10,000,000; long 1,000,000,000), number of threads (1).
 */
#include "misuse.h"

#include <stdatomic.h>

#define SLOTS 4000
#define SHARED 256

struct worker {
    uint64_t seed;
    long operations;
};

static _Atomic(void *) shared[SHARED];

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static size_t draw_size(uint64_t *seed)
{
    uint32_t kind = draw(seed) % 1000;

    if (kind < 800)
        return draw(seed) % 257;
    if (kind < 997)
        return draw(seed) % 9000;
    return draw(seed) % 250000;
}

/* Bytes of one live block become bytes of another, at the same offset: what was never written is copied as well. */
static void copy_contents(void *to, const void *from)
{
    size_t n = malloc_usable_size(to);
    size_t m = malloc_usable_size((void *)(uintptr_t)from);

    memmove(to, from, n < m ? n : m);
}

static void exchange_shared(uint64_t *seed, void **slot)
{
    *slot = atomic_exchange(&shared[draw(seed) % SHARED], *slot);
}

static void operate(uint64_t *seed, void **slots)
{
    void **slot = &slots[draw(seed) % SLOTS];
    void **other = &slots[draw(seed) % SLOTS];

    switch (draw(seed) % 16) {
    case 0:
        if (*slot != NULL && *other != NULL)
            copy_contents(*slot, *other);
        return;
    case 1:
        exchange_shared(seed, slot);
        return;
    case 2:
        if (*slot != NULL)
            memset(*slot, (int)draw(seed), malloc_usable_size(*slot));
        return;
    case 3: {
        void *p = realloc(*slot, 1 + draw_size(seed));

        if (p == NULL)
            _exit(45);
        *slot = p;
        return;
    }
    case 4:
        free(*slot);
        *slot = memalign((size_t)16 << draw(seed) % 9, draw_size(seed));
        return;
    case 5:
        free(*slot);
        *slot = calloc(1, draw_size(seed));
        return;
    default:
        break;
    }
    free(*slot);
    *slot = draw(seed) % 3 == 0 ? NULL : get(draw_size(seed));
    /* Saved contents written back where they came from, after the block has been freed and handed out again. */
    if (*slot != NULL && malloc_usable_size(*slot) >= 24 && draw(seed) % 4 == 0) {
        uint64_t saved[3];
        void *again;

        memcpy(saved, *slot, 24);
        free(*slot);
        again = get(24);
        memcpy(again, saved, 24);
        *slot = again;
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    void **slots = calloc(SLOTS, sizeof *slots);

    if (slots == NULL)
        _exit(45);
    for (long i = 0; i < worker->operations; i++)
        operate(&worker->seed, slots);
    for (size_t i = 0; i < SLOTS; i++)
        free(slots[i]);
    free(slots);
    return NULL;
}

int main(int argc, char **argv)
{
    long operations = argc > 1 ? strtol(argv[1], NULL, 10) : 10000000;
    long threads = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    pthread_t ids[16];
    struct worker workers[16];

    for (long i = 0; i < threads && i < 16; i++) {
        workers[i] = (struct worker){(uint64_t)i + 1, operations / threads};
        if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
            return 45;
    }
    for (long i = 0; i < threads && i < 16; i++)
        pthread_join(ids[i], NULL);
    for (size_t i = 0; i < SHARED; i++)
        free(atomic_exchange(&shared[i], NULL));
    return 0;
}
