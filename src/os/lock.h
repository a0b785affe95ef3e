/*
 * lock.h - the one kind of lock, and the order in which locks are taken.
 *
 * Layer: os. A lock is a word that says unlocked, held, held with sleepers, or frozen by forks in progress. Taking one
 * can fail: while a fork is prepared nobody waits, because the forking thread itself waits for locks of libc whose
 * holders may be on their way into malloc (a deadlock that several allocators have). A caller that gets `false` goes
 * without: it allocates from memory of its own and hands frees over without a lock. The same answer meets a signal
 * handler that interrupted the holder.
 */
#ifndef FH_LOCK_H
#define FH_LOCK_H

#include "atomics.h"
#include "base.h"

/* Lock order: a thread that holds a lock takes only locks of a higher rank. Debug builds check it. */
enum fh_lock_rank {
    FH_RANK_NONE = 0,
    FH_RANK_SETTLE = 1, /* core/fork.c: repair of what other threads left in a forked child */
    FH_RANK_HEAPS = 2,  /* core/heaps.c: making one */
    FH_RANK_HEAP = 3    /* heap/: one for each heap; never two at once, except that fork freezes all in order */
};

/*
 * State and holder are one word, so that a signal handler never sees a lock that is held by nobody:
 *
 *     bits 0 to 7    FH_LOCK_FREE, HELD, CONTENDED, or FROZEN + number of further forks in progress
 *     bits 8 to 63   fh_os_self() of the thread that holds it, 0 when it is free or frozen
 *
 * Waiters sleep on the lower 32 bits (futex(2)), which are the state and some of the holder.
 */
struct fh_lock {
    uint64_t word;
    uint32_t rank; /* enum fh_lock_rank */
};

enum { FH_LOCK_FREE = 0, FH_LOCK_HELD = 1, FH_LOCK_CONTENDED = 2, FH_LOCK_FROZEN = 3, FH_LOCK_STATE_MASK = 0xff };

FH_INLINE unsigned fh_lock_state(const struct fh_lock *lock)
{
    return (unsigned)fh_load_acquire(&lock->word) & FH_LOCK_STATE_MASK;
}

void fh_lock_init(struct fh_lock *lock, enum fh_lock_rank rank);
/* Waits for the lock. False, at once, while it is frozen or when this very thread holds it already. */
bool fh_lock_acquire(struct fh_lock *lock);
/* Takes the lock if nobody has it. */
bool fh_lock_try(struct fh_lock *lock);
void fh_lock_release(struct fh_lock *lock);
/* Whether somebody sleeps until the lock is free. */
FH_INLINE bool fh_lock_is_wanted(const struct fh_lock *lock) { return fh_lock_state(lock) == FH_LOCK_CONTENDED; }
/* True when the calling thread holds it (or a signal handler runs on top of the holder). */
bool fh_lock_is_mine(struct fh_lock *lock);

/* Waits until no other thread holds the lock and freezes it; false when this thread is itself the holder (it is in a
 * signal handler), and the lock stays as it is. Several forks may freeze a lock at once. */
bool fh_lock_freeze(struct fh_lock *lock);
void fh_lock_thaw(struct fh_lock *lock);
/* In the child of a fork, where no other thread lives: unfreezes for all. */
void fh_lock_reset_frozen(struct fh_lock *lock);

#endif
