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

enum { NOT_MADE, BEING_MADE, MADE };
static uint32_t progress[HEAPS_MOST]; /* atomic */

/* Heaps are made one by one: an unused one is pages that nobody touched. */
static void make_heap(uint32_t number)
{
    uint32_t expected = NOT_MADE;
    if (fh_cas_acquire(&progress[number], &expected, BEING_MADE)) {
        fh_heap_init(&fh_heaps[number], number);
        fh_store_release(&progress[number], MADE);
    }
    while (fh_load_acquire(&progress[number]) != MADE) fh_cpu_relax();
}

struct fh_heap *fh_heaps_for(uint32_t state_id)
{
    if (state_id <= 1) return &fh_heaps[0];
    fh_store_relaxed(&fh_heap_threads, 1);
    uint32_t number = (state_id - 1) % fh_heaps_limit();
    uint32_t known = fh_load_acquire(&fh_heaps_in_use); /* what lies below is made, and seen to be */
    for (uint32_t i = known; i <= number; i++) make_heap(i);
    while (known <= number && !fh_cas_acq_rel(&fh_heaps_in_use, &known, number + 1)) {
    }
    return &fh_heaps[number];
}

void fh_heaps_forget_from(uint32_t number)
{
    for (uint32_t i = number; i < HEAPS_MOST && progress[i] != NOT_MADE; i++) {
        fh_heaps[i] = (struct fh_heap){0};
        progress[i] = NOT_MADE;
    }
    fh_heaps_in_use = number;
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
    static uint32_t phase;
    if (FH_LIKELY(fh_load_acquire(&phase) == DONE)) return;
    uint32_t expected = NOT_YET;
    if (!fh_cas_acquire(&phase, &expected, NOW)) {
        while (fh_load_acquire(&phase) != DONE) fh_cpu_relax();
        return;
    }
    fh_guard_init();
    make_heap(0);
    fh_store_release(&phase, DONE);
}
