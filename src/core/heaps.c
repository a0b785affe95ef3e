/*
 * heaps.c - the heaps, and which thread uses which.
 *
 * Layer: core. A single-threaded program only ever sees heap 0; later threads spread over one heap for each CPU that
 * the process may really use.
 */
#include "atomics.h"
#include "core.h"
#include "options.h"
#include "os.h"

enum { HEAPS_MOST = 64 };

struct fh_heap fh_heaps[HEAPS_MOST];
static uint32_t limit;        /* atomic; 0: not decided yet */
uint32_t fh_heaps_in_use = 1; /* atomic */

uint32_t fh_heaps_limit(void)
{
    uint32_t known = fh_load_relaxed(&limit);
    if (known) return known;
    size_t wanted = fh_load_relaxed(&fh_options.arena_max);
    if (wanted == 0) wanted = fh_os_usable_cpus();
    known = (uint32_t)fh_min(wanted, HEAPS_MOST);
    fh_store_relaxed(&limit, known);
    return known;
}

uint32_t fh_heaps_count(void) { return fh_load_acquire(&fh_heaps_in_use); }
struct fh_heap *fh_heaps_get(uint32_t number) { return &fh_heaps[number]; }

struct fh_lock fh_heaps_lock = {.rank = FH_RANK_HEAPS};

/* Heaps are made one by one, when a thread comes that is to use it: an unused one is pages that nobody touched. */
static void make_heaps_up_to(uint32_t number)
{
    if (!fh_lock_acquire(&fh_heaps_lock)) return;
    for (uint32_t i = fh_heaps_count(); i <= number; i++) {
        fh_heap_init(&fh_heaps[i], i);
        fh_store_release(&fh_heaps_in_use, i + 1);
    }
    fh_lock_release(&fh_heaps_lock);
}

struct fh_heap *fh_heaps_for(uint32_t state_id)
{
    if (state_id <= 1) return &fh_heaps[0];
    fh_store_relaxed(&fh_heap_threads, 1);
    uint32_t number = (state_id - 1) % fh_heaps_limit();
    if (number >= fh_heaps_count()) make_heaps_up_to(number);
    uint32_t known = fh_heaps_count(); /* less than wanted while a fork is prepared */
    return &fh_heaps[number < known ? number : number % known];
}

bool fh_heaps_withhold(uint32_t *seen)
{
    uint32_t times = 0;
    bool now = false;
    for (uint32_t i = 0; i < fh_heaps_count(); i++) {
        struct fh_heap *heap = &fh_heaps[i];
        times += fh_load_relaxed(&heap->withheld_times);
        /* What a thread withholds itself, below a signal handler, it would wait for in vain. */
        now |= fh_load_relaxed(&heap->withheld) && fh_load_relaxed(&heap->withheld_by) != fh_os_self();
    }
    bool since = times != *seen;
    *seen = times;
    return now || since;
}

void fh_core_ensure_init(void)
{
    enum { NOT_YET, NOW, DONE };
    static FH_BESIDE_DATA uint32_t phase;
    if (FH_LIKELY(fh_load_acquire(&phase) == DONE)) return;
    uint32_t expected = NOT_YET;
    if (!fh_cas_acquire(&phase, &expected, NOW)) {
        while (fh_load_acquire(&phase) != DONE) fh_cpu_relax();
        return;
    }
    fh_guard_init();
    fh_heap_init(&fh_heaps[0], 0);
    fh_store_release(&phase, DONE);
}
