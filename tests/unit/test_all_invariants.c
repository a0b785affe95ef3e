/*
 * test_all_invariants.c - each invariant is broken on purpose, seen by fh_check under its id, and repaired.
 */
#include "unit.h"

#include "core.h"
#include "insight.h"
#include "large.h"
#include "pagemap.h"
#include "state.h"
#include "wholesale.h"

static struct fh_heap *heap;
static char *a, *b, *c, *end; /* chunks one after the other; b is free */

static void set_up(void)
{
    heap = fh_heaps_get(0);
    fh_state_self();
    a = fh_heap_alloc(heap, 1000, 16, NULL);
    b = fh_heap_alloc(heap, 2000, 16, NULL);
    c = fh_heap_alloc(heap, 3000, 16, NULL);
    end = fh_heap_alloc(heap, 400, 16, NULL);
    fh_heap_free(heap, b);
    assert_sound();
}

/* The id is reported; others may be, too. */
static void assert_violates(const char *id)
{
    const char *violations = unit_violations();
    if (!strstr(violations, id)) fail_msg("%s is not among '%s'", id, violations);
}

static struct fh_chunk *chunk(char *pointer) { return fh_chunk_of(pointer); }
static size_t size_of(char *pointer) { return fh_chunk_size(fh_chunk_read(chunk(pointer))); }
static unsigned flags_of(char *pointer) { return fh_chunk_read(chunk(pointer)) & FH_CHUNK_FLAGS; }
static void rewrite(char *pointer, size_t size, unsigned flags) { fh_chunk_write(chunk(pointer), size, flags); }

static void h1_chunks_tile_the_heap(void **state)
{
    (void)state;
    set_up();
    size_t size = size_of(a);
    unsigned flags = flags_of(a);
    for (int way = 0; way < 4; way++) {
        if (way == 0) rewrite(a, size + 16, flags); /* into the next tag */
        if (way == 1) rewrite(a, 16, flags);
        if (way == 2) rewrite(a, (size_t)1 << 40, flags);
        if (way == 3) chunk(a)->tag ^= 16;
        assert_violates("H1");
        rewrite(a, size, flags);
        assert_sound();
    }
}

static void h2_flags_and_footers_agree(void **state)
{
    (void)state;
    set_up();
    fh_chunk_set_previous_in_use(chunk(c), true); /* b, below, is free */
    assert_violates("H2");
    fh_chunk_set_previous_in_use(chunk(c), false);
    assert_sound();
    fh_chunk_set_previous_in_use(chunk(end), false); /* c is in use */
    assert_violates("H2");
    fh_chunk_set_previous_in_use(chunk(end), true);
    uint64_t *footer = fh_chunk_footer(chunk(b), size_of(b)), saved = *footer;
    *footer = fh_guard_seal(size_of(b) - 16, (uintptr_t)footer);
    assert_violates("H2");
    *footer = saved ^ 32;
    assert_violates("H2");
    *footer = saved;
    assert_sound();
}

static void h3_no_free_neighbours(void **state)
{
    (void)state;
    set_up();
    size_t size = size_of(c);
    /* c becomes free without coalescing, in every other way rightly. */
    rewrite(c, size, 0);
    fh_chunk_write_footer(chunk(c), size);
    fh_chunk_set_previous_in_use(chunk(end), false);
    fh_bins_insert(&heap->bins, chunk(c), size);
    heap->free_bytes += size;
    heap->used_bytes -= size;
    heap->used_chunks--;
    assert_string_equal(unit_violations(), "H3");
    fh_bins_remove(&heap->bins, chunk(c), size);
    heap->free_bytes -= size;
    heap->used_bytes += size;
    heap->used_chunks++;
    rewrite(c, size, FH_CHUNK_IN_USE);
    fh_chunk_set_previous_in_use(chunk(end), true);
    assert_sound();
}

static void h4_each_free_chunk_is_in_its_bin(void **state)
{
    (void)state;
    set_up();
    size_t size = size_of(b);
    unsigned index = fh_bins_index(size);
    fh_bins_remove(&heap->bins, chunk(b), size); /* in none */
    assert_violates("H4");
    fh_bins_insert(&heap->bins, chunk(b), 32); /* in a wrong one */
    assert_violates("H4");
    fh_bins_remove(&heap->bins, chunk(b), 32);
    fh_bins_insert(&heap->bins, chunk(b), size);
    assert_sound();
    heap->bins.words[index / 64] ^= (uint64_t)1 << index % 64; /* the bitmap */
    assert_violates("H4");
    heap->bins.words[index / 64] ^= (uint64_t)1 << index % 64;
    heap->bins.words[0] ^= 8;
    assert_violates("H4");
    heap->bins.words[0] ^= 8;
    heap->bins.summary ^= 1; /* and its summary */
    assert_violates("H4");
    heap->bins.summary ^= 1;
    struct fh_chunk saved = *chunk(b);
    chunk(b)->previous_free = saved.next_free; /* links */
    assert_violates("H4");
    *chunk(b) = saved;
    memset(&chunk(b)->next_free, 'A', 8);
    assert_violates("H4");
    *chunk(b) = saved;
    assert_sound();
    heap->bins.heads[index] = chunk(a); /* a chunk in use */
    assert_violates("H4");
    heap->bins.heads[index] = chunk(b);
    assert_sound();
}

