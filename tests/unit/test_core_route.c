/*
 * test_core_route.c - where a request goes by its size, realloc between all places, zeroing, perturbation, refusals.
 */
#include "unit.h"

#include "core.h"
#include "large.h"
#include "options.h"
#include "pagemap.h"
#include "state.h"

static enum fh_page_kind kind_of(const void *pointer) { return fh_entry_kind(fh_pagemap_get(pointer)); }

static void sizes_go_to_their_places(void **state)
{
    (void)state;
    for (size_t request = 0; request <= FH_SMALL_MOST + 50; request++) {
        char *p = fh_core_malloc(request);
        assert_aligned(p, 16);
        assert_int_equal(kind_of(p), request <= FH_SMALL_MOST ? FH_PAGE_SLAB : FH_PAGE_HEAP);
        if (request <= FH_SMALL_MOST) assert_int_equal(fh_core_usable(p), fh_class_size(fh_max(request, 1)));
        assert_true(fh_core_usable(p) >= request);
        if (request > FH_SMALL_MOST) assert_true(fh_core_usable(p) <= request + 32);
        memset(p, 1, fh_core_usable(p));
    }
    static const size_t edges[] = {131071, 131072, 131073, 1 << 20};
    for (int i = 0; i < 4; i++)
        assert_int_equal(kind_of(fh_core_malloc(edges[i])), edges[i] < 131072 ? FH_PAGE_HEAP : FH_PAGE_LARGE);
    assert_sound();
    fh_options.mmap_threshold = 4096;
    assert_int_equal(kind_of(fh_core_malloc(4096)), FH_PAGE_LARGE);
    assert_int_equal(kind_of(fh_core_malloc(4095)), FH_PAGE_HEAP);
    fh_options.mmap_max = 0;
    assert_int_equal(kind_of(fh_core_malloc(1 << 20)), FH_PAGE_HEAP); /* no mapping is allowed: the heap grows */
    assert_sound();
}

static void every_alignment_and_size(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2)
        for (size_t request = 0; request < 300000; request = request * 4 + 13) {
            char *p = fh_core_memalign(alignment, request);
            assert_non_null(p);
            assert_aligned(p, fh_max(alignment, 16));
            assert_true(fh_core_usable(p) >= request);
            unit_fill(p, request, 1);
            if (request % 2) fh_core_free(p);
        }
    assert_sound();
}

/* An aligned request is small if its size and its alignment are: an object of the first class that fits both. */
static void small_aligned_blocks_are_objects(void **state)
{
    (void)state;
    for (size_t alignment = 32; alignment <= 2 * FH_SMALL_MOST; alignment *= 2)
        for (size_t request = 0; request <= FH_SMALL_MOST + 50; request++) {
            void *p = fh_core_memalign(alignment, request);
            bool small = alignment <= FH_SMALL_MOST && request <= FH_SMALL_MOST;
            assert_int_equal(kind_of(p), small ? FH_PAGE_SLAB : FH_PAGE_HEAP);
            assert_aligned(p, alignment);
            if (small) assert_int_equal(fh_core_usable(p), fh_class_size_aligned(request, alignment));
            if (request % 2) fh_core_free(p);
        }
    assert_sound();
}

/* CVE-2018-6485, CVE-2026-0861 and their like: sums that wrap. */
static void sums_that_wrap_are_refused(void **state)
{
    (void)state;
    fh_core_free(fh_core_malloc(1));
    size_t held = fake_break_bytes() + fake_mapped_bytes();
    static const size_t around[] = {PTRDIFF_MAX, SIZE_MAX};
    for (int i = 0; i < 2; i++)
        for (int delta = -70; delta <= 70; delta++) {
            size_t request = around[i] + (size_t)(ptrdiff_t)delta;
            if (i == 0 && delta < 0) request += 0;     /* near PTRDIFF_MAX: refused by the kernel if not before */
            if (request < PTRDIFF_MAX - 100) continue; /* wrapped to a small number */
            assert_null(fh_core_malloc(request));
            assert_null(fh_core_calloc(request));
            for (unsigned shift = 0; shift < 64; shift++) assert_null(fh_core_memalign((size_t)1 << shift, request));
        }
    for (unsigned shift = 47; shift < 64; shift++)
        for (size_t request = 0; request < 5000; request = request * 3 + 1)
            assert_null(fh_core_memalign((size_t)1 << shift, request));
    assert_int_equal(fake_break_bytes() + fake_mapped_bytes(), held);
    assert_sound();
}

