/*
 * b05_thread_births - threads by the thousand, alive at once and one after the other, detached and joined: memory of
 * those that ended is adopted, not added to.
 *
 * Every thread leaves blocks behind that the main thread frees later, so that each exits with slabs in use.
 * Arguments: number of births, one after the other (20,000; long 1,000,000).
 */
#include "bugs.h"

#include <pthread.h>
#include <semaphore.h>

#define AT_ONCE 400
#define LEFT 8
#define ALLOWED_KIB 1024
/* 200 stacks come and go: how much of them is resident changes from one round to the next. */
#define ALLOWED_AT_ONCE_KIB 4096

static sem_t ended;
static void *left[AT_ONCE][LEFT];
static pthread_barrier_t all_here;

static void leave(size_t number)
{
    void *gone[64];

    for (size_t i = 0; i < 64; i++)
        gone[i] = malloc(i * 13);
    for (size_t i = 0; i < LEFT; i++) {
        left[number][i] = malloc(16 + i * 100);
        CHECK(left[number][i] != NULL);
        bugs_mark(left[number][i], 16 + i * 100, (unsigned)number);
    }
    for (size_t i = 0; i < 64; i++)
        free(gone[i]);
}

static void take(size_t number)
{
    for (size_t i = 0; i < LEFT; i++) {
        CHECK(bugs_kept(left[number][i], 16 + i * 100, (unsigned)number));
        free(left[number][i]);
    }
}

static void *alone(void *arg)
{
    leave((size_t)arg);
    sem_post(&ended);
    return NULL;
}

static void *together(void *arg)
{
    leave((size_t)arg);
    pthread_barrier_wait(&all_here);
    leave((size_t)arg + AT_ONCE / 2);
    return NULL;
}

static void one_after_the_other(long count)
{
    pthread_attr_t detached;

    CHECK(pthread_attr_init(&detached) == 0);
    CHECK(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(pthread_attr_setstacksize(&detached, 65536) == 0);
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        int is_detached = i % 2;

        CHECK(pthread_create(&thread, is_detached ? &detached : NULL, alone, (void *)(i % AT_ONCE)) == 0);
        if (!is_detached)
            CHECK(pthread_join(thread, NULL) == 0);
        while (sem_wait(&ended) != 0)
            CHECK(errno == EINTR);
        take((size_t)(i % AT_ONCE));
    }
    pthread_attr_destroy(&detached);
}

static void all_at_once(void)
{
    static pthread_t threads[AT_ONCE / 2];

    CHECK(pthread_barrier_init(&all_here, NULL, AT_ONCE / 2) == 0);
    for (size_t i = 0; i < AT_ONCE / 2; i++)
        CHECK(pthread_create(&threads[i], NULL, together, (void *)i) == 0);
    for (size_t i = 0; i < AT_ONCE / 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pthread_barrier_destroy(&all_here);
    for (size_t i = 0; i < AT_ONCE; i++)
        take(i);
}

int main(int argc, char **argv)
{
    long count = bugs_count(argc, argv, 20000);
    size_t before_kib;
    size_t after_kib;

    bugs_start();
    CHECK(sem_init(&ended, 0, 0) == 0);
    one_after_the_other(1000);
    before_kib = bugs_rss_kib();
    one_after_the_other(count);
    after_kib = bugs_rss_kib();
    CHECK_NUMBERS(after_kib <= before_kib + ALLOWED_KIB, after_kib, before_kib);

    for (int i = 0; i < 3; i++)
        all_at_once();
    before_kib = bugs_rss_kib();
    for (int i = 0; i < 12; i++)
        all_at_once();
    after_kib = bugs_rss_kib();
    CHECK_NUMBERS(after_kib <= before_kib + ALLOWED_AT_ONCE_KIB, after_kib, before_kib);
    bugs_sound();
    return 0;
}
