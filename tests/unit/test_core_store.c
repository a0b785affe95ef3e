/*
 * test_core_store.c - how much of medium blocks a thread keeps: it borrows for what it misses, and gives back.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "pagemap.h"
#include "state.h"

enum { LIVE = 40, BYTES = 50000 };
static struct fh_state *own;
static char *live[LIVE];

static void *get(size_t request)
{
    bool zeroed;
    void *p = fh_chunk_alloc(own, request, 16, &zeroed);
    assert_non_null(p);
    return p;
}
static void drop(void *p) { fh_chunk_free(own, p, fh_pagemap_get(p), fh_chunk_check(p, fh_pagemap_get(p))); }
static size_t lent(void) { return own->medium.most_bytes - own->medium.base_bytes; }

/* Two megabytes live. */
static void set_up(void)
{
    fh_core_ensure_init();
    own = fh_state_self();
    for (int i = 0; i < LIVE; i++) live[i] = get(BYTES);
    assert_int_equal(lent() + own->heap->lent_bytes, 0);
}

/* Blocks too large for what every thread may keep are freed and asked for again until they are kept. */
static void learn(void)
{
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 4; k++) drop(live[k]);
        for (int k = 0; k < 4; k++) live[k] = get(BYTES);
    }
    for (int k = 0; k < 4; k++) drop(live[k]);
    assert_true(own->medium.blocks >= 4);
    for (int k = 0; k < 4; k++) live[k] = get(BYTES);
    assert_true(lent() > 0);
    assert_int_equal(own->heap->lent_bytes, lent());
    assert_sound();
}

static void frees_alone_borrow_nothing(void **state)
{
    (void)state;
    set_up();
    for (int i = 0; i < LIVE; i++) drop(live[i]);
    for (int i = 0; i < LIVE; i++) live[i] = get(200000); /* none of what was freed would have served */
    assert_int_equal(lent(), 0);
    assert_sound();
}

static void what_is_missed_is_kept_the_next_time(void **state)
{
    (void)state;
    set_up();
    learn();
    assert_true(own->heap->lent_bytes <= own->heap->used_bytes / 4);
    fh_state_flush(own);
    assert_int_equal(lent() + own->heap->lent_bytes + own->medium.blocks, 0);
    assert_sound();
}

static void nothing_is_lent_where_it_is_off(void **state)
{
    (void)state;
    fh_options.medium_cache_bytes = 0;
    set_up();
    for (int i = 0; i < 20; i++) {
        drop(live[0]);
        live[0] = get(BYTES);
    }
    assert_int_equal(own->medium.most_bytes + own->medium.blocks, 0);
    assert_sound();
}

static void what_gives_nothing_goes_back(void **state)
{
    (void)state;
    set_up();
    learn();
    for (int k = 0; k < 4; k++) drop(live[k]);
    size_t held = own->medium.bytes, before = lent();
    assert_true(fh_chunk_store_holds_much(own));
    for (int i = 0; i < 2 * FH_MEDIUM_WINDOW; i++) drop(get(3000)); /* others come and go */
    assert_true(own->medium.bytes < held / 4);
    assert_true(lent() < before);
    assert_int_equal(own->heap->lent_bytes, lent());
    assert_sound();
}

static void a_heap_that_has_shrunk_takes_back(void **state)
{
    (void)state;
    set_up();
    learn();
    for (int i = 4; i < LIVE; i++) {
        drop(live[i]);
        if (own->medium.blocks) fh_heap_free(own->heap, fh_medium_take_any(&own->medium, ~(uint64_t)0));
    }
    fh_chunk_store_look(own);
    assert_true(own->heap->lent_bytes <= own->heap->used_bytes / 4);
    assert_true(own->medium.bytes <= own->medium.most_bytes);
    assert_sound();
}

/* Before new memory is touched: small ones go, and large ones that nobody asks for; those asked for stay. */
static void the_store_does_not_make_the_heap_grow(void **state)
{
    (void)state;
    set_up();
    learn();
    for (int k = 0; k < 4; k++) drop(live[k]);
    size_t bytes = own->medium.bytes;
    char *fresh = own->heap->fresh;
    assert_true(fh_chunk_store_holds_much(own));
    get(3000); /* live[0] to live[3] have been asked for just now */
    assert_true(own->medium.bytes == bytes && own->heap->fresh > fresh);
    own->medium.given = 0;
    fresh = own->heap->fresh;
    get(4000);
    assert_true(own->medium.bytes == 0 && own->heap->fresh == fresh);
    assert_int_equal(own->heap->lent_bytes, lent());
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(frees_alone_borrow_nothing),
    cmocka_unit_test(what_is_missed_is_kept_the_next_time),
    cmocka_unit_test(nothing_is_lent_where_it_is_off),
    cmocka_unit_test(what_gives_nothing_goes_back),
    cmocka_unit_test(a_heap_that_has_shrunk_takes_back),
    cmocka_unit_test(the_store_does_not_make_the_heap_grow),
};
UNIT_GROUP(store);
