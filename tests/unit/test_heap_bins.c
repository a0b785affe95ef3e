/*
 * test_heap_bins.c - the free lists: index, insertion, removal, search; chunk.h's tags under single flipped bits.
 */
#include "unit.h"

#include "bins.h"

static struct fh_bins bins;
static char *arena; /* chunks stand at arena + 8 modulo 16 */
static size_t used;

static struct fh_chunk *chunk_of_size(size_t size)
{
    if (!arena) arena = fh_os_map(NULL, 64 * FH_MIB);
    struct fh_chunk *chunk = (struct fh_chunk *)(void *)(arena + used + 8);
    used += fh_align_up(size, 4096) + 4096;
    fh_chunk_write(chunk, size, FH_CHUNK_PREVIOUS_IN_USE);
    return chunk;
}

static void insert(struct fh_chunk *chunk) { fh_bins_insert(&bins, chunk, fh_chunk_size(fh_chunk_read(chunk))); }
static void take_out(struct fh_chunk *chunk) { fh_bins_remove(&bins, chunk, fh_chunk_size(fh_chunk_read(chunk))); }

static void index_rises_with_size(void **state)
{
    (void)state;
    unsigned last = fh_bins_index(FH_CHUNK_LEAST);
    for (size_t size = FH_CHUNK_LEAST + 16; size <= FH_MIB; size += 16) {
        unsigned index = fh_bins_index(size);
        assert_true(index == last || index == last + 1);
        if (size <= FH_BIN_EXACT_LIMIT) assert_int_equal(index, size / 16); /* a bin for each size */
        last = index;
    }
    /* Above: at each border of a bin, up to the largest chunk. */
    size_t bins_seen = last + 1;
    for (unsigned doubling = 20; doubling <= FH_BIN_LAST_DOUBLING; doubling++)
        for (size_t step = 0; step < 16; step++) {
            size_t border = ((size_t)16 + step) << (doubling - 4);
            unsigned index = fh_bins_index(border);
            assert_int_equal(fh_bins_index(border + ((size_t)1 << (doubling - 4)) - 16), index);
            assert_int_equal(fh_bins_index(border - 16), index - 1);
            bins_seen = index + 1;
        }
    assert_int_equal(bins_seen, FH_BIN_COUNT);
    assert_int_equal(fh_bins_index((size_t)2 * FH_CHUNK_MOST - 16), FH_BIN_COUNT - 1);
}

static void sizes_for_requests(void **state)
{
    (void)state;
    for (size_t request = 0; request < 70000; request++) {
        size_t size = fh_chunk_size_for(request);
        assert_true(size % 16 == 0 && size >= FH_CHUNK_LEAST && size >= request + 8);
        assert_true(size < request + 8 + 16 || size == FH_CHUNK_LEAST);
    }
    assert_int_equal(fh_chunk_size_for(FH_CHUNK_MOST), FH_CHUNK_MOST + 16);
}

static void bitmaps_follow_the_bins(void **state)
{
    (void)state;
    static const size_t sizes[] = {32, 48, 1008, 1024, 1104, 4096, 65536, 1 << 20};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct fh_chunk *chunks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        insert(chunks[i] = chunk_of_size(sizes[i]));
        unsigned index = fh_bins_index(sizes[i]);
        assert_ptr_equal(bins.heads[index], chunks[i]);
        assert_true(bins.words[index / 64] >> index % 64 & 1);
        assert_true(bins.summary >> index / 64 & 1);
    }
    for (int i = 0; i < COUNT; i++) {
        take_out(chunks[i]);
        unsigned index = fh_bins_index(sizes[i]);
        assert_false(bins.words[index / 64] >> index % 64 & 1);
        assert_int_equal(bins.summary >> index / 64 & 1, bins.words[index / 64] != 0);
    }
    static const struct fh_bins empty;
    assert_memory_equal(&bins, &empty, sizeof bins);
}

