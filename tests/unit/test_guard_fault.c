/*
 * test_guard_fault.c - the line of each fault; guard.h: links, marks and seals, and what damage they see.
 */
#include "unit.h"

#include "fault.h"
#include "guard.h"

struct call {
    enum fh_fault fault;
    const void *address;
    size_t size;
    struct fh_place place;
};
static void raise_it(void *arg)
{
    struct call *call = arg;
    fh_fault(call->fault, call->address, call->size, call->place);
}

static void each_fault_has_its_words(void **state)
{
    (void)state;
    struct call call = {FH_FAULT_DOUBLE_FREE, (void *)0xabc0, 48, {"a slab", 0x7000, 2}};
    unit_expect_fault(raise_it, &call, "double free: 0xabc0, 48 bytes, in a slab at 0x7000 of heap 2");
    call = (struct call){FH_FAULT_FOREIGN_POINTER, NULL, SIZE_MAX, {"no heap", 0, -1}};
    unit_expect_fault(raise_it, &call, "free of what was never ours: 0x0, size unknown, in no heap");
    call = (struct call){FH_FAULT_INSIDE_POINTER, (void *)UINTPTR_MAX, SIZE_MAX - 1, {"a mapping", 0x10, -1}};
    unit_expect_fault(raise_it, &call, "free of the inside of a block: 0xffffffffffffffff, 18446744073709551614 bytes, "
                                       "in a mapping at 0x10");
    call = (struct call){FH_FAULT_DAMAGED_HEADER, (void *)1, 0, {"a chunk", 0, 0}};
    unit_expect_fault(raise_it, &call, "damaged chunk header: 0x1, 0 bytes, in a chunk of heap 0");
    call.fault = FH_FAULT_DAMAGED_LINK;
    unit_expect_fault(raise_it, &call, "damaged free-list link: 0x1, 0 bytes, in a chunk of heap 0");
    call.fault = FH_FAULT_DAMAGED_SLAB;
    unit_expect_fault(raise_it, &call, "damaged slab header: 0x1, 0 bytes, in a chunk of heap 0");
    assert_int_equal(fake_os.aborts, 6);
}

static void secret_is_random_and_never_zero(void **state)
{
    (void)state;
    uint64_t before = fh_guard.secret;
    for (int i = 0; i < 100; i++) {
        fh_guard_init();
        assert_true(fh_guard.secret != before && (fh_guard.secret & 1));
        before = fh_guard.secret;
    }
    assert_int_equal(fh_guard.bad_bits, FH_POINTER_BAD_BITS);
}

static void links_lead_to_the_next_block(void **state)
{
    (void)state;
    _Alignas(16) uint64_t a[2] = {0}, b[2] = {0};
    void *next = a;
    assert_false(fh_guard_is_marked(a));
    fh_guard_link(a, b);
    fh_guard_link(b, NULL);
    assert_true(fh_guard_is_marked(a));
    assert_true(fh_guard_follow(a, &next));
    assert_ptr_equal(next, b);
    assert_true(fh_guard_follow(b, &next));
    assert_null(next);
    fh_guard_unmark(a);
    assert_false(fh_guard_is_marked(a));
    assert_false(fh_guard_follow(a, &next));
    assert_int_equal(a[1], 0);
}

/* A mark is true for its place alone: copied elsewhere, or left behind by another process's secret, it says nothing. */
static void a_mark_belongs_to_its_place(void **state)
{
    (void)state;
    _Alignas(16) uint64_t blocks[4] = {0};
    fh_guard_link(blocks, blocks);
    memcpy(blocks + 2, blocks, 16);
    assert_false(fh_guard_is_marked(blocks + 2));
    uint64_t secret = fh_guard.secret;
    fh_guard_init();
    assert_false(fh_guard_is_marked(blocks));
    fh_guard.secret = secret;
    assert_true(fh_guard_is_marked(blocks));
}

