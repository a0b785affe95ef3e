/*
 * misuse.c - what is wrong with a pointer that free, realloc or malloc_usable_size was given: finds the words.
 *
 * Layer: core. Only ever runs on the way to abort; takes its time.
 */
#include "core.h"
#include "fault.h"
#include "large.h"
#include "pagemap.h"
#include "slab.h"

static const struct fh_place nowhere = {"no heap", 0, -1};

/* A pointer into a large block beyond its first page has no entry of its own; the block's start, below, has. */
static void look_for_large_below(const void *pointer)
{
    enum { FAR = 1 << 30 };
    uintptr_t page = fh_pagemap_previous((uintptr_t)pointer, FAR);
    uint32_t entry = fh_pagemap_get((void *)page);
    if (!page || fh_entry_kind(entry) != FH_PAGE_LARGE) return;
    void *block = fh_large_in_page(page, entry);
    if (block && (uintptr_t)pointer - (uintptr_t)block < fh_large_usable(block))
        fh_fault(FH_FAULT_INSIDE_POINTER, pointer, fh_large_usable(block),
                 (struct fh_place){"a mapping", (uintptr_t)block, -1});
}

static void explain_heap_pointer(const void *pointer, uint32_t entry)
{
    struct fh_heap *heap = fh_heaps_get(fh_entry_owner(entry));
    struct fh_place place = {"a chunk", 0, (int)heap->id};
    const void *block = NULL;
    size_t size = SIZE_MAX;
    switch (fh_heap_locate(heap, pointer, &block, &size)) {
    case FH_LOCATE_START: fh_fault(FH_FAULT_DAMAGED_HEADER, pointer, size, place);
    case FH_LOCATE_INSIDE: place.address = (uintptr_t)block; fh_fault(FH_FAULT_INSIDE_POINTER, pointer, size, place);
    case FH_LOCATE_FREE: fh_fault(FH_FAULT_DOUBLE_FREE, pointer, size, place);
    case FH_LOCATE_NOWHERE: break;
    }
    /* Not to be reached from the start of its segment: a tag between there and here is damaged, perhaps this one. */
    if ((uintptr_t)pointer % FH_ALIGNMENT == 0) fh_fault(FH_FAULT_DAMAGED_HEADER, pointer, SIZE_MAX, place);
    fh_fault(FH_FAULT_INSIDE_POINTER, pointer, SIZE_MAX, place);
}

void fh_misuse(const void *pointer, uint32_t entry)
{
    bool canonical = (uintptr_t)pointer >> 48 == 0;
    switch (canonical ? fh_entry_kind(entry) : FH_PAGE_FOREIGN) {
    case FH_PAGE_SLAB: {
        const struct fh_slab *slab = fh_slab_of(pointer, entry);
        struct fh_place place = {"a slab", (uintptr_t)slab, (int)slab->heap};
        if (fh_is_block_start(pointer, fh_block_magic(slab->class_bytes)) && fh_guard_is_marked(pointer))
            fh_fault(FH_FAULT_DOUBLE_FREE, pointer, slab->class_bytes, place);
        if (fh_slab_has_carved(slab, pointer)) fh_fault(FH_FAULT_INSIDE_POINTER, pointer, slab->class_bytes, place);
        fh_fault(FH_FAULT_FOREIGN_POINTER, pointer, SIZE_MAX, place);
    }
    case FH_PAGE_HEAP: explain_heap_pointer(pointer, entry); break;
    case FH_PAGE_LARGE: {
        struct fh_place place = {"a mapping", 0, -1};
        uintptr_t page = fh_align_down((uintptr_t)pointer, FH_PAGEMAP_GRAIN);
        void *block = fh_large_in_page(page, entry);
        if (block == pointer) /* then it is its mark that brought us here */
            fh_fault(FH_FAULT_DOUBLE_FREE, pointer, fh_large_usable(block), place);
        if (!block) fh_fault(FH_FAULT_DAMAGED_HEADER, pointer, SIZE_MAX, place);
        look_for_large_below(pointer);
        fh_fault(FH_FAULT_INSIDE_POINTER, pointer, SIZE_MAX, place);
    }
    case FH_PAGE_FOREIGN: break;
    }
    if (canonical) look_for_large_below(pointer);
    fh_fault(FH_FAULT_FOREIGN_POINTER, pointer, SIZE_MAX, nowhere);
}
