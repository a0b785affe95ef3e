/*
 * test_heap_heap_grow.c - where a heap meets the kernel: growth, other people's breaks, refusals, trimming, mappings.
 */
#include "unit.h"

#include "core.h"
#include "heap.h"
#include "options.h"
#include "pagemap.h"
#include "wholesale.h"

enum { SOME = 100000 };
static struct fh_heap *heap;

static void set_up(void)
{
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
}
static void *get(size_t request)
{
    void *pointer = fh_heap_alloc(heap, request, 16, NULL);
    assert_non_null(pointer);
    unit_fill(pointer, fh_min(request, 1000), (unsigned)request);
    return pointer;
}
static void drop(void *pointer) { fh_heap_free(heap, pointer); }
static size_t segments(void)
{
    size_t count = 0;
    for (struct fh_segment *segment = heap->segments; segment; segment = segment->next) {
        if (segment->next) assert_true(segment < segment->next);
        count++;
    }
    return count;
}

static void growth_is_geometric(void **state)
{
    (void)state;
    set_up();
    for (size_t got = 0; got < 200 * FH_MIB; got += SOME) get(SOME);
    assert_true(fake_os.calls[FAKE_BREAK_UP] <= 8);
    assert_int_equal(segments(), 1);
    assert_int_equal(fake_break_bytes(), heap->total_bytes);
    assert_sound();
}

static void somebody_else_moves_the_break(void **state)
{
    (void)state;
    set_up();
    char *a = get(SOME);
    size_t first = heap->total_bytes;
    fake_foreign_sbrk(3 * 4096);
    char *b = get(2 * first);
    assert_int_equal(segments(), 2);
    assert_true(b > a);
    assert_true(heap->free_bytes >= first - SOME - 200); /* the old top became a free chunk */
    assert_sound();
    char *c = get(first - 2 * SOME); /* and serves requests */
    assert_true(c > a && c < b);
    assert_sound();
    fake_foreign_sbrk(100); /* not even on a page */
    char *d = get(20 * first);
    assert_int_equal(segments(), 3);
    unit_assert_filled(a, 1000, SOME);
    assert_sound();
    drop(b), drop(a), drop(d), drop(c);
    assert_sound();
    assert_int_equal(heap->used_chunks, 0);
}

static void a_refused_break_means_mappings(void **state)
{
    (void)state;
    set_up();
    fake_refuse(FAKE_BREAK_UP);
    char *a = get(SOME);
    assert_int_equal(segments(), 1);
    assert_false(heap->segments->is_break);
    assert_true(fake_is_mapped(a, SOME));
    assert_int_equal(fake_break_bytes(), 0);
    assert_sound();
    char *b = get(3 * FH_MIB);
    assert_int_equal(segments(), 2);
    fake_allow_all();
    char *c = get(20 * FH_MIB); /* the break may be had again */
    assert_int_equal(segments(), 3);
    assert_true(fake_break_bytes() > 20 * FH_MIB);
    assert_sound();
    drop(a), drop(b), drop(c);
    assert_sound();
}

static void everything_refused_loses_nothing(void **state)
{
    (void)state;
    set_up();
    fake_refuse_memory();
    assert_null(fh_heap_alloc(heap, 100, 16, NULL));
    assert_null(fh_heap_alloc_slab(heap, 65536));
    assert_null(heap->top);
    assert_sound();
    fake_allow_all();
    char *a = get(SOME), *b = get(SOME);
    drop(a);
    fake_refuse_memory();
    assert_null(fh_heap_alloc(heap, 50 * FH_MIB, 16, NULL));
    assert_ptr_equal(get(SOME), a); /* what is there may be had */
    unit_assert_filled(b, 1000, SOME);
    assert_sound();
    fake_allow_all();
    assert_non_null(fh_heap_alloc(heap, 50 * FH_MIB, 16, NULL));
    assert_sound();
}

