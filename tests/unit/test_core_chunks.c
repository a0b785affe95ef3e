/*
 * test_core_chunks.c - medium blocks: the thread's stores first, then heaps, then a mapping; checks before a free.
 */
#include "unit.h"

#include "core.h"
#include "large.h"
#include "options.h"
#include "pagemap.h"
#include "state.h"

static struct fh_state *own;
static void set_up(void)
{
    fh_core_ensure_init();
    own = fh_state_self();
    assert_non_null(own);
}
static uint32_t entry_of(const void *pointer) { return fh_pagemap_get(pointer); }
static void *get(size_t request)
{
    bool zeroed = true;
    void *p = fh_chunk_alloc(own, request, 16, &zeroed);
    assert_non_null(p);
    if (zeroed) assert_true(unit_is_zero(p, request));
    unit_fill(p, request, (unsigned)request);
    return p;
}
static void drop(void *p) { fh_chunk_free(own, p, entry_of(p), fh_chunk_check(p, entry_of(p))); }

static void freed_blocks_serve_the_same_size_again(void **state)
{
    (void)state;
    set_up();
    size_t most = fh_options.medium_cache_bytes / 2 - 16;
    for (size_t request = FH_SMALL_MOST + 1; request <= most; request = request * 17 / 16) {
        void *a = get(request), *b = get(request);
        assert_sound();
        drop(a);
        drop(b);
        assert_sound();
        assert_ptr_equal(get(request), b); /* last in, first out */
        assert_ptr_equal(get(request), a);
        assert_false(fh_guard_is_marked(a));
        drop(a), drop(b);
        fh_chunk_store_empty(own);
        fh_state_publish(own);
        assert_int_equal(own->medium.blocks, 0);
        assert_int_equal(own->heap->used_chunks, 0);
        assert_sound();
    }
}

static void what_a_thread_keeps_is_bounded(void **state)
{
    (void)state;
    set_up();
    static void *blocks[400];
    for (int i = 0; i < 400; i++) blocks[i] = get(3000);
    size_t used = own->heap->used_bytes;
    for (int i = 0; i < 400; i++) drop(blocks[i]);
    assert_true(own->medium.bytes <= fh_options.medium_cache_bytes);
    assert_true(own->heap->used_bytes <= fh_options.medium_cache_bytes + 8 * 30);
    assert_true(own->heap->used_bytes < used);
    assert_sound();
}

static void another_heap_then_a_mapping(void **state)
{
    (void)state;
    fake_os.cpus = 2;
    set_up();
    void *first = get(5000);
    struct fh_heap *second = fh_heaps_for(2);
    assert_int_equal(second->id, 1);
    assert_true(fh_lock_freeze(&own->heap->lock));
    void *p = get(5000); /* the own heap can't be locked */
    assert_int_equal(fh_entry_kind(entry_of(p)), FH_PAGE_HEAP);
    assert_int_equal(fh_entry_owner(entry_of(p)), 1);
    assert_true(fh_lock_freeze(&second->lock));
    void *q = get(5000);
    assert_int_equal(fh_entry_kind(entry_of(q)), FH_PAGE_LARGE);
    fake_refuse_memory();
    bool zeroed;
    assert_null(fh_chunk_alloc(own, 6000, 16, &zeroed));
    fake_allow_all();
    fh_lock_thaw(&second->lock);
    fh_lock_thaw(&own->heap->lock);
    fh_large_free(q);
    drop(p), drop(first);
    fh_state_flush(own);
    assert_int_equal(own->heap->used_chunks + second->used_chunks, 0);
    assert_sound();
}

static void aligned_requests_take_kept_blocks_that_are_aligned(void **state)
{
    (void)state;
    set_up();
    bool zeroed;
    static const size_t requests[] = {FH_SMALL_MOST + 1, FH_SMALL_MOST + 20, 3000, 32000};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char *aligned = fh_chunk_alloc(own, requests[i], 256, &zeroed), *other = get(requests[i]);
        while ((uintptr_t)other % 256 == 0) other = get(requests[i]);
        size_t used = own->heap->used_chunks;
        drop(aligned);
        drop(other);
        assert_ptr_equal(fh_chunk_alloc(own, requests[i], 256, &zeroed), aligned);
        assert_false(zeroed || fh_guard_is_marked(aligned));
        assert_int_equal(own->heap->used_chunks, used);
        char *fresh = fh_chunk_alloc(own, requests[i], 256, &zeroed); /* the other one stays where it is */
        assert_aligned(fresh, 256);
        assert_true(fresh != other && fh_guard_is_marked(other));
        assert_int_equal(own->heap->used_chunks, used + 1);
        assert_ptr_equal(get(requests[i]), other);
        assert_sound();
    }
    assert_null(fh_chunk_alloc(own, FH_CHUNK_MOST + 1, 16, &zeroed));
    assert_null(fh_chunk_alloc(own, 100, FH_CHUNK_MOST * 2, &zeroed));
    assert_sound();
}

static void without_a_state_the_heap_answers(void **state)
{
    (void)state;
    fh_core_ensure_init();
    void *p = get(5000);
    own = NULL;
    drop(p);
    assert_int_equal(fh_heaps_get(0)->used_chunks, 0);
    assert_sound();
}

static void check_it(void *pointer) { fh_chunk_check(pointer, entry_of(pointer)); }

static void checks_before_a_free(void **state)
{
    (void)state;
    set_up();
    char *a = get(1000), *b = get(3000), *end = get(500);
    drop(a); /* kept: still in use for its heap, but marked */
    unit_expect_fault(check_it, a, "double free: 0x%zx, %zu bytes, in a chunk of heap 0", (size_t)a,
                      (size_t)fh_chunk_size(fh_chunk_read(fh_chunk_of(a))) - 8);
    fh_heap_free(own->heap, b);
    unit_expect_fault(check_it, b, "double free: 0x%zx, 3000 bytes, in a chunk of heap 0", (size_t)b);
    char *slab = (char *)fh_heap_alloc_slab(own->heap, 4096) + FH_SLAB_BOUNDARY_BYTES;
    unit_expect_fault(check_it, slab, "free of what was never ours: 0x%zx, size unknown, in a chunk of heap 0",
                      (size_t)slab);
    unit_expect_fault(check_it, end + 16,
                      "free of the inside of a block: 0x%zx, %zu bytes, in a chunk at 0x%zx of heap 0",
                      (size_t)end + 16, (size_t)fh_chunk_size(fh_chunk_read(fh_chunk_of(end))) - 8, (size_t)end);
    unit_expect_fault(check_it, end + 1,
                      "free of the inside of a block: 0x%zx, %zu bytes, in a chunk at 0x%zx of heap 0", (size_t)end + 1,
                      (size_t)fh_chunk_size(fh_chunk_read(fh_chunk_of(end))) - 8, (size_t)end);
    assert_int_equal(fh_chunk_check(end, entry_of(end)), fh_chunk_size(fh_chunk_read(fh_chunk_of(end))) - 8);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(freed_blocks_serve_the_same_size_again),
    cmocka_unit_test(what_a_thread_keeps_is_bounded),
    cmocka_unit_test(another_heap_then_a_mapping),
    cmocka_unit_test(aligned_requests_take_kept_blocks_that_are_aligned),
    cmocka_unit_test(without_a_state_the_heap_answers),
    cmocka_unit_test(checks_before_a_free),
};
UNIT_GROUP(chunks);
