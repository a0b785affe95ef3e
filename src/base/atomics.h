/*
 * atomics.h - atomic operations whose names spell their memory order.
 *
 * Layer: base. The wrappers exist so that an order is never the default by accident, and so that a checker can
 * replace them: nothing else in the tree uses the compiler's atomic builtins.
 */
#ifndef FH_ATOMICS_H
#define FH_ATOMICS_H

#define fh_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define fh_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define fh_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define fh_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define fh_exchange_acquire(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQUIRE)
#define fh_exchange_release(p, v) __atomic_exchange_n(p, v, __ATOMIC_RELEASE)
#define fh_exchange_acq_rel(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#define fh_fetch_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define fh_fetch_sub_relaxed(p, v) __atomic_fetch_sub(p, v, __ATOMIC_RELAXED)
#define fh_fetch_or_release(p, v) __atomic_fetch_or(p, v, __ATOMIC_RELEASE)

/* Compare and set: true when *p was *expected and now is v. On failure *expected is what was there instead. */
#define fh_cas_acquire(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define fh_cas_release(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define fh_cas_acq_rel(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* Between a store and a later load of another variable, when two threads do this crosswise (Dekker). */
#define fh_fence_seq_cst() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* A counter that one thread writes and others may read: no locked instruction, no torn value, no data race. */
#define fh_count_add(p, v) fh_store_relaxed(p, fh_load_relaxed(p) + (v))
#define fh_count_sub(p, v) fh_store_relaxed(p, fh_load_relaxed(p) - (v))

#if defined(__x86_64__)
#define fh_cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define fh_cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define fh_cpu_relax() __asm__ volatile("" ::: "memory")
#endif

#endif
