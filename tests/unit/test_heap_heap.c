/*
 * test_heap_heap.c - chunks of heap 0: splitting, coalescing, aligned blocks, resizing, hand-over, faults.
 */
#include "unit.h"

#include "core.h"
#include "heap.h"
#include "pagemap.h"

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
    assert_aligned(pointer, 16);
    unit_fill(pointer, request, (unsigned)request);
    return pointer;
}
static size_t size_of(void *pointer) { return fh_chunk_size(fh_chunk_read(fh_chunk_of(pointer))); }
static bool is_free(void *pointer) { return !(fh_chunk_read(fh_chunk_of(pointer)) & FH_CHUNK_IN_USE); }
static void drop(void *pointer) { fh_heap_free(heap, pointer); }

static void the_first_block_opens_the_heap(void **state)
{
    (void)state;
    set_up();
    bool zeroed = false;
    char *p = fh_heap_alloc(heap, 1000, 16, &zeroed);
    assert_true(zeroed && unit_is_zero(p, 1000));
    assert_ptr_equal(p, fake_break() - fake_break_bytes() + FH_SEGMENT_HEAD_BYTES + FH_CHUNK_TAG_BYTES);
    assert_int_equal(size_of(p), 1008);
    assert_true(fake_break_bytes() >= FH_MIB);
    assert_int_equal(fake_os.calls[FAKE_BREAK_UP], 1);
    assert_int_equal(heap->total_bytes, fake_break_bytes());
    assert_int_equal(heap->used_bytes, 1008);
    assert_int_equal(heap->used_chunks, 1);
    assert_sound();
    drop(p);
    assert_int_equal(heap->used_bytes + heap->used_chunks + heap->free_bytes, 0);
    assert_sound();
}

/* b is freed between neighbours that are free or not: four ways to coalesce. */
static void freeing_coalesces_with_both_neighbours(void **state)
{
    (void)state;
    set_up();
    for (int before = 0; before < 2; before++)
        for (int after = 0; after < 2; after++) {
            char *fence = get(400), *a = get(400), *b = get(500), *c = get(600), *end = get(400);
            assert_ptr_equal(b, a + size_of(a));
            assert_ptr_equal(c, b + size_of(b));
            size_t sizes[3] = {size_of(a), size_of(b), size_of(c)};
            if (before) drop(a);
            if (after) drop(c);
            assert_sound();
            drop(b);
            assert_sound();
            char *start = before ? a : b;
            size_t expected = sizes[1] + (before ? sizes[0] : 0) + (after ? sizes[2] : 0);
            assert_true(is_free(start));
            assert_int_equal(size_of(start), expected);
            assert_int_equal(heap->free_bytes, expected);
            assert_int_equal(*fh_chunk_footer(fh_chunk_of(start), expected) & FH_TAG_CONTENT, expected);
            /* The whole of it can be had again, as one block. */
            assert_ptr_equal(get(expected - 8), start);
            drop(start);
            if (!before) drop(a);
            if (!after) drop(c);
            drop(fence);
            drop(end);
            assert_int_equal(heap->used_bytes + heap->free_bytes, 0); /* all of it is top again */
            assert_sound();
        }
}

static void what_is_left_over_is_a_chunk(void **state)
{
    (void)state;
    set_up();
    char *a = get(1000), *end = get(100);
    drop(a);
    assert_ptr_equal(get(400), a);
    assert_int_equal(size_of(a), 416);
    assert_int_equal(heap->free_bytes, 1008 - 416);
    assert_sound();
    char *rest = get(1008 - 416 - 8);
    assert_ptr_equal(rest, a + 416);
    assert_int_equal(heap->free_bytes, 0);
    assert_sound();
    /* Too little for a chunk: it stays with the block. */
    drop(rest);
    size_t whole = size_of(rest);
    for (size_t left = 0; left <= 48; left += 16) {
        char *b = get(whole - left - 8);
        assert_ptr_equal(b, rest);
        assert_int_equal(size_of(b), left < FH_CHUNK_LEAST ? whole : whole - left);
        assert_sound();
        drop(b);
        assert_sound();
    }
    drop(a);
    drop(end);
    assert_sound();
}

static void memory_from_the_top_is_known_to_be_zero(void **state)
{
    (void)state;
    set_up();
    bool zeroed;
    char *a = get(5000);
    drop(a); /* into the top, dirty */
    char *b = fh_heap_alloc(heap, 5000, 16, &zeroed);
    assert_ptr_equal(b, a);
    assert_false(zeroed);
    char *c = fh_heap_alloc(heap, 5000, 16, &zeroed);
    assert_true(zeroed && unit_is_zero(c, 5000));
    drop(b);
    b = fh_heap_alloc(heap, 100, 16, &zeroed);
    assert_false(zeroed);
    /* A mark that the old contents show is gone. */
    drop(b);
    b = get(300);
    fh_guard_link(b, NULL);
    drop(b);
    b = fh_heap_alloc(heap, 300, 16, NULL);
    assert_false(fh_guard_is_marked(b));
}