/* Two chunks of one bin, of which one has given back all its pages. */
static void h4_those_without_pages_come_last(void **state)
{
    (void)state;
    enum { SIZE = 40000 };
    set_up();
    char *gone = fh_heap_alloc(heap, SIZE, 16, NULL), *between = fh_heap_alloc(heap, 5000, 16, NULL);
    char *full = fh_heap_alloc(heap, SIZE, 16, NULL), *above = fh_heap_alloc(heap, 5000, 16, NULL);
    assert_true(gone < between && between < full && full < above);
    fh_heap_free(heap, gone);
    fh_heap_free(heap, full);
    assert_true(fh_heap_purge_chunk(heap, chunk(gone), SIZE_MAX) > 0);
    assert_sound();
    struct fh_chunk **head = &heap->bins.heads[fh_bins_index(size_of(gone))];
    struct fh_chunk **last = &heap->bins.lasts[fh_bins_index(size_of(gone)) - FH_BIN_PAGES_FIRST];
    assert_ptr_equal(*head, chunk(full));
    assert_ptr_equal(*last, chunk(gone));
    *last = chunk(full); /* another */
    assert_string_equal(unit_violations(), "H4");
    *last = chunk(gone);
    struct fh_span span = fh_chunk_span(chunk(gone), flags_of(gone));
    size_t all = fh_span_bytes(span);
    fh_chunk_write_span(chunk(full), fh_chunk_inner_pages(chunk(full), size_of(full)));
    rewrite(full, size_of(full), flags_of(full) | FH_CHUNK_PURGED); /* it stands before one that has more to give */
    rewrite(gone, size_of(gone), flags_of(gone) & ~(unsigned)FH_CHUNK_PURGED);
    heap->purged_bytes += fh_span_bytes(fh_chunk_span(chunk(full), flags_of(full))) - all;
    assert_string_equal(unit_violations(), "H4");
    heap->purged_bytes -= fh_span_bytes(fh_chunk_span(chunk(full), flags_of(full))) - all;
    rewrite(full, size_of(full), flags_of(full) & ~(unsigned)FH_CHUNK_PURGED);
    rewrite(gone, size_of(gone), flags_of(gone) | FH_CHUNK_PURGED);
    assert_sound();
}

static void h5_top_ends_where_the_source_ends(void **state)
{
    (void)state;
    set_up();
    struct fh_chunk *top = heap->top;
    heap->top = chunk(a);
    assert_violates("H5");
    heap->top = NULL;
    assert_violates("H5");
    heap->top = top;
    assert_sound();
    uint64_t tag = top->tag;
    fh_chunk_write(top, fh_chunk_size(fh_chunk_read(top)), FH_CHUNK_IN_USE | FH_CHUNK_PREVIOUS_IN_USE);
    assert_violates("H5");
    top->tag = tag;
    assert_sound();
    fh_chunk_write(top, fh_chunk_size(fh_chunk_read(top)) - 16, FH_CHUNK_TOP | FH_CHUNK_PREVIOUS_IN_USE);
    assert_true(fh_check(NULL, NULL) > 0);
    top->tag = tag;
    assert_sound();
}

static char *small[40];
static struct fh_slab *slab;

static void set_up_slab(void)
{
    for (int i = 0; i < 40; i++) small[i] = fh_test_malloc(64);
    for (int i = 0; i < 4; i++) fh_test_free(small[i]);
    fh_state_flush(fh_state_self());
    slab = fh_slab_of(small[0], fh_pagemap_get(small[0]));
    assert_int_equal(slab->shift, 12);
    assert_sound();
}

static void s1_objects_of_a_slab_add_up(void **state)
{
    (void)state;
    set_up_slab();
    uint64_t words[2];
    memcpy(words, small[20], 16);
    fh_guard_link(small[20], NULL); /* marked, and on no list */
    assert_violates("S1");
    memcpy(small[20], words, 16);
    assert_sound();
    struct fh_cache_bin *bin = fh_cache_bin_of(&fh_state_self()->cache, 64);
    fh_test_free(small[30]);
    bin->room--;
    assert_violates("S1");
    bin->room += 2;
    assert_true(fh_check(NULL, NULL) > 0);
    bin->room--;
    assert_sound();
    slab->seal ^= 1;
    assert_violates("S1");
    slab->seal ^= 1;
    assert_sound();
}

static void s1_listed_objects_are_marked(void **state)
{
    (void)state;
    set_up_slab();
    slab->free_count++;
    assert_true(strstr(unit_violations(), "S"));
    slab->free_count--;
    assert_sound();
    fh_transit_objects++;
    assert_violates("S1");
    fh_transit_objects--;
    assert_sound();
}

