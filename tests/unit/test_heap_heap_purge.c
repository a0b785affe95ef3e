/*
 * test_heap_heap_purge.c - pages of free chunks that go back: when, which, and that they are known ever after.
 */
#include "unit.h"

#include "core.h"
#include "heap.h"
#include "options.h"
#include "pagemap.h"

enum { MANY = 2000, SIZE = 3000, EVERY = 20 };
static struct fh_heap *heap;
static char *blocks[MANY];

static void set_up(void)
{
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    for (int i = 0; i < MANY; i++) {
        blocks[i] = fh_heap_alloc(heap, SIZE, 16, NULL);
        unit_fill(blocks[i], SIZE, (unsigned)i);
    }
}

/* All but one in EVERY, from `from` on. */
static void drop_most(int from)
{
    for (int i = from; i < MANY; i++) {
        if (i % EVERY == 0) continue;
        unit_assert_filled(blocks[i], SIZE, (unsigned)i);
        fh_heap_free(heap, blocks[i]);
    }
}

static void assert_kept(void)
{
    for (int i = 0; i < MANY; i += EVERY) unit_assert_filled(blocks[i], SIZE, (unsigned)i);
    assert_sound();
}

/* Nothing is live any more: one great hole, and then the top. */
static void drop_rest(void)
{
    for (int i = 0; i < MANY; i += EVERY) fh_heap_free(heap, blocks[i]);
}

static size_t untouched(void)
{
    struct fh_account account;
    fh_account_read(&account);
    return account.untouched_bytes;
}

/* Five of six megabytes are free between live blocks: all whole pages among them go, but for a megabyte that waits for
 * the next sweep; and those are gone. */
static void a_mostly_empty_heap_gives_back(void **state)
{
    (void)state;
    set_up();
    drop_most(0);
    assert_kept();
    size_t inner = heap->free_bytes - (size_t)(MANY / EVERY) * 4096;
    print_message("purged %zu of %zu free\n", heap->purged_bytes, heap->free_bytes);
    assert_true(heap->purged_bytes + FH_MIB > inner * 9 / 10);
    assert_true(untouched() >= heap->purged_bytes);
    size_t zero = 0, holes = 0;
    for (int i = EVERY / 2; i < MANY - EVERY; i += EVERY, holes++) { /* the middle of each hole */
        uintptr_t page = fh_align_up((uintptr_t)blocks[i], 4096);
        zero += unit_is_zero((void *)page, 4096);
    }
    print_message("zero in the middle of %zu of %zu holes\n", zero, holes);
    assert_true(zero * EVERY * SIZE + FH_MIB + 64 * FH_KIB >= holes * EVERY * SIZE);
}

static void turned_off_it_keeps_everything(void **state)
{
    (void)state;
    fh_options.give_back = 0;
    set_up();
    drop_most(0);
    assert_int_equal(heap->purged_bytes, 0);
    assert_int_equal(fake_os.calls[FAKE_DISCARD], 0);
    assert_kept();
}

static void half_full_it_keeps_everything(void **state)
{
    (void)state;
    set_up();
    drop_most(MANY * 6 / 10);
    assert_int_equal(heap->purged_bytes, 0);
    assert_kept();
}

/* Wanted again: nothing of the block is lost, the gate closes, and the next emptying within a second costs nothing. */
static void what_is_wanted_again_is_kept(void **state)
{
    (void)state;
    set_up();
    drop_most(0);
    size_t discards = fake_os.calls[FAKE_DISCARD];
    for (int i = 0; i < MANY; i++) {
        if (i % EVERY == 0) continue;
        blocks[i] = fh_heap_alloc(heap, SIZE, 16, NULL);
        unit_fill(blocks[i], SIZE, (unsigned)i);
    }
    assert_sound();
    assert_false(heap->returning);
    drop_most(0);
    assert_int_equal(fake_os.calls[FAKE_DISCARD], discards);
    assert_kept();
    fake_os.now_ms += 60 * 1000; /* and later it goes after all */
    for (int i = 0; i < 500; i++) fh_heap_free(heap, fh_heap_alloc(heap, 400, 16, NULL));
    assert_true(fake_os.calls[FAKE_DISCARD] > discards);
    assert_kept();
}