/* A kernel that grants little: the wish shrinks until it fits. */
static void small_grants_are_taken(void **state)
{
    (void)state;
    set_up();
    fake_os.break_most_bytes = 300000;
    fake_refuse(FAKE_MAP);
    /* The page map needs a mapping of its own first. */
    fake_os.refuse[FAKE_MAP] = false;
    assert_true(fh_pagemap_prepare(fake_break(), FH_MIB));
    fake_refuse(FAKE_MAP);
    char *a = get(SOME), *b = get(50000);
    assert_true(fake_break_bytes() <= 300000);
    assert_sound();
    assert_null(fh_heap_alloc(heap, 300000, 16, NULL));
    assert_true(a != b);
    assert_sound();
}

/* Each call for memory refused in turn, for the first block of a heap, and for one that must grow it. */
static void each_call_is_refused_in_turn(void **state)
{
    (void)state;
    set_up();
    for (int call = 0; call < FAKE_CALLS; call++)
        for (size_t k = 1; k < 6; k++) {
            fake_refuse_kth((enum fake_call)call, k);
            char *a = fh_heap_alloc(heap, (size_t)3 * FH_MIB * (k + 1), 16, NULL);
            assert_sound();
            if (a) drop(a);
            assert_sound();
            fh_heap_trim(heap, 0);
            assert_sound();
            fake_allow_all();
        }
    assert_int_equal(heap->used_chunks, 0);
}

static void without_a_page_map_leaf_memory_goes_back(void **state)
{
    (void)state;
    set_up();
    fake_refuse(FAKE_MAP); /* leaves are mappings */
    assert_null(fh_heap_alloc(heap, 100, 16, NULL));
    assert_true(fake_os.calls[FAKE_BREAK_DOWN] > 0);
    assert_int_equal(fake_break_bytes(), 0);
    assert_int_equal(fh_wholesale.obtained_bytes - fh_wholesale.returned_bytes, 0);
    fake_allow_all();
    fake_refuse(FAKE_BREAK_UP);
    fake_refuse_kth(FAKE_MAP, 2); /* the mapping is granted, its leaf is not */
    char *a = fh_heap_alloc(heap, 100, 16, NULL);
    assert_non_null(a); /* a second, smaller wish */
    assert_sound();
}

static void a_heap_crosses_a_leaf_border(void **state)
{
    (void)state;
    fake_set_break_start(fake_leaf_border() - FH_MIB / 2);
    set_up();
    char *last = NULL;
    for (int i = 0; i < 20; i++) last = get(SOME);
    assert_true(last > fake_leaf_border());
    assert_int_equal(fh_entry_kind(fh_pagemap_get(fake_leaf_border() - 1)), FH_PAGE_HEAP);
    assert_int_equal(fh_entry_kind(fh_pagemap_get(fake_leaf_border())), FH_PAGE_HEAP);
    assert_sound();
}

static void the_break_moves_down_when_the_top_is_free(void **state)
{
    (void)state;
    set_up();
    char *blocks[10];
    for (int i = 0; i < 10; i++) {
        blocks[i] = get(SOME);
        memset(blocks[i], 1, SOME); /* touched */
    }
    size_t peak = fake_break_bytes();
    drop(blocks[9]);
    assert_int_equal(fake_break_bytes(), peak); /* 100,000 bytes: below the threshold */
    drop(blocks[8]);
    assert_true(fake_break_bytes() < peak); /* above it */
    assert_int_equal((uintptr_t)fake_break() % 4096, 0);
    assert_true(fake_break_bytes() <= 8 * (SOME + 16) + 4096 + 48);
    assert_sound();
    for (int i = 0; i < 8; i++) drop(blocks[i]);
    assert_sound();
    /* What lies above the break is known to nobody, and reads as zero when it comes back. */
    assert_int_equal(fh_pagemap_get(fake_break()), 0);
    bool zeroed;
    char *again = fh_heap_alloc(heap, 5 * SOME, 16, &zeroed);
    assert_non_null(again);
    if (zeroed) assert_true(unit_is_zero(again, 5 * SOME));
    assert_sound();
}

