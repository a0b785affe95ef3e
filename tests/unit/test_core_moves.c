/*
 * test_core_moves.c - slabs that leave: which, how they go, and how that ends.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "state.h"

enum { MANY = 30000, SIZE = 64 };
static char *blocks[MANY];
static int count;

/* One in `kept` survives, at random. */
static void make_sparse(void *kept)
{
    uint64_t dice = 11;
    count = 0;
    for (int i = 0; i < MANY; i++) blocks[i] = fh_test_malloc(SIZE);
    for (int i = 0; i < MANY; i++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        if ((dice >> 33) % (uintptr_t)kept) {
            fh_test_free(blocks[i]);
        } else {
            unit_fill(blocks[i], SIZE, (unsigned)count);
            blocks[count++] = blocks[i];
        }
    }
}

static void assert_kept(void)
{
    for (int i = 0; i < count; i++) unit_assert_filled(blocks[i], SIZE, (unsigned)i);
}

static int pass(int from, int to)
{
    int moved = 0;
    for (int i = from; i < to; i++) {
        char *place = fh_move(blocks[i]);
        if (!place) continue;
        blocks[i] = place;
        moved++;
    }
    return moved;
}

static struct fh_state *own(void) { return fh_state_self(); }
static size_t slab_bytes(void) { return own()->slabs.counts.slab_bytes; }
static bool is_any_leaving(void) { return !fh_list_is_empty(&own()->moves.leaving[SIZE / 16]); }

static void one_pass_is_enough(void **state)
{
    (void)state;
    make_sparse((void *)4);
    assert_true(slab_bytes() > (size_t)MANY * SIZE);
    int moved = pass(0, count / 2);
    assert_true(own()->moves.on && is_any_leaving());
    assert_sound();
    moved += pass(count / 2, count);
    assert_true(moved > count / 2 && moved < count);
    assert_false(is_any_leaving());
    assert_kept();
    assert_sound();
    assert_true(slab_bytes() < (size_t)count * SIZE * 11 / 10 + 65536);
    assert_int_equal(pass(0, count), 0);
    fh_core_trim(0);
    assert_false(own()->moves.on);
    assert_true(own()->cache_bytes == fh_options.cache_bytes || own()->cutting);
    assert_int_equal(own()->medium.most_bytes, fh_options.medium_cache_bytes);
    assert_sound();
}

static void hints_hold(void **state)
{
    (void)state;
    make_sparse((void *)4);
    static unsigned char first[MANY], again[MANY];
    size_t hinted = fh_should_move_batch((void **)blocks, (size_t)count, first);
    assert_true(hinted > 0);
    assert_int_equal(fh_should_move_batch((void **)blocks, (size_t)count, again), hinted);
    assert_memory_equal(first, again, (size_t)count);
    assert_sound();
}

static void what_is_freed_is_not_what_comes_next(void **state)
{
    (void)state;
    make_sparse((void *)4);
    for (int i = 0; i < count; i++) {
        if (!fh_should_move(blocks[i])) continue;
        char *place = fh_test_malloc(SIZE);
        assert_false(fh_should_move(place));
        memcpy(place, blocks[i], SIZE);
        fh_test_free(blocks[i]);
        blocks[i] = place;
    }
    assert_kept();
    assert_sound();
}

static void demand_takes_back(void **state)
{
    (void)state;
    make_sparse((void *)4);
    size_t before = slab_bytes();
    pass(0, 100);
    assert_true(is_any_leaving());
    static char *more[MANY];
    int i = 0;
    while (is_any_leaving() && i < MANY) more[i++] = fh_test_malloc(SIZE);
    assert_true(i > 0 && i < MANY);
    assert_true(slab_bytes() <= before); /* no slab is opened while some leave */
    for (int end = i + 1000; i < end && i < MANY; i++) more[i] = fh_test_malloc(SIZE);
    assert_kept();
    assert_sound();
    while (i > 0) fh_test_free(more[--i]);
    assert_sound();
}

static void it_ends_by_itself(void **state)
{
    (void)state;
    make_sparse((void *)4);
    pass(0, 10);
    assert_true(own()->moves.on);
    for (int i = 0; i < 5000; i++) fh_moves_step(own());
    assert_false(own()->moves.on);
    assert_false(is_any_leaving());
    assert_sound();
    assert_true(pass(0, count) > 0);
    assert_sound();
}

/* A thread whose blocks are all chunks comes to no other slow step. */
static void it_ends_for_chunks_too(void **state)
{
    (void)state;
    make_sparse((void *)4);
    pass(0, 10);
    assert_true(own()->moves.on);
    for (int i = 0; i < 5000; i++) fh_test_free(fh_test_malloc(3000));
    assert_false(own()->moves.on);
    assert_true(own()->medium.most_bytes > 0);
    assert_sound();
}

