/*
 * core.h - the slow paths of allocation: routing by size, and what the layers above may ask of the core.
 *
 * Layer: core. The api layer tries the thread cache first (cache.h, inlined) and comes here when that fails.
 */
#ifndef FH_CORE_H
#define FH_CORE_H

#include "base.h"
#include "heap.h"

struct fh_cache;
struct fh_state;
struct fh_run;
struct fh_slab;

/* NULL without memory; errno is the caller's business. */
void *fh_core_malloc(size_t request_bytes);
void *fh_core_calloc(size_t request_bytes);
/* Alignment: a power of two. */
void *fh_core_memalign(size_t alignment, size_t request_bytes);
/* pointer is not NULL, request is not 0. */
void *fh_core_realloc(void *pointer, size_t request_bytes);
void fh_core_free(void *pointer);
/* A block of the calling thread's own slabs for which the cache had no room but took it: as push has found it. */
void fh_core_free_full(void *pointer, size_t place, uint64_t mark);
/* What push has refused, having found this difference of its page map entry and the tag of the thread's cache. */
void fh_core_free_refused(void *pointer, struct fh_cache *cache, uint32_t difference);
size_t fh_core_usable(void *pointer);

/* Before the first block; cheap when done already. */
void fh_core_ensure_init(void);

/* The heaps: how many are in use, and each by number. Heap 0 always is. */
extern FH_HIDDEN struct fh_heap fh_heaps[]; /* for readers from outside (insight/root.c), as is the next */
extern FH_HIDDEN uint32_t fh_heaps_in_use;
uint32_t fh_heaps_count(void);
struct fh_heap *fh_heaps_get(uint32_t number);
/* The heap that a thread state of this number allocates from; another one if it can't be made now. */
struct fh_heap *fh_heaps_for(uint32_t state_id);
/* Held while a heap is made. A fork freezes it before it counts the heaps: one that came into use afterwards, without a
 * frozen lock, would be from different moments in the child. */
extern FH_HIDDEN struct fh_lock fh_heaps_lock;
/* Before looking at the heaps from outside: repairs what a fork tore, brings the caller's published counts up to date,
 * and frees what waits for a heap's lock. */
void fh_core_settle(void);
/* Whether a heap withholds free memory (heap.h) that this thread may wait for, or has done so since *seen was set,
 * which it then sets anew. */
bool fh_heaps_withhold(uint32_t *seen);
/* How many heaps there may be, from CPUs and options; decided once, when a second thread comes. */
uint32_t fh_heaps_limit(void);

/* Gives back to the kernel what can be: every heap, kept mappings, the caller's cache; other threads empty theirs at
 * their next slow step. Keeps `keep_bytes` at the top of heap 0. True if anything went. */
bool fh_core_trim(size_t keep_bytes);
/* The part of it that threads and kept mappings hold: back to slabs and heaps. True if a mapping went. */
bool fh_core_reclaim(struct fh_state *state);
/* All that can be spared, of every heap: how many bytes went. */
size_t fh_core_purge(void);
/* One look of those that come about once a second: trims heaps that have been quiet since some looks (idle.c). */
void fh_core_look_for_idle(void);
/* Does what limits or the program want now, if that has not been done (limit.h). No lock may be held. */
void fh_core_relieve(void);
/* How the api layer hears of it: NULL, or called afterwards with the urgency. Atomic. */
extern FH_HIDDEN void (*fh_core_tell_pressure)(uint32_t urgency);

/* The cache capacity for a class in bytes as the options and modes want it now. */
size_t fh_core_cache_bytes(void);

/* Fork handlers; see fork.c. */
void fh_fork_prepare(void);
void fh_fork_parent(void);
void fh_fork_child(void);
/* Not 0 in a forked child until the states of the parent's other threads are repaired. Atomic. */
extern uint32_t fh_fork_torn_states;
/* Repairs them; false while that can't be done now. */
bool fh_fork_settle(void);
/* Whether a fork has torn states in this process or a forebear: what lost threads held is not known exactly, and the
 * ledger (wholesale.h) needs to be brought in line once. Atomic. */
enum fh_fork_tear { FH_FORK_WHOLE, FH_FORK_TORN, FH_FORK_TORN_AND_REBASED };
extern uint32_t fh_fork_has_torn;