static void find_gives_the_least_bin_that_fits(void **state)
{
    (void)state;
    static const size_t sizes[] = {32, 64, 1008, 1024, 1056, 1088, 5008, 70000 & ~15, 1 << 20, 3 << 20};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct fh_chunk *chunks[COUNT];
    assert_null(fh_bins_find(&bins, 32, 16, 0));
    for (int i = 0; i < COUNT; i++) insert(chunks[i] = chunk_of_size(sizes[i]));
    for (size_t needed = 32; needed <= (4 << 20); needed += needed < 8192 ? 16 : 4096) {
        struct fh_chunk *found = fh_bins_find(&bins, needed, 16, 0), *best = NULL;
        for (int i = COUNT; i-- > 0;)
            if (sizes[i] >= needed) best = chunks[i];
        assert_ptr_equal(found, best);
    }
    assert_null(fh_bins_find(&bins, FH_CHUNK_MOST, 16, 0));
}

static void low_addresses_are_preferred(void **state)
{
    (void)state;
    struct fh_chunk *low = chunk_of_size(512), *middle = chunk_of_size(512), *high = chunk_of_size(512);
    insert(high);
    insert(middle);
    assert_ptr_equal(fh_bins_find(&bins, 512, 16, 0), middle);
    insert(low);
    assert_ptr_equal(fh_bins_find(&bins, 512, 16, 0), low);
    take_out(low);
    assert_ptr_equal(fh_bins_find(&bins, 512, 16, 0), middle);
    take_out(high); /* the end of the list */
    take_out(middle);
    insert(low);
    insert(high);
    insert(middle); /* between the two */
    struct fh_chunk *next, *previous;
    assert_true(fh_bins_peek(low, &next, &previous));
    assert_null(previous);
    assert_ptr_equal(next, middle);
    assert_true(fh_bins_peek(middle, &next, &previous));
    assert_ptr_equal(previous, low);
    assert_ptr_equal(next, high);
    take_out(middle);
    assert_true(fh_bins_peek(high, &next, &previous));
    assert_ptr_equal(previous, low);
    assert_null(next);
}

/* All its whole pages have gone, or all but one. */
static struct fh_chunk *purged(struct fh_chunk *chunk, bool all)
{
    size_t size = fh_chunk_size(fh_chunk_read(chunk));
    struct fh_span span = fh_chunk_inner_pages(chunk, size);
    if (!all) span.to -= 4096;
    fh_chunk_write(chunk, size, FH_CHUNK_PREVIOUS_IN_USE | FH_CHUNK_PURGED);
    fh_chunk_write_span(chunk, span);
    return chunk;
}

static void what_has_gone_comes_last(void **state)
{
    (void)state;
    enum { SIZE = 65536 };
    struct fh_chunk *gone = purged(chunk_of_size(SIZE), true), *gone_too = purged(chunk_of_size(SIZE), true);
    struct fh_chunk *low = chunk_of_size(SIZE), *partly = purged(chunk_of_size(SIZE), false);
    struct fh_chunk *order[] = {low, partly, gone_too, gone};
    for (int from = 0; from < 2; from++) {
        insert(from ? low : gone_too);
        insert(from ? partly : gone);
        insert(from ? gone_too : low);
        insert(from ? gone : partly);
        for (int i = 0; i < 4; i++) {
            assert_ptr_equal(i ? fh_bins_next(order[i - 1]) : fh_bins_find(&bins, SIZE, 16, 0), order[i]);
            assert_ptr_equal(fh_bins_next(order[3]), NULL);
        }
        take_out(gone); /* the last of the bin changes */
        insert(gone);
        for (int i = 0; i < 4; i++) {
            assert_ptr_equal(fh_bins_find(&bins, SIZE, 16, 0), order[i]);
            take_out(order[i]);
        }
        insert(low); /* and all is as it was */
        take_out(low);
    }
}

