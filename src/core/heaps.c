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

static struct fh_heap heaps[HEAPS_MOST];
static uint32_t limit;     /* atomic; 0: not decided yet */
static uint32_t count = 1; /* atomic */

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

uint32_t fh_heaps_count(void) { return fh_load_acquire(&count); }
struct fh_heap *fh_heaps_get(uint32_t number) { return &heaps[number]; }

struct fh_heap *fh_heaps_for(uint32_t state_id)
{
    if (state_id <= 1) return &heaps[0];
    uint32_t number = (state_id - 1) % fh_heaps_limit();
    uint32_t known = fh_load_relaxed(&count);
    while (known <= number && !fh_cas_acq_rel(&count, &known, number + 1)) {
    }
    return &heaps[number];
}

/* All heaps are made at once, before the first block: an unused one is zero pages. */
static void init_heaps(void)
{
    for (uint32_t i = 0; i < HEAPS_MOST; i++) fh_heap_init(&heaps[i], i);
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
    init_heaps();
    fh_store_release(&phase, DONE);
}
