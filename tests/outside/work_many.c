/*
 * work_many.c - workloads of several threads or processes: blocks that change hands, births and deaths, fork.
 */
#define _GNU_SOURCE
#include "work.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, EACH = 1500 };

static struct held blocks[THREADS][EACH];
static struct held passed[4096];

/* Runs `body` in as many of `count` threads as can be had; the first argument is the thread's number. */
static void in_threads(size_t count, void *(*body)(void *))
{
    pthread_t threads[THREADS];
    bool started[THREADS];

    for (size_t i = 0; i < count; i++) {
        started[i] = pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (started[i]) {
            pthread_join(threads[i], NULL);
        }
    }
}

static void *churn_small(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg;

    churn(blocks[number], EACH, 6000, 1, 600, number + 31);
    drop_held(blocks[number], EACH);
    return NULL;
}

static void threads_small(void)
{
    in_threads(THREADS, churn_small);
}

static void *churn_all_sizes(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg;

    churn(blocks[number], 40, 250, 300, 200000, number + 41);
    return NULL; /* main frees */
}

static void threads_large(void)
{
    in_threads(THREADS, churn_all_sizes);
    for (size_t i = 0; i < THREADS; i++) {
        drop_held(blocks[i], EACH);
    }
}

static void *be_born(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg;

    churn(&blocks[number][0], 200, 200, 1, 3000, number + 51);
    drop_held(&blocks[number][100], 100);
    return NULL;
}

/* Threads come and go; half of what each took is freed by the next. */
static void thread_births(void)
{
    for (int round = 0; round < 12; round++) {
        in_threads(2, be_born);
    }
    for (size_t i = 0; i < THREADS; i++) {
        drop_held(blocks[i], EACH);
    }
}

/* One slot for each index: the producer fills it, the consumer empties it. */
static bool slot_full[4096];

static void *produce_or_consume(void *arg)
{
    for (size_t i = 0; i < 12000; i++) {
        size_t slot = i % 4096;
        bool produce = arg == NULL;
        while (__atomic_load_n(&slot_full[slot], __ATOMIC_ACQUIRE) == produce) {
            sched_yield();
        }
        if (produce) {
            hold(&passed[slot], 16 + i * 13 % 1500);
        } else if (passed[slot].address != NULL) {
            drop(&passed[slot]);
        }
        __atomic_store_n(&slot_full[slot], produce, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void producer_consumer(void)
{
    pthread_t consumer;

    if (pthread_create(&consumer, NULL, produce_or_consume, passed) != 0) {
        return;
    }
    produce_or_consume(NULL);
    pthread_join(consumer, NULL);
}

/* Waits for a child, which must end well. */
static void expect_child(pid_t child)
{
    int status;

    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
           "the child ended with status 0x%x", (unsigned)status);
}

/* Parent and child each verify, free and take what they share as copies. */
static void forks(void)
{
    churn(blocks[0], 150, 400, 1, 20000, 61);
    for (int round = 0; round < 3; round++) {
        pid_t child = fork();
        if (child < 0) {
            continue;
        }
        churn(blocks[0], 150, 200, 1, 60000, (uint64_t)round + 71);
        if (child == 0) {
            drop_held(blocks[0], EACH);
            expect_sound("in the child");
            _exit(0);
        }
        expect_child(child);
    }
    drop_held(blocks[0], EACH);
}

static bool stop_churning;

static void *churn_until_told(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg + 1;
    uint64_t random = number + 81;

    while (!__atomic_load_n(&stop_churning, __ATOMIC_ACQUIRE)) {
        churn(blocks[number], EACH, 100, 1, 5000, next_random(&random));
    }
    drop_held(blocks[number], EACH);
    return NULL;
}

static void forks_with_threads(void)
{
    pthread_t thread;

    __atomic_store_n(&stop_churning, false, __ATOMIC_RELEASE);
    bool started = pthread_create(&thread, NULL, churn_until_told, NULL) == 0;
    for (int round = 0; round < 4; round++) {
        churn(blocks[0], 300, 300, 1, 20000, (uint64_t)round + 91);
        pid_t child = fork();
        if (child == 0) {
            churn(blocks[0], 300, 300, 1, 60000, (uint64_t)round + 95);
            drop_held(blocks[0], EACH);
            _exit(0);
        }
        if (child > 0) {
            expect_child(child);
        }
    }
    __atomic_store_n(&stop_churning, true, __ATOMIC_RELEASE);
    if (started) {
        pthread_join(thread, NULL);
    }
    drop_held(blocks[0], EACH);
}

static pthread_key_t key;

static void free_at_exit(void *value)
{
    struct held late;

    free(value);
    if (hold(&late, 2000)) { /* destructors may allocate */
        drop(&late);
    }
}

static void *set_key(void *arg)
{
    (void)arg;
    pthread_setspecific(key, malloc(700));
    return NULL;
}

static void thread_destructors(void)
{
    pthread_key_create(&key, free_at_exit);
    for (int round = 0; round < 10; round++) {
        in_threads(2, set_key);
    }
    pthread_key_delete(key);
}

const struct workload many_workloads[] = {
    {"threads_small", threads_small},
    {"threads_large", threads_large},
    {"thread_births", thread_births},
    {"producer_consumer", producer_consumer},
    {"forks", forks},
    {"forks_with_threads", forks_with_threads},
    {"thread_destructors", thread_destructors},
    {NULL, NULL},
};