static void untouched_memory_is_not_trimmed_by_itself(void **state)
{
    (void)state;
    set_up();
    char *a = get(1000);
    size_t peak = fake_break_bytes();
    drop(a);
    assert_int_equal(fake_break_bytes(), peak);
    assert_true(fh_heap_trim(heap, 0)); /* asked for, it goes */
    assert_int_equal(fake_break_bytes(), 4096);
    assert_sound();
    assert_false(fh_heap_trim(heap, 0)); /* nothing left */
    get(1000);
    assert_sound();
}

static void trim_keeps_what_it_is_told(void **state)
{
    (void)state;
    set_up();
    char *a = get(SOME);
    assert_false(fh_heap_trim(heap, SIZE_MAX));
    assert_false(fh_heap_trim(heap, SIZE_MAX - 8192));
    assert_true(fh_heap_trim(heap, 300000));
    size_t left = fh_chunk_size(fh_chunk_read(heap->top));
    assert_true(left >= 300000 && left < 300000 + 2 * 4096);
    assert_sound();
    drop(a);
}

static void options_move_the_threshold(void **state)
{
    (void)state;
    fh_options.trim_threshold = 20000;
    fh_options.top_pad = 8192;
    set_up();
    char *a = get(10000), *b = get(30000);
    memset(b, 1, 30000);
    drop(b);
    size_t left = fh_chunk_size(fh_chunk_read(heap->top));
    assert_true(left >= 8192 && left < 8192 + 2 * 4096);
    drop(a);
    assert_sound();
    fh_options.trim_threshold = SIZE_MAX;
    a = get(3 * FH_MIB);
    size_t peak = fake_break_bytes();
    drop(a);
    assert_int_equal(fake_break_bytes(), peak);
    assert_sound();
}

/* Growing into what was just given back: the threshold rises, so that a loop does not call the kernel for ever. */
static void thrashing_raises_the_threshold(void **state)
{
    (void)state;
    set_up();
    get(1000);
    size_t down[3];
    for (int phase = 0; phase < 3; phase++) {
        for (int i = 0; i < 50; i++) {
            char *blocks[30];
            for (int k = 0; k < 30; k++) blocks[k] = get(SOME);
            for (int k = 30; k-- > 0;) drop(blocks[k]);
        }
        down[phase] = fake_os.calls[FAKE_BREAK_DOWN];
    }
    print_message("trims: %zu %zu %zu\n", down[0], down[1], down[2]);
    assert_true(down[2] == down[1]); /* it has learnt */
    assert_true(down[0] < 100);
    assert_true(heap->trim_at_bytes > fh_options.trim_threshold);
    assert_sound();
}

static void a_refused_trim_gives_pages_back_instead(void **state)
{
    (void)state;
    set_up();
    char *a = get(SOME), *b = get(3 * SOME);
    memset(b, 1, 3 * SOME);
    fake_refuse(FAKE_BREAK_DOWN);
    size_t discards = fake_os.calls[FAKE_DISCARD], bytes = fake_break_bytes();
    drop(b);
    assert_int_equal(fake_os.calls[FAKE_DISCARD], discards + 1);
    assert_int_equal(fake_break_bytes(), bytes);
    assert_sound();
    bool zeroed;
    b = fh_heap_alloc(heap, 3 * SOME, 16, &zeroed);
    if (zeroed) assert_true(unit_is_zero(b, 3 * SOME));
    fake_refuse(FAKE_DISCARD);
    memset(b, 1, 3 * SOME);
    drop(b);
    assert_false(fh_heap_trim(heap, 0));
    b = fh_heap_alloc(heap, 3 * SOME, 16, &zeroed);
    assert_false(zeroed); /* it is not, and nobody claims so */
    assert_sound();
    drop(a);
}

static void a_mapping_that_is_all_free_goes_back(void **state)
{
    (void)state;
    set_up();
    fake_refuse(FAKE_BREAK_UP);
    char *a = get(900000), *keep = get(SOME), *b = get(5 * FH_MIB);
    assert_int_equal(segments(), 2);
    size_t mapped = fake_mapped_bytes();
    drop(a);
    assert_int_equal(segments(), 2); /* `keep` is still in it */
    drop(keep);
    assert_int_equal(segments(), 1);
    assert_true(fake_mapped_bytes() < mapped);
    assert_int_equal(fh_pagemap_get(a), 0);
    assert_sound();
    drop(b);
    assert_int_equal(segments(), 1); /* the growing one stays */
    assert_sound();
}