static void bins_with_pages_are_found_downwards(void **state)
{
    (void)state;
    struct fh_chunk *chunks[] = {chunk_of_size(4080), chunk_of_size(4096), chunk_of_size(70000 - 70000 % 16),
                                 chunk_of_size(4 << 20)};
    assert_int_equal(fh_bins_next_below(&bins, FH_BIN_COUNT), 0);
    for (int i = 0; i < 4; i++) insert(chunks[i]);
    unsigned index = FH_BIN_COUNT;
    for (int i = 3; i >= 1; i--) {
        index = fh_bins_next_below(&bins, index);
        assert_int_equal(index, fh_bins_index(fh_chunk_size(fh_chunk_read(chunks[i]))));
    }
    assert_int_equal(fh_bins_next_below(&bins, index), 0); /* too small for a page */
}

/* A bin above 1 KiB has several sizes; a search looks into the first few for one that fits. */
static void a_bin_of_many_sizes_is_looked_through(void **state)
{
    (void)state;
    struct fh_chunk *small = chunk_of_size(65536), *large = chunk_of_size(65536 + 4080);
    assert_int_equal(fh_bins_index(65536), fh_bins_index(65536 + 4080));
    insert(small);
    insert(large);
    assert_ptr_equal(fh_bins_find(&bins, 65536 + 16, 16, 0), large);
    assert_ptr_equal(fh_bins_find(&bins, 65536, 16, 0), small);
    take_out(large);
    assert_null(fh_bins_find(&bins, 65536 + 16, 16, 0));
}

static void aligned_offsets(void **state)
{
    (void)state;
    for (uintptr_t at = 0x10008; at < 0x10008 + 8192; at += 16)
        for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
            struct fh_chunk *chunk = (struct fh_chunk *)at;
            size_t offset = fh_chunk_aligned_offset(chunk, 1 << 20, 64, alignment, 0);
            assert_true(offset == 0 || offset >= FH_CHUNK_LEAST);
            assert_int_equal((at + 8 + offset) % alignment, 0);
            assert_true(offset < 2 * alignment + FH_CHUNK_LEAST);
            /* It is the first such place. */
            for (size_t lower = 0; lower < offset; lower += 16)
                assert_false((lower == 0 || lower >= FH_CHUNK_LEAST) && (at + 8 + lower) % alignment == 0);
            assert_int_equal(fh_chunk_aligned_offset(chunk, offset + 64, 64, alignment, 0), offset);
            assert_int_equal(fh_chunk_aligned_offset(chunk, offset + 48, 64, alignment, 0), SIZE_MAX);
        }
}

static void aligned_search_never_gives_what_does_not_fit(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) insert(chunk_of_size(64 + (size_t)i * 208));
    unsigned found_any = 0;
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2)
        for (size_t needed = 32; needed < 9000; needed += 64) {
            struct fh_chunk *chunk = fh_bins_find(&bins, needed, alignment, 0);
            if (!chunk) continue;
            found_any++;
            size_t size = fh_chunk_size(fh_chunk_read(chunk));
            assert_true(fh_chunk_aligned_offset(chunk, size, needed, alignment, 0) != SIZE_MAX);
        }
    assert_true(found_any > 100);
    struct fh_chunk *big = chunk_of_size(1 << 20);
    insert(big);
    assert_ptr_equal(fh_bins_find(&bins, 65536, 65536, 0), big);
}

static void insert_it(void *chunk) { insert(chunk); }
static void remove_it(void *chunk) { take_out(chunk); }