/* Splitting and coalescing keep what is known of purged pages. */
static void spans_are_inherited(void **state)
{
    (void)state;
    set_up();
    drop_most(0);
    size_t purged = heap->purged_bytes;
    char *p = fh_heap_alloc(heap, 9 * SIZE, 16, NULL), *there[MANY];
    int count = 0;
    /* What is in memory comes first, if the last sweep has left some. */
    for (; heap->purged_bytes == purged; p = fh_heap_alloc(heap, 9 * SIZE, 16, NULL)) there[count++] = p;
    assert_sound();
    assert_true(heap->purged_bytes < purged && heap->purged_bytes > purged - 9 * SIZE - 8192);
    purged = heap->purged_bytes;
    for (size_t size = 12; heap->purged_bytes == purged; size += 3) /* into the neighbour */
        assert_true(fh_heap_resize(heap, p, size * SIZE, size * SIZE));
    assert_true(heap->purged_bytes < purged);
    assert_sound();
    assert_true(fh_heap_resize(heap, p, 17000, 17000)); /* and back */
    assert_sound();
    fh_heap_free(heap, p);
    assert_sound();
    void *aligned = fh_heap_alloc(heap, 9000, 8192, NULL);
    assert_sound();
    fh_heap_free(heap, aligned);
    while (count > 0) fh_heap_free(heap, there[--count]);
    drop_rest();
    assert_sound();
    assert_int_equal(heap->used_bytes, 0);
}

/* Holes that stay as they are cost one call each; those that grow after they have been given back would cost one each
 * time: so the price of the next rises where a call disturbs other threads. */
static void holes_that_grow_become_dear(void **state)
{
    (void)state;
    set_up();
    fh_store_relaxed(&fh_heap_threads, 1);
    drop_most(0);
    uint32_t cheap = heap->hole_price;
    for (int i = 0; i < MANY; i++)
        if (i % EVERY) blocks[i] = fh_heap_alloc(heap, SIZE, 16, NULL);
    fake_os.now_ms += 60 * 1000;
    size_t calls = fake_os.calls[FAKE_DISCARD], times = 0, purged = heap->purged_bytes;
    for (int step = 1; step < EVERY; step++) /* each hole grows by a block, and the next one does */
        for (int i = step; i < MANY; i += EVERY) {
            fh_heap_free(heap, blocks[i]);
            times += heap->purged_bytes != purged;
            purged = heap->purged_bytes;
        }
    print_message("a hole costs %u where holes stay, %u where they grow; %zu calls, at %zu frees\n", cheap,
                  heap->hole_price, fake_os.calls[FAKE_DISCARD] - calls, times);
    assert_true(heap->hole_price >= 3 * cheap);
    assert_true(heap->purged_bytes > FH_MIB); /* and yet most goes */
    fh_store_relaxed(&fh_heap_threads, 0);
    assert_sound();
}

/* A hole whose pages have gone becomes part of top, and top gives it out again: that is wanted again as well. */
static void what_top_takes_in_is_regretted(void **state)
{
    (void)state;
    fh_options.trim_threshold = SIZE_MAX;
    set_up();
    drop_most(0);
    size_t again = heap->taken_again_bytes;
    assert_true(heap->purged_bytes > 0 && heap->top_span_bytes == 0);
    drop_rest();
    size_t in_top = heap->top_span_bytes;
    assert_true(in_top > 0 && heap->free_bytes == 0);
    for (size_t bytes = 0; bytes < MANY * SIZE; bytes += 64 * FH_KIB) fh_heap_alloc(heap, 64 * FH_KIB, 16, NULL);
    assert_int_equal(heap->top_span_bytes, 0);
    assert_int_equal(heap->taken_again_bytes, again + in_top);
    assert_sound();
}

/* Such a top is left behind, whole and free, when the heap has to go on elsewhere: nothing of it is wanted again. */
static void what_top_leaves_behind_is_not_regretted(void **state)
{
    (void)state;
    fh_options.trim_threshold = SIZE_MAX;
    set_up();
    drop_most(0);
    drop_rest();
    size_t again = heap->taken_again_bytes;
    assert_true(heap->top_span_bytes > 0 && heap->free_bytes == 0);
    fake_refuse(FAKE_BREAK_UP);
    assert_non_null(fh_heap_alloc(heap, 64 * FH_MIB, 16, NULL));
    assert_true(heap->free_bytes > 0 && !heap->growing->is_break);
    assert_int_equal(heap->top_span_bytes, 0);
    assert_int_equal(heap->taken_again_bytes, again);
    assert_sound();
}

