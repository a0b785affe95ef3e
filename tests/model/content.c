/*
 * content.c - what a block holds: a pattern that follows from its seed and the offset, so that a block that was moved,
 * cut or grown can be compared with what it held before. Large blocks are written to in places only.
 */
#include <string.h>

#include "model.h"

enum { WHOLE_MOST = 2048, HEAD_BYTES = 512, TAIL_BYTES = 64, SPOT_BYTES = 16 };

static uint64_t word_at(uint64_t seed, size_t offset) { return (seed + offset) * 0x9e3779b97f4a7c15ULL; }

static void fill_span(unsigned char *at, uint64_t seed, size_t from, size_t to)
{
    for (; from + 8 <= to; from += 8) {
        uint64_t word = word_at(seed, from);
        memcpy(at + from, &word, 8);
    }
    if (from < to) {
        uint64_t word = word_at(seed, from);
        memcpy(at + from, &word, to - from);
    }
}

static size_t damage_in_span(const unsigned char *at, uint64_t seed, size_t from, size_t to)
{
    for (; from + 8 <= to; from += 8) {
        uint64_t word = word_at(seed, from), found;
        memcpy(&found, at + from, 8);
        if (found != word) return from;
    }
    if (from < to) {
        uint64_t word = word_at(seed, from);
        if (memcmp(at + from, &word, to - from) != 0) return from;
    }
    return SIZE_MAX;
}

/* The spans of a block with `filled` bytes, one after the other; false at the end. */
static bool next_span(size_t filled, size_t *from, size_t *to)
{
    size_t stride = filled <= 65536 ? 4096 : 32768, tail = (filled - TAIL_BYTES) & ~(size_t)7;
    if (*to == 0) {
        *from = 0;
        *to = filled <= WHOLE_MOST ? filled : HEAD_BYTES;
        return filled > 0;
    }
    if (*to >= filled) return false;
    size_t spot = (*from / stride + 1) * stride;
    if (spot + SPOT_BYTES <= tail) {
        *from = spot;
        *to = spot + SPOT_BYTES;
    } else {
        *from = tail;
        *to = filled;
    }
    return true;
}

void content_fill(struct block *block, size_t bytes)
{
    block->filled = bytes;
    for (size_t from = 0, to = 0; next_span(bytes, &from, &to);)
        fill_span((unsigned char *)block->address, block->seed, from, to);
}

size_t content_damage(const struct block *block, const void *at, size_t limit)
{
    for (size_t from = 0, to = 0; next_span(block->filled, &from, &to) && from < limit;) {
        size_t damage = damage_in_span(at, block->seed, from, to < limit ? to : limit);
        if (damage != SIZE_MAX) return damage;
    }
    return SIZE_MAX;
}

static size_t not_zero_in_span(const unsigned char *at, size_t from, size_t to)
{
    for (; from + 8 <= to; from += 8) {
        uint64_t word;
        memcpy(&word, at + from, 8);
        if (word) return from;
    }
    for (; from < to; from++)
        if (at[from]) return from;
    return SIZE_MAX;
}

size_t content_not_zero(const void *at, size_t bytes)
{
    enum { ALL_MOST = 16384, STRIDE = 4096 };
    if (bytes <= ALL_MOST) return not_zero_in_span(at, 0, bytes);
    size_t found = not_zero_in_span(at, 0, 1024);
    for (size_t spot = STRIDE; found == SIZE_MAX && spot + 64 <= bytes; spot += STRIDE)
        found = not_zero_in_span(at, spot, spot + 64);
    return found == SIZE_MAX ? not_zero_in_span(at, bytes - 256, bytes) : found;
}
