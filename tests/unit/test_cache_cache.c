/*
 * test_cache_cache.c - the fast path by itself: pop, push, capacity, and everything that push refuses.
 */
#include "unit.h"

#include "cache.h"

enum { OWNER = 5, PAGES = 16 };
static struct fh_cache cache;
static char *base; /* 64 KiB of memory that the page map says is a slab of OWNER, class 48 */

static void *object(unsigned i) { return base + 96 + i * 48; }

static void set_up(size_t capacity_bytes)
{
    base = fh_os_map(NULL, 65536);
    assert_aligned(base, 65536);
    assert_true(fh_pagemap_prepare(base, 65536));
    fh_pagemap_set(base, 65536, fh_entry_of_slab(OWNER, 48));
    fh_cache_init(&cache, OWNER, capacity_bytes);
    fh_cache_set_self(&cache);
    assert_ptr_equal(fh_cache_self(), &cache);
}

static enum fh_cache_push_result push(void *pointer)
{
    struct fh_cache_push found;
    return fh_cache_push(pointer, &found);
}

static void a_thread_starts_with_the_empty_cache(void **state)
{
    (void)state;
    assert_ptr_equal(fh_cache_self(), &fh_cache_none);
    for (size_t size = 0; size <= FH_SMALL_MOST + 100; size++) assert_null(fh_cache_pop(size));
    assert_null(fh_cache_pop(SIZE_MAX));
    base = fh_os_map(NULL, 65536);
    assert_true(fh_pagemap_prepare(base, 65536));
    for (uint32_t owner = 1; owner < FH_ENTRY_OWNER_LIMIT; owner = owner * 2 + 1)
        for (uint32_t size = 16; size <= 256; size += 16) { /* nobody's tag matches any slab's entry */
            fh_pagemap_set(base, 65536, fh_entry_of_slab(owner, size));
            assert_int_equal(push(base + 64), FH_CACHE_REFUSED);
        }
    fh_cache_set_self(&fh_cache_ended);
    assert_int_equal(push(base + 64), FH_CACHE_REFUSED);
    assert_null(fh_cache_pop(16));
}

static void capacity_is_in_bytes(void **state)
{
    (void)state;
    fh_cache_init(&cache, OWNER, 8192);
    FH_EACH_CLASS(size) {
        assert_int_equal(fh_cache_capacity(size, 8192), 8192 / size);
        assert_int_equal(fh_cache_bin_of(&cache, size)->room, 8192 / size);
        assert_ptr_equal(fh_cache_bin_of(&cache, size), &cache.bins[size / 16]);
    }
    assert_int_equal(fh_cache_capacity(16, FH_MIB), 65536);
    assert_int_equal(fh_cache_capacity(256, 0), 0);
}

static void blocks_come_back_last_in_first_out(void **state)
{
    (void)state;
    set_up(8192);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(push(object(i)), FH_CACHE_PUSHED);
        assert_true(fh_guard_is_marked(object(i)));
    }
    assert_int_equal(fh_cache_bin_of(&cache, 48)->room, 8192 / 48 - 10);
    for (size_t request = 1; request <= FH_SMALL_MOST; request++)
        if (fh_class_size(request) != 48) assert_null(fh_cache_pop(request));
    for (unsigned i = 10; i-- > 0;) {
        assert_ptr_equal(fh_cache_pop(33 + i), object(i));
        assert_false(fh_guard_is_marked(object(i)));
    }
    assert_null(fh_cache_pop(48));
    assert_int_equal(fh_cache_bin_of(&cache, 48)->room, 8192 / 48);
}

