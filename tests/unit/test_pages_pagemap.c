/*
 * test_pages_pagemap.c - the page map: entries, leaves, borders of leaves, searches up and down, refusals.
 */
#include "unit.h"

#include "pagemap.h"
#include "wholesale.h"

#define LEAF ((uintptr_t)1 << FH_PAGEMAP_LEAF_SHIFT)
#define GRAIN FH_PAGEMAP_GRAIN
#define LEAF_BYTES (FH_PAGEMAP_LEAF_ENTRIES * sizeof(uint32_t))

static void entries_say_what_was_put_in(void **state)
{
    (void)state;
    for (uint32_t owner = 1; owner < FH_ENTRY_OWNER_LIMIT; owner = owner * 3 + 1)
        for (uint32_t size = 16; size <= 256; size += 16) {
            uint32_t entry = fh_entry_of_slab(owner, size);
            assert_int_equal(fh_entry_kind(entry), FH_PAGE_SLAB);
            assert_int_equal(fh_entry_owner(entry), owner);
            assert_int_equal(entry & FH_ENTRY_SIZE_MASK, size);
        }
    uint32_t last = fh_entry_of_slab(FH_ENTRY_OWNER_LIMIT - 1, 256);
    assert_int_equal(fh_entry_kind(last), FH_PAGE_SLAB);
    assert_int_equal(fh_entry_owner(last), FH_ENTRY_OWNER_LIMIT - 1);
    for (uint32_t heap = 0; heap < 64; heap++) {
        assert_int_equal(fh_entry_kind(fh_entry_of_heap(heap)), FH_PAGE_HEAP);
        assert_int_equal(fh_entry_owner(fh_entry_of_heap(heap)), heap);
    }
    assert_int_equal(fh_entry_kind(FH_ENTRY_LARGE), FH_PAGE_LARGE);
    assert_int_equal(fh_entry_kind(0), FH_PAGE_FOREIGN);
}

static void any_address_may_be_asked_for(void **state)
{
    (void)state;
    static const uintptr_t some[] = {0, 1, 4096, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, UINTPTR_MAX};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) assert_int_equal(fh_pagemap_get((void *)some[i]), 0);
    assert_int_equal(fh_pagemap_next(0), 0);
    assert_int_equal(fh_pagemap_previous(0x7fff00000000, LEAF), 0);
}

static void set_covers_the_pages_it_touches(void **state)
{
    (void)state;
    uintptr_t base = 5 * LEAF + 64 * GRAIN;
    assert_true(fh_pagemap_prepare((void *)base, 16 * GRAIN));
    assert_int_equal(fh_wholesale.pagemap_bytes, LEAF_BYTES);
    assert_int_equal(fake_mapped_bytes(), LEAF_BYTES);
    /* From every offset in the first page, lengths around a page. */
    for (size_t offset = 0; offset < GRAIN; offset += 1365)
        for (size_t size = 1; size <= 3 * GRAIN; size += 1023) {
            fh_pagemap_set((void *)(base + offset), size, 77);
            uintptr_t last = (base + offset + size - 1) / GRAIN * GRAIN;
            assert_int_equal(fh_pagemap_get((void *)(base - 1)), 0);
            for (uintptr_t page = base; page <= last; page += GRAIN) {
                assert_int_equal(fh_pagemap_get((void *)page), 77);
                assert_int_equal(fh_pagemap_get((void *)(page + GRAIN - 1)), 77);
            }
            assert_int_equal(fh_pagemap_get((void *)(last + GRAIN)), 0);
            fh_pagemap_set((void *)(base + offset), size, 0);
            assert_int_equal(fh_pagemap_next(0), 0);
        }
}

static void prepare_installs_each_leaf_once(void **state)
{
    (void)state;
    uintptr_t border = 9 * LEAF;
    assert_true(fh_pagemap_prepare((void *)(border - GRAIN), GRAIN)); /* ends at the border: one leaf */
    assert_non_null(fh_pagemap_root[8]);
    assert_null(fh_pagemap_root[9]);
    assert_true(fh_pagemap_prepare((void *)(border - GRAIN), GRAIN + 1));
    assert_non_null(fh_pagemap_root[9]);
    assert_int_equal(fake_mappings(), 2);
    assert_true(fh_pagemap_prepare((void *)(border - GRAIN), 2 * GRAIN));
    assert_int_equal(fake_mappings(), 2);
    assert_true(fh_pagemap_prepare((void *)(20 * LEAF - 1), 2 * LEAF + 2)); /* 19, 20, 21, 22 */
    assert_int_equal(fake_mappings(), 6);
    assert_non_null(fh_pagemap_root[22]);
    assert_null(fh_pagemap_root[23]);
    assert_int_equal(fh_wholesale.pagemap_bytes, 6 * LEAF_BYTES);
}

static void prepare_may_be_refused(void **state)
{
    (void)state;
    fake_refuse_kth(FAKE_MAP, 2);
    assert_false(fh_pagemap_prepare((void *)(9 * LEAF - GRAIN), 2 * GRAIN));
    assert_int_equal(fh_wholesale.pagemap_bytes, LEAF_BYTES);
    assert_true(fh_pagemap_prepare((void *)(9 * LEAF - GRAIN), 2 * GRAIN));
    /* Above the 48 bits that the root covers nothing can be named. */
    assert_false(fh_pagemap_prepare((void *)((uintptr_t)1 << 48), GRAIN));
    assert_false(fh_pagemap_prepare((void *)(((uintptr_t)1 << 48) - GRAIN), 2 * GRAIN));
    assert_true(fh_pagemap_prepare((void *)(((uintptr_t)1 << 48) - GRAIN), GRAIN));
}

