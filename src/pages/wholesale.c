/*
 * wholesale.c - see wholesale.h.
 *
 * Layer: pages. Owns the ledger. The break is guarded by the lock of heap 0, its only user.
 */
#include "wholesale.h"

#include "atomics.h"
#include "limit.h"
#include "os.h"

struct fh_wholesale fh_wholesale;

/* Nobody asks about the first few; a tenth of all may be ours, less what those need that can't do without. */
enum { MAPPINGS_FREE = 64, MAPPINGS_SHARE = 10, MAPPINGS_SPARED = 16 };

static void note_obtained(size_t size)
{
    fh_fetch_add_relaxed(&fh_wholesale.obtained_bytes, size);
    fh_fetch_add_relaxed(&fh_wholesale.obtain_calls, 1);
}

static void note_returned(size_t size)
{
    fh_fetch_add_relaxed(&fh_wholesale.returned_bytes, size);
    fh_fetch_add_relaxed(&fh_wholesale.return_calls, 1);
}

static void note_map(size_t size)
{
    note_obtained(size);
    fh_fetch_add_relaxed(&fh_wholesale.mappings, 1);
}

static void note_unmap(size_t size)
{
    note_returned(size);
    fh_fetch_sub_relaxed(&fh_wholesale.mappings, 1);
}

bool fh_wholesale_has_mappings_left(void)
{
    static size_t budget; /* atomic; 0: not known yet */
    size_t now = fh_load_relaxed(&fh_wholesale.mappings), most = fh_load_relaxed(&budget);
    if (now < MAPPINGS_FREE) return true;
    if (!most) {
        most = fh_max(fh_os_mappings_most() / MAPPINGS_SHARE, MAPPINGS_FREE);
        fh_store_relaxed(&budget, most);
    }
    return now + MAPPINGS_SPARED < most;
}

void *fh_wholesale_map_own(size_t size)
{
    void *address = fh_os_map(NULL, size);
    if (address) note_map(size);
    return address;
}

void fh_wholesale_discard_own(void *address, size_t size)
{
    if (fh_os_unmap(address, size)) {
        note_unmap(size);
    } else {
        fh_os_discard(address, size);
        fh_fetch_add_relaxed(&fh_wholesale.stranded_bytes, size);
    }
}

void *fh_wholesale_map(size_t size)
{
    if (!fh_limit_take(size)) return NULL;
    void *address = fh_wholesale_map_own(size);
    if (address) fh_limit_note_growth();
    else fh_limit_give(size);
    return address;
}

/* What is left of a mapping when an end can't be cut off goes as a whole: nothing outside of it, where somebody else
 * may be by now. */
static bool cut_end(char *end, size_t size, char *whole, size_t whole_size)
{
    if (size == 0 || fh_os_unmap(end, size)) return true;
    note_map(whole_size);
    fh_wholesale_discard_own(whole, whole_size);
    return false;
}

static char *map_aligned(size_t size, size_t alignment)
{
    size_t wide;
    if (__builtin_add_overflow(size, alignment, &wide)) return NULL;
    char *start = fh_os_map(NULL, wide);
    if (!start) return NULL;
    char *aligned = (char *)fh_align_up((uintptr_t)start, alignment);
    size_t before = (size_t)(aligned - start), after = wide - before - size;
    if (!cut_end(start, before, start, wide)) return NULL;
    if (!cut_end(aligned + size, after, aligned, size + after)) return NULL;
    note_map(size);
    return aligned;
}

void *fh_wholesale_map_aligned(size_t size, size_t alignment)
{
    if (alignment <= fh_os_page_size()) return fh_wholesale_map(size);
    if (!fh_limit_take(size)) return NULL;
    char *address = map_aligned(size, alignment);
    if (address) fh_limit_note_growth();
    else fh_limit_give(size);
    return address;
}

bool fh_wholesale_unmap(void *address, size_t size)
{
    if (!fh_os_unmap(address, size)) return false;
    note_unmap(size);
    fh_limit_give(size);
    return true;
}

bool fh_wholesale_cut(void *address, size_t size)
{
    if (!fh_os_unmap(address, size)) return false;
    note_returned(size);
    fh_limit_give(size);
    return true;
}

void fh_wholesale_discard(void *address, size_t size)
{
    fh_wholesale_discard_own(address, size);
    fh_limit_give(size);
}

bool fh_wholesale_remap(void *address, size_t old_size, size_t new_size)
{
    size_t more = new_size > old_size ? new_size - old_size : 0;
    if (more && !fh_limit_take(more)) return false;
    if (!fh_os_remap(address, old_size, new_size)) {
        fh_limit_give(more);
        return false;
    }
    if (more) {
        note_obtained(more);
        fh_limit_note_growth();
    } else {
        note_returned(old_size - new_size);
        fh_limit_give(old_size - new_size);
    }
    return true;
}

bool fh_wholesale_move(void *address, size_t old_size, void *target, size_t new_size)
{
    if (!fh_os_move(address, old_size, target, new_size)) return false;
    note_unmap(old_size);
    fh_limit_give(old_size);
    return true;
}

char *fh_wholesale_break_up(char *expected, size_t size)
{
    char *now = fh_os_break();
    if (!now) return NULL;
    char *start = now;
    if (now != expected) {
        start = (char *)fh_align_up((uintptr_t)now, fh_max(fh_os_page_size(), 4096));
    }
    uintptr_t end;
    if (__builtin_add_overflow((uintptr_t)start, size, &end) || !fh_limit_take(size)) return NULL;
    if (!fh_os_break_move((char *)end)) {
        fh_limit_give(size);
        return NULL;
    }
    note_obtained(size);
    fh_limit_note_growth();
    return start;
}

bool fh_wholesale_break_down(char *end, char *to)
{
    if (fh_os_break() != end || !fh_os_break_move(to)) return false;
    note_returned((size_t)(end - to));
    fh_limit_give((size_t)(end - to));
    return true;
}

void fh_wholesale_break_discard(char *end, char *to)
{
    if (fh_wholesale_break_down(end, to)) return;
    fh_fetch_add_relaxed(&fh_wholesale.stranded_bytes, (size_t)(end - to));
    fh_limit_give((size_t)(end - to));
}
