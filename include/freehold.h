/*
 * freehold.h - the public interface of Freehold, a malloc for Linux whose heap can be read.
 *
 * The C, POSIX and GNU allocation functions keep the declarations of <stdlib.h> and <malloc.h>; a program that wants
 * nothing but a better malloc needs no header at all. What is declared here is what those interfaces cannot say.
 *
 * All functions are thread-safe unless their comment says otherwise. Sizes are in bytes.
 */
#ifndef FREEHOLD_H
#define FREEHOLD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FH_VERSION_MAJOR 0
#define FH_VERSION_MINOR 1
#define FH_VERSION_PATCH 0

/* "MAJOR.MINOR.PATCH" of the library that is running, which may differ from the header's. Never NULL. */
const char *fh_version(void);

/*
 * The additive account. At every moment when no other thread is inside the allocator:
 *
 *   live + rounding + cached + free + untouched + metadata == obtained - returned        (invariant A1)
 *
 * Objects in the caches of other running threads are charged to `cached` as of that thread's last slow step, and
 * to `live` until then; the sum holds regardless.
 */
struct fh_account {
    size_t live_bytes;       /* usable bytes of the blocks that the program holds (see malloc_usable_size) */
    size_t rounding_bytes;   /* bytes that no block can use: ends of slabs, alignment, page rounding of mappings */
    size_t cached_bytes;     /* freed, kept by threads for their next malloc, or on the way to the owner */
    size_t free_bytes;       /* freed and held: free chunks, free objects of slabs, kept mappings */
    size_t untouched_bytes;  /* address space that was never handed out since the kernel gave it: costs no memory */
    size_t metadata_bytes;   /* headers of chunks and slabs, page map, thread states, tables of call stacks */
    size_t obtained_bytes;   /* from the kernel, since the start of the process (brk and mmap) */
    size_t returned_bytes;   /* to the kernel, since the start of the process (brk and munmap) */
    size_t live_blocks;      /* number of blocks that the program holds */
    size_t heaps;            /* heaps in use */
    size_t threads;          /* threads attached now */
    size_t large_blocks;     /* of live_blocks: those with a mapping of their own */
    size_t large_bytes;      /* of live_bytes: those with a mapping of their own */
};

/* Fills *account. Costs time in proportion to threads and heaps, not to blocks. */
void fh_account_read(struct fh_account *account);

/* Writes the account as text, as `freehold run --report` shows it, to a file descriptor. Allocates nothing. */
void fh_account_print(int fd);

/*
 * Every counter of the heap, as freehold-counters(7) explains them, written to a file descriptor: as one JSON object,
 * or as OpenMetrics text, which Prometheus and others scrape, up to its "# EOF". They allocate nothing, cost what
 * fh_account_read does, and need 8 KiB of stack. 0 when written, else an error number of <errno.h>: ENOSPC when not
 * everything could be.
 */
int fh_stats_json(int fd);
int fh_stats_openmetrics(int fd);

/* Where a block lives, and who holds it. */
enum fh_block_kind {
    FH_BLOCK_SLAB_OBJECT = 1, /* one object of a slab: no header, its size is its slab's */
    FH_BLOCK_CHUNK = 2,       /* a heap chunk with a boundary tag in front */
    FH_BLOCK_LARGE = 3,       /* a mapping of its own */
    FH_BLOCK_SLAB = 4         /* a chunk that is a slab; its objects follow as blocks of their own */
};
enum fh_block_state {
    FH_STATE_LIVE = 1,   /* held by the program */
    FH_STATE_CACHED = 2, /* freed; in a thread's cache, or on the way to its owner */
    FH_STATE_FREE = 3,   /* freed; on a free list of its slab or heap */
    FH_STATE_TOP = 4     /* the wilderness at the end of a heap */
};
struct fh_block {
    uintptr_t address;   /* of the first usable byte: the pointer that malloc returned */
    size_t size_bytes;   /* usable bytes */
    enum fh_block_kind kind;
    enum fh_block_state state;
    uint32_t heap;       /* number of the heap; 0 is the one that grows by brk; UINT32_MAX for none */
    uint32_t owner;      /* number of the thread state that owns the slab, 0 where there is none */
};

/*
 * Calls `visit` for every block in address order, until it returns non-zero; returns that value, or 0 at the end.
 * `visit` must not call the allocator. Other threads must not be inside the allocator meanwhile: blocks that move
 * under the walk may be seen in their old or in their new state. Never-carved slab memory is not a block.
 * A slab object that is free is reported as FH_STATE_CACHED when it is not on its slab's own list.
 */
typedef int fh_walk_fn(const struct fh_block *block, void *arg);
int fh_walk(fh_walk_fn *visit, void *arg);

/*
 * Checks every invariant of the heap (H1 to H5, S1 to S3, P1, A1; ARCHITECTURE.md defines them) and returns the number
 * of violations. `report` may be NULL; it gets the invariant's id ("H1"), the address concerned and one line of text.
 * The same quiescence as for fh_walk is needed.
 */