static void a_full_class_takes_no_more(void **state)
{
    (void)state;
    set_up(144); /* three blocks */
    for (unsigned i = 0; i < 3; i++) assert_int_equal(push(object(i)), FH_CACHE_PUSHED);
    struct fh_cache_push found;
    assert_int_equal(fh_cache_push(object(3), &found), FH_CACHE_FULL);
    assert_ptr_equal(found.cache, &cache);
    assert_int_equal(found.class_bytes, 48);
    assert_int_equal(found.mark, fh_guard_mark(fh_guard.secret, object(3)));
    assert_false(fh_guard_is_marked(object(3)));
    assert_ptr_equal(fh_cache_pop(48), object(2));
}

static void push_refuses_what_is_not_its_own(void **state)
{
    (void)state;
    set_up(8192);
    char local[64];
    assert_int_equal(push(NULL), FH_CACHE_REFUSED);
    assert_int_equal(push(local), FH_CACHE_REFUSED);
    for (size_t offset = 0; offset < 48; offset++)
        if (offset) assert_int_equal(push((char *)object(7) + offset), FH_CACHE_REFUSED);
    assert_int_equal(push(object(7)), FH_CACHE_PUSHED);
    assert_int_equal(push(object(7)), FH_CACHE_REFUSED); /* twice */
    fh_pagemap_set(base, 65536, fh_entry_of_slab(OWNER + 1, 48));
    assert_int_equal(push(object(8)), FH_CACHE_REFUSED);
    fh_pagemap_set(base, 65536, fh_entry_of_heap(0));
    assert_int_equal(push(object(8)), FH_CACHE_REFUSED);
    fh_pagemap_set(base, 65536, FH_ENTRY_LARGE);
    assert_int_equal(push(object(8)), FH_CACHE_REFUSED);
    assert_int_equal(fh_cache_bin_of(&cache, 48)->room, 8192 / 48 - 1);
}

static void pop_refuses_damaged_links(void **state)
{
    (void)state;
    set_up(8192);
    uint64_t *block = object(0);
    for (unsigned bit = 0; bit < 128; bit++) {
        fh_cache_init(&cache, OWNER, 8192);
        block[0] = block[1] = 0;
        assert_int_equal(push(object(1)), FH_CACHE_PUSHED);
        fh_guard_unmark(object(1));
        assert_int_equal(push(block), FH_CACHE_PUSHED);
        block[bit / 64] ^= (uint64_t)1 << bit % 64;
        bool in_link_address = bit >= 4 && bit < 48; /* an aligned address within 48 bits can't be told from ours */
        assert_int_equal(fh_cache_pop(48) != NULL, in_link_address);
    }
}

static void take_it(void *arg) { fh_cache_take_checked(arg, 48); }

static void the_slow_step_stops_at_damage(void **state)
{
    (void)state;
    set_up(8192);
    struct fh_cache_bin *bin = fh_cache_bin_of(&cache, 48);
    for (unsigned i = 0; i < 3; i++) fh_cache_put(bin, object(i));
    assert_int_equal(bin->room, 8192 / 48 - 3);
    assert_ptr_equal(fh_cache_take_checked(bin, 48), object(2));
    assert_false(fh_guard_is_marked(object(2)));
    assert_int_equal(bin->room, 8192 / 48 - 2);
    fh_guard_unmark(object(1));
    unit_expect_fault(take_it, bin, "damaged free-list link: 0x%zx, 48 bytes, in a slab", (size_t)object(1));
}

static void no_capacity_means_no_caching(void **state)
{
    (void)state;
    set_up(0);
    assert_int_equal(push(object(0)), FH_CACHE_FULL);
    assert_null(fh_cache_pop(48));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_thread_starts_with_the_empty_cache),
    cmocka_unit_test(capacity_is_in_bytes),
    cmocka_unit_test(blocks_come_back_last_in_first_out),
    cmocka_unit_test(a_full_class_takes_no_more),
    cmocka_unit_test(push_refuses_what_is_not_its_own),
    cmocka_unit_test(pop_refuses_damaged_links),
    cmocka_unit_test(the_slow_step_stops_at_damage),
    cmocka_unit_test(no_capacity_means_no_caching),
};
UNIT_GROUP(cache);