/* A kernel whose pages are large takes no part of one: however odd what a free brings, whole pages go. */
static void large_pages_go_whole(void **state)
{
    (void)state;
    enum { LARGE_PAGE = 64 << 10, ODD = (3 << 20) + 20000 };
    fake_os.page_size = LARGE_PAGE;
    fh_options.give_back = 0;
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    char *odd = fh_heap_alloc(heap, ODD, 16, NULL), *more = fh_heap_alloc(heap, 10 * FH_MIB, 16, NULL);
    char *above = fh_heap_alloc(heap, 400, 16, NULL);
    fh_heap_free(heap, more);
    assert_int_equal(heap->purged_bytes, 0);
    fh_options.give_back = 1;
    heap->returning = true;
    heap->return_at_bytes = SIZE_MAX; /* what the free gives back is all that goes, */
    fh_heap_free(heap, odd);
    size_t size = fh_chunk_size(fh_chunk_read(fh_chunk_of(odd)));
    struct fh_span span = fh_chunk_span(fh_chunk_of(odd), fh_chunk_read(fh_chunk_of(odd)));
    assert_true(fh_span_bytes(span) >= ODD && fh_span_bytes(span) < size - FH_MIB);
    assert_int_equal(span.to % LARGE_PAGE, 0);
    while (fh_heap_purge_chunk(heap, fh_chunk_of(odd), 4 * LARGE_PAGE)) {
    } /* and the rest can follow */
    assert_int_equal(fh_chunk_dirty_bytes(fh_chunk_of(odd)), 0);
    assert_int_equal(fake_contract_errors(), 0);
    fh_heap_free(heap, above);
    assert_sound();
}

static void a_kernel_that_refuses(void **state)
{
    (void)state;
    fake_refuse(FAKE_DISCARD);
    set_up();
    drop_most(0);
    assert_int_equal(heap->purged_bytes, 0);
    assert_true(fake_os.calls[FAKE_DISCARD] > 0 && fake_os.calls[FAKE_DISCARD] < 5); /* it is not asked for ever */
    assert_kept();
}

static void each_refusal_in_turn(void **state)
{
    (void)state;
    fh_core_ensure_init();
    for (size_t k = 1; k < 12; k++) {
        set_up();
        fake_refuse_kth(FAKE_DISCARD, k);
        drop_most(0);
        assert_kept();
        drop_rest();
        assert_sound();
        fake_os.now_ms += 60 * 1000;
    }
}

/* No free takes long: beside what it frees itself, two megabytes at most in one place. */
static void steps_are_bounded(void **state)
{
    (void)state;
    fh_options.trim_threshold = SIZE_MAX;
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    char *big = fh_heap_alloc(heap, 64 * FH_MIB, 16, NULL), *end = fh_heap_alloc(heap, 1000, 16, NULL);
    char *small[64];
    for (int i = 0; i < 64; i++) small[i] = fh_heap_alloc(heap, 1000, 16, NULL);
    fh_options.give_back = 0;
    fh_heap_free(heap, big); /* 64 MiB free, nothing gone */
    fh_options.give_back = 1;
    size_t most = 0, before = 0;
    for (int i = 0; i < 64; i += 2) {
        fh_heap_free(heap, small[i]);
        most = fh_max(most, heap->purged_bytes - before);
        before = heap->purged_bytes;
    }
    assert_true(most > 0 && most <= 2 * FH_MIB);
    assert_sound();
    (void)end;
}