/* Cutting up slabs that ends while blocks are moved leaves caches to the end of the pass. */
static void cutting_ends_in_the_middle(void **state)
{
    (void)state;
    make_sparse((void *)4);
    size_t medium_bytes = own()->medium.most_bytes;
    own()->cutting = true;
    fh_state_set_cache_bytes(own(), 1024);
    pass(0, 10);
    assert_true(own()->moves.on);
    size_t during = own()->cache_bytes;
    while (own()->cutting) assert_non_null(fh_test_malloc(64));
    assert_int_equal(own()->cache_bytes, during);
    fh_moves_end(own());
    assert_int_equal(own()->cache_bytes, fh_core_cache_bytes());
    assert_int_equal(own()->medium.most_bytes, medium_bytes);
    assert_sound();
}

static void others_blocks_are_theirs(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(1));
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, make_sparse, (void *)4);
    for (int i = 0; i < count; i++) assert_int_equal(fh_should_move(blocks[i]), 0);
    unit_thread_end(thread);
    assert_sound();
}

static void pass_some(void *unused)
{
    (void)unused;
    pass(0, count / 3);
}

static void a_thread_that_ends_in_the_middle(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(1));
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, make_sparse, (void *)4);
    unit_thread_do(thread, pass_some, NULL);
    assert_true(fh_state_by_id(2)->moves.on);
    unit_thread_end(thread);
    assert_false(fh_state_by_id(2)->moves.on);
    assert_kept();
    assert_sound();
}

static void without_a_cache(void **state)
{
    (void)state;
    fh_options.cache_bytes = 0;
    make_sparse((void *)4);
    assert_true(pass(0, count) > 0);
    assert_kept();
    assert_sound();
    fh_core_trim(0);
    assert_int_equal(own()->cache_bytes, 0);
    assert_sound();
}

static void refusals_change_nothing(void **state)
{
    (void)state;
    make_sparse((void *)4);
    fake_refuse_memory();
    fake_refuse(FAKE_BREAK_DOWN), fake_refuse(FAKE_UNMAP), fake_refuse(FAKE_DISCARD);
    assert_true(pass(0, count) > 0); /* from what is there */
    assert_kept();
    assert_sound();
}

static void chunks_move_too(void **state)
{
    (void)state;
    enum { CHUNKS = 24000, CHUNK = 600 };
    static char *chunks[CHUNKS];
    int live = 0;
    uint64_t dice = 3;
    for (int i = 0; i < CHUNKS; i++) chunks[i] = fh_test_malloc(CHUNK);
    for (int i = 0; i < CHUNKS; i++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        if ((dice >> 33) % 3) fh_test_free(chunks[i]);
        else chunks[live++] = chunks[i];
    }
    for (int i = 0; i < live; i++) unit_fill(chunks[i], CHUNK, (unsigned)i);
    for (int i = 0; i < live; i++) {
        char *place = fh_move(chunks[i]);
        if (place) chunks[i] = place;
    }
    for (int i = 0; i < live; i++) unit_assert_filled(chunks[i], CHUNK, (unsigned)i);
    assert_sound();
    fh_core_trim(0);
    struct fh_account account;
    fh_account_read(&account);
    size_t held = account.live_bytes + account.free_bytes + account.cached_bytes;
    print_message("%zu held, %zu live, %zu free\n", held, account.live_bytes, account.free_bytes);
    assert_true(held < account.live_bytes * 11 / 10);
    assert_sound();
}

/* A chunk that realloc has made smaller than any that malloc would give. */
static void every_size_moves_whole(void **state)
{
    (void)state;
    enum { CHUNKS = 8000 };
    static char *chunks[CHUNKS];
    for (int i = 0; i < CHUNKS; i++) chunks[i] = fh_test_malloc(1500);
    for (int i = 0; i < CHUNKS; i++)
        if (i % 4) fh_test_free(chunks[i]);
    int moved = 0;
    for (int i = 0; i < CHUNKS; i += 4) {
        chunks[i] = fh_test_realloc(chunks[i], FH_SMALL_MOST + 1 + (size_t)i % 400);
        size_t size = fh_test_malloc_usable_size(chunks[i]);
        unit_fill(chunks[i], size, (unsigned)i);
        char *place = fh_move(chunks[i]);
        if (!place) continue;
        moved++;
        chunks[i] = place;
        assert_true(fh_test_malloc_usable_size(place) >= size);
        unit_assert_filled(place, size, (unsigned)i);
    }
    assert_true(moved > CHUNKS / 8);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_pass_is_enough),
    cmocka_unit_test(hints_hold),
    cmocka_unit_test(what_is_freed_is_not_what_comes_next),
    cmocka_unit_test(demand_takes_back),
    cmocka_unit_test(it_ends_by_itself),
    cmocka_unit_test(it_ends_for_chunks_too),
    cmocka_unit_test(cutting_ends_in_the_middle),
    cmocka_unit_test(others_blocks_are_theirs),
    cmocka_unit_test(a_thread_that_ends_in_the_middle),
    cmocka_unit_test(without_a_cache),
    cmocka_unit_test(refusals_change_nothing),
    cmocka_unit_test(chunks_move_too),
    cmocka_unit_test(every_size_moves_whole),
};
UNIT_GROUP(moves);
