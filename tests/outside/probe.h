/*
 * probe.h - what the traced programs share: blocks whose contents are known and verified, and the walk of the heap.
 *
 * A failed expectation ends the program with one line on stderr and exit status 1 (see fail). Nothing here allocates.
 */
#ifndef OUTSIDE_PROBE_H
#define OUTSIDE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "freehold.h"

/* Exit status of a program that cannot run here, with a line that says what is missing. */
#define EXIT_SKIP 77

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* EXPECT(condition, "text", …): the condition must hold. */
#define EXPECT(condition, ...)      \
    do {                            \
        if (!(condition)) {         \
            fail(__VA_ARGS__);      \
        }                           \
    } while (0)

/* A block with a pattern in it that depends on `key`; address NULL: none. */
struct held {
    unsigned char *address;
    size_t size;
    uint64_t key;
};

/*
 * hold* get a block and fill it; false is NULL, and then errno must have been ENOMEM. Alignment (16 bytes, or what was
 * asked) is checked each time. resize is realloc: the part that both sizes share must have been kept. drop verifies the
 * pattern and frees; errno must survive. All of them end the program when something is wrong.
 */
bool hold(struct held *held, size_t size);
bool hold_zeroed(struct held *held, size_t size);
bool hold_aligned(struct held *held, size_t alignment, size_t size);
bool resize(struct held *held, size_t size);
void drop(struct held *held);

/*
 * After so many NULLs hold* and resize give up without asking, until told 0: a workload that gets next to nothing any
 * more proves nothing more, and each refusal costs the tracer many stops.
 */
void give_up_after(unsigned refusals);

/* Fills or verifies without allocating: for memory that a program got by itself, or passes between threads. */
void fill(const struct held *held);
void verify(const struct held *held);

/* Takes a block that somebody else allocated (strdup, a library) and fills it. */
void adopt(struct held *held, void *address, size_t size);

/* The next number of a small generator; `state` is the caller's, never 0. */
uint64_t next_random(uint64_t *state);

/* The blocks of the heap as fh_walk shows them, in address order. One snapshot at a time, kept in static memory. */
struct snapshot {
    const struct fh_block *blocks;
    size_t count;
    bool complete; /* false: the heap has more blocks than the snapshot can take */
};

/* False where the malloc under test has no fh_walk. */
bool can_walk(void);
struct snapshot walk(void);

/* The walk's block that begins at the address, or that holds it; NULL for none. Walks afresh. */
const struct fh_block *block_at(const void *address);
const struct fh_block *block_around(const void *address);

/* The block that follows in address order, from the same snapshot; NULL at the end. */
const struct fh_block *block_after(const struct fh_block *block);
const struct fh_block *block_before(const struct fh_block *block);

/* fh_check must find nothing and the account must add up; without fh_check nothing is done. */
void expect_sound(const char *when);

/* malloc_trim(0), which also empties this thread's cache. */
void flush_cache(void);

#endif /* OUTSIDE_PROBE_H */
