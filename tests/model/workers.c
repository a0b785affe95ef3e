/*
 * workers.c - the threads: who runs when, who stands still for an audit, and who ends and is born again.
 *
 * A worker is a table and a sequence of operations; threads come and go beneath it. Free-running, workers meet only at
 * audits and by the blocks that they send each other. In lockstep one works at a time, in turns that follow from the
 * seed, so that a schedule can be had again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "calls.h"
#include "model.h"

enum { QUICK_INTERVAL = 256 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t parked;            /* workers that wait for the audit, or are done */
static uint32_t done;              /* workers that have no operation left */
static uint64_t round_number;      /* audits so far */
static uint32_t turn;              /* in lockstep: the worker that may run */
static bool waiting[WORKERS_MOST]; /* for the audit, or done */
static struct random schedule;
static pthread_key_t end_key;

/* What a thread does in its last moments, after Freehold has let go of its state: one destructor, two rounds. */
static void thread_ends(void *argument)
{
    uintptr_t round = (uintptr_t)argument;
    struct worker dying = {.number = WORKERS_MOST, .random = {round}};
    for (size_t i = 0; i < 8; i++) {
        size_t size = 24 + 90 * i;
        unsigned char *block = CALL(calloc)(1, size);
        if (!block) continue;
        struct block record = {.address = (uintptr_t)block, .size = size, .usable = size, .seed = i};
        content_fill(&record, size);
        free_block(&dying, &record);
    }
    if (round < 2) pthread_setspecific(end_key, (void *)(round + 1));
}

static void choose_turn(void)
{
    uint32_t next = (uint32_t)random_below(&schedule, options.threads);
    for (uint32_t i = 0; i < options.threads; i++, next = (next + 1) % options.threads)
        if (!waiting[next]) break;
    turn = next;
    pthread_cond_broadcast(&changed);
}

static void start_round(const struct worker *worker)
{
    audit(worker, false);
    round_number++;
    parked = done;
    for (uint32_t i = 0; i < options.threads; i++)
        waiting[i] = workers[i].operations >= options.operations / options.threads;
    choose_turn();
}

static void join_predecessor(struct worker *worker)
{
    if (worker->has_predecessor) pthread_join(worker->predecessor, NULL);
    worker->has_predecessor = false;
}

/* Stands still until all others do and one of them has looked at everything. */
static void park(struct worker *worker, bool is_done)
{
    join_predecessor(worker);
    pthread_mutex_lock(&mutex);
    uint64_t round = round_number;
    waiting[worker->number] = true;
    done += is_done;
    worker->predecessor = pthread_self(); /* for whoever comes last: main */
    worker->has_predecessor = is_done;
    if (++parked == options.threads) {
        start_round(worker);
    } else {
        choose_turn();
        while (round == round_number) pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void await_turn(struct worker *worker)
{
    pthread_mutex_lock(&mutex);
    while (turn != worker->number) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void pass_turn(void)
{
    pthread_mutex_lock(&mutex);
    choose_turn();
    pthread_mutex_unlock(&mutex);
}

static void *live(void *argument);

static void beget(struct worker *worker)
{
    pthread_t thread;
    join_predecessor(worker);
    worker->predecessor = pthread_self();
    worker->has_predecessor = true;
    if (pthread_create(&thread, NULL, live, worker) != 0) failed(worker, "no thread can be made");
}

/* One thread's share of a worker's operations. The joining is left to the successor: at once, or later, so that the end
 * of one thread and the work of others overlap; in lockstep at once. */
static void *live(void *argument)
{
    struct worker *worker = argument;
    uint64_t most = options.operations / options.threads, interval = options.interval / options.threads;
    if (options.lockstep || random_one_in(&worker->random, 2)) join_predecessor(worker);
    pthread_setspecific(end_key, (void *)1);
    uint64_t life = options.births ? random_between(&worker->random, 1, 2 * (uint64_t)options.births) : UINT64_MAX;
    uint32_t burst = 0;
    for (;;) {
        if (options.lockstep && burst-- == 0) {
            if (worker->operations) pass_turn();
            await_turn(worker);
            burst = (uint32_t)random_below(&worker->random, 200);
        }
        worker_step(worker);
        if (worker->operations >= most) break;
        if (worker->operations % interval == 0) {
            park(worker, false);
            if (options.lockstep) await_turn(worker);
        }
        if (--life == 0) {
            beget(worker);
            return NULL;
        }
    }
    park(worker, true);
    return NULL;
}

static void await_all(void)
{
    pthread_mutex_lock(&mutex);
    while (done < options.threads) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    for (uint32_t i = 0; i < options.threads; i++) join_predecessor(&workers[i]);
}

static void run_alone(struct worker *worker)
{
    while (worker->operations < options.operations) {
        worker_step(worker);
        if (worker->operations % QUICK_INTERVAL == 0) audit_quick(worker);
        if (worker->operations % options.interval == 0) audit(worker, false);
    }
}

void workers_run(void)
{
    if (options.threads == 1) {
        run_alone(&workers[0]);
        return;
    }
    schedule.state = options.seed;
    turn = WORKERS_MOST; /* nobody's, until all are there: the kernel places their stacks, too */
    if (pthread_key_create(&end_key, thread_ends) != 0) failed(NULL, "no key can be made");
    for (uint32_t i = 0; i < options.threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live, &workers[i]) != 0) failed(NULL, "no thread can be made");
    }
    pass_turn();
    await_all();
}
