/*
 * freehold_samples.h - how a program's call stacks of allocations lie in its memory: for readers from outside.
 *
 * The library exports one object, fh_samples. Everything is found from it, by addresses in the process; nothing is ever
 * moved or given back, and every word is written with one store, so a reader needs the program's help as little as its
 * standstill: what it copies while the program runs may only be a moment old. Numbers are little-endian, as on every
 * machine that Freehold runs on. A reader checks `magic` and `version`, and of a root that is larger than it knows it
 * reads the part that it knows.
 *
 * Words. Stacks and sites lie in an arena of 64-bit words, named by their number; the first that is used is number 8,
 * so 0 says "none". Word n is in block n / FH_SAMPLES_BLOCK_WORDS, at n % FH_SAMPLES_BLOCK_WORDS; block_addresses is
 * the address of an array with the addresses of the blocks, 0 for those not made yet.
 */
#ifndef FREEHOLD_SAMPLES_H
#define FREEHOLD_SAMPLES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FH_SAMPLES_MAGIC UINT64_C(0x31656c706d617366) /* "fsample1" */

enum {
    FH_SAMPLES_VERSION = 1,
    FH_SAMPLES_TABLES = 16,
    FH_SAMPLES_BLOCKS = 512,
    FH_SAMPLES_BLOCK_WORDS = 32768,
    FH_SAMPLES_STACK_MOST = 64, /* frames */
    FH_SITES_LEAF_SHIFT = 26,   /* a leaf for each 64 MiB of addresses ... */
    FH_SITES_GRAIN_SHIFT = 4,   /* ... with a 32-bit entry for each 16 bytes */
    FH_SITES_ROOT_ENTRIES = 1 << (48 - FH_SITES_LEAF_SHIFT)
};

enum fh_samples_mode {
    FH_SAMPLES_OFF = 0,
    FH_SAMPLES_PROFILE = 1, /* some blocks are chosen, at random: the tables of samples are kept */
    FH_SAMPLES_SITES = 2    /* the call stack of every block is noted: the table of sites is kept */
};

struct fh_samples {
    uint64_t magic;
    uint32_t version;
    uint32_t root_bytes;       /* of this structure */
    uint32_t mode;             /* bits of enum fh_samples_mode */
    uint32_t pid;              /* of the process that this is in; a child by fork has its own */
    uint64_t interval_bytes;   /* a block of u usable bytes is chosen with probability 1 - exp(-u / interval_bytes) */
    uint64_t started_ms;       /* CLOCK_MONOTONIC when it was turned on; zero of all times below */
    uint64_t started_unix_ns;  /* CLOCK_REALTIME then */
    uint64_t lost_samples;     /* chosen blocks for which there was no room */
    uint64_t lost_stacks;      /* blocks whose stack could not be stored: the arena is full */
    uint64_t word_count;       /* of the arena: numbers below this may be in use */
    uint64_t block_addresses;  /* of uint64_t[FH_SAMPLES_BLOCKS] */
    uint64_t tables[FH_SAMPLES_TABLES];      /* addresses of tables of struct fh_sample, 0 for those not made yet */
    uint32_t table_slots[FH_SAMPLES_TABLES]; /* how many each has */
    uint64_t sites_root;       /* address of uint64_t[FH_SITES_ROOT_ENTRIES]: addresses of leaves, or 0; 0 when off */
    uint64_t bucket_addresses; /* address of uint32_t[bucket_count]: numbers of stacks, 0 for none; each is the first */
    uint64_t bucket_count;     /* of a list by `next`. All stacks are on one of them */
};

/* A chosen block that is live. */
struct fh_sample {
    uint64_t address;    /* of the block; below 16: no sample here */
    uint64_t size_bytes; /* usable; stands for 1 / (1 - exp(-size_bytes / interval_bytes)) blocks like this */
    uint32_t stack;      /* number of its first word */
    uint32_t thread;     /* the kernel's id of the thread that allocated it */
    uint64_t born_ms;    /* when */
};

/* A call stack: these words of the arena. Objects are counted in 1/65,536; all four only grow, and stand for all
 * blocks, not only for the chosen ones. */
struct fh_stack {
    uint64_t hash;
    uint32_t next;      /* the next of the same hash bucket, 0 at the end */
    uint16_t depth;     /* frames */
    uint16_t flags;     /* bits of enum fh_stack_flags */
    uint64_t allocated_objects, allocated_bytes;
    uint64_t freed_objects, freed_bytes;
    uint64_t last_site; /* the library's own */
    uint64_t frames[];  /* the caller of the allocation function first; addresses within the call instruction */
};
enum fh_stack_flags {
    FH_STACK_TRUNCATED = 1 /* there was more, but it could not be followed or had no room */
};

/*
 * A site: one word, the number of a stack in the upper half, and in the lower half the time, in units of 10 ms, from
 * which on (for a while) blocks were allocated there. The entry of an address in the table of sites is the number of
 * such a word; 0 for none. It means something only for the first byte of a block that is live: entries of blocks that
 * were freed stay until the address is used again.
 */
enum { FH_SITE_TICK_MS = 10 };

extern struct fh_samples fh_samples;

#ifdef __cplusplus
}
#endif

#endif /* FREEHOLD_SAMPLES_H */
