/*
 * limits_break.c - a break that is not ours alone: the program moves it, or something lies in its way.
 */
#define _GNU_SOURCE
#include "limits.h"

#include "mark.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { KIB = 1024, MIB = 1024 * 1024, FOREIGN = 16, SLOTS = 500 };

static struct held slots[SLOTS];

static void drop_slots(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].address != NULL) {
            drop(&slots[i]);
        }
    }
}

static void churn_slots(size_t operations, uint64_t *random)
{
    for (size_t i = 0; i < operations; i++) {
        struct held *slot = &slots[next_random(random) % SLOTS];
        if (slot->address != NULL) {
            drop(slot);
        }
        EXPECT(hold(slot, 1 + next_random(random) % 60000), "malloc gave NULL");
    }
}

/* Takes blocks until the heap has moved the break, or until they are many; frees them. True when it moved. */
static bool make_heap_grow(uint64_t *random)
{
    static struct held many[4000];
    void *before = sbrk(0);
    size_t count = 0;

    while (count < 4000 && sbrk(0) == before) {
        EXPECT(hold(&many[count++], 50000 + next_random(random) % 10000), "malloc gave NULL");
    }
    bool moved = sbrk(0) != before;
    for (size_t i = 0; i < 20 && i < count; i++) { /* some in what is new */
        EXPECT(hold(&slots[i], 1 + next_random(random) % 60000), "malloc gave NULL");
    }
    for (size_t i = 0; i < count; i++) {
        drop(&many[i]);
    }
    return moved;
}

/*
 * The program takes memory by sbrk, not even aligned, and keeps it; the heap grows above it each time, and gives back
 * what it can. Theirs and ours must not meet.
 */
static void foreign_sbrk(void)
{
    struct held foreign[FOREIGN];
    uint64_t random = 3;
    unsigned grew = 0;

    for (size_t i = 0; i < FOREIGN; i++) {
        size_t size = 1 + next_random(&random) % 100000;
        void *start = sbrk((intptr_t)size);
        EXPECT(start != (void *)-1, "sbrk(%zu) failed", size);
        adopt(&foreign[i], start, size);
        grew += make_heap_grow(&random);
        for (size_t k = 0; k <= i; k++) {
            verify(&foreign[k]);
        }
        drop_slots();
        flush_cache();
    }
    EXPECT(grew >= FOREIGN / 2, "the heap grew only %u times: the test is void", grew);
    for (size_t i = 0; i < FOREIGN; i++) {
        verify(&foreign[i]);
    }
    churn_slots(2000, &random);
    drop_slots();
}

/* Give and take: while the break is still where the program left it, it may move it back. */
static void foreign_sbrk_up_and_down(void)
{
    uint64_t random = 4;
    unsigned went_down = 0;

    for (int i = 0; i < 100; i++) {
        struct held foreign;
        size_t size = 4096 + next_random(&random) % (3 * MIB);
        churn_slots(30, &random);
        void *start = sbrk((intptr_t)size);
        EXPECT(start != (void *)-1, "sbrk failed");
        adopt(&foreign, start, size);
        if (i % 2 == 0) {
            churn_slots(60, &random);
        }
        verify(&foreign);
        if (sbrk(0) == foreign.address + size) {
            EXPECT(sbrk(-(intptr_t)size) != (void *)-1, "sbrk down failed");
            went_down++;
        }
        churn_slots(60, &random);
        if (i % 10 == 9) {
            drop_slots();
            flush_cache();
        }
    }
    EXPECT(went_down > 10, "the program could move the break back only %u times: the test is void", went_down);
    drop_slots();
}

/* The program begins with sbrk, before the heap has begun, and uses brk as well. */
static void foreign_brk_first(void)
{
    struct held first, second;
    uint64_t random = 5;

    adopt(&first, sbrk(12345), 12345);
    churn_slots(500, &random);
    char *end = sbrk(0);
    EXPECT(brk(end + 70001) == 0, "brk failed");
    adopt(&second, end, 70001);
    churn_slots(1000, &random);
    verify(&first);
    verify(&second);
    drop_slots();
}