static void a_range_crosses_leaves(void **state)
{
    (void)state;
    uintptr_t border = 7 * LEAF;
    assert_true(fh_pagemap_prepare((void *)(border - 3 * GRAIN), 6 * GRAIN));
    fh_pagemap_set((void *)(border - 2 * GRAIN), 4 * GRAIN, 5);
    for (int i = -3; i < 3; i++)
        assert_int_equal(fh_pagemap_get((void *)(border + (uintptr_t)i * GRAIN)), i >= -2 && i < 2 ? 5 : 0);
    assert_int_equal(fh_pagemap_next(0), border - 2 * GRAIN);
    assert_int_equal(fh_pagemap_next(border - GRAIN), border - GRAIN);
    assert_int_equal(fh_pagemap_next(border), border);
    assert_int_equal(fh_pagemap_next(border + 2 * GRAIN), 0);
    assert_int_equal(fh_pagemap_previous(border + 5 * GRAIN + 17, 100 * GRAIN), border + GRAIN);
    fh_pagemap_set((void *)border, 2 * GRAIN, 0);
    assert_int_equal(fh_pagemap_previous(border + 5 * GRAIN, 100 * GRAIN), border - GRAIN);
}

static void next_finds_the_far_end(void **state)
{
    (void)state;
    uintptr_t last_page = ((uintptr_t)1 << 48) - GRAIN, far = 300 * LEAF + 12345 * GRAIN;
    assert_true(fh_pagemap_prepare((void *)last_page, GRAIN));
    assert_true(fh_pagemap_prepare((void *)far, GRAIN));
    fh_pagemap_set((void *)last_page, GRAIN, 1);
    fh_pagemap_set((void *)far, GRAIN, 2);
    assert_int_equal(fh_pagemap_next(0), far);
    assert_int_equal(fh_pagemap_next(far + GRAIN), last_page);
    assert_int_equal(fh_pagemap_next(last_page), last_page);
    assert_int_equal(fh_pagemap_next(last_page + GRAIN), 0);
    assert_int_equal(fh_pagemap_get((void *)(last_page + GRAIN - 1)), 1);
}

/* A walk reads what was ever written, and no leaf whole. */
static void next_reads_little(void **state)
{
    (void)state;
    uintptr_t part = LEAF / 64, base = 6 * LEAF;
    assert_true(fh_pagemap_prepare((void *)base, LEAF));
    static const unsigned parts[] = {0, 1, 30, 62, 63};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (size_t at = 0; at < 3; at++)
            fh_pagemap_set((void *)(base + parts[i] * part + at * (part / 2 - GRAIN)), GRAIN, 1 + (uint32_t)i);
    size_t found = 0, in_memory = fh_os_resident_within(fh_pagemap_root[6], LEAF_BYTES);
    for (uintptr_t page = 0; (page = fh_pagemap_next(page)) != 0; page += GRAIN) {
        found++;
        assert_int_equal(fh_pagemap_get((void *)page), 1 + found / 3 - (found % 3 == 0));
    }
    assert_int_equal(found, 15);
    assert_true(fh_os_resident_within(fh_pagemap_root[6], LEAF_BYTES) <= in_memory + 5 * LEAF_BYTES / 64);
    /* A range over several parts, and one that begins in the middle of one. */
    fh_pagemap_set((void *)(base + 10 * part + part / 2), 3 * part, 9);
    assert_int_equal(fh_pagemap_next(base + 3 * part), base + 10 * part + part / 2);
    assert_int_equal(fh_pagemap_next(base + 12 * part), base + 12 * part);
    assert_int_equal(fh_pagemap_next(base + 13 * part + part / 2), base + 30 * part);
}

static void previous_keeps_its_limit(void **state)
{
    (void)state;
    uintptr_t page = 3 * LEAF + 100 * GRAIN;
    assert_true(fh_pagemap_prepare((void *)page, GRAIN));
    fh_pagemap_set((void *)page, GRAIN, 1);
    assert_int_equal(fh_pagemap_previous(page + 4095, 0), page);
    assert_int_equal(fh_pagemap_previous(page + 10 * GRAIN, 10 * GRAIN), page);
    assert_int_equal(fh_pagemap_previous(page + 10 * GRAIN, 10 * GRAIN - 1), 0);
    assert_int_equal(fh_pagemap_previous(page - 1, LEAF), 0);
    /* Bits above the address space are not looked at, and the search ends at address 0. */
    assert_int_equal(fh_pagemap_previous(((uintptr_t)1 << 60) | (page + 5), 0), page);
    assert_int_equal(fh_pagemap_previous(5 * GRAIN, SIZE_MAX), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(entries_say_what_was_put_in),
    cmocka_unit_test(any_address_may_be_asked_for),
    cmocka_unit_test(set_covers_the_pages_it_touches),
    cmocka_unit_test(prepare_installs_each_leaf_once),
    cmocka_unit_test(prepare_may_be_refused),
    cmocka_unit_test(a_range_crosses_leaves),
    cmocka_unit_test(next_finds_the_far_end),
    cmocka_unit_test(next_reads_little),
    cmocka_unit_test(previous_keeps_its_limit),
};
UNIT_GROUP(pagemap);