static void calloc_is_zero_wherever_it_comes_from(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++)
        for (size_t request = 1; request < 600000; request = request * 3 / 2 + 1) {
            char *p = fh_core_malloc(request);
            memset(p, 0xee, fh_core_usable(p));
            fh_core_free(p);
            p = fh_core_calloc(request);
            assert_true(unit_is_zero(p, request));
            memset(p, 0xee, request);
            fh_core_free(p);
        }
    assert_sound();
}

static void realloc_keeps_contents_between_all_places(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 100, 250, 257, 500, 5000, 40000, 100000, 131071, 131072, 400000, 3000000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    for (int from = 0; from < COUNT; from++)
        for (int to = 0; to < COUNT; to++) {
            char *p = fh_core_malloc(sizes[from]), *neighbour = fh_core_malloc(sizes[from]);
            unit_fill(p, sizes[from], 5);
            unit_fill(neighbour, sizes[from], 6);
            p = fh_core_realloc(p, sizes[to]);
            assert_non_null(p);
            unit_assert_filled(p, fh_min(sizes[from], sizes[to]), 5);
            unit_assert_filled(neighbour, sizes[from], 6);
            assert_true(fh_core_usable(p) >= sizes[to]);
            /* Shrinking gives memory back: not more than twice what is asked for, beyond the small. */
            if (sizes[to] > 512) assert_true(fh_core_usable(p) <= 2 * sizes[to] + 8192);
            fh_core_free(p);
            fh_core_free(neighbour);
        }
    assert_sound();
}

static void realloc_that_fails_keeps_the_block(void **state)
{
    (void)state;
    static const size_t sizes[] = {64, 3000, 300000};
    for (int i = 0; i < 3; i++) {
        char *p = fh_core_malloc(sizes[i]);
        unit_fill(p, sizes[i], 3);
        fake_refuse_memory();
        fake_refuse(FAKE_REMAP);
        assert_null(fh_core_realloc(p, 50 * FH_MIB));
        assert_null(fh_core_realloc(p, (size_t)PTRDIFF_MAX + 1));
        assert_null(fh_core_realloc(p, SIZE_MAX));
        unit_assert_filled(p, sizes[i], 3);
        char *less = fh_core_realloc(p, sizes[i] / 3); /* can't fail */
        assert_non_null(less);
        unit_assert_filled(less, sizes[i] / 3, 3);
        fake_allow_all();
        fh_core_free(less);
        assert_sound();
    }
}

/* Not even a smaller block is to be had: the old one is kept, and is large enough. */
static void shrinking_cannot_fail(void **state)
{
    (void)state;
    char *p = fh_core_malloc(200);
    unit_fill(p, 200, 3);
    fake_refuse_memory();
    for (size_t size = 100000; size >= 16; size /= 2)
        while (fh_core_malloc(size)) {
        }
    assert_ptr_equal(fh_core_realloc(p, 20), p);
    unit_assert_filled(p, 200, 3);
    assert_null(fh_core_realloc(p, 300));
    unit_assert_filled(p, 200, 3);
    fake_allow_all();
    assert_string_equal(unit_violations(), "");
}

