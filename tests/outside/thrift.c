/*
 * thrift.c - R6: system calls per million small requests stay in single digits, when all are kept, in steady churn, and
 * with two threads.
 */
#define _GNU_SOURCE
#include "levels.h"

#include "mark.h"

#include <pthread.h>
#include <stdlib.h>

#define DEFECTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_FAULT {.only_number = -1}

enum { MILLION = 1000000, LIVE = 100000, CALLS_MAX = 9, THREADS = 2 };

static char *kept[MILLION];

static char *small_block(uint64_t *random)
{
    char *block = malloc(16 + next_random(random) % 497);

    EXPECT(block != NULL, "malloc gave NULL");
    *block = 1;
    return block;
}

static void keep_a_million(void)
{
    uint64_t random = 1;

    free(small_block(&random)); /* what every process pays once, at its first request */
    mark(MARK_BEGIN);
    for (size_t i = 0; i < MILLION; i++) {
        kept[i] = small_block(&random);
    }
    mark_value(MARK_BEGIN + 1, MILLION);
    for (size_t i = 0; i < MILLION; i++) {
        free(kept[i]);
    }
}

static void churn(char **slots, size_t count, size_t requests, uint64_t random)
{
    for (size_t i = 0; i < requests; i++) {
        char **slot = &slots[next_random(&random) % count];
        free(*slot);
        *slot = small_block(&random);
    }
}

static void churn_a_million(void)
{
    uint64_t random = 2;

    for (size_t i = 0; i < LIVE; i++) {
        kept[i] = small_block(&random);
    }
    mark(MARK_BEGIN);
    churn(kept, LIVE, MILLION, 3);
    mark_value(MARK_BEGIN + 1, MILLION);
    for (size_t i = 0; i < LIVE; i++) {
        free(kept[i]);
    }
}

static pthread_barrier_t gate;

static void *churn_in_thread(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg;
    char **slots = &kept[number * LIVE];

    churn(slots, LIVE, 3 * LIVE, number + 4); /* fills most slots */
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    churn(slots, LIVE, MILLION / THREADS, number + 40);
    pthread_barrier_wait(&gate);
    for (size_t i = 0; i < LIVE; i++) {
        free(slots[i]);
    }
    return NULL;
}

static void churn_a_million_in_threads(void)
{
    pthread_t threads[THREADS];

    pthread_barrier_init(&gate, NULL, THREADS + 1);
    for (size_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, churn_in_thread, (void *)(uintptr_t)i) == 0, "no thread");
    }
    pthread_barrier_wait(&gate);
    mark(MARK_BEGIN);
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    mark_value(MARK_BEGIN + 1, MILLION);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static bool judge_thrift(const struct trace *trace)
{
    unsigned calls = memory_calls(trace, MARK_BEGIN, MARK_BEGIN);

    return judged(marked(trace, MARK_BEGIN + 1) == MILLION, "not a million requests") &
           judged(calls <= CALLS_MAX, "%u system calls for a million small requests", calls);
}

const struct level_test thrift_tests[] = {
    {"r6_system_calls_single_digits", keep_a_million, judge_thrift, DEFECTS("small_steps"), NO_FAULT, false},
    {"r6_system_calls_single_digits_in_churn", churn_a_million, judge_thrift, DEFECTS("eager_trim"), NO_FAULT, false},
    {"r6_system_calls_single_digits_in_threads", churn_a_million_in_threads, judge_thrift, DEFECTS("eager_trim"),
     NO_FAULT, false},
    {NULL, NULL, NULL, NULL, NO_FAULT, false},
};
