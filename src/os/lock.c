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
    lock->holder = 0;
}

/*
 * glibc 2.32 and later: not 0 while the process has one thread (sys/single_threaded.h). Nobody can take a lock between
 * our look at it and our store then; a signal handler that interrupts us between the two gives it back before it
 * returns. The other thread cannot begin while we are in here.
 */
extern char __libc_single_threaded __attribute__((weak));
static bool is_alone(void) { return &__libc_single_threaded && __libc_single_threaded; }

static bool take_if_free(struct fh_lock *lock, uint32_t as)
{
    uint32_t expected = FH_LOCK_FREE;
    if (is_alone()) {
        if (fh_load_relaxed(&lock->word) != FH_LOCK_FREE) return false;
        fh_store_relaxed(&lock->word, as);
    } else if (!fh_cas_acquire(&lock->word, &expected, as)) {
        return false;
    }
    if (as < FH_LOCK_FROZEN) {
        fh_store_relaxed(&lock->holder, fh_os_self());
        note_acquired(lock);
    }
    return true;
}

/* Sleeps until a lock that somebody holds may have changed. */
static void wait_for_change(struct fh_lock *lock)
{
    uint32_t held = FH_LOCK_HELD;
    if (fh_cas_acquire(&lock->word, &held, FH_LOCK_CONTENDED) || held == FH_LOCK_CONTENDED)
        fh_os_futex_wait(&lock->word, FH_LOCK_CONTENDED);
}

bool fh_lock_try(struct fh_lock *lock) { return take_if_free(lock, FH_LOCK_HELD); }

bool fh_lock_is_mine(struct fh_lock *lock) { return fh_load_relaxed(&lock->holder) == fh_os_self(); }

bool fh_lock_acquire(struct fh_lock *lock)
{
    if (FH_LIKELY(take_if_free(lock, FH_LOCK_HELD))) return true;
    if (fh_lock_is_mine(lock)) return false;
    for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        uint32_t word = fh_load_relaxed(&lock->word);
        if (word >= FH_LOCK_FROZEN) return false;
        if (word == FH_LOCK_FREE && take_if_free(lock, FH_LOCK_HELD)) return true;
        fh_cpu_relax();
    }
    for (;;) {
        if (fh_load_relaxed(&lock->word) >= FH_LOCK_FROZEN) return false;
        /* Taken as contended, because others may sleep that only a release of a contended lock wakes. */
        if (take_if_free(lock, FH_LOCK_CONTENDED)) return true;
        wait_for_change(lock);
    }
}

void fh_lock_release(struct fh_lock *lock)
{
    FH_ASSERT(fh_load_relaxed(&lock->holder) == fh_os_self());
    note_released();
    fh_store_relaxed(&lock->holder, 0);
    if (is_alone()) fh_store_relaxed(&lock->word, FH_LOCK_FREE);
    else if (fh_exchange_release(&lock->word, FH_LOCK_FREE) == FH_LOCK_CONTENDED) fh_os_futex_wake(&lock->word, 1);
}

bool fh_lock_freeze(struct fh_lock *lock)
{
    if (fh_lock_is_mine(lock)) return false;
    for (;;) {
        uint32_t word = fh_load_relaxed(&lock->word);
        if (word >= FH_LOCK_FROZEN) {
            if (fh_cas_acquire(&lock->word, &word, word + 1)) return true;
        } else if (take_if_free(lock, FH_LOCK_FROZEN)) {
            fh_os_futex_wake(&lock->word, INT32_MAX); /* sleepers must learn that they go without */
            return true;
        } else {
            wait_for_change(lock);
        }
    }
}

void fh_lock_thaw(struct fh_lock *lock)
{
    uint32_t word = fh_load_relaxed(&lock->word);
    while (!fh_cas_release(&lock->word, &word, word == FH_LOCK_FROZEN ? FH_LOCK_FREE : word - 1)) {
    }
}

void fh_lock_reset_frozen(struct fh_lock *lock)
{
    if (fh_load_relaxed(&lock->word) >= FH_LOCK_FROZEN) fh_store_release(&lock->word, FH_LOCK_FREE);
}
