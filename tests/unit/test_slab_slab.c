/*
 * test_slab_slab.c - slabs: geometry for every class, size and place; carving, lists, counters, search, rebuilding.
 */
#include "unit.h"

#include "classes.h"
#include "guard.h"
#include "slab.h"

static struct fh_slab_owner owner;
static char *area; /* 64 KiB, aligned, with page map */

static void set_up(void)
{
    if (!area) {
        area = fh_os_map(NULL, 65536);
        assert_aligned(area, 65536);
        assert_true(fh_pagemap_prepare(area, 65536));
    }
    fh_slab_owner_init(&owner, 3);
}

/* The class's counters, against the slabs that the test knows. */
static void assert_counts(size_t class_bytes, size_t slabs, size_t capacity, size_t carved, size_t listed)
{
    struct fh_slab_class *class = fh_slab_class_of(&owner, class_bytes);
    assert_int_equal(class->slabs, slabs);
    assert_int_equal(class->capacity, capacity);
    assert_int_equal(class->carved, carved);
    assert_int_equal(class->listed, listed);
}

static void put(struct fh_slab *slab, void *block)
{
    if (fh_slab_put(slab, block, fh_guard_mark(fh_guard.secret, block))) fh_slab_relist(slab);
    slab->class->listed++;
}

/* As many objects as block starts fit between head and tail, at each of the places a slab of this size can have. */
static void every_geometry_is_full(void **state)
{
    (void)state;
    set_up();
    FH_EACH_CLASS(size)
        for (unsigned shift = FH_SLAB_SHIFT_LEAST; shift <= FH_SLAB_SHIFT_MOST; shift++)
            for (char *base = area; base < area + 65536; base += (size_t)1 << shift) {
                uint32_t class_bytes = (uint32_t)size;
                size_t bytes = (size_t)1 << shift, fits = 0;
                uintptr_t from = (uintptr_t)base + FH_SLAB_HEAD_BYTES, to = (uintptr_t)base + bytes;
                uintptr_t first = 0;
                for (uintptr_t at = from; at + class_bytes <= to; at += 16)
                    if (fh_is_block_start((void *)at, fh_block_magic(class_bytes))) {
                        if (!first) first = at;
                        fits++;
                    }
                struct fh_slab *slab = fh_slab_open(&owner, base, shift, class_bytes, 7, false);
                if (slab->capacity != fits || (uintptr_t)base + slab->first != first)
                    fail_msg("class %u, shift %u: %u of %zu", class_bytes, shift, slab->capacity, fits);
                assert_true(fh_slab_is_sound(slab));
                for (uint32_t i = 0; i < slab->capacity; i++) {
                    assert_aligned(fh_slab_object(slab, i), 16);
                    assert_true(fh_is_block_start(fh_slab_object(slab, i), fh_block_magic(class_bytes)));
                }
                assert_counts(class_bytes, 1, fits, 0, 0);
                assert_int_equal(owner.counts.slab_bytes, bytes);
                assert_int_equal(owner.counts.mapped_bytes, 0);
                assert_int_equal(slab->heap, 7);
                for (size_t offset = 0; offset < bytes; offset += 4096)
                    assert_int_equal(fh_pagemap_get(base + offset), fh_entry_of_slab(3, class_bytes));
                fh_slab_close(&owner, slab, fh_entry_of_heap(7));
                assert_counts(class_bytes, 0, 0, 0, 0);
                assert_int_equal(owner.counts.slab_bytes, 0);
                assert_false(fh_slab_is_sound(slab));
                assert_int_equal(fh_pagemap_get(base + bytes - 1), fh_entry_of_heap(7));
                assert_true(fh_list_is_empty(&fh_slab_class_of(&owner, class_bytes)->usable));
            }
}

/* Carving touches a page at a time and ends with every object handed out once, in address order. */
static void carving_hands_out_every_object_once(void **state)
{
    (void)state;
    set_up();
    FH_EACH_CLASS(size)
        for (unsigned shift = FH_SLAB_SHIFT_LEAST; shift <= FH_SLAB_SHIFT_MOST; shift++) {
            uint32_t class_bytes = (uint32_t)size;
            struct fh_slab *slab = fh_slab_open(&owner, area, shift, class_bytes, 0, true);
            assert_int_equal(owner.counts.mapped_bytes, (size_t)1 << shift);
            uint32_t index = 0, count;
            void *block;
            while ((block = fh_slab_carve(slab, UINT32_MAX, &count)) != NULL) {
                uintptr_t last = (uintptr_t)fh_slab_object(slab, index + count) - 1;
                assert_true(count > 0 && last / 4096 <= ((uintptr_t)block + class_bytes - 1) / 4096);
                for (uint32_t i = 0; i < count; i++, index++) {
                    assert_ptr_equal(block, fh_slab_object(slab, index));
                    assert_true(fh_guard_is_marked(block));
                    assert_true(fh_guard_follow(block, &block));
                }
                assert_null(block);
                assert_int_equal(slab->carved, index);
                assert_counts(class_bytes, 1, slab->capacity, index, 0);
            }
            assert_int_equal(count, 0);
            assert_int_equal(index, slab->capacity);
            assert_false(fh_list_is_linked(&slab->link)); /* nothing left to give */
            assert_false(fh_slab_is_empty(slab));
            slab->carved = 0;
            owner.classes[class_bytes / 16].carved = 0;
            fh_slab_close(&owner, slab, 0);
        }
}

