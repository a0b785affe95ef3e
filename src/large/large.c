/*
 * large.c - see large.h.
 *
 * Layer: large. Owns the warm mappings: sizes that were freed and asked for again. A mapping that is freed goes back at
 * once (W3), unless blocks of its size have been coming back lately; then one is kept, so that a buffer used in a loop
 * costs neither system calls nor page faults. Each kept mapping must be used again soon, or it goes.
 */
#include "large.h"

#include "atomics.h"
#include "fault.h"
#include "guard.h"
#include "options.h"
#include "os.h"
#include "pagemap.h"
#include "wholesale.h"

struct fh_large_counts fh_large_counts;

enum {
    RECENT = 8,           /* sizes of the last frees that are remembered */
    WARM_SLOTS = 4,       /* mappings kept at most */
    WARM_MOST = 32 << 20, /* bytes of one that is kept, as glibc's largest dynamic threshold */
    CHURN_ENOUGH = 16,    /* requests soon after a free that raise the threshold */
    CHURN_WINDOW = 8,     /* frees that such a request may be ahead of */
    WARM_PATIENCE = 16    /* frees of other sizes after which a kept one goes back */
};

static size_t learned_threshold; /* atomic: 0, or above the option's value */
static uint32_t churn;        /* atomic: mappings asked for soon after others were freed, since the threshold fell */
static uint32_t freed_lately; /* atomic: mappings freed and not followed by a request yet, at most CHURN_WINDOW */
static size_t recently_freed[RECENT]; /* atomic: sizes of mappings */
static uint32_t recent_at;            /* atomic */
static struct warm {
    void *pointer;     /* atomic: NULL when empty */
    uint32_t patience; /* atomic */
} warm[WARM_SLOTS];

struct head {
    uint64_t offset; /* from the start of the mapping to the pointer, sealed */
    uint64_t size;   /* of the mapping, sealed */
};
FH_STATIC_ASSERT(sizeof(struct head) == FH_LARGE_HEAD_BYTES, "two words");

static struct head *head_of(const void *pointer) { return (struct head *)((uintptr_t)pointer - sizeof(struct head)); }

bool fh_large_is_sound(const void *pointer)
{
    const struct head *head = head_of(pointer);
    return fh_guard_is_sealed(head->offset, (uintptr_t)&head->offset) &&
           fh_guard_is_sealed(head->size, (uintptr_t)&head->size);
}

static void seal(void *pointer, size_t offset, size_t size)
{
    struct head *head = head_of(pointer);
    head->offset = fh_guard_seal(offset, (uintptr_t)&head->offset);
    head->size = fh_guard_seal(size, (uintptr_t)&head->size);
}

static void read_head(const void *pointer, size_t *offset, size_t *size)
{
    if (FH_UNLIKELY(!fh_large_is_sound(pointer)))
        fh_fault(FH_FAULT_DAMAGED_HEADER, pointer, SIZE_MAX, (struct fh_place){"a mapping", 0, -1});
    *offset = head_of(pointer)->offset & FH_TAG_CONTENT;
    *size = head_of(pointer)->size & FH_TAG_CONTENT;
}

static void note_live(size_t size, size_t offset)
{
    fh_fetch_add_relaxed(&fh_large_counts.blocks, 1);
    fh_fetch_add_relaxed(&fh_large_counts.mapping_bytes, size);
    fh_fetch_add_relaxed(&fh_large_counts.head_bytes, offset);
}

static void note_dead(size_t size, size_t offset)
{
    fh_fetch_sub_relaxed(&fh_large_counts.blocks, 1);
    fh_fetch_sub_relaxed(&fh_large_counts.mapping_bytes, size);
    fh_fetch_sub_relaxed(&fh_large_counts.head_bytes, offset);
}

static void unmap(void *pointer, size_t offset, size_t size)
{
    char *start = (char *)pointer - offset;
    fh_pagemap_set(pointer, 1, 0);
    fh_wholesale_discard(start, size);
}

/* Takes a slot's mapping out; the caller owns it then. */
static void *take_slot(struct warm *slot, size_t *offset, size_t *size)
{
    void *pointer = fh_exchange_acquire(&slot->pointer, NULL);
    if (!pointer) return NULL;
    read_head(pointer, offset, size);
    fh_fetch_sub_relaxed(&fh_large_counts.warm_blocks, 1);
    fh_fetch_sub_relaxed(&fh_large_counts.warm_bytes, *size);
    return pointer;
}