static void damaged_links_stop(void **state)
{
    (void)state;
    struct fh_chunk *a = chunk_of_size(512), *b = chunk_of_size(512), *c = chunk_of_size(512), *next, *previous;
    insert(c), insert(b), insert(a);
    struct fh_chunk saved = *b;
    memset(&b->next_free, 'A', 8);
    assert_false(fh_bins_peek(b, &next, &previous));
    unit_expect_fault(remove_it, b, "damaged free-list link: 0x%zx, size unknown, in a free chunk",
                      (size_t)&b->next_free);
    *b = saved;
    b->previous_free = 0;
    assert_true(unit_aborts(remove_it, b));
    assert_said("damaged free-list link");
    *b = saved;
    b->next_free = saved.previous_free; /* a word that is well formed elsewhere */
    assert_true(unit_aborts(remove_it, b));
    *b = saved;
    assert_true(fh_bins_peek(b, &next, &previous));
    memset(&a->next_free, 'B', 8);
    assert_true(unit_aborts(insert_it, c)); /* looks at what follows the head */
}

/* Neighbours in the list must agree: a chunk that only claims to be in it is not believed. */
static void a_chunk_that_is_not_in_the_bin_is_not_removed(void **state)
{
    (void)state;
    struct fh_chunk *a = chunk_of_size(512), *b = chunk_of_size(512);
    insert(a), insert(b);
    take_out(b);
    unit_expect_fault(remove_it, b, "damaged free-list link: 0x%zx, 504 bytes, in a free chunk",
                      (size_t)fh_chunk_payload(b));
    take_out(a);
    assert_true(unit_aborts(remove_it, a));
}

static void tags_and_footers_are_sealed(void **state)
{
    (void)state;
    struct fh_chunk *chunk = chunk_of_size(512);
    fh_chunk_write_footer(chunk, 512);
    assert_int_equal(fh_chunk_previous_size(fh_chunk_at(chunk, 512)), 512);
    for (unsigned bit = 0; bit < 64; bit++) {
        chunk->tag ^= (uint64_t)1 << bit;
        assert_false(fh_chunk_is_sound(chunk));
        assert_true(unit_aborts((unit_action *)(void (*)(void))fh_chunk_read, chunk));
        assert_said("damaged chunk header");
        chunk->tag ^= (uint64_t)1 << bit;
        *fh_chunk_footer(chunk, 512) ^= (uint64_t)1 << bit;
        assert_true(unit_aborts((unit_action *)(void (*)(void))fh_chunk_previous_size, fh_chunk_at(chunk, 512)));
        assert_said("damaged free-list link");
        *fh_chunk_footer(chunk, 512) ^= (uint64_t)1 << bit;
    }
    fh_chunk_write(chunk, 512, FH_CHUNK_IN_USE | FH_CHUNK_PREVIOUS_IN_USE | FH_CHUNK_SLAB);
    fh_chunk_set_previous_in_use(chunk, false);
    assert_int_equal(fh_chunk_read(chunk), 512 | FH_CHUNK_IN_USE | FH_CHUNK_SLAB);
    fh_chunk_set_previous_in_use(chunk, true);
    assert_int_equal(fh_chunk_read(chunk), 512 | FH_CHUNK_IN_USE | FH_CHUNK_PREVIOUS_IN_USE | FH_CHUNK_SLAB);
    assert_ptr_equal(fh_chunk_of(fh_chunk_payload(chunk)), chunk);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(index_rises_with_size),
    cmocka_unit_test(sizes_for_requests),
    cmocka_unit_test(bitmaps_follow_the_bins),
    cmocka_unit_test(find_gives_the_least_bin_that_fits),
    cmocka_unit_test(low_addresses_are_preferred),
    cmocka_unit_test(what_has_gone_comes_last),
    cmocka_unit_test(bins_with_pages_are_found_downwards),
    cmocka_unit_test(a_bin_of_many_sizes_is_looked_through),
    cmocka_unit_test(aligned_offsets),
    cmocka_unit_test(aligned_search_never_gives_what_does_not_fit),
    cmocka_unit_test(damaged_links_stop),
    cmocka_unit_test(a_chunk_that_is_not_in_the_bin_is_not_removed),
    cmocka_unit_test(tags_and_footers_are_sealed),
};
UNIT_GROUP(bins);
