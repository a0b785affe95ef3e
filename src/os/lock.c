/*
 * lock.c - see lock.h. A futex lock after Drepper, "Futexes Are Tricky" (2011), mutex 3, with a fourth state.
 *
 * Layer: os.
 */
#include "lock.h"

#include "atomics.h"
#include "os.h"

enum { SPINS_BEFORE_SLEEP = 40 };

#if defined(FH_DEBUG) && FH_DEBUG
static __thread uint32_t held_rank;
static void note_acquired(struct fh_lock *lock)
{
    FH_ASSERT(held_rank < lock->rank);
    held_rank = lock->rank;
}
static void note_released(void) { held_rank = FH_RANK_NONE; } /* two at once are never of two ranks for long */
#else
static void note_acquired(struct fh_lock *lock) { (void)lock; }
static void note_released(void) {}
#endif

void fh_lock_init(struct fh_lock *lock, enum fh_lock_rank rank)
{
    lock->word = FH_LOCK_FREE;
    lock->rank = rank;
}

static unsigned state_of(uint64_t word) { return (unsigned)word & FH_LOCK_STATE_MASK; }
static uint64_t held_by_me(unsigned state) { return (uint64_t)fh_os_self() << 8 | state; }
static bool is_mine(uint64_t word) { return word >> 8 == fh_os_self(); }

/*
 * glibc 2.32 and later: not 0 while the process has one thread (sys/single_threaded.h). Nobody can take a lock between
 * our look at it and our store then; a signal handler that interrupts us between the two gives it back before it
 * returns. The other thread cannot begin while we are in here.
 */
extern char __libc_single_threaded __attribute__((weak));
static bool is_alone(void) { return &__libc_single_threaded && __libc_single_threaded; }

static bool take_if_free(struct fh_lock *lock, uint64_t as)
{
    uint64_t expected = FH_LOCK_FREE;
    if (is_alone()) {
        if (fh_load_relaxed(&lock->word) != FH_LOCK_FREE) return false;
        fh_store_relaxed(&lock->word, as);
    } else if (!fh_cas_acquire(&lock->word, &expected, as)) {
        return false;
    }
    if (state_of(as) < FH_LOCK_FROZEN) note_acquired(lock);
    return true;
}

/* The half of the word that futexes compare: the lower one (both targets are little-endian). */
static uint32_t *futex_of(struct fh_lock *lock) { return (uint32_t *)(void *)&lock->word; }

/* Sleeps until a lock that somebody holds may have changed. */
static void wait_for_change(struct fh_lock *lock)
{
    uint64_t word = fh_load_relaxed(&lock->word),
             contended = (word & ~(uint64_t)FH_LOCK_STATE_MASK) | FH_LOCK_CONTENDED;
    if (state_of(word) != FH_LOCK_HELD && state_of(word) != FH_LOCK_CONTENDED) return;
    if (word == contended || fh_cas_acquire(&lock->word, &word, contended))
        fh_os_futex_wait(futex_of(lock), (uint32_t)contended);
}

bool fh_lock_try(struct fh_lock *lock) { return take_if_free(lock, held_by_me(FH_LOCK_HELD)); }

bool fh_lock_is_mine(struct fh_lock *lock) { return is_mine(fh_load_relaxed(&lock->word)); }

bool fh_lock_acquire(struct fh_lock *lock)
{
    if (FH_LIKELY(fh_lock_try(lock))) return true;
    if (fh_lock_is_mine(lock)) return false;
    for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        uint64_t word = fh_load_relaxed(&lock->word);
        if (state_of(word) >= FH_LOCK_FROZEN) return false;
        if (word == FH_LOCK_FREE && fh_lock_try(lock)) return true;
        fh_cpu_relax();
    }
    for (;;) {
        if (fh_lock_state(lock) >= FH_LOCK_FROZEN) return false;
        /* Taken as contended, because others may sleep that only a release of a contended lock wakes. */
        if (take_if_free(lock, held_by_me(FH_LOCK_CONTENDED))) return true;
        wait_for_change(lock);
    }
}

void fh_lock_release(struct fh_lock *lock)
{
    FH_ASSERT(fh_lock_is_mine(lock));
    note_released();
    if (is_alone()) fh_store_relaxed(&lock->word, FH_LOCK_FREE);
    else if (state_of(fh_exchange_release(&lock->word, FH_LOCK_FREE)) == FH_LOCK_CONTENDED)
        fh_os_futex_wake(futex_of(lock), 1);
}

bool fh_lock_freeze(struct fh_lock *lock)
{
    for (;;) {
        uint64_t word = fh_load_relaxed(&lock->word);
        if (is_mine(word)) return false;
        if (state_of(word) == FH_LOCK_STATE_MASK) {
            fh_cpu_relax(); /* 252 forks at once: wait for one to end */
        } else if (state_of(word) >= FH_LOCK_FROZEN) {
            if (fh_cas_acquire(&lock->word, &word, word + 1)) return true;
        } else if (take_if_free(lock, FH_LOCK_FROZEN)) {
            fh_os_futex_wake(futex_of(lock), INT32_MAX); /* sleepers must learn that they go without */
            return true;
        } else {
            wait_for_change(lock);
        }
    }
}

void fh_lock_thaw(struct fh_lock *lock)
{
    uint64_t word = fh_load_relaxed(&lock->word);
    while (!fh_cas_release(&lock->word, &word, word == FH_LOCK_FROZEN ? FH_LOCK_FREE : word - 1)) {
    }
}

void fh_lock_reset_frozen(struct fh_lock *lock)
{
    if (fh_lock_state(lock) >= FH_LOCK_FROZEN) fh_store_release(&lock->word, FH_LOCK_FREE);
}