/* Buffers of which a part is kept: that part does not stay in the hole of a buffer. */
static void what_shrinks_to_little_is_moved(void **state)
{
    (void)state;
    enum { ROOM = 65536, KEPT = 20 };
    char *buffer = fh_core_malloc(ROOM), *behind = fh_core_malloc(5000), *kept[KEPT];
    for (int i = 0; i < KEPT; i++) {
        unit_fill(buffer, 3000, 7);
        kept[i] = fh_core_realloc(buffer, 3000);
        assert_ptr_not_equal(kept[i], buffer);
        unit_assert_filled(kept[i], 3000, 7);
        assert_ptr_equal(fh_core_malloc(ROOM), buffer); /* the hole serves the next one */
    }
    assert_ptr_equal(fh_core_realloc(buffer, 20000), buffer); /* more than is copied */
    buffer = fh_core_malloc(ROOM);
    assert_ptr_not_equal(fh_core_realloc(buffer, 3000), buffer); /* below top, too: that would be eaten up */
    fh_core_free(behind);
    assert_sound();
}

static void realloc_in_place_where_it_can(void **state)
{
    (void)state;
    char *small = fh_core_malloc(100);
    assert_ptr_equal(fh_core_realloc(small, 112), small);
    assert_ptr_equal(fh_core_realloc(small, 60), small);
    assert_ptr_not_equal(fh_core_realloc(small, 20), small);
    char *chunk = fh_core_malloc(5000);
    assert_ptr_equal(fh_core_realloc(chunk, 20000), chunk); /* into the top */
    assert_ptr_equal(fh_core_realloc(chunk, 12000), chunk);
    char *beyond = fh_core_realloc(chunk, 200000); /* from here on a mapping, which grows without copies */
    assert_int_equal(kind_of(beyond), FH_PAGE_LARGE);
    assert_ptr_equal(fh_core_realloc(beyond, 210000), beyond);
    assert_ptr_equal(fh_core_realloc(beyond, 70000), beyond); /* above half the threshold */
    char *back = fh_core_realloc(beyond, 60000);
    assert_int_equal(kind_of(back), FH_PAGE_HEAP);
    assert_sound();
}