static bool stop_moving;

static void *move_break(void *arg)
{
    struct held foreign[FOREIGN];

    (void)arg;
    for (size_t i = 0; i < FOREIGN; i++) {
        size_t size = 1000 * (i % 7 + 1);
        void *start = sbrk((intptr_t)size);
        EXPECT(start != (void *)-1, "sbrk failed");
        adopt(&foreign[i], start, size);
        usleep(300);
    }
    for (size_t i = 0; i < FOREIGN; i++) {
        verify(&foreign[i]);
    }
    __atomic_store_n(&stop_moving, true, __ATOMIC_RELEASE);
    return NULL;
}

static void *page_above_break(void)
{
    uintptr_t wanted = ((uintptr_t)sbrk(0) + 4095) / 4096 * 4096;
    void *page = mmap((void *)wanted, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    EXPECT(page == (void *)wanted, "cannot put a page above the break");
    return page;
}

/* A page above the break, from the start or later; gone again, and there again. */
static void obstructed_break(void)
{
    uint64_t random = 6;

    for (int round = 0; round < 4; round++) {
        void *obstacle = page_above_break();
        churn_slots(1500, &random);
        EXPECT(fill_up(3000, 30 * MIB) >= 30 * MIB, "30 MiB in blocks of 3000 are not had beside the obstacle");
        EXPECT(fill_up(100, 10 * MIB) >= 10 * MIB, "10 MiB in blocks of 100 are not had beside the obstacle");
        expect_sound("with the obstacle");
        EXPECT(munmap(obstacle, 4096) == 0, "munmap failed");
        churn_slots(1500, &random);
        EXPECT(fill_up(3000, 30 * MIB) >= 30 * MIB, "30 MiB are not had when it is gone");
        drop_slots();
        flush_cache();
    }
}

static void *churn_own(void *arg)
{
    exercise(5, (unsigned)(uintptr_t)arg);
    return NULL;
}

static void obstructed_break_threads(void)
{
    pthread_t threads[3];
    void *obstacle = page_above_break();

    for (size_t i = 0; i < 3; i++) {
        EXPECT(pthread_create(&threads[i], NULL, churn_own, (void *)(i + 1)) == 0, "no thread");
    }
    exercise(5, 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    munmap(obstacle, 4096);
    exercise(5, 0);
}

/*
 * sbrk is not thread-safe in libc, so a program that calls it beside other threads' mallocs must expect the worst of
 * glibc too; what we can promise is that mallocs which do not move the break at that moment are safe.
 */
static void foreign_sbrk_beside_a_quiet_heap(void)
{
    pthread_t mover;
    uint64_t random = 7;

    for (size_t i = 0; i < SLOTS; i++) {
        EXPECT(hold(&slots[i], 1 + i), "malloc gave NULL");
    }
    EXPECT(pthread_create(&mover, NULL, move_break, NULL) == 0, "no thread");
    while (!__atomic_load_n(&stop_moving, __ATOMIC_ACQUIRE)) {
        struct held *slot = &slots[next_random(&random) % SLOTS];
        size_t size = slot->size;
        drop(slot);
        EXPECT(hold(slot, size), "malloc gave NULL");
    }
    pthread_join(mover, NULL);
    drop_slots();
}

const struct limit_test break_tests[] = {
    {"foreign_sbrk", foreign_sbrk, NULL, 0},
    {"foreign_sbrk_up_and_down", foreign_sbrk_up_and_down, NULL, 0},
    {"foreign_brk_first", foreign_brk_first, NULL, 0},
    {"foreign_sbrk_beside_a_quiet_heap", foreign_sbrk_beside_a_quiet_heap, NULL, 0},
    {"obstructed_break", obstructed_break, NULL, 0},
    {"obstructed_break_threads", obstructed_break_threads, NULL, 0},
    {NULL, NULL, NULL, 0},
};