static void the_top_never_vanishes(void **state)
{
    (void)state;
    set_up();
    get(1000);
    for (size_t left = 0; left <= FH_CHUNK_LEAST; left += 16) {
        size_t top = fh_chunk_size(fh_chunk_read(heap->top));
        void *p = fh_heap_alloc(heap, top - left - FH_CHUNK_TAG_BYTES, 16, NULL);
        assert_non_null(p);
        assert_true(fh_chunk_size(fh_chunk_read(heap->top)) >= FH_CHUNK_LEAST);
        assert_sound();
    }
}

/* An object of a slab that lay there may have left its mark; nobody has written to the block since. */
static void a_block_carries_no_old_mark(void **state)
{
    (void)state;
    set_up();
    char *p = get(3000);
    fh_guard_link(p, NULL);
    fh_lock_acquire(&heap->lock);
    fh_heap_release_chunk(heap, fh_chunk_of(p)); /* into the top, which writes nothing there */
    fh_lock_release(&heap->lock);
    assert_true(fh_guard_is_marked(p));
    assert_ptr_equal(fh_heap_alloc(heap, 3000, 16, NULL), p);
    assert_false(fh_guard_is_marked(p));
}

static void aligned_blocks(void **state)
{
    (void)state;
    set_up();
    void *blocks[200];
    int count = 0;
    for (int round = 0; round < 2; round++) { /* from the top, then from bins */
        for (size_t alignment = 16; alignment <= 65536; alignment *= 2)
            for (size_t request = 1; request < 5000; request = request * 5 + 3) {
                char *p = blocks[count++] = fh_heap_alloc(heap, request, alignment, NULL);
                assert_non_null(p);
                assert_aligned(p, alignment);
                unit_fill(p, request, (unsigned)count);
            }
        assert_sound();
        for (int i = 0; i < count; i += 2) drop(blocks[i]);
        assert_sound();
        for (int i = 1; i < count; i += 2) drop(blocks[i]);
        assert_sound();
        count = 0;
    }
    assert_int_equal(heap->used_bytes + heap->free_bytes, 0);
}

static void slabs_are_chunks_on_their_own_boundary(void **state)
{
    (void)state;
    set_up();
    for (size_t bytes = 4096; bytes <= 65536; bytes *= 4) {
        char *slab = fh_heap_alloc_slab(heap, bytes);
        assert_aligned(slab, bytes);
        uint64_t content = fh_chunk_read(fh_chunk_of_slab(slab));
        assert_int_equal(fh_chunk_size(content), bytes);
        assert_true(content & FH_CHUNK_SLAB);
        assert_ptr_equal(fh_slab_of_chunk(fh_chunk_of_slab(slab)), slab);
        assert_int_equal(heap->slab_bytes, bytes);
        assert_int_equal(heap->slab_chunks, 1);
        fh_heap_free_slab(heap, slab);
        assert_int_equal(heap->slab_bytes + heap->slab_chunks + heap->used_chunks, 0);
    }
    assert_sound();
}

static void resize_shrinks_in_place(void **state)
{
    (void)state;
    set_up();
    char *a = get(1000), *end = get(100);
    assert_true(fh_heap_resize(heap, a, 1000, 1000));
    assert_true(fh_heap_resize(heap, a, 992, 992)); /* 16 less: too little for a chunk */
    assert_int_equal(size_of(a), 1008);
    assert_true(fh_heap_resize(heap, a, 500, 500));
    assert_int_equal(size_of(a), 512);
    assert_int_equal(heap->free_bytes, 1008 - 512);
    unit_assert_filled(a, 500, 1000);
    assert_sound();
    assert_true(fh_heap_resize(heap, a, 480, 480)); /* the 16 bytes join the free neighbour */
    assert_int_equal(size_of(a), 496);
    assert_int_equal(heap->free_bytes, 1008 - 496);
    assert_sound();
    assert_true(fh_heap_resize(heap, a, 1, 1));
    assert_int_equal(size_of(a), FH_CHUNK_LEAST);
    assert_sound();
    drop(a);
    assert_sound();
    drop(end);
}

