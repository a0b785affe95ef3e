/*
 * image_check_bins.c - H4: every free chunk but top is in exactly one bin, the one for its size.
 *
 * The walk notes the free chunks; then the lists are followed through these notes, not through the process's memory:
 * lists run across the whole heap, and each step would be a read of its own. Links back are compared as sums for each
 * bin, of a mixture of both ends of each link; only a bin whose sums differ is read again, chunk by chunk.
 */
#include "image_check.h"

#include <stdlib.h>

enum { BIN_BITS = 10, HEAP_BITS = 10, WORD = 8, SEEN = 1 };

static uint64_t bin_of(const struct fh_image_root *root, uint64_t size)
{
    if (size < root->bin_exact_limit)
        return size >> 4;
    unsigned doubling = fh_log2(size), steps = (unsigned)root->bin_steps_shift;
    uint64_t step = (size >> (doubling - steps)) & (((uint64_t)1 << steps) - 1);
    return root->bin_exact_limit / 16 + ((uint64_t)(doubling - fh_log2(root->bin_exact_limit)) << steps) + step;
}

static uint64_t mixed(uint64_t from, uint64_t to)
{
    uint64_t word = (from ^ to << 20 ^ to >> 44) * UINT64_C(0xff51afd7ed558ccd);
    return (word ^ word >> 32) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t link_at(const struct fh_check *check, uint64_t place, uint64_t word)
{
    return word ^ (check->image->secret + place);
}

static uint64_t *links_of(struct fh_check *check, uint64_t heap, uint64_t bin)
{
    return &check->free.links[heap * (check->image->root.bin_count + 1) + bin];
}

static bool make_room(struct fh_check_free *free_chunks)
{
    if (free_chunks->count < free_chunks->room)
        return true;
    size_t room = free_chunks->room ? free_chunks->room + free_chunks->room / 2 : 1 << 16;
    uint64_t *places = realloc(free_chunks->places, room * sizeof(*places));
    if (places)
        free_chunks->places = places;
    uint64_t *nexts = realloc(free_chunks->nexts, room * sizeof(*nexts));
    if (nexts)
        free_chunks->nexts = nexts;
    if (!places || !nexts)
        return false;
    free_chunks->room = room;
    return true;
}

bool fh_check_note_free(struct fh_check *check, uint64_t chunk, uint64_t bytes, uint32_t heap,
                        const unsigned char *words)
{
    struct fh_check_free *free_chunks = &check->free;
    uint64_t bin = bin_of(&check->image->root, bytes);
    if (!make_room(free_chunks))
        return false;
    if (bin >= check->image->root.bin_count || bin >> BIN_BITS || heap >= check->heap_count)
        return true;
    uint64_t next = link_at(check, chunk + WORD, fh_word_at(words + WORD));
    uint64_t previous = link_at(check, chunk + 2 * WORD, fh_word_at(words + 2 * WORD));
    free_chunks->places[free_chunks->count] = chunk >> 4 << (BIN_BITS + HEAP_BITS) | bin << HEAP_BITS | heap;
    free_chunks->nexts[free_chunks->count++] = next & ~(uint64_t)SEEN;
    *links_of(check, heap, bin) += mixed(previous, chunk);
    return true;
}

/* Index of the note of the chunk; the count when there is none. Chunks stand at 8 modulo 16. */
static size_t find(const struct fh_check_free *free_chunks, uint64_t chunk)
{
    size_t low = 0, high = free_chunks->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (free_chunks->places[middle] >> (BIN_BITS + HEAP_BITS) < chunk >> 4)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < free_chunks->count && free_chunks->places[low] >> (BIN_BITS + HEAP_BITS) == chunk >> 4;
    return is_there && chunk % 16 == 8 ? low : free_chunks->count;
}

/* A bin whose links back are wrong somewhere: where. */
static void find_bad_link(struct fh_check *check, uint64_t head)
{
    uint64_t before = 0;
    for (uint64_t chunk = head; chunk;) {
        size_t i = find(&check->free, chunk);
        uint64_t word = fh_image_read_number(check->image, chunk + 2 * WORD, 8);
        if (i == check->free.count)
            return;
        if (link_at(check, chunk + 2 * WORD, word) != before) {
            fh_check_violated(check, "H4", chunk, "link back of a free chunk is wrong");
            return;
        }
        before = chunk;
        chunk = check->free.nexts[i] & ~(uint64_t)SEEN;
    }
}

static void check_bin(struct fh_check *check, uint64_t heap, uint64_t bin, uint64_t head)
{
    struct fh_check_free *free_chunks = &check->free;
    uint64_t before = 0, sum = 0, kind = bin << HEAP_BITS | heap;
    for (uint64_t chunk = head; chunk;) {
        size_t i = find(free_chunks, chunk);
        if (i == free_chunks->count ||
            (free_chunks->places[i] & (((uint64_t)1 << (BIN_BITS + HEAP_BITS)) - 1)) != kind ||
            (free_chunks->nexts[i] & SEEN)) {
            fh_check_violated(check, "H4", chunk >> 48 && before ? before : chunk & FH_TAG_CONTENT,
                              "in a bin, but not free, of another size, or badly linked");
            return;
        }
        sum += mixed(before, chunk);
        before = chunk;
        chunk = free_chunks->nexts[i];
        free_chunks->nexts[i] |= SEEN;
    }
    if (sum == *links_of(check, heap, bin))
        return;
    uint64_t violations = check->violations;
    find_bad_link(check, head);
    if (check->violations == violations)
        *links_of(check, heap, bin) = sum; /* others of this size are in no bin: they are told below */
}

static void check_heap(struct fh_check *check, uint64_t number)
{
    enum { WORDS_MOST = 64 };
    struct fh_image *image = check->image;
    const struct fh_image_root *root = &image->root;
    uint64_t heap = root->heaps + number * root->heap_bytes, words[WORDS_MOST] = {0};
    uint64_t summary = fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_bin_summary), 8);
    size_t word_count = (size_t)(root->bin_count + 63) / 64;
    uint64_t *heads = calloc(root->bin_count + 1, sizeof(*heads));
    if (!heads || word_count > WORDS_MOST) {
        free(heads);
        check->out_of_memory |= heads == NULL;
        return;
    }
    fh_image_read(image, FH_IMAGE_AT(heap, root->heap_bin_words), words, word_count * WORD);
    fh_image_read(image, FH_IMAGE_AT(heap, root->heap_bin_heads), heads, root->bin_count * WORD);
    for (uint64_t bin = 0; bin < root->bin_count; bin++) {
        if ((words[bin / 64] >> bin % 64 & 1) != (heads[bin] != 0))
            fh_check_violated(check, "H4", heap + root->heap_bin_heads.offset + bin * WORD,
                              "bitmap and bin disagree");
        check_bin(check, number, bin, heads[bin]);
    }
    for (size_t i = 0; i < word_count; i++) {
        if ((summary >> i & 1) != (words[i] != 0))
            fh_check_violated(check, "H4", heap + root->heap_bin_words.offset + i * WORD, "summary is wrong");
    }
    free(heads);
}

void fh_check_bins(struct fh_check *check)
{
    const struct fh_check_free *free_chunks = &check->free;
    for (uint64_t heap = 0; heap < check->heap_count; heap++)
        check_heap(check, heap);
    for (size_t i = 0; i < free_chunks->count; i++) {
        if (!(free_chunks->nexts[i] & SEEN))
            fh_check_violated(check, "H4", (free_chunks->places[i] >> (BIN_BITS + HEAP_BITS) << 4) + 8,
                              "a free chunk is in no bin, or in one that is damaged");
    }
}
