/*
 * snapshot_words.c - see snapshot_words.h.
 */
#include "snapshot_words.h"

#include "image_source.h"

#include <string.h>

enum { GAP_SHIFT = 3, GAP_LONG = 31, KIND_MASK = 7, SMALL_SHIFT = 48, WORD = 8 };

static void put_number(struct fh_words *words, uint64_t number)
{
    while (number >= 128) {
        words->bytes[words->used++] = (unsigned char)(number | 128);
        number >>= 7;
    }
    words->bytes[words->used++] = (unsigned char)number;
}

static uint64_t address_code(uint64_t address, uint64_t place)
{
    if (address == 0)
        return 0;
    if (address >> 48 || (address - place) % WORD)
        return 1;
    int64_t distance = (int64_t)(address - place) / WORD;
    return 2 + ((uint64_t)distance << 1 ^ (uint64_t)(distance >> 63));
}

void fh_words_put(struct fh_words *words, uint64_t address, enum fh_word_kind kind, uint64_t number)
{
    if (words->start == 0) {
        words->start = words->end = address;
        words->used = 0;
        words->last = 0;
    }
    if (kind == FH_WORD_RAW && number == words->last)
        kind = FH_WORD_SAME;
    else if (kind == FH_WORD_RAW && number >> SMALL_SHIFT == 0)
        kind = FH_WORD_SMALL;
    uint64_t gap = (address - words->end) / WORD;
    words->bytes[words->used++] = (unsigned char)(kind | (gap < GAP_LONG ? gap : GAP_LONG) << GAP_SHIFT);
    if (gap >= GAP_LONG)
        put_number(words, gap - GAP_LONG);
    switch (kind) {
    case FH_WORD_RAW:
        memcpy(words->bytes + words->used, &number, WORD);
        words->used += WORD;
        words->last = number;
        break;
    case FH_WORD_SMALL:
        words->last = number;
        put_number(words, number);
        break;
    case FH_WORD_SAME:
        break;
    case FH_WORD_TAG:
    case FH_WORD_SEAL:
        put_number(words, number);
        break;
    case FH_WORD_FREED:
    case FH_WORD_LINK:
        put_number(words, address_code(number, address));
        break;
    }
    words->end = address + (kind == FH_WORD_FREED ? 2 * WORD : WORD);
}

struct reader {
    const unsigned char *at, *end;
    bool good;
};

static uint64_t get_number(struct reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return number;
    }
    reader->good = false;
    return 0;
}

static uint64_t get_raw(struct reader *reader)
{
    uint64_t number = 0;
    if (reader->end - reader->at < WORD) {
        reader->good = false;
        return 0;
    }
    memcpy(&number, reader->at, WORD);
    reader->at += WORD;
    return number;
}

static uint64_t get_address(struct reader *reader, uint64_t place)
{
    uint64_t code = get_number(reader);
    if (code < 2)
        return code ? FH_WORD_BAD_ADDRESS : 0;
    uint64_t zigzag = code - 2;
    return place + (uint64_t)((int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1)) * WORD;
}

bool fh_words_expand(const unsigned char *bytes, size_t count, uint64_t start, const struct fh_words_made *made,
                     unsigned char *memory, uint64_t from, uint64_t to)
{
    struct reader reader = {bytes, bytes + count, true};
    uint64_t at = start, last = 0;
    while (reader.at < reader.end && reader.good) {
        unsigned head = *reader.at++, kind = head & KIND_MASK, size = WORD;
        uint64_t gap = head >> GAP_SHIFT, pair[2] = {0, 0};
        if (gap == GAP_LONG)
            gap += get_number(&reader);
        if (gap > FH_SNAPSHOT_SPAN_MOST / WORD)
            return false;
        at += gap * WORD;
        switch (kind) {
        case FH_WORD_RAW:
            pair[0] = last = get_raw(&reader);
            break;
        case FH_WORD_SMALL:
            pair[0] = last = get_number(&reader);
            break;
        case FH_WORD_SAME:
            pair[0] = last;
            break;
        case FH_WORD_TAG:
            pair[0] = fh_seal_with(made->secret, get_number(&reader) & FH_TAG_CONTENT, at);
            break;
        case FH_WORD_SEAL:
            pair[0] = fh_seal_with(made->secret, get_number(&reader) & FH_TAG_CONTENT, at - made->slab_seal_offset);
            break;
        case FH_WORD_FREED:
            pair[1] = made->secret + at;
            pair[0] = get_address(&reader, at) ^ pair[1];
            size = 2 * WORD;
            break;
        case FH_WORD_LINK:
            pair[0] = get_address(&reader, at) ^ (made->secret + at);
            break;
        default:
            return false;
        }
        if (at - from < to - from && at + size <= to)
            memcpy(memory + (at - from), pair, size);
        at += size;
    }
    return reader.good;
}