static void put_slot(struct warm *slot, void *pointer, size_t size, uint32_t patience)
{
    void *nothing = NULL;
    size_t offset;
    fh_fetch_add_relaxed(&fh_large_counts.warm_blocks, 1);
    fh_fetch_add_relaxed(&fh_large_counts.warm_bytes, size);
    fh_store_relaxed(&slot->patience, patience);
    if (fh_cas_acq_rel(&slot->pointer, &nothing, pointer)) return;
    fh_fetch_sub_relaxed(&fh_large_counts.warm_blocks, 1);
    fh_fetch_sub_relaxed(&fh_large_counts.warm_bytes, size);
    read_head(pointer, &offset, &size);
    unmap(pointer, offset, size);
}

/* A kept mapping of at least `needed` and not much more. */
static void *take_warm(size_t needed)
{
    if (fh_load_relaxed(&fh_large_counts.warm_blocks) == 0) return NULL;
    for (int i = 0; i < WARM_SLOTS; i++) {
        size_t offset, size;
        uint32_t patience = fh_load_relaxed(&warm[i].patience);
        void *pointer = take_slot(&warm[i], &offset, &size);
        if (!pointer) continue;
        if (offset == FH_LARGE_HEAD_BYTES && size >= needed && size - needed <= needed / 8) {
            fh_guard_unmark(pointer);
            note_live(size, offset);
            return pointer;
        }
        put_slot(&warm[i], pointer, size, patience);
    }
    return NULL;
}

/* Whether a mapping of this size was freed lately: then the request that is being served wants one back. */
static void note_wanted(size_t size)
{
    for (int i = 0; i < RECENT; i++)
        if (fh_load_relaxed(&recently_freed[i]) == size) {
            fh_store_relaxed(&recently_freed[i], size | 1); /* bit 0, free in a size, marks it as wanted again */
            return;
        }
}

static bool was_wanted_again(size_t size)
{
    for (int i = 0; i < RECENT; i++)
        if (fh_load_relaxed(&recently_freed[i]) == (size | 1)) return true;
    return false;
}

static void note_freed(size_t size)
{
    uint32_t at = fh_fetch_add_relaxed(&recent_at, 1);
    fh_store_relaxed(&recently_freed[at % RECENT], size);
    for (int i = 0; i < WARM_SLOTS; i++) {
        if (!fh_load_relaxed(&warm[i].pointer)) continue;
        uint32_t patience = fh_load_relaxed(&warm[i].patience);
        if (patience > 0) {
            fh_store_relaxed(&warm[i].patience, patience - 1);
            continue;
        }
        size_t offset, kept;
        void *pointer = take_slot(&warm[i], &offset, &kept);
        if (pointer) unmap(pointer, offset, kept);
    }
}

size_t fh_large_threshold(void)
{
    size_t option = fh_load_relaxed(&fh_options.mmap_threshold);
    /* As in glibc, whoever sets the threshold means it. Unlike there, no other setting stops it from moving. */
    return option == FH_MMAP_THRESHOLD_START ? fh_max(option, fh_load_relaxed(&learned_threshold)) : option;
}

void fh_large_lower_threshold(void)
{
    size_t half = fh_load_relaxed(&learned_threshold) / 2;
    fh_store_relaxed(&learned_threshold, half > FH_MMAP_THRESHOLD_START ? half : 0);
    fh_store_relaxed(&churn, 0);
}

/* A request for a mapping of `size`, or for one to grow to it: one of a series, if mappings were freed just before. */
static void note_request(size_t size)
{
    uint32_t freed = fh_load_relaxed(&freed_lately);
    if (freed == 0) return;
    fh_store_relaxed(&freed_lately, freed - 1);
    if (size > WARM_MOST || fh_fetch_add_relaxed(&churn, 1) < CHURN_ENOUGH) return;
    size_t learned = fh_load_relaxed(&learned_threshold);
    if (size <= learned) return;
    /* Buffers of which each is a little larger than the last would always be ahead of it: some way above then. */
    bool is_growing = learned && size - learned <= learned / 32;
    fh_store_relaxed(&learned_threshold, is_growing ? fh_min(size + size / 4, WARM_MOST) : size);
}

void *fh_large_alloc_last_resort(size_t request_bytes, size_t alignment, bool *zeroed)
{
    size_t page = fh_os_page_size();
    if (request_bytes == 0) request_bytes = 1; /* the pointer must lie within the mapping, however it is aligned */
    size_t offset = alignment <= FH_ALIGNMENT ? FH_LARGE_HEAD_BYTES : fh_min(alignment, page);
    size_t size;
    if (__builtin_add_overflow(request_bytes, offset, &size) || !fh_checked_align_up(size, page, &size)) return NULL;
    if (alignment <= FH_ALIGNMENT) {
        void *kept = take_warm(size);
        if (kept) {
            *zeroed = false;
            return kept;
        }
        note_wanted(size);
    }
    note_request(size);
    char *start;
    if (alignment > page) { /* the pointer is aligned, the words in front of it need a page of their own */
        size_t wide;
        if (__builtin_add_overflow(size, alignment - page, &wide)) return NULL;
        start = fh_wholesale_map_aligned(wide, alignment);
        if (!start) return NULL;
        /* [start, start + alignment) in front; all but the last page of it is of no use. */
        if (fh_wholesale_cut(start, alignment - page)) start += alignment - page;
        else size = wide, offset = alignment;
    } else {
        start = fh_wholesale_map(size);
        if (!start) return NULL;
    }
    char *pointer = start + offset;
    if (!fh_pagemap_prepare(pointer, 1)) {
        fh_wholesale_discard(start, size);
        return NULL;
    }
    seal(pointer, offset, size);
    fh_pagemap_set(pointer, 1, fh_entry_of_large(pointer));
    note_live(size, offset);
    *zeroed = true;
    return pointer;
}