static void resize_grows_into_a_free_neighbour(void **state)
{
    (void)state;
    set_up();
    char *before = get(300), *a = get(400), *b = get(600), *end = get(100);
    size_t both = size_of(a) + size_of(b);
    assert_false(fh_heap_resize(heap, a, 500, 500)); /* b is in use */
    assert_int_equal(size_of(a), 416);
    drop(b);
    drop(before); /* the flag of a's predecessor must survive */
    assert_true(fh_heap_resize(heap, a, 700, 700));
    assert_int_equal(size_of(a), 720);
    unit_assert_filled(a, 400, 400);
    assert_sound();
    assert_true(fh_heap_resize(heap, a, both - 8, both - 8));
    assert_int_equal(size_of(a), both);
    assert_sound();
    assert_false(fh_heap_resize(heap, a, both, both));
    assert_true(fh_heap_resize(heap, a, 100, 100)); /* shrinks with a free predecessor and a used successor */
    assert_sound();
    assert_true(fh_heap_resize(heap, a, both - 40, both - 40)); /* 32 bytes remain: just a chunk */
    assert_int_equal(size_of(a), both - 32);
    assert_sound();
    assert_true(fh_heap_resize(heap, a, both - 24, both - 24)); /* 16 remain: the block's */
    assert_int_equal(size_of(a), both);
    assert_sound();
    assert_true(fh_heap_resize(heap, a, 100, 100));
    assert_true(fh_heap_resize(heap, a, 200, 300)); /* wants more, and there is room */
    assert_int_equal(size_of(a), 320);
    assert_true(fh_heap_resize(heap, a, 400, 1 << 20)); /* wants more than there is */
    assert_int_equal(size_of(a), both);
    assert_sound();
    drop(a);
    drop(end);
    assert_int_equal(heap->used_bytes + heap->free_bytes, 0);
}

static void resize_at_the_top(void **state)
{
    (void)state;
    set_up();
    char *before = get(300), *a = get(400);
    drop(before);
    assert_true(fh_heap_resize(heap, a, 5000, 5000));
    assert_int_equal(size_of(a), 5008);
    unit_assert_filled(a, 400, 400);
    unit_fill(a, 5000, 9);
    assert_sound();
    assert_false(fh_heap_resize(heap, a, 100, 100)); /* better moved */
    assert_true(fh_heap_resize(heap, a, 3000, 3000));
    assert_int_equal(size_of(a), 3008);
    assert_ptr_equal(heap->top, fh_chunk_at(fh_chunk_of(a), 3008));
    assert_int_equal(heap->used_bytes, 3008);
    assert_sound();
    /* Beyond the top: the heap grows under it, once. */
    size_t had = fake_break_bytes();
    assert_true(fh_heap_resize(heap, a, 3 << 20, 3 << 20));
    assert_true(fake_break_bytes() > had);
    unit_assert_filled(a, 100, 9);
    assert_sound();
    /* Somebody else has the break: the top can't grow, and nothing is changed. */
    fake_foreign_sbrk(4096);
    assert_false(fh_heap_resize(heap, a, 300 << 20, 300 << 20));
    assert_int_equal(size_of(a), (3 << 20) + 16);
    assert_sound();
    drop(a);
    assert_sound();
}

static void resize_is_refused_with_the_kernel(void **state)
{
    (void)state;
    set_up();
    char *a = get(400);
    fake_refuse_memory();
    assert_false(fh_heap_resize(heap, a, 30 << 20, 30 << 20));
    assert_int_equal(size_of(a), 416);
    unit_assert_filled(a, 400, 400);
    assert_sound();
    assert_true(fh_heap_resize(heap, a, 1000, 1000)); /* what the top has may still be had */
    assert_sound();
}

/* While the lock is frozen nobody waits: blocks are left for the next holder. */
static void frees_are_handed_over_while_the_lock_is_frozen(void **state)
{
    (void)state;
    set_up();
    char *a = get(400), *b = get(500), *slab = fh_heap_alloc_slab(heap, 4096);
    assert_true(fh_lock_freeze(&heap->lock));
    assert_null(fh_heap_alloc(heap, 100, 16, NULL));
    assert_null(fh_heap_alloc_slab(heap, 4096));
    assert_false(fh_heap_resize(heap, a, 100, 100));
    assert_false(fh_heap_trim(heap, 0));
    drop(a);
    drop(b);
    fh_heap_free_slab(heap, slab);
    assert_true(fh_guard_is_marked(a));
    size_t sizes = 416 + 512 + 4096;
    assert_int_equal(heap->handed_over_bytes, sizes - 3 * 8);
    assert_int_equal(heap->used_chunks, 3);
    fh_lock_thaw(&heap->lock);
    char *c = get(100);
    assert_null(heap->handed_over);
    assert_int_equal(heap->handed_over_bytes, 0);
    assert_int_equal(heap->used_chunks, 1);
    assert_ptr_equal(c, a); /* a and b were coalesced into the top, then c was taken from it */
    assert_sound();
}