/* Small blocks: small.c. */
void *fh_small_alloc(struct fh_state *state, size_t class_bytes);
/* While frees are set aside: up to `most` blocks from slabs for malloc to pop; how many. */
uint32_t fh_small_refill(struct fh_state *state, size_t class_bytes, uint32_t most);
/* A block of anybody's slabs that has been checked. */
void fh_small_free(struct fh_state *state, void *pointer, uint32_t entry);
/* Stops unless the pointer is a block of a slab that the program holds. */
void fh_small_check(const void *pointer, uint32_t entry);
void fh_small_drain_inbox(struct fh_state *state);
void fh_small_flush_cache(struct fh_state *state);
/* In a forked child that finds blocks of other owners by their marks: none of them is in the cache any more. */
void fh_small_forget_others(struct fh_state *state);
void fh_small_release_empty(struct fh_state *state);
/* A slab that was full has something to give again, or one that had something is empty now. */
void fh_small_slab_changed(struct fh_state *state, struct fh_run *run);
/* Brings the counters up to what runs of frees have done, and lets the runs end. */
void fh_small_end_runs(struct fh_state *state);
uint32_t fh_small_end_run(struct fh_state *state, size_t class_bytes);
/* Giving back: return.c. At slow steps of a free; and for a slab that a run of frees has left. */
void fh_return_step(struct fh_state *state);
/* Frees that went past the cache, FH_RETURN_MANY since the last time: the cache may have to be emptied, and is then
 * kept so, until a request finds nothing in it and ends that. */
enum { FH_RETURN_MANY = 8192 };
void fh_return_many_freed(struct fh_state *state);
void fh_return_end_drain(struct fh_state *state);
/* All that the thread keeps is given up at once, and it keeps nothing until then. */
void fh_return_drain_all(struct fh_state *state);
/* Every so many frees of chunks: whether nearly all that the thread holds is free (hoard.c). */
void fh_hoard_look(struct fh_state *state);
/* A run of frees begins in the slab: while slabs are cut up, it is looked at before its last object is free. */
void fh_return_enter_slab(struct fh_state *state, struct fh_slab *slab);
/* Slabs do not suffice: a new one is opened. */
void fh_return_demand(struct fh_state *state);
/* A run of frees, of so many blocks so far, leaves a slab behind, or nearly all of it is free. */
void fh_return_left_slab(struct fh_state *state, struct fh_slab *slab, uint32_t blocks);
/* Blocks of other owners' slabs, that have been checked: remote.c. Kept or handed over; handed over for certain. */
void fh_remote_free(struct fh_state *state, void *pointer, uint32_t entry);
void fh_remote_send(struct fh_state *state, void *pointer, uint32_t entry);
/* As fh_remote_free, of one that has not been checked, and a thread in no special mode. */
void fh_remote_free_plainly(struct fh_state *state, void *pointer, uint32_t entry);
void fh_remote_flush(struct fh_state *state);
/* Medium blocks: chunks.c. A chunk of a heap, or a mapping while no heap can give one. */
void *fh_chunk_alloc(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed);
/* The same, but none of those that the thread keeps. */
void *fh_chunk_alloc_fresh(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed);
/* Stops unless the pointer is a block of a heap that the program holds; its usable size. */
size_t fh_chunk_check(const void *pointer, uint32_t entry);
/* A block that has been checked. */
void fh_chunk_free(struct fh_state *state, void *pointer, uint32_t entry, size_t usable_bytes);
/* One that has not been checked, of a thread in no special mode. */
void fh_chunk_free_plainly(struct fh_state *state, void *pointer, uint32_t entry);
/* The same, but to its heap, whatever room the thread has. */
void fh_chunk_release(struct fh_state *state, void *pointer, uint32_t entry);
/* The size of a block has changed where it stands. */
void fh_chunk_note_resized(const void *pointer, size_t usable_before);
/* What the thread keeps. An aligned request takes one of the first few that happens to be aligned, as blocks freed by
 * the same code are. NULL when nothing fits. */
void *fh_chunk_take_kept(struct fh_state *state, size_t request_bytes, size_t alignment);
/* Keeps the block in the thread's cache; false when there is no room. */
bool fh_chunk_keep(struct fh_state *state, void *pointer, size_t usable_bytes);
/* One that a thread kept: to its heap. */
void fh_chunk_give_back(struct fh_state *state, void *pointer);

/* How much of medium blocks a thread keeps: store.c. A request has found nothing; many blocks were offered since the
 * last look; all goes back; the state is torn (fork.c). */
void fh_chunk_store_note_miss(struct fh_state *state, size_t request_bytes);
void fh_chunk_store_look(struct fh_state *state);
void fh_chunk_store_empty(struct fh_state *state);
void fh_chunk_store_forget_loan(struct fh_state *state);
/* A block from memory that was in use before, for which the store gives up what it keeps if need be; NULL when that is
 * not enough. */
void *fh_chunk_store_alloc(struct fh_state *state, size_t request_bytes, size_t alignment);

/* Explains a pointer that is none of ours and stops: misuse.c. */
void fh_misuse(const void *pointer, uint32_t entry) __attribute__((noreturn, cold));

#endif