static void perturbation_fills(void **state)
{
    (void)state;
    fh_options.perturb = 0x5a;
    fh_state_apply_options();
    static const size_t sizes[] = {24, 200, 1000, 9000, 200000};
    for (int i = 0; i < 5; i++) {
        unsigned char *p = fh_core_malloc(sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(p[k], 0xa5);
        memset(p, 1, sizes[i]);
        unsigned char *q = fh_core_memalign(64, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(q[k], 0xa5);
        assert_true(unit_is_zero(fh_core_calloc(sizes[i]), sizes[i]));
        fh_core_free(p);
        if (sizes[i] < 100000) /* behind the links, the old contents are overwritten */
            for (size_t k = 32; k + 8 < sizes[i]; k++) assert_int_equal(p[k], 0x5a);
        fh_core_free(q);
    }
    assert_sound();
}

/* Nothing but refusals: every size answers NULL, and what is there stays. */
static void all_sizes_answer_null_without_memory(void **state)
{
    (void)state;
    fake_refuse_memory();
    for (size_t request = 0; request < 10 * FH_MIB; request = request * 2 + 1) {
        assert_null(fh_core_malloc(request));
        assert_null(fh_core_calloc(request));
        assert_null(fh_core_memalign(4096, request));
    }
    fake_allow_all();
    assert_non_null(fh_core_malloc(1));
    assert_sound();
}

static int count_calls(size_t calls[FAKE_CALLS])
{
    int sum = 0;
    for (int i = 0; i < FAKE_CALLS; i++) sum += (int)(calls[i] = fake_os.calls[i]);
    return sum;
}

static void workload(void)
{
    enum { COUNT = 60 };
    static char *blocks[COUNT];
    static size_t sizes[COUNT];
    uint64_t dice = 12345;
    for (int step = 0; step < 600; step++) {
        dice = dice * 6364136223846793005ULL + 1;
        int i = (int)(dice >> 40) % COUNT;
        size_t request = (size_t)1 << (dice >> 34) % 20;
        request += (dice >> 20) % request;
        if (!blocks[i]) {
            blocks[i] = step % 3 ? fh_core_malloc(request) : fh_core_memalign(64 << step % 8, request);
            sizes[i] = blocks[i] ? request : 0;
        } else if (step % 5 == 0) {
            char *resized = fh_core_realloc(blocks[i], request);
            if (resized) unit_assert_filled(resized, fh_min(request, sizes[i]), (unsigned)i);
            if (resized) blocks[i] = resized, sizes[i] = request;
        } else {
            unit_assert_filled(blocks[i], sizes[i], (unsigned)i);
            fh_core_free(blocks[i]);
            blocks[i] = NULL;
        }
        if (blocks[i]) unit_fill(blocks[i], sizes[i], (unsigned)i);
    }
    for (int i = 0; i < COUNT; i++) {
        if (!blocks[i]) continue;
        unit_assert_filled(blocks[i], sizes[i], (unsigned)i);
        fh_core_free(blocks[i]);
        blocks[i] = NULL;
    }
    fh_core_trim(0);
}

/* Each call of each kind refused in turn, in the middle of everything: contents stay, and it all adds up. */
static void a_workload_with_each_call_refused(void **state)
{
    (void)state;
    size_t calls[FAKE_CALLS], before[FAKE_CALLS];
    count_calls(before);
    workload();
    assert_sound();
    count_calls(calls);
    for (int call = 0; call < FAKE_CALLS; call++) {
        size_t of_kind = calls[call] - before[call], step = unit_is_slow() ? 1 + of_kind / 2 : 1 + of_kind / 40;
        for (size_t k = 1; k <= of_kind; k += step) {
            fake_refuse_kth((enum fake_call)call, k);
            workload();
            fake_allow_all();
            assert_sound();
        }
        fake_refuse((enum fake_call)call);
        workload();
        assert_sound();
        fake_allow_all();
    }
}

/* Appended to byte by byte: moved once for every eighth at most, from the slabs into a heap, and never larger than
 * that. */
static void what_grows_by_little_gets_room(void **state)
{
    (void)state;
    fh_core_malloc(100000); /* the block below does not stand at the top, where it could grow for ever */
    char *p = fh_core_malloc(200), *blocker = fh_core_malloc(400);
    int moves = 0;
    for (size_t request = 201; request <= 4000; request++) {
        char *grown = fh_core_realloc(p, request);
        moves += grown != p;
        p = grown;
        size_t usable = fh_core_usable(p);
        size_t most = request + request / 8;
        assert_true(usable >= request && usable <= (most <= FH_SMALL_MOST ? fh_class_size(most) : most + 32));
        if (request % 64 == 0) fh_core_malloc(300); /* somebody else takes what lies behind it */
    }
    assert_true(moves > 5 && moves <= 40); /* 4,000 / 201 is 1.125 to the power of 26 */
    char *doubled = fh_core_realloc(fh_core_malloc(5000), 10000);
    assert_true(fh_core_usable(doubled) < 10000 + 32); /* a plan of its own: no more than it asks for */
    char *before = fh_core_malloc(3000);
    assert_ptr_equal(fh_core_realloc(before, 1600), before);
    assert_true(fh_core_usable(before) < 1600 + 32); /* shrinking gives back as before */
    fh_core_free(blocker);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_go_to_their_places),
    cmocka_unit_test(every_alignment_and_size),
    cmocka_unit_test(small_aligned_blocks_are_objects),
    cmocka_unit_test(sums_that_wrap_are_refused),
    cmocka_unit_test(calloc_is_zero_wherever_it_comes_from),
    cmocka_unit_test(realloc_keeps_contents_between_all_places),
    cmocka_unit_test(realloc_that_fails_keeps_the_block),
    cmocka_unit_test(shrinking_cannot_fail),
    cmocka_unit_test(what_shrinks_to_little_is_moved),
    cmocka_unit_test(realloc_in_place_where_it_can),
    cmocka_unit_test(what_grows_by_little_gets_room),
    cmocka_unit_test(perturbation_fills),
    cmocka_unit_test(all_sizes_answer_null_without_memory),
    cmocka_unit_test(a_workload_with_each_call_refused),
};
UNIT_GROUP(route);
