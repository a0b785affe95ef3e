/*
 * threads.c - blocks that go from thread to thread, for threads.sh: BLOCKS go round a ring of threads, and threads
 * begin and end all the while.
 *
 *     threads RINGS BLOCKS SHORT
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 1024, RINGS_MOST = 8 };

static struct ring {
    void *block[RING];
    unsigned long head, tail;
    _Alignas(64) char end[64];
} rings[RINGS_MOST];
static long ring_count, blocks;

static void put(struct ring *ring, void *block)
{
    while (ring->head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == RING)
        sched_yield();
    ring->block[ring->head % RING] = block;
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

static void *get(struct ring *ring)
{
    while (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == ring->tail)
        sched_yield();
    void *block = ring->block[ring->tail % RING];
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
    return block;
}

/* Makes blocks for the next thread; of those from the one before, reallocates some, and frees all. */
static void *round_about(void *argument)
{
    long self = (long)argument;
    for (long i = 0; i < blocks; i++) {
        char *block = malloc((size_t)(16 + i % 700));
        memset(block, (int)i, 16);
        put(&rings[(self + 1) % ring_count], block);
        char *other = get(&rings[self]);
        if (i % 5 == 0)
            other = realloc(other, (size_t)(1000 + i % 100));
        free(other);
    }
    return NULL;
}

static void *briefly(void *argument)
{
    void *block[50];
    for (size_t i = 0; i < 50; i++)
        block[i] = malloc(i * 10 + 1);
    for (size_t i = 0; i < 50; i++)
        free(block[i]);
    return argument;
}

int main(int argc, char **argv)
{
    pthread_t thread[RINGS_MOST], brief;
    if (argc != 4)
        return 2;
    ring_count = atol(argv[1]);
    blocks = atol(argv[2]);
    for (long i = 0; i < ring_count; i++)
        pthread_create(&thread[i], NULL, round_about, (void *)i);
    for (long i = 0; i < atol(argv[3]); i++) {
        pthread_create(&brief, NULL, briefly, NULL);
        pthread_join(brief, NULL);
    }
    for (long i = 0; i < ring_count; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