static void the_next_free_drains_too(void **state)
{
    (void)state;
    set_up();
    char *a = get(400), *b = get(500);
    assert_true(fh_lock_freeze(&heap->lock));
    drop(a);
    fh_lock_thaw(&heap->lock);
    drop(b);
    assert_null(heap->handed_over);
    assert_int_equal(heap->used_chunks, 0);
    assert_sound();
    a = get(400);
    fh_lock_freeze(&heap->lock);
    drop(a);
    fh_lock_thaw(&heap->lock);
    fh_heap_trim(heap, 0);
    assert_int_equal(heap->used_chunks, 0);
    assert_sound();
}

static void drain_it(void *unused)
{
    (void)unused;
    fh_heap_drain(heap);
}

static void a_damaged_hand_over_stops(void **state)
{
    (void)state;
    set_up();
    char *a = get(400);
    fh_lock_freeze(&heap->lock);
    drop(a);
    fh_lock_thaw(&heap->lock);
    memset(a, 'A', 16);
    unit_expect_fault(drain_it, NULL, "damaged free-list link: 0x%zx, size unknown, in a chunk of heap 0", (size_t)a);
}

static void damage_is_seen_by_the_next_free(void **state)
{
    (void)state;
    set_up();
    char *a = get(400), *b = get(500), *c = get(600);
    drop(b);
    unit_expect_fault(drop, b, "double free: 0x%zx, 504 bytes, in a chunk of heap 0", (size_t)b);
    uint64_t saved = fh_chunk_of(c)->tag;
    fh_chunk_of(c)->tag = 0x4141414141414141;
    unit_expect_fault(drop, c, "damaged chunk header: 0x%zx, size unknown, in a heap", (size_t)c - 8);
    fh_chunk_of(c)->tag = saved;
    drop(c);
    (void)a;
}

static void a_footer_must_agree_with_its_chunk(void **state)
{
    (void)state;
    set_up();
    char *a = get(400), *b = get(500), *c = get(600);
    drop(a);
    uint64_t *footer = fh_chunk_footer(fh_chunk_of(a), 416);
    *footer = fh_guard_seal(400, (uintptr_t)footer); /* well sealed, and wrong: the tag it leads to is no tag */
    assert_true(unit_aborts(drop, b));
    assert_said("damaged chunk header");
    (void)c;
}

static void locate(const char *pointer, enum fh_locate expected, const char *expected_block, size_t expected_size)
{
    const void *block = NULL;
    size_t size = 0;
    assert_int_equal(fh_heap_locate(heap, pointer, &block, &size), expected);
    if (expected == FH_LOCATE_NOWHERE) return;
    assert_ptr_equal(block, expected_block);
    assert_int_equal(size, expected_size);
}

static void locate_says_what_lies_there(void **state)
{
    (void)state;
    set_up();
    char *a = get(400), *b = get(500), *c = get(600), local;
    drop(b);
    locate(a, FH_LOCATE_START, a, 408);
    locate(a + 1, FH_LOCATE_INSIDE, a, 408);
    locate(a + 407, FH_LOCATE_INSIDE, a, 408);
    locate(a - 8, FH_LOCATE_INSIDE, a, 408); /* its tag */
    locate(b, FH_LOCATE_START, b, 504);
    locate(b + 100, FH_LOCATE_FREE, b, 504);
    locate(c + 599, FH_LOCATE_INSIDE, c, 600);
    locate(&local, FH_LOCATE_NOWHERE, NULL, 0);
    locate(a - 40, FH_LOCATE_NOWHERE, NULL, 0); /* the segment's record */
    fh_chunk_of(b)->tag ^= 1;
    locate(b, FH_LOCATE_START, b, SIZE_MAX);
    locate(c, FH_LOCATE_NOWHERE, NULL, 0); /* behind damage */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_block_opens_the_heap),
    cmocka_unit_test(freeing_coalesces_with_both_neighbours),
    cmocka_unit_test(what_is_left_over_is_a_chunk),
    cmocka_unit_test(memory_from_the_top_is_known_to_be_zero),
    cmocka_unit_test(the_top_never_vanishes),
    cmocka_unit_test(a_block_carries_no_old_mark),
    cmocka_unit_test(aligned_blocks),
    cmocka_unit_test(slabs_are_chunks_on_their_own_boundary),
    cmocka_unit_test(resize_shrinks_in_place),
    cmocka_unit_test(resize_grows_into_a_free_neighbour),
    cmocka_unit_test(resize_at_the_top),
    cmocka_unit_test(resize_is_refused_with_the_kernel),
    cmocka_unit_test(frees_are_handed_over_while_the_lock_is_frozen),
    cmocka_unit_test(the_next_free_drains_too),
    cmocka_unit_test(a_damaged_hand_over_stops),
    cmocka_unit_test(damage_is_seen_by_the_next_free),
    cmocka_unit_test(a_footer_must_agree_with_its_chunk),
    cmocka_unit_test(locate_says_what_lies_there),
};
UNIT_GROUP(heap);