static void the_growing_mapping_stays_when_it_is_empty(void **state)
{
    (void)state;
    set_up();
    fh_options.trim_threshold = SIZE_MAX;
    fake_refuse(FAKE_BREAK_UP);
    char *a = get(900000), *b = get(5 * FH_MIB);
    assert_int_equal(segments(), 2);
    drop(b); /* now the growing mapping holds nothing but the top */
    assert_int_equal(segments(), 2);
    assert_sound();
    drop(a);
    assert_int_equal(segments(), 1);
    assert_sound();
}

static void a_mapping_that_is_refused_stays_ours(void **state)
{
    (void)state;
    set_up();
    fake_refuse(FAKE_BREAK_UP);
    char *a = get(900000), *b = get(5 * FH_MIB);
    fake_refuse(FAKE_UNMAP);
    drop(a);
    assert_int_equal(segments(), 2);
    assert_sound();
    assert_ptr_equal(get(900000), a);
    assert_sound();
    fake_allow_all();
    drop(a);
    assert_int_equal(segments(), 1);
    assert_sound();
    drop(b);
}

static void other_heaps_never_move_the_break(void **state)
{
    (void)state;
    set_up();
    fake_os.cpus = 3;
    heap = fh_heaps_for(3); /* heap 2 */
    assert_int_equal(heap->id, 2);
    assert_int_equal(fh_heaps_count(), 3);
    char *a = get(SOME), *b = get(4 * FH_MIB);
    assert_int_equal(fake_os.calls[FAKE_BREAK_UP], 0);
    assert_int_equal(fh_entry_owner(fh_pagemap_get(b)), 2);
    assert_sound();
    drop(a), drop(b);
    fh_heap_trim(heap, 0);
    assert_int_equal(fake_os.calls[FAKE_BREAK_DOWN], 0);
    assert_sound();
}

static void pages_of_every_size(void **state)
{
    (void)state;
    fake_os.page_size = 65536;
    set_up();
    char *blocks[50];
    for (int i = 0; i < 50; i++) blocks[i] = get(SOME + (size_t)i * 1000);
    assert_sound();
    for (int i = 0; i < 50; i++) drop(blocks[i]);
    assert_sound();
    fh_heap_trim(heap, 0);
    assert_int_equal((uintptr_t)fake_break() % 65536, 0);
    fake_refuse(FAKE_BREAK_UP);
    assert_non_null(get(4 * FH_MIB));
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(growth_is_geometric),
    cmocka_unit_test(somebody_else_moves_the_break),
    cmocka_unit_test(a_refused_break_means_mappings),
    cmocka_unit_test(everything_refused_loses_nothing),
    cmocka_unit_test(small_grants_are_taken),
    cmocka_unit_test(each_call_is_refused_in_turn),
    cmocka_unit_test(without_a_page_map_leaf_memory_goes_back),
    cmocka_unit_test(a_heap_crosses_a_leaf_border),
    cmocka_unit_test(the_break_moves_down_when_the_top_is_free),
    cmocka_unit_test(untouched_memory_is_not_trimmed_by_itself),
    cmocka_unit_test(trim_keeps_what_it_is_told),
    cmocka_unit_test(options_move_the_threshold),
    cmocka_unit_test(thrashing_raises_the_threshold),
    cmocka_unit_test(a_refused_trim_gives_pages_back_instead),
    cmocka_unit_test(a_mapping_that_is_all_free_goes_back),
    cmocka_unit_test(the_growing_mapping_stays_when_it_is_empty),
    cmocka_unit_test(a_mapping_that_is_refused_stays_ours),
    cmocka_unit_test(other_heaps_never_move_the_break),
    cmocka_unit_test(pages_of_every_size),
};
UNIT_GROUP(heap_grow);
