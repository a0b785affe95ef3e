/*
 * test_slab_slab_cut.c - cutting up sparse slabs: no object moves, none is lost, and each leads to its new slab.
 */
#include "unit.h"

#include "classes.h"
#include "guard.h"
#include "slab.h"

static struct fh_slab_owner owner;
static char *area;
static uint64_t dice = 11;

static void set_up(void)
{
    if (!area) {
        area = fh_os_map(NULL, 65536);
        assert_true(fh_pagemap_prepare(area, 65536));
    }
    fh_slab_owner_init(&owner, 3);
}

static uint32_t random_below(uint32_t n)
{
    dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(dice >> 33) % n;
}

/* A slab with the first `carved` of its objects carved and all of them free but the ones in `live`. */
static struct fh_slab *make(unsigned shift, uint32_t class_bytes, uint32_t carved, const bool *live)
{
    uint32_t count;
    struct fh_slab *slab = fh_slab_open(&owner, area, shift, class_bytes, 5, false);
    while (slab->carved < carved) fh_slab_carve(slab, carved - slab->carved, &count);
    for (uint32_t i = 0; i < carved; i++) {
        void *object = fh_slab_object(slab, i);
        memset(object, (int)i, class_bytes);
        if (live[i]) continue;
        if (fh_slab_put(slab, object, fh_guard_mark(fh_guard.secret, object))) fh_slab_relist(slab);
        slab->class->listed++;
    }
    return slab;
}

/* Cuts the slab and looks at every object that it had; whether it could be cut. */
static bool cut_and_look(struct fh_slab *slab, uint32_t carved, const bool *live, size_t page)
{
    struct fh_slab_cut cut;
    uint32_t first = slab->first, class_bytes = slab->class_bytes, live_count = 0;
    if (!fh_slab_plan_cut(slab, page, &cut)) return false;
    for (uint32_t i = 0; i < carved; i++) live_count += live[i];
    fh_slab_do_cut(&owner, slab, &cut);
    fh_pagemap_set(area, 65536, fh_entry_of_heap(5));
    for (uint32_t i = 0; i < cut.count; i++) {
        assert_int_equal(cut.pieces[i].offset % page, 0);
        fh_pagemap_set(area + cut.pieces[i].offset, cut.pieces[i].bytes, fh_entry_of_slab(3, class_bytes));
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < carved; i++) {
        char *object = area + first + (size_t)i * class_bytes;
        if (!live[i]) continue;
        found++;
        for (uint32_t k = 0; k < class_bytes; k++) assert_int_equal((unsigned char)object[k], (unsigned char)i);
        struct fh_slab *of = fh_slab_of(object, fh_pagemap_get(object));
        assert_true(fh_slab_is_sound(of) && fh_slab_has_carved(of, object) && of->heap == 5);
        assert_true(object >= (char *)of + FH_SLAB_HEAD_BYTES);
        assert_true(object + class_bytes <= (char *)of + fh_slab_bytes(of));
    }
    assert_int_equal(found, live_count);
    struct fh_slab_class *class = fh_slab_class_of(&owner, class_bytes);
    assert_int_equal(class->slabs, cut.count);
    assert_int_equal(class->carved - class->listed, live_count);
    size_t bytes = 0, listed = 0;
    for (uint32_t i = 0; i < cut.count; i++) {
        struct fh_slab *piece = (struct fh_slab *)(void *)(area + cut.pieces[i].offset);
        uint64_t bits[FH_SLAB_BITS_WORDS];
        assert_true(fh_slab_listed_bits(piece, bits));
        assert_false(fh_slab_is_empty(piece));
        listed += piece->free_count;
        bytes += fh_slab_bytes(piece);
    }
    assert_int_equal(class->listed, listed);
    assert_int_equal(owner.counts.slab_bytes, bytes);
    return true;
}

