/*
 * model.h - the model-based random test: what its files share.
 *
 * The model is a table of the blocks that a program would hold, with what each must be: address, size, alignment,
 * contents. Random operations are done to the allocator and to the table, and must agree. Every so often all threads
 * stop, and the whole heap is compared with all tables: see audit.c.
 */
#ifndef FH_MODEL_H
#define FH_MODEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

enum { WORKERS_MOST = 16, BLOCKS_MOST = 1 << 15, RING_SLOTS = 32 };

/* Which function made a block, as far as it limits how the block may be freed. */
enum family { FROM_MALLOC, FROM_ALIGNED, FROM_NEW, FROM_NEW_ARRAY, FROM_NEW_ALIGNED, FROM_NEW_ARRAY_ALIGNED };

struct block {
    uintptr_t address;
    size_t size;      /* as requested */
    size_t usable;    /* as malloc_usable_size said */
    size_t alignment; /* as requested; 16 where nothing was */
    size_t filled;    /* bytes that were filled with the pattern of `seed`; 0: never written to */
    uint64_t seed;
    enum family family;
};

/* The blocks of one worker: an ordered set by address (a treap), and dense, so that one can be picked at random. */
struct table {
    struct node *nodes; /* BLOCKS_MOST of them */
    uint32_t root, count;
    size_t bytes;       /* usable */
    struct random random;
};

void table_init(struct table *table, uint64_t seed);
/* The block that overlaps [address, address + bytes), or NULL. */
struct block *table_overlap(const struct table *table, uintptr_t address, size_t bytes);
void table_insert(struct table *table, const struct block *block);
struct block table_remove(struct table *table, uint32_t index);
struct block *table_at(const struct table *table, uint32_t index);

/* A queue of blocks from one worker to another; the receiver owns them from then on. */
struct ring {
    uint32_t head, tail; /* atomic; the receiver's and the sender's */
    struct block slots[RING_SLOTS];
};

enum size_mix {
    MIX_EVERYTHING,
    MIX_TINY,
    MIX_SMALL,
    MIX_CUTOFF,
    MIX_MEDIUM,
    MIX_THRESHOLD,
    MIX_LARGE,
    MIX_POWER,
    MIX_ONE
};

struct worker {
    uint32_t number;
    struct random random;
    struct table table;
    uint64_t operations;    /* done */
    uint64_t refused;       /* of them: answered with ENOMEM */
    uint64_t digest;        /* over everything that the allocator answered */
    enum size_mix mix;      /* of the present phase, */
    size_t mix_size;        /* and its size, for MIX_ONE */
    uint32_t target;        /* how many blocks it tends to hold */
    uint32_t phase_left;    /* operations */
    bool in_child;          /* of a fork: alone, and without the other workers' blocks */
    pthread_t predecessor;  /* the thread that was this worker before, */
    bool has_predecessor;   /* to be joined */
};

struct options {
    uint64_t seed, operations, interval; /* interval: operations between two audits */
    uint32_t threads;
    uint32_t births;     /* a worker's thread ends after about so many operations; 0: never */
    uint32_t forks;      /* a worker forks after about so many operations; 0: never */
    bool lockstep;       /* one worker at a time, in an order that follows from the seed */
    bool options_change; /* mallopt is among the operations */
    bool may_refuse;     /* ENOMEM is an answer to any request */
    bool no_break;       /* the break is refused for good */
    uint32_t refusals;   /* a storm of refusals by the kernel begins after about so many operations; 0: never */
    uint64_t address_space; /* RLIMIT_AS above what is in use at the start; 0: no limit */
};

extern struct options options;
extern struct worker workers[WORKERS_MOST];
extern struct ring rings[WORKERS_MOST][WORKERS_MOST]; /* [from][to] */

/* Says what is wrong and how to see it again, and aborts. */
void failed(const struct worker *worker, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* content.c */
void content_fill(struct block *block, size_t bytes);
/* The first offset below `limit` that is not what was written, or SIZE_MAX. */
size_t content_damage(const struct block *block, const void *at, size_t limit);
/* The first offset that is not zero, or SIZE_MAX. */
size_t content_not_zero(const void *at, size_t bytes);

/* sizes.c */
size_t size_of_mix(struct worker *worker, enum size_mix mix);
size_t random_size(struct worker *worker);
size_t impossible_size(struct random *random); /* that no machine has; some overflow when something is added */
size_t random_alignment(struct random *random);

/* operations.c. errno is ERRNO_BEFORE when one begins: no error has this number, and a call that writes errno without
 * need is seen. */
enum { ERRNO_BEFORE = 4242 };
void op_malloc(struct worker *worker);
void op_calloc(struct worker *worker);
void op_aligned(struct worker *worker);
void op_new(struct worker *worker);
void op_impossible(struct worker *worker);
void op_free(struct worker *worker);
void op_realloc(struct worker *worker);
void op_move(struct worker *worker);
void op_usable(struct worker *worker);
struct block take_any(struct worker *worker);
void worker_free_all(struct worker *worker);
void free_block(struct worker *worker, const struct block *block);
void check_block(const struct worker *worker, const struct block *block);

/* step.c */
void worker_init(struct worker *worker, uint32_t number, uint64_t seed);
void worker_step(struct worker *worker);

/* audit.c */
void audit_init(void);
/* No other thread is inside the allocator. `last`: the run is over, this is the only thread. */
void audit(const struct worker *worker, bool last);
/* With one thread: what the account says is live is what the table holds. */
void audit_quick(const struct worker *worker);
/* After the last thread of a run in lockstep: what ended threads sent to other ended threads has come home. */
void audit_nothing_on_the_way(void);
/* In a forked child: the forking worker's blocks and every invariant. */
void audit_child(const struct worker *worker);

/* workers.c */
void workers_run(void);

/* kernel.c or kernel_plain.c: storms of refusals, from a worker's random numbers. */
void kernel_refuse_break(void);
void kernel_maybe_storm(struct random *random);
void kernel_calm(void);

#endif