typedef void fh_check_fn(const char *invariant, uintptr_t address, const char *text, void *arg);
size_t fh_check(fh_check_fn *report, void *arg);

/*
 * Profiles. While sampling is on (FREEHOLD_PROFILE, or `freehold run --profile=FILE`), these write what has been
 * sampled up to now in the format of pprof (profile.proto, not compressed): of each call stack how many objects and
 * bytes it has allocated and how many of them live, as estimated from the sample, without bias. They allocate nothing,
 * and may be called at any time but from a signal handler. 0 when written, else an error number of <errno.h>: ENOTSUP
 * when sampling is off, ENOSPC when not everything could be written, or why the file could not be opened.
 */
int fh_profile_dump(const char *path);
int fh_profile_write(int fd);

/*
 * Sizes. fh_malloc_at_least is malloc(3) that also says how much there is room for: all of size_bytes may be used, as
 * after malloc_usable_size(3), and without its cost of looking it up once more. pointer is NULL, size_bytes 0 and errno
 * ENOMEM when there is no memory. fh_good_size is the largest size that costs no more memory than `size` does: what a
 * growing array should ask for. fh_good_size(fh_good_size(n)) == fh_good_size(n); 0 when no block can be as large.
 */
struct fh_sized_block {
    void *pointer;
    size_t size_bytes;
};
struct fh_sized_block fh_malloc_at_least(size_t size);
size_t fh_good_size(size_t size);

/*
 * Defragmentation, for programs that can move their blocks, such as caches. fh_should_move tells whether a block stands
 * in a sparse place, from which memory goes back when what is live there stands elsewhere: 1 if so, 0 if not. Moving
 * what is hinted, in one pass over all blocks in any order, leaves little more than what is live: either by fh_move, or
 * by malloc, memcpy and free.
 *
 *   for (each block) {
 *       void *moved = fh_move(block);         // NULL: it stays
 *       if (moved) note_new_place(moved);
 *   }
 *   fh_purge();                               // the pass is over
 *
 * The thread that allocated a block asks for it: for blocks of up to 1 KiB that another running thread allocated
 * the answer is 0. From the first hint on, the thread's caches take nothing, so that what is freed is not what is
 * allocated next; that ends with fh_purge or malloc_trim, or when it has not asked for a while. A hint holds until
 * then. While blocks above 1 KiB are moved the process may hold both places of them.
 */
int fh_should_move(void *pointer);
/* The same for `count` blocks: answers[i] is that for pointers[i]. How many are 1. */
size_t fh_should_move_batch(void *const *pointers, size_t count, unsigned char *answers);
/* Moves the block if it should be: to a new place, with what is in it, and the old one is freed. NULL when it stays, or
 * there is no memory. An alignment above 16 is not kept. */
void *fh_move(void *pointer);

/*
 * Gives back to the kernel all that can be spared, as malloc_trim(0) does: of every heap and of the caller's cache at
 * once, of other threads' caches when they next run out of something. How many bytes went. No lock is held meanwhile:
 * other threads go on.
 */
size_t fh_purge(void);

/*
 * Limits, in bytes held of the kernel (what fh_account_read calls obtained less returned, without the library's own
 * tables); 0 is none. When more than soft_bytes are held, the next thread that allocates gives back all that can be
 * spared, and again whenever a sixteenth of it more is held. Beyond hard_bytes nothing is ever asked of the kernel:
 * malloc gives NULL and ENOMEM instead. 0 when set, or EINVAL. FREEHOLD_SOFT_LIMIT and FREEHOLD_HARD_LIMIT do the same.
 */
int fh_set_limit(size_t soft_bytes, size_t hard_bytes);

/*
 * Pressure. The library notices by itself when the soft limit is passed, or when the process's cgroup comes near its
 * memory.high or memory.max. A program that hears of it first, by PSI or a signal of its own, says so with fh_pressure:
 * everything that can be spared goes back at once, and from then on less free memory is kept, until it says
 * FH_PRESSURE_NONE. 0, or EINVAL for another level.
 *
 * fh_on_pressure sets a function that is called after each such event, so that the program can drop what it caches;
 * NULL for none. It runs in the middle of some thread's malloc or free: it may call those, but must not wait for
 * anything that a thread may hold while it allocates. It is never called while it runs. fh_on_pressure waits until no
 * other thread is in the function that was set before.
 */
enum fh_pressure_level { FH_PRESSURE_NONE = 0, FH_PRESSURE_SOME = 1, FH_PRESSURE_FULL = 2 };
typedef void fh_pressure_fn(enum fh_pressure_level level, void *arg);
int fh_pressure(enum fh_pressure_level level);
void fh_on_pressure(fh_pressure_fn *function, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* FREEHOLD_H */