void *fh_large_alloc(size_t request_bytes, size_t alignment, bool *zeroed)
{
    if (fh_load_relaxed(&fh_large_counts.blocks) >= fh_load_relaxed(&fh_options.mmap_max)) return NULL;
    if (!fh_wholesale_has_mappings_left()) return NULL;
    return fh_large_alloc_last_resort(request_bytes, alignment, zeroed);
}

void fh_large_free(void *pointer)
{
    size_t offset, size;
    read_head(pointer, &offset, &size);
    if (FH_UNLIKELY(fh_guard_is_marked(pointer)))
        fh_fault(FH_FAULT_DOUBLE_FREE, pointer, size - offset, (struct fh_place){"a mapping", 0, -1});
    note_dead(size, offset);
    bool keep = size <= WARM_MOST && offset == FH_LARGE_HEAD_BYTES && was_wanted_again(size);
    note_freed(keep ? size | 1 : size);
    uint32_t freed = fh_load_relaxed(&freed_lately);
    if (freed < CHURN_WINDOW) fh_store_relaxed(&freed_lately, freed + 1);
    for (int i = 0; keep && i < WARM_SLOTS; i++)
        if (!fh_load_relaxed(&warm[i].pointer)) {
            fh_guard_link(pointer, NULL);
            put_slot(&warm[i], pointer, size, WARM_PATIENCE);
            return;
        }
    unmap(pointer, offset, size);
}

size_t fh_large_usable(void *pointer)
{
    size_t offset, size;
    read_head(pointer, &offset, &size);
    return size - offset;
}

void *fh_large_resize(void *pointer, size_t request_bytes)
{
    size_t offset, size, wanted;
    read_head(pointer, &offset, &size);
    if (__builtin_add_overflow(request_bytes, offset, &wanted)) return NULL;
    if (!fh_checked_align_up(wanted, fh_os_page_size(), &wanted)) return NULL;
    if (wanted == size) return pointer;
    if (wanted > size) note_request(wanted); /* the kernel fills what is added, as it fills a new mapping */
    char *start = (char *)pointer - offset;
    if (!fh_wholesale_remap(start, size, wanted)) {
        /* It has to move. The kernel would choose the place, and the page map must be able to name it before the block
         * is there: so the place is mapped first, and the pages are moved onto it. */
        char *target = fh_wholesale_map(wanted);
        if (!target) return NULL;
        bool prepared = fh_pagemap_prepare(target + offset, 1);
        fh_pagemap_set(pointer, 1, 0); /* before the pages move: another thread's mapping may come here at once */
        if (!prepared || !fh_wholesale_move(start, size, target, wanted)) {
            fh_pagemap_set(pointer, 1, fh_entry_of_large(pointer));
            fh_wholesale_discard(target, wanted);
            return NULL;
        }
        pointer = target + offset;
        fh_pagemap_set(pointer, 1, fh_entry_of_large(pointer));
    }
    note_dead(size, offset);
    note_live(wanted, offset);
    seal(pointer, offset, wanted);
    return pointer;
}

void *fh_large_in_page(uintptr_t page, uint32_t entry)
{
    /* At the start, where the head lies in the page below, which is the mapping's too; else behind the head, or on the
     * multiple of 32 to 2,048 that was asked for. */
    if (entry == FH_ENTRY_LARGE_AT_START) return fh_large_is_sound((void *)page) ? (void *)page : NULL;
    for (size_t offset = FH_LARGE_HEAD_BYTES; offset < FH_PAGEMAP_GRAIN; offset *= 2)
        if (fh_large_is_sound((void *)(page + offset))) return (void *)(page + offset);
    return NULL;
}

uint32_t fh_large_frees(void) { return fh_load_relaxed(&recent_at); }

bool fh_large_purge(void)
{
    bool any = false;
    for (int i = 0; i < WARM_SLOTS; i++) {
        size_t offset, size;
        void *pointer = take_slot(&warm[i], &offset, &size);
        if (!pointer) continue;
        unmap(pointer, offset, size);
        any = true;
    }
    return any;
}