/* 64 bits of the mark: each flip is seen. 64 bits of the link: those outside an aligned address are seen, 20 of 64. */
static void damage_of_links_is_seen(void **state)
{
    (void)state;
    _Alignas(16) uint64_t a[2], b[2];
    void *next;
    unsigned seen = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        fh_guard_link(a, b);
        a[1] ^= (uint64_t)1 << bit;
        assert_false(fh_guard_follow(a, &next));
        fh_guard_link(a, b);
        a[0] ^= (uint64_t)1 << bit;
        bool sound = fh_guard_follow(a, &next);
        assert_int_equal(sound, bit >= 4 && bit < 48);
        seen += !sound;
    }
    assert_int_equal(seen, 20);
    unsigned slipped = 0;
    uint64_t word = 88172645463325252ull;
    for (unsigned i = 0; i < 1u << 20; i++) {
        word ^= word << 13, word ^= word >> 7, word ^= word << 17;
        fh_guard_link(a, b);
        a[0] = word;
        slipped += fh_guard_follow(a, &next);
    }
    assert_true(slipped < 12); /* 2^20 random words, each slips through with 2^-20 */
}

static void a_seal_keeps_its_content(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 48; bit++)
        for (uintptr_t place = 8; place < 4096; place += 504) {
            uint64_t content = ((uint64_t)1 << bit) | 3;
            uint64_t tag = fh_guard_seal(content, place);
            assert_int_equal(tag & FH_TAG_CONTENT, content);
            assert_true(fh_guard_is_sealed(tag, place));
        }
}

/* Any single flipped bit of a tag, and any other value of its checksum, for a thousand tags. */
static void damage_of_tags_is_seen(void **state)
{
    (void)state;
    unsigned missed = 0, tags = 0;
    for (uintptr_t place = 0x555500000008; tags < 1000; place += 4144, tags++) {
        if (tags % 100 == 0) fh_guard_init();
        uint64_t tag = fh_guard_seal((tags * 16 + 32) | 3, place);
        for (unsigned bit = 0; bit < 64; bit++) {
            bool sealed = fh_guard_is_sealed(tag ^ (uint64_t)1 << bit, place);
            if (bit >= 48) assert_false(sealed); /* of the checksum itself: always */
            missed += sealed;
        }
    }
    print_message("single flipped bits: %u of %u slipped through\n", missed, tags * 64);
    /* A flip of content bit b adds or takes b times the multiplier: the upper 16 bits change for every b. */
    assert_int_equal(missed, 0);
}

static void only_one_checksum_is_right(void **state)
{
    (void)state;
    uintptr_t place = 0x7ffff7a00018;
    uint64_t content = 0x1230 | 3;
    unsigned right = 0;
    for (uint64_t sum = 0; sum < 65536; sum++) right += fh_guard_is_sealed(content | sum << 48, place);
    assert_int_equal(right, 1);
}

/* A tag copied to another place, a plausible size, all zeros, all ones, letters: caught but for about 2^-16. */
static void forged_tags_are_seen(void **state)
{
    (void)state;
    unsigned slipped = 0, trials = 0;
    uint64_t tag = fh_guard_seal(0x210 | 3, 0x555500001008);
    for (uintptr_t place = 0x555500001018; trials < 65536; place += 16, trials++)
        slipped += fh_guard_is_sealed(tag, place);
    assert_true(slipped < 16);
    slipped = 0;
    for (uintptr_t place = 0x555500001008, i = 0; i < 65536; place += 16, i++) {
        slipped += fh_guard_is_sealed(0, place) + fh_guard_is_sealed(UINT64_MAX, place);
        slipped += fh_guard_is_sealed(0x4141414141414141, place) + fh_guard_is_sealed(0x211, place);
    }
    assert_true(slipped < 32);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_fault_has_its_words),
    cmocka_unit_test(secret_is_random_and_never_zero),
    cmocka_unit_test(links_lead_to_the_next_block),
    cmocka_unit_test(a_mark_belongs_to_its_place),
    cmocka_unit_test(damage_of_links_is_seen),
    cmocka_unit_test(a_seal_keeps_its_content),
    cmocka_unit_test(damage_of_tags_is_seen),
    cmocka_unit_test(only_one_checksum_is_right),
    cmocka_unit_test(forged_tags_are_seen),
};
UNIT_GROUP(fault);