static void carving_keeps_to_the_number_wanted(void **state)
{
    (void)state;
    set_up();
    struct fh_slab *slab = fh_slab_open(&owner, area, 12, 64, 0, false);
    uint32_t count;
    assert_ptr_equal(fh_slab_carve(slab, 1, &count), fh_slab_object(slab, 0));
    assert_int_equal(count, 1);
    assert_ptr_equal(fh_slab_carve(slab, 5, &count), fh_slab_object(slab, 1));
    assert_int_equal(count, 5);
    assert_true(fh_slab_has_carved(slab, fh_slab_object(slab, 5)));
    assert_false(fh_slab_has_carved(slab, fh_slab_object(slab, 6)));
    assert_false(fh_slab_has_carved(slab, area + slab->first - 1));
    assert_null(fh_slab_carve(slab, 0, &count));
    assert_int_equal(count, 0);
}

static void objects_go_back_and_come_again(void **state)
{
    (void)state;
    set_up();
    struct fh_slab *slab = fh_slab_open(&owner, area, 12, 128, 0, false);
    struct fh_list *usable = &fh_slab_class_of(&owner, 128)->usable;
    uint32_t count, all = slab->capacity;
    while (fh_slab_carve(slab, UINT32_MAX, &count)) {}
    for (uint32_t i = 0; i < all; i++) fh_guard_unmark(fh_slab_object(slab, i));
    assert_true(fh_list_is_empty(usable));
    put(slab, fh_slab_object(slab, 4)); /* usable again */
    assert_ptr_equal(usable->next, &slab->link);
    put(slab, fh_slab_object(slab, 2));
    assert_counts(128, 1, all, all, 2);
    assert_ptr_equal(fh_slab_take_one(slab), fh_slab_object(slab, 2));
    assert_counts(128, 1, all, all, 1);
    put(slab, fh_slab_object(slab, 2));
    void *list = fh_slab_take_list(slab, &count);
    assert_int_equal(count, 2);
    assert_counts(128, 1, all, all, 0);
    assert_ptr_equal(list, fh_slab_object(slab, 2));
    assert_true(fh_guard_follow(list, &list));
    assert_ptr_equal(list, fh_slab_object(slab, 4));
    assert_true(fh_list_is_empty(usable));
    assert_null(fh_slab_take_one(slab));
    /* The last object to come back makes it empty, and that is noticed. */
    for (uint32_t i = 0; i + 1 < all; i++) {
        put(slab, fh_slab_object(slab, i));
        assert_false(fh_slab_is_empty(slab));
    }
    void *last = fh_slab_object(slab, all - 1);
    assert_true(fh_slab_put(slab, last, fh_guard_mark(fh_guard.secret, last)));
    assert_true(fh_slab_is_empty(slab));
}

static void take_one_carves_when_the_list_is_empty(void **state)
{
    (void)state;
    set_up();
    struct fh_slab *slab = fh_slab_open(&owner, area, 12, 256, 0, false);
    for (uint32_t i = 0; i < slab->capacity; i++) assert_ptr_equal(fh_slab_take_one(slab), fh_slab_object(slab, i));
    assert_null(fh_slab_take_one(slab));
    assert_counts(256, 1, slab->capacity, slab->capacity, 0);
}

static void take_one_from(void *slab) { fh_slab_take_one(slab); }

static void a_damaged_link_stops(void **state)
{
    (void)state;
    set_up();
    struct fh_slab *slab = fh_slab_open(&owner, area, 12, 64, 0, false);
    uint32_t count;
    fh_slab_carve(slab, 4, &count);
    put(slab, fh_slab_object(slab, 1));
    memset(fh_slab_object(slab, 1), 'A', 16);
    unit_expect_fault(take_one_from, slab, "damaged free-list link: 0x%zx, 64 bytes, in a slab at 0x%zx",
                      (size_t)fh_slab_object(slab, 1), (size_t)slab);
}

static void slabs_grow_with_their_population(void **state)
{
    (void)state;
    set_up();
    struct fh_slab_class *class = fh_slab_class_of(&owner, 32);
    unsigned last = FH_SLAB_SHIFT_LEAST;
    for (class->slabs = 0; class->slabs < 40; class->slabs++) {
        unsigned shift = fh_slab_next_shift(&owner, 32);
        assert_true(shift == last || (shift == last + 1 && class->slabs % 4 == 0));
        last = shift;
    }
    assert_int_equal(last, FH_SLAB_SHIFT_MOST);
    class->slabs = 15;
    assert_int_equal(fh_slab_next_shift(&owner, 32), FH_SLAB_SHIFT_MOST - 1);
    class->slabs = 16;
    assert_int_equal(fh_slab_next_shift(&owner, 32), FH_SLAB_SHIFT_MOST);
    assert_int_equal(fh_slab_next_shift(&owner, 48), FH_SLAB_SHIFT_LEAST);
}

