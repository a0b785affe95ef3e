/*
 * random.h - the model's own random numbers: the same on every machine and with every libc.
 */
#ifndef FH_MODEL_RANDOM_H
#define FH_MODEL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* From 0 up to below `limit`, which is not 0. */
static inline size_t random_below(struct random *random, size_t limit) { return (size_t)(random_next(random) % limit); }

static inline size_t random_between(struct random *random, size_t least, size_t most)
{
    return least + random_below(random, most - least + 1);
}

/* True once in `n` times. */
static inline int random_one_in(struct random *random, size_t n) { return random_below(random, n) == 0; }

#endif