/* A slab that is cut up: pieces in use, the rest free, H1 to H4 as ever, and no block starts in a slab's page. */
static void slabs_are_cut(void **state)
{
    (void)state;
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    char *slab = fh_heap_alloc_slab(heap, 65536), *end = fh_heap_alloc(heap, 1000, 16, NULL);
    static const struct fh_heap_part parts[] = {{4096, 4096 - 48}, {16384, 16384}, {32768, 4096}, {57344, 8192}};
    fh_pagemap_set(slab, 65536, fh_entry_of_slab(1, 64));
    assert_true(fh_heap_hold(heap));
    fh_heap_cut_slab(heap, slab, parts, 4, 1);
    fh_heap_let_go(heap);
    assert_int_equal(heap->slab_chunks, 4);
    assert_int_equal(heap->slab_bytes, 4096 - 48 + 16384 + 4096 + 8192);
    assert_true(heap->free_bytes >= 65536 - heap->slab_bytes);
    for (size_t size = 257; size < 8000; size += 100) {
        char *block = fh_heap_alloc(heap, size, 16, NULL);
        assert_int_equal(fh_entry_kind(fh_pagemap_get(block)), FH_PAGE_HEAP);
        char *aligned = fh_heap_alloc(heap, size, 32, NULL);
        assert_aligned(aligned, 32);
        assert_int_equal(fh_entry_kind(fh_pagemap_get(aligned)), FH_PAGE_HEAP);
        fh_heap_free(heap, block);
        fh_heap_free(heap, aligned);
    }
    for (int i = 0; i < 4; i++) {
        fh_pagemap_set(slab + parts[i].offset, parts[i].bytes, fh_entry_of_heap(0));
        fh_heap_free_slab(heap, slab + parts[i].offset);
    }
    fh_heap_free(heap, end);
    assert_int_equal(heap->used_bytes + heap->slab_bytes + heap->slab_chunks, 0);
    assert_sound();
}

/* The chunk of a slab that took a hole whole is 16 bytes longer, too little for a chunk of its own behind the last
 * piece: links in it would lie over the tag of the next block. */
static void a_slab_with_a_rest_is_cut(void **state)
{
    (void)state;
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    char *first = fh_heap_alloc(heap, 1000, 16, NULL);
    uintptr_t base = fh_align_up((uintptr_t)first + 2000, 65536), chunk = base + FH_SLAB_BOUNDARY_BYTES - 8;
    char *pad = fh_heap_alloc(heap, chunk - 32 - (uintptr_t)fh_chunk_of(first) - 1008 - 8, 16, NULL);
    char *hole = fh_heap_alloc(heap, 32 + 65536 + 16 - 8, 16, NULL), *next = fh_heap_alloc(heap, 1000, 16, NULL);
    assert_int_equal((uintptr_t)fh_chunk_of(hole), chunk - 32);
    fh_heap_free(heap, hole);
    char *slab = fh_heap_alloc_slab(heap, 65536);
    assert_int_equal((uintptr_t)slab, base);
    assert_int_equal(heap->slab_bytes, 65536 + 16);
    static const struct fh_heap_part parts[] = {{0, 4096 - 48}, {61440, 4096}};
    assert_true(fh_heap_hold(heap));
    fh_heap_cut_slab(heap, slab, parts, 2, 1);
    fh_heap_let_go(heap);
    assert_true(fh_chunk_is_sound(fh_chunk_of(next)));
    assert_int_equal(heap->slab_bytes, 4096 - 48 + 4096 + 16);
    for (int i = 0; i < 2; i++) {
        fh_pagemap_set(slab + parts[i].offset, parts[i].bytes, fh_entry_of_heap(0));
        fh_heap_free_slab(heap, slab + parts[i].offset);
    }
    fh_heap_free(heap, next), fh_heap_free(heap, pad), fh_heap_free(heap, first);
    assert_int_equal(heap->used_bytes + heap->slab_bytes + heap->slab_chunks, 0);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_mostly_empty_heap_gives_back),
    cmocka_unit_test(turned_off_it_keeps_everything),
    cmocka_unit_test(half_full_it_keeps_everything),
    cmocka_unit_test(what_is_wanted_again_is_kept),
    cmocka_unit_test(spans_are_inherited),
    cmocka_unit_test(holes_that_grow_become_dear),
    cmocka_unit_test(what_top_takes_in_is_regretted),
    cmocka_unit_test(what_top_leaves_behind_is_not_regretted),
    cmocka_unit_test(large_pages_go_whole),
    cmocka_unit_test(a_kernel_that_refuses),
    cmocka_unit_test(each_refusal_in_turn),
    cmocka_unit_test(steps_are_bounded),
    cmocka_unit_test(slabs_are_cut),
    cmocka_unit_test(a_slab_with_a_rest_is_cut),
};
UNIT_GROUP(heap_purge);
