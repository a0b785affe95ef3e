/*
 * test_insight_root.c - the root structure: found by its magic, complete, and true of what it points at.
 */
#include "unit.h"

#include "freehold_image.h"

#include "core.h"
#include "guard.h"
#include "pagemap.h"
#include "slab.h"
#include "state.h"
#include "wholesale.h"

/* As a reader does it: a number of some bytes at an address. */
static uint64_t number_at(uint64_t address, uint32_t bytes)
{
    uint64_t number = 0;
    assert_true(bytes >= 1 && bytes <= 8);
    memcpy(&number, (const void *)(uintptr_t)address, bytes);
    return number;
}

static uint64_t field_at(uint64_t record, struct fh_image_field field)
{
    return number_at(record + field.offset, field.bytes);
}

static void head(void **state)
{
    (void)state;
    assert_memory_equal(fh_root.magic, FH_IMAGE_MAGIC, FH_IMAGE_MAGIC_BYTES);
    assert_int_equal((uintptr_t)&fh_root % 16, 0);
    assert_int_equal(fh_root.self, (uintptr_t)&fh_root);
    assert_int_equal(fh_root.layout, FH_IMAGE_LAYOUT);
    assert_int_equal(fh_root.root_bytes, sizeof fh_root);
    assert_true(fh_root.version > 0);
}

/* What the library has none of at present; every other item is set. */
static bool may_be_zero(const char *name) { return strcmp(name, "list_end") == 0; }

static void no_item_is_forgotten(void **state)
{
    (void)state;
#define NUMBER(name) assert_true(fh_root.name != 0 || may_be_zero(#name));
#define FIELD(name) assert_true(fh_root.name.bytes >= 1 && fh_root.name.offset < 65536);
    FH_IMAGE_ITEMS(NUMBER, FIELD)
#undef NUMBER
#undef FIELD
}

static void heaps_and_segments(void **state)
{
    (void)state;
    char *block = fh_core_malloc(5000);
    assert_int_equal(number_at(fh_root.heap_count, 4), fh_heaps_count());
    uint64_t heap = fh_root.heaps;
    assert_int_equal(heap, (uintptr_t)fh_heaps_get(0));
    assert_int_equal(field_at(heap, fh_root.heap_id), 0);
    assert_int_equal(heap + fh_root.heap_bytes, (uintptr_t)fh_heaps_get(1));
    uint64_t segment = field_at(heap, fh_root.heap_segments);
    assert_true((uintptr_t)block - segment < field_at(segment, fh_root.segment_size));
    assert_int_equal(field_at(segment, fh_root.segment_is_break), 1);
    assert_int_equal(field_at(heap, fh_root.heap_growing), segment);
    assert_int_equal(field_at(heap, fh_root.heap_total_bytes), field_at(segment, fh_root.segment_size));
    assert_int_equal(field_at(heap, fh_root.heap_used_chunks), 1);
    assert_int_equal(field_at(heap, fh_root.heap_lock) & 0xff, 0);
    assert_int_equal(field_at(fh_root.wholesale, fh_root.wholesale_obtained_bytes), fh_wholesale.obtained_bytes);
    assert_int_equal(number_at(fh_root.secret, 8), fh_guard.secret);
    fh_core_free(block);
}

static void slabs_and_states(void **state)
{
    (void)state;
    char *block = fh_core_malloc(40);
    uint32_t entry = fh_pagemap_get(block);
    uint64_t leaf = number_at(fh_root.pagemap_root + ((uintptr_t)block >> 32) * 8, 8);
    assert_int_equal(number_at(leaf + ((uint32_t)(uintptr_t)block >> 12) * 4, 4), entry);
    uint64_t slab = (uintptr_t)fh_slab_of(block, entry);
    assert_int_equal(field_at(slab, fh_root.slab_entry), entry);
    assert_int_equal(field_at(slab, fh_root.slab_seal), fh_guard_seal(entry, slab));
    assert_int_equal(field_at(slab, fh_root.slab_class_bytes), 48);
    assert_int_equal((uintptr_t)block, slab + field_at(slab, fh_root.slab_first));
    assert_true(field_at(slab, fh_root.slab_carved) >= 1);

    uint64_t own = field_at(fh_root.state_table, fh_root.state_table_first);
    assert_int_equal(own, (uintptr_t)fh_state_by_id(1));
    assert_int_equal(field_at(own, fh_root.state_id), 1);
    assert_int_equal(field_at(own, fh_root.state_status), FH_STATE_RUNNING);
    assert_int_equal(field_at(own, fh_root.state_heap), fh_root.heaps);
    uint64_t class = own + fh_root.state_classes.offset + 48 / 16 * fh_root.class_bytes;
    assert_int_equal(field_at(class, fh_root.class_slabs), 1);
    assert_int_equal(field_at(class, fh_root.class_carved), field_at(slab, fh_root.slab_carved));
    uint64_t id_end = field_at(fh_root.state_table, fh_root.state_table_id_end);
    assert_int_equal(number_at(id_end, 4), fh_state_id_end());
    fh_core_free(block);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(head),
    cmocka_unit_test(no_item_is_forgotten),
    cmocka_unit_test(heaps_and_segments),
    cmocka_unit_test(slabs_and_states),
};
UNIT_GROUP(root);