static void random_slabs_of_every_class(void **state)
{
    (void)state;
    int done = 0, rounds = unit_is_slow() ? 10 : 60;
    FH_EACH_CLASS(size)
        for (int round = 0; round < rounds; round++) {
            set_up();
            bool live[4096] = {false};
            uint32_t class_bytes = (uint32_t)size;
            unsigned shift = round % 3 ? FH_SLAB_SHIFT_MOST : FH_SLAB_SHIFT_MIDDLE;
            uint32_t carved = (((uint32_t)1 << shift) - FH_SMALL_MOST) / class_bytes;
            if (round % 5 == 0) carved -= random_below(carved / 2);
            uint32_t count = 1 + random_below(round % 4 ? 3 : 12);
            for (uint32_t i = 0; i < count; i++) live[random_below(carved)] = true;
            done += cut_and_look(make(shift, class_bytes, carved, live), carved, live, round % 7 ? 4096 : 16384);
        }
    print_message("%d of %d cut\n", done, 32 * rounds);
    assert_true(done > 32 * rounds / 2);
}

static struct fh_slab *on_page(size_t page) { return (struct fh_slab *)(void *)(area + page * 4096); }

/* An object where a header would have to be: it stands on the page before. */
static void an_object_in_the_way(void **state)
{
    (void)state;
    bool live[256] = {false};
    set_up();
    live[15] = true; /* 256-byte objects at 256 + 256 i: this one stands at the start of page 1 */
    assert_true(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    assert_int_equal(fh_slab_span(on_page(0)), 2 * 4096);
    set_up();
    live[15] = false;
    live[63] = live[79] = true; /* at the start of pages 4 and 5 */
    assert_true(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    assert_int_equal(fh_slab_span(on_page(3)), 3 * 4096);
    set_up();
    live[63] = live[79] = false;
    for (int page = 1; page < 14; page++) live[16 * page + 8] = true; /* 13 pages of 16: as good as all */
    struct fh_slab *slab = make(16, 256, 254, live);
    assert_true(fh_slab_is_sparse(slab));
    assert_false(cut_and_look(slab, 254, live, 4096));
    assert_false(fh_slab_is_sparse(slab)); /* not tried again before it has changed */
    assert_true(fh_slab_is_sound(slab));
}

/* Within a piece there may be pages of zeros, and zeros may be a good seal over zeros. */
static void an_empty_page_is_no_header(void **state)
{
    (void)state;
    bool live[256] = {false};
    uint64_t secret = fh_guard.secret;
    set_up();
    fh_guard.secret = (uintptr_t)on_page(5) << 1;
    assert_int_equal(fh_guard_seal(0, (uintptr_t)on_page(5)), 0);
    live[63] = live[79] = true;
    assert_true(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    memset(on_page(5), 0, 256);
    assert_ptr_equal(fh_slab_of(on_page(5), on_page(3)->entry), on_page(3));
    fh_guard.secret = secret;
}

/* The pages before and after a piece may become slabs of the same class and owner. */
static void slabs_around_a_piece(void **state)
{
    (void)state;
    bool live[256] = {false};
    set_up();
    live[63] = live[79] = true;
    assert_true(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    struct fh_slab *piece = on_page(3), *next[3];
    static const size_t pages[] = {2, 6, 8};
    for (int i = 0; i < 3; i++) next[i] = fh_slab_open(&owner, on_page(pages[i]), i < 2 ? 12 : 15, 256, 5, false);
    for (int i = 0; i < 3; i++)
        for (uint32_t k = 0; k < next[i]->capacity; k++)
            assert_ptr_equal(fh_slab_of(fh_slab_object(next[i], k), piece->entry), next[i]);
    for (uint32_t k = 0; k < piece->capacity; k++)
        assert_ptr_equal(fh_slab_of(fh_slab_object(piece, k), piece->entry), piece);
    for (uint32_t k = 0; k < piece->carved; k++) {
        char *object = (char *)fh_slab_object(piece, k);
        if (fh_guard_is_marked(object)) continue;
        if (fh_slab_put(piece, object, fh_guard_mark(fh_guard.secret, object))) fh_slab_relist(piece);
        piece->class->listed++;
    }
    fh_slab_close(&owner, piece, fh_entry_of_heap(5));
    for (size_t page = 2; page < 16; page++) {
        bool is_free = page > 2 && page < 6, is_gap = page == 7;
        uint32_t expected = is_free || is_gap ? fh_entry_of_heap(5) : fh_entry_of_slab(3, 256);
        assert_int_equal(fh_pagemap_get(on_page(page)), expected);
    }
}

/* Marks tell what is free; where a cache holds some of that, or a mark is damaged, the list decides. */
static void free_objects_are_found_by_their_marks(void **state)
{
    (void)state;
    bool live[254] = {false};
    uint64_t marked[FH_SLAB_BITS_WORDS], listed[FH_SLAB_BITS_WORDS];
    set_up();
    live[20] = live[200] = true;
    struct fh_slab *slab = make(16, 256, 254, live);
    assert_true(fh_slab_marked_bits(slab, marked) && fh_slab_listed_bits(slab, listed));
    assert_memory_equal(marked, listed, sizeof marked);
    struct fh_slab_cut cut;
    fh_guard_link(fh_slab_object(slab, 200), NULL); /* as a cache does */
    assert_false(fh_slab_marked_bits(slab, marked));
    assert_true(fh_slab_plan_cut(slab, 4096, &cut));
    assert_memory_equal(cut.listed, listed, sizeof listed);
    assert_int_equal(cut.count, 2); /* what is cached stays where it is */
    fh_guard_unmark(fh_slab_object(slab, 200));
    ((uint64_t *)fh_slab_object(slab, 100))[1] ^= 1;
    assert_false(fh_slab_marked_bits(slab, marked));
    assert_false(fh_slab_plan_cut(slab, 4096, &cut));
}

static void what_is_not_worth_it(void **state)
{
    (void)state;
    bool live[4096] = {false};
    set_up();
    for (int i = 0; i < 254; i += 14) live[i] = true; /* something on each page */
    assert_false(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    set_up();
    memset(live, 0, sizeof live);
    live[100] = true;
    struct fh_slab *slab = make(16, 64, 200, live);
    assert_true(fh_slab_is_sparse(slab));
    assert_false(cut_and_look(slab, 200, live, 65536)); /* a page is as large as the slab */
    set_up();
    live[101] = live[102] = live[103] = true;
    assert_false(fh_slab_is_sparse(make(16, 64, 20, live + 90))); /* most of what was handed out is live */
    set_up();
    assert_false(fh_slab_is_sparse(make(12, 64, 60, live)));
}

/* The last bytes of a piece are left to what lies above, unless an object is there. */
static void room_for_the_tag_above(void **state)
{
    (void)state;
    bool live[256] = {false};
    set_up();
    live[5] = true;
    assert_true(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    assert_int_equal(((struct fh_slab *)(void *)area)->tail, FH_SLAB_PIECE_TAIL_BYTES);
    set_up();
    live[5] = false;
    live[13] = true; /* from 3,584 to 3,840; and one that ends right at a page's end */
    assert_true(cut_and_look(make(16, 256, 254, live), 254, live, 4096));
    assert_int_equal(((struct fh_slab *)(void *)area)->tail, FH_SLAB_PIECE_TAIL_BYTES);
    bool ends[4096] = {false};
    set_up();
    ends[(4096 - 64) / 32 - 2] = true; /* of 32 bytes, the objects start at 96: this one ends at 4,096 */
    assert_true(cut_and_look(make(16, 32, 2000, ends), 2000, ends, 4096));
    assert_int_equal(((struct fh_slab *)(void *)area)->tail, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_slabs_of_every_class),
    cmocka_unit_test(an_object_in_the_way),
    cmocka_unit_test(an_empty_page_is_no_header),
    cmocka_unit_test(slabs_around_a_piece),
    cmocka_unit_test(free_objects_are_found_by_their_marks),
    cmocka_unit_test(what_is_not_worth_it),
    cmocka_unit_test(room_for_the_tag_above),
};
UNIT_GROUP(slab_cut);