static void s2_listed_objects_are_objects_once(void **state)
{
    (void)state;
    set_up_slab();
    void *head = slab->free;
    slab->free = (char *)head + 16; /* off a boundary */
    assert_violates("S2");
    slab->free = end; /* outside */
    assert_violates("S2");
    slab->free = head;
    uint64_t words[2];
    memcpy(words, head, 16);
    fh_guard_link(head, head); /* twice */
    assert_violates("S2");
    memcpy(head, words, 16);
    assert_sound();
    slab->free_count--; /* miscounted */
    assert_violates("S2");
    slab->free_count++;
    struct fh_cache_bin *bin = fh_cache_bin_of(&fh_state_self()->cache, 64);
    fh_test_free(small[30]);
    assert_sound();
    void *cached = bin->head;
    bin->head = (char *)cached + 16;
    assert_violates("S2");
    bin->head = cached;
    memcpy(words, cached, 16);
    memset(cached, 'A', 16);
    assert_violates("S2");
    memcpy(cached, words, 16);
    assert_sound();
}

static void s3_no_empty_slab_beyond_the_reserve(void **state)
{
    (void)state;
    struct fh_state *own = fh_state_self();
    void *bases[2];
    struct fh_slab *empty[2];
    set_up_slab();
    for (int i = 0; i < 2; i++) {
        bases[i] = fh_heap_alloc_slab(own->heap, 4096);
        empty[i] = fh_slab_open(&own->slabs, bases[i], 12, 128, 0, false);
        if (i == 0) assert_sound(); /* one may stay */
    }
    assert_string_equal(unit_violations(), "S3");
    fh_slab_close(&own->slabs, empty[1], fh_entry_of_heap(0));
    fh_heap_free_slab(own->heap, bases[1]);
    assert_sound();
    bases[1] = fh_heap_alloc_slab(own->heap, 65536);
    empty[1] = fh_slab_open(&own->slabs, bases[1], 16, 256, 0, false); /* the only one, but large */
    assert_string_equal(unit_violations(), "S3");
    fh_slab_close(&own->slabs, empty[1], fh_entry_of_heap(0));
    fh_heap_free_slab(own->heap, bases[1]);
    assert_sound();
}

static void p1_the_page_map_names_what_is_ours(void **state)
{
    (void)state;
    set_up();
    set_up_slab();
    char *page = (char *)fh_align_up((uintptr_t)c, 4096);
    if (page + 4096 > c + 3000) page = (char *)fh_align_down((uintptr_t)c, 4096);
    char *big = fh_heap_alloc(heap, 20000, 16, NULL);
    page = (char *)fh_align_up((uintptr_t)big, 4096);
    assert_sound();
    static const uint32_t wrong[] = {0, FH_ENTRY_LARGE};
    for (int i = 0; i < 2; i++) {
        fh_pagemap_set(page, 1, wrong[i]);
        assert_violates("P1");
        fh_pagemap_set(page, 1, fh_entry_of_heap(0));
        assert_sound();
        fh_pagemap_set(slab, 1, wrong[i]);
        assert_violates("P1");
        fh_pagemap_set(slab, 1, slab->entry);
        assert_sound();
    }
    fh_pagemap_set(fake_break(), 1, fh_entry_of_heap(0)); /* a page that is nobody's */
    assert_violates("P1");
    fh_pagemap_set(fake_break(), 1, 0);
    assert_sound();
}

static void a1_the_account_adds_up(void **state)
{
    (void)state;
    set_up();
    set_up_slab();
    struct fh_state *own = fh_state_self();
    size_t *const counters[] = {
        &fh_wholesale.obtained_bytes,
        &fh_wholesale.returned_bytes,
        &fh_wholesale.state_bytes,
        &fh_wholesale.stranded_bytes,
        &heap->used_bytes,
        &heap->used_chunks,
        &heap->free_bytes,
        &heap->total_bytes,
        &heap->slab_chunks,
        &heap->page_bytes,
        &fh_large_counts.mapping_bytes,
        &fh_large_counts.warm_bytes,
        &own->slabs.counts.mapped_bytes,
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        *counters[i] += 16;
        const char *violations = unit_violations();
        if (!strstr(violations, "A1")) print_error("counter %zu: '%s'\n", i, violations);
        assert_true(violations[0] != 0);
        if (i < 10) assert_violates("A1");
        *counters[i] -= 16;
        assert_sound();
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(h1_chunks_tile_the_heap),
    cmocka_unit_test(h2_flags_and_footers_agree),
    cmocka_unit_test(h3_no_free_neighbours),
    cmocka_unit_test(h4_each_free_chunk_is_in_its_bin),
    cmocka_unit_test(h4_those_without_pages_come_last),
    cmocka_unit_test(h5_top_ends_where_the_source_ends),
    cmocka_unit_test(s1_objects_of_a_slab_add_up),
    cmocka_unit_test(s1_listed_objects_are_marked),
    cmocka_unit_test(s2_listed_objects_are_objects_once),
    cmocka_unit_test(s3_no_empty_slab_beyond_the_reserve),
    cmocka_unit_test(p1_the_page_map_names_what_is_ours),
    cmocka_unit_test(a1_the_account_adds_up),
};
UNIT_GROUP(invariants);