/* Slabs of the three sizes side by side, same owner and class: each object leads to its own slab. */
static void search_finds_the_slab_of_every_object(void **state)
{
    (void)state;
    set_up();
    static const unsigned shifts[][7] = {
        {16}, {14, 14, 14, 14}, {12, 12, 12, 12, 14, 14, 14}, {14, 12, 12, 12, 12, 14, 14}};
    for (size_t layout = 0; layout < sizeof shifts / sizeof shifts[0]; layout++) {
        set_up();
        char *base = area;
        struct fh_slab *slabs[7];
        int count = 0;
        for (; count < 7 && shifts[layout][count]; count++) {
            slabs[count] = fh_slab_open(&owner, base, shifts[layout][count], 16, 0, false);
            base += (size_t)1 << shifts[layout][count];
        }
        for (int s = 0; s < count; s++)
            for (uint32_t i = 0; i < slabs[s]->capacity; i++) {
                void *object = fh_slab_object(slabs[s], i);
                assert_ptr_equal(fh_slab_of(object, slabs[s]->entry), slabs[s]);
                assert_ptr_equal(fh_slab_search(object, slabs[s]->entry), slabs[s]);
            }
        for (int s = 0; s < count; s++) fh_slab_close(&owner, slabs[s], 0);
    }
}

static void search_it(void *block) { fh_slab_search(block, fh_pagemap_get(block)); }

static void a_damaged_header_stops_the_search(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 96; bit++) { /* seal and entry */
        set_up();
        struct fh_slab *slab = fh_slab_open(&owner, area, 12, 64, 0, false);
        void *block = fh_slab_object(slab, 3);
        ((unsigned char *)slab)[FH_SLAB_BOUNDARY_BYTES + bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(fh_slab_is_sound(slab));
        unit_expect_fault(search_it, block, "damaged slab header: 0x%zx, size unknown, in a slab", (size_t)slab);
        ((unsigned char *)slab)[FH_SLAB_BOUNDARY_BYTES + bit / 8] ^= (unsigned char)(1 << bit % 8);
        fh_slab_close(&owner, slab, 0);
    }
    set_up();
    struct fh_slab *slab = fh_slab_open(&owner, area, 12, 64, 0, false);
    slab->carved = (uint16_t)(slab->capacity + 1);
    assert_false(fh_slab_is_sound(slab));
    slab->carved = 1;
    slab->free_count = 2;
    assert_false(fh_slab_is_sound(slab));
}

static void rebuild_believes_marks_alone(void **state)
{
    (void)state;
    set_up();
    struct fh_slab *slab = fh_slab_open(&owner, area, 12, 64, 0, false);
    uint32_t count;
    while (fh_slab_carve(slab, UINT32_MAX, &count)) {}
    size_t all = slab->capacity, marked = 0;
    for (uint32_t i = 0; i < all; i++) fh_guard_unmark(fh_slab_object(slab, i));
    for (uint32_t i = 0; i < all; i += 3, marked++) fh_guard_link(fh_slab_object(slab, i), (void *)0x1230);
    slab->free = (void *)8; /* lists and links from another moment */
    slab->free_count = 12345;
    slab->carved = (uint16_t)(slab->capacity + 100);
    slab->class = NULL;
    slab->link = (struct fh_list){(void *)16, (void *)16};
    fh_slab_owner_init(&owner, 3);
    fh_slab_rebuild(&owner, slab);
    assert_int_equal(slab->free_count, marked);
    assert_int_equal(slab->carved, all);
    assert_counts(64, 1, all, all, marked);
    assert_true(fh_slab_is_sound(slab));
    void *list = fh_slab_take_list(slab, &count);
    for (uint32_t i = 0; i < all; i += 3) { /* in address order */
        assert_ptr_equal(list, fh_slab_object(slab, i));
        assert_true(fh_guard_follow(list, &list));
    }
    assert_null(list);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_geometry_is_full),
    cmocka_unit_test(carving_hands_out_every_object_once),
    cmocka_unit_test(carving_keeps_to_the_number_wanted),
    cmocka_unit_test(objects_go_back_and_come_again),
    cmocka_unit_test(take_one_carves_when_the_list_is_empty),
    cmocka_unit_test(a_damaged_link_stops),
    cmocka_unit_test(slabs_grow_with_their_population),
    cmocka_unit_test(search_finds_the_slab_of_every_object),
    cmocka_unit_test(a_damaged_header_stops_the_search),
    cmocka_unit_test(rebuild_believes_marks_alone),
};
UNIT_GROUP(slab);
