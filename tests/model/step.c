/*
 * step.c - one step of a worker: which operation comes next, the exchange of blocks between workers, control, forks.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "freehold.h"
#include "model.h"

enum { BYTES_MOST = 64 << 20 }; /* that all workers hold */

static void op_control(struct worker *worker)
{
    struct random *random = &worker->random;
    static const struct {
        int parameter, values[4];
    } settings[] = {
        {M_TRIM_THRESHOLD, {128 << 10, 4096, 16 << 20, -1}}, {M_TOP_PAD, {0, 0, 65536, 1000001}},
        {M_MMAP_THRESHOLD, {128 << 10, 128 << 10, 1000, 4 << 20}}, {M_MMAP_MAX, {65536, 65536, 0, 20}},
        {M_PERTURB, {0, 0, 0xa5, 1}}, {M_ARENA_MAX, {0, 1, 2, 8}}};
    size_t dice = random_below(random, 16);
    if (dice < 8) {
        struct mallinfo2 info = CALL(mallinfo2)();
        /* While others run the numbers are of different moments, and their differences may be less than nothing. */
        size_t most = options.threads > 1 ? SIZE_MAX : (size_t)1 << 46;
        if (info.arena > most || info.hblkhd > most || info.uordblks > most)
            failed(worker, "mallinfo2 says arena %zu, hblkhd %zu, uordblks %zu", info.arena, info.hblkhd,
                   info.uordblks);
    } else if (dice == 8) {
        fh_purge();
    } else if (dice == 9) {
        if (fh_pressure((enum fh_pressure_level)random_below(random, 3))) failed(worker, "fh_pressure refused");
    } else if (dice < 11 || !options.options_change) {
        CALL(malloc_trim)(random_one_in(random, 2) ? 0 : random_below(random, 1 << 20));
    } else {
        size_t which = random_below(random, sizeof settings / sizeof settings[0]), value = random_below(random, 4);
        if (!CALL(mallopt)(settings[which].parameter, settings[which].values[value]))
            failed(worker, "mallopt(%d, %d) refused", settings[which].parameter, settings[which].values[value]);
    }
}

static void op_send(struct worker *worker)
{
    uint32_t to = (uint32_t)random_below(&worker->random, options.threads);
    struct ring *ring = &rings[worker->number][to];
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
    if (worker->in_child || to == worker->number || worker->table.count == 0) return;
    if (tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) >= RING_SLOTS) return;
    ring->slots[tail % RING_SLOTS] = take_any(worker);
    __atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
}

static void op_receive(struct worker *worker)
{
    uint32_t from = (uint32_t)random_below(&worker->random, options.threads);
    struct ring *ring = &rings[from][worker->number];
    if (worker->in_child) return;
    uint32_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    for (; head != tail && worker->table.count + 1 < BLOCKS_MOST; head++) {
        struct block block = ring->slots[head % RING_SLOTS];
        if (random_one_in(&worker->random, 2)) free_block(worker, &block);
        else table_insert(&worker->table, &block);
    }
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}

/* A child that goes on with this worker's blocks alone, whatever the other threads were doing. */
static void op_fork(struct worker *worker)
{
    enum { CHILD_OPERATIONS = 2000, CHILD_SECONDS = 60 };
    pid_t pid = fork();
    if (pid < 0) failed(worker, "fork: error %d", errno);
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        worker->in_child = true;
        options.forks = options.births = 0;
        for (int i = 0; i < CHILD_OPERATIONS; i++) worker_step(worker);
        audit_child(worker);
        worker_free_all(worker);
        audit_child(worker);
        _exit(0);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) failed(worker, "waitpid: error %d", errno);
    if (status) failed(worker, "child %d ended with status %#x", (int)pid, status);
}

static void new_phase(struct worker *worker)
{
    struct random *random = &worker->random;
    worker->mix = random_one_in(random, 3) ? MIX_EVERYTHING : (enum size_mix)random_between(random, 0, MIX_ONE);
    worker->mix_size = random_one_in(random, 2) ? random_between(random, 1, 300) : size_of_mix(worker, MIX_POWER);
    worker->target = (uint32_t)(random_next(random) >> random_between(random, 51, 62)); /* up to 8192, mostly few */
    worker->phase_left = (uint32_t)random_between(random, 100, 20000);
    if (worker->mix == MIX_LARGE || worker->mix == MIX_THRESHOLD) { /* most of their time is the kernel's */
        worker->target /= 32;
        worker->phase_left /= 16;
    }
}

void worker_init(struct worker *worker, uint32_t number, uint64_t seed)
{
    *worker = (struct worker){.number = number, .random = {seed ^ (uint64_t)(number + 1) << 56}};
    table_init(&worker->table, random_next(&worker->random));
}

void worker_step(struct worker *worker)
{
    struct random *random = &worker->random;
    if (worker->phase_left-- == 0) new_phase(worker);
    size_t dice = random_below(random, 1000);
    bool full = worker->table.count >= BLOCKS_MOST - 2 || worker->table.bytes > BYTES_MOST / options.threads;
    bool grow = !full && random_below(random, 100) < (worker->table.count < worker->target ? 62 : 38);
    worker->operations++;
    if (options.refusals && random_one_in(random, options.refusals)) {
        CALL(malloc_trim)(0); /* what is kept in store would last for long */
        kernel_maybe_storm(random);
    }
    errno = ERRNO_BEFORE;
    if (options.forks && random_one_in(random, options.forks)) op_fork(worker);
    else if (dice < 2) op_control(worker);
    else if (dice < 6) op_impossible(worker);
    else if (dice < 25) op_usable(worker);
    else if (dice < 28) op_move(worker);
    else if (dice < 50 && options.threads > 1) op_receive(worker);
    else if (dice < 140 && options.threads > 1) op_send(worker);
    else if (dice < 240 && !full) op_realloc(worker);
    else if (!grow) op_free(worker);
    else if (dice < 350) op_calloc(worker);
    else if (dice < 400) op_aligned(worker);
    else if (dice < 500) op_new(worker);
    else op_malloc(worker);
}
