/*
 * test_heap_heap_sparse.c - when a block's place is sparse.
 */
#include "unit.h"

#include "core.h"
#include "heap.h"

enum { MANY = 4000 };
static char *blocks[MANY];
static struct fh_heap *heap;

static void get_all(void)
{
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    for (int i = 0; i < MANY; i++) assert_non_null(blocks[i] = fh_heap_alloc(heap, 600, 16, NULL));
}
static bool is_sparse(const void *block) { return fh_heap_is_sparse_around(heap, block, false); }

static void a_full_heap_is_dense(void **state)
{
    (void)state;
    get_all();
    for (int i = 0; i < MANY; i++) assert_false(is_sparse(blocks[i]));
}

static void holes_make_it_sparse_where_they_are(void **state)
{
    (void)state;
    get_all();
    for (int i = 0; i < MANY / 2; i++)
        if (i % 3) fh_heap_free(heap, blocks[i]);
    for (int i = 0; i < MANY / 2; i += 3) assert_true(is_sparse(blocks[i]));
    for (int i = MANY / 2 + 1; i < MANY; i++) assert_false(is_sparse(blocks[i]));
    assert_sound();
}

static void a_hole_in_front_counts(void **state)
{
    (void)state;
    get_all();
    for (int i = 100; i < 1000; i++) fh_heap_free(heap, blocks[i]);
    assert_true(is_sparse(blocks[1000]));
    assert_false(is_sparse(blocks[1001]));
    assert_true(is_sparse(blocks[99]));
    fh_heap_trim(heap, 0); /* now it costs nothing */
    assert_false(is_sparse(blocks[1000]));
    assert_false(is_sparse(blocks[99]));
}

static void little_free_is_not_worth_it(void **state)
{
    (void)state;
    get_all();
    for (int i = 0; i < 300; i += 2) fh_heap_free(heap, blocks[i]);
    assert_false(is_sparse(blocks[1])); /* 90 KiB in all */
    for (int i = 300; i < 1000; i += 2) fh_heap_free(heap, blocks[i]);
    assert_true(is_sparse(blocks[1]));
}

static void apart_is_at_the_top(void **state)
{
    (void)state;
    get_all();
    for (int i = 0; i < MANY; i += 2) fh_heap_free(heap, blocks[i]);
    char *apart = fh_heap_alloc_apart(heap, 600);
    assert_true(apart > blocks[MANY - 1]);
    assert_int_equal((uintptr_t)apart % 16, 0);
    char *hole = fh_heap_alloc(heap, 600, 16, NULL);
    assert_true(hole < blocks[MANY - 1]);
    fake_refuse_memory();
    while (fh_heap_alloc_apart(heap, 60000)) {}
    assert_null(fh_heap_alloc_apart(heap, 60000));
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_full_heap_is_dense),
    cmocka_unit_test(holes_make_it_sparse_where_they_are),
    cmocka_unit_test(a_hole_in_front_counts),
    cmocka_unit_test(little_free_is_not_worth_it),
    cmocka_unit_test(apart_is_at_the_top),
};
UNIT_GROUP(heap_sparse);
