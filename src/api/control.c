/*
 * control.c - glibc's control surface: mallopt(3), mallinfo(3), malloc_info(3), malloc_trim(3), malloc_stats(3), with
 * this heap's numbers.
 *
 * Layer: api.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "api.h"
#include "atomics.h"
#include "core.h"
#include "freehold.h"
#include "insight.h"
#include "options.h"
#include "state.h"

/*
 * glibc's <malloc.h>, 2.36: written out, because musl's has neither the structures nor the parameters, and a program
 * that was compiled against glibc's calls these functions all the same.
 */
struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
enum {
    M_MXFAST = 1,
    M_TRIM_THRESHOLD = -1,
    M_TOP_PAD = -2,
    M_MMAP_THRESHOLD = -3,
    M_MMAP_MAX = -4,
    M_CHECK_ACTION = -5,
    M_PERTURB = -6,
    M_ARENA_TEST = -7,
    M_ARENA_MAX = -8
};
int FH_API(mallopt)(int parameter, int value);
int FH_API(malloc_trim)(size_t pad);
struct mallinfo FH_API(mallinfo)(void);
struct mallinfo2 FH_API(mallinfo2)(void);
void FH_API(malloc_stats)(void);
int FH_API(malloc_info)(int options, FILE *stream);

static bool set_option(int parameter, size_t value)
{
    switch (parameter) {
    case M_TRIM_THRESHOLD: return fh_options_set_size(&fh_options.trim_threshold, value);
    case M_TOP_PAD: return fh_options_set_size(&fh_options.top_pad, value);
    case M_MMAP_THRESHOLD: return fh_options_set_size(&fh_options.mmap_threshold, value);
    case M_MMAP_MAX: return fh_options_set_size(&fh_options.mmap_max, value);
    case M_ARENA_MAX: return fh_options_set_size(&fh_options.arena_max, value);
    case M_PERTURB:
        fh_options_set_size(&fh_options.perturb, value & 0xff);
        fh_state_apply_options(); /* other threads keep theirs until they end */
        return true;
    case M_MXFAST: return value <= 160; /* glibc's limit; there are no fast bins to size here */
    case M_CHECK_ACTION:                /* checks are always on */
    case M_ARENA_TEST: return true;     /* the number of heaps follows the CPUs from the start */
    default: return false;
    }
}

FH_EXPORT int FH_API(mallopt)(int parameter, int value)
{
    fh_core_ensure_init();
    /* A negative number means "never", as far as it means anything (mallopt(3), M_TRIM_THRESHOLD). */
    if (value < 0 && parameter != M_TRIM_THRESHOLD && parameter != M_PERTURB && parameter != M_CHECK_ACTION) return 0;
    return set_option(parameter, value < 0 ? SIZE_MAX : (size_t)value);
}

FH_EXPORT int FH_API(malloc_trim)(size_t pad) { return fh_core_trim(pad); }

static struct mallinfo2 describe(void)
{
    struct fh_account account;
    fh_account_read(&account);
    struct mallinfo2 info = {0};
    size_t held = account.obtained_bytes - account.returned_bytes;
    size_t tops = 0, free_chunks = 0;
    for (uint32_t i = 0; i < fh_heaps_count(); i++) {
        struct fh_heap *heap = fh_heaps_get(i);
        if (!fh_lock_acquire(&heap->lock)) continue;
        if (i == 0 && heap->top) tops = fh_chunk_size(fh_chunk_read(heap->top));
        for (unsigned b = 0; b < FH_BIN_COUNT; b++) free_chunks += heap->bins.heads[b] != NULL;
        fh_lock_release(&heap->lock);
    }
    /* glibc's identity holds: arena = uordblks + fordblks. What is neither live nor free is in use by us. */
    info.hblks = account.large_blocks;
    info.hblkhd = account.large_bytes;
    info.arena = held - fh_min(held, account.large_bytes);
    info.ordblks = free_chunks; /* bins that hold chunks: counting the chunks would walk them under the lock */
    info.fsmblks = account.cached_bytes;
    info.fordblks = fh_min(account.free_bytes + account.untouched_bytes + account.cached_bytes, info.arena);
    info.uordblks = info.arena - info.fordblks;
    info.keepcost = tops;
    return info;
}

FH_EXPORT struct mallinfo2 FH_API(mallinfo2)(void) { return describe(); }

static int clamped(size_t n) { return n > INT_MAX ? INT_MAX : (int)n; }

FH_EXPORT struct mallinfo FH_API(mallinfo)(void)
{
    struct mallinfo2 wide = describe();
    return (struct mallinfo){
        .arena = clamped(wide.arena),
        .ordblks = clamped(wide.ordblks),
        .hblks = clamped(wide.hblks),
        .hblkhd = clamped(wide.hblkhd),
        .fsmblks = clamped(wide.fsmblks),
        .uordblks = clamped(wide.uordblks),
        .fordblks = clamped(wide.fordblks),
        .keepcost = clamped(wide.keepcost),
    };
}

FH_EXPORT void FH_API(malloc_stats)(void) { fh_account_print(2); }

/* glibc's XML: a <heap> for each heap, then the sums. */
FH_EXPORT int FH_API(malloc_info)(int options, FILE *stream)
{
    if (options != 0) return EINVAL;
    struct fh_account account;
    fh_account_read(&account);
    size_t held = account.obtained_bytes - account.returned_bytes;
    fprintf(stream, "<malloc version=\"1\">\n");
    for (uint32_t i = 0; i < fh_heaps_count(); i++) {
        struct fh_heap *heap = fh_heaps_get(i);
        size_t total = fh_load_relaxed(&heap->total_bytes), unused = fh_load_relaxed(&heap->free_bytes);
        fprintf(stream,
                "<heap nr=\"%u\">\n<sizes>\n</sizes>\n<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
                "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n"
                "<system type=\"max\" size=\"%zu\"/>\n</heap>\n",
                i, fh_load_relaxed(&heap->used_chunks), unused, total, total);
    }
    fprintf(stream,
            "<total type=\"fast\" count=\"0\" size=\"%zu\"/>\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
            "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n"
            "<system type=\"max\" size=\"%zu\"/>\n<aspace type=\"total\" size=\"%zu\"/>\n"
            "<aspace type=\"mprotect\" size=\"%zu\"/>\n</malloc>\n",
            account.cached_bytes, account.live_blocks, account.free_bytes + account.untouched_bytes,
            account.large_blocks, account.large_bytes, held, account.obtained_bytes, held, held);
    return 0;
}
