/*
 * png.c - pixels as a PNG file. Each row is the difference to its neighbour on the left or above, whichever has more
 * zeros, and runs of equal bytes are what is packed: pictures of flat colours become small with little code.
 */
#include "drawing.h"

#include <stdlib.h>
#include <string.h>

enum { RUN_LEAST = 4, RUN_MOST = 258, ADLER_BASE = 65521, FILTER_LEFT = 1, FILTER_ABOVE = 2 };

struct packer {
    unsigned char *bytes;
    size_t count, room;
    uint32_t bits, bit_count; /* not yet in bytes */
    uint32_t adler_low, adler_high;
    bool failed;
};

static void put_byte(struct packer *packer, unsigned char byte)
{
    if (packer->count == packer->room) {
        size_t room = packer->room ? 2 * packer->room : 65536;
        unsigned char *larger = realloc(packer->bytes, room);
        if (!larger) {
            packer->failed = true;
            return;
        }
        packer->bytes = larger;
        packer->room = room;
    }
    packer->bytes[packer->count++] = byte;
}

/* The lowest bit goes first. */
static void put_bits(struct packer *packer, uint32_t bits, uint32_t count)
{
    packer->bits |= bits << packer->bit_count;
    for (packer->bit_count += count; packer->bit_count >= 8; packer->bit_count -= 8) {
        put_byte(packer, (unsigned char)packer->bits);
        packer->bits >>= 8;
    }
}

/* Huffman codes go the other way round. */
static void put_code(struct packer *packer, uint32_t code, uint32_t count)
{
    uint32_t turned = 0;
    for (uint32_t i = 0; i < count; i++) turned |= (code >> i & 1) << (count - 1 - i);
    put_bits(packer, turned, count);
}

/* A symbol of the fixed code of deflate (RFC 1951, 3.2.6). */
static void put_symbol(struct packer *packer, uint32_t symbol)
{
    if (symbol < 144) put_code(packer, 0x30 + symbol, 8);
    else if (symbol < 256) put_code(packer, 0x190 + symbol - 144, 9);
    else if (symbol < 280) put_code(packer, symbol - 256, 7);
    else put_code(packer, 0xc0 + symbol - 280, 8);
}

/* `length` (3 to 258) bytes more that are like the one before. */
static void put_run(struct packer *packer, uint32_t length)
{
    uint32_t extra = 0, base = length - 3;
    if (length == RUN_MOST) {
        put_symbol(packer, 285);
    } else {
        while (base >> extra > 7) /* codes come in fours, each four with a bit more */
            extra++;
        put_symbol(packer, 257 + (extra << 2) + (base >> extra));
        put_bits(packer, base & ((1u << extra) - 1), extra);
    }
    put_code(packer, 0, 5); /* at distance 1 */
}

static void pack(struct packer *packer, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t run = 1;
        while (i + run < count && run <= RUN_MOST && bytes[i + run] == bytes[i]) run++;
        put_symbol(packer, bytes[i]);
        if (run > RUN_LEAST) {
            put_run(packer, (uint32_t)run - 1);
            i += run;
        } else {
            i++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        packer->adler_low = (packer->adler_low + bytes[i]) % ADLER_BASE;
        packer->adler_high = (packer->adler_high + packer->adler_low) % ADLER_BASE;
    }
}

static size_t zeros(const unsigned char *bytes, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += bytes[i] == 0;
    return sum;
}

static void pack_row(struct packer *packer, const unsigned char *row, const unsigned char *above, size_t count,
                     unsigned char *left_line, unsigned char *above_line)
{
    left_line[0] = FILTER_LEFT;
    above_line[0] = FILTER_ABOVE;
    for (size_t i = 0; i < count; i++) {
        left_line[i + 1] = (unsigned char)(row[i] - (i < 3 ? 0 : row[i - 3]));
        above_line[i + 1] = (unsigned char)(row[i] - (above ? above[i] : 0));
    }
    bool is_left = zeros(left_line, count + 1) > zeros(above_line, count + 1);
    pack(packer, is_left ? left_line : above_line, count + 1);
}

static uint32_t crc(uint32_t sum, const unsigned char *bytes, size_t count)
{
    static uint32_t table[256];
    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t value = i;
        for (int j = 0; j < 8; j++) value = value & 1 ? 0xedb88320 ^ value >> 1 : value >> 1;
        table[i] = value;
    }
    for (size_t i = 0; i < count; i++) sum = table[(sum ^ bytes[i]) & 255] ^ sum >> 8;
    return sum;
}

static void put_big(unsigned char *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(number >> (24 - 8 * i));
}

static void put_chunk(FILE *out, const char *type, const unsigned char *bytes, size_t count)
{
    unsigned char word[4];
    put_big(word, (uint32_t)count);
    fwrite(word, 1, 4, out);
    fwrite(type, 1, 4, out);
    if (count) fwrite(bytes, 1, count, out);
    uint32_t sum = crc(crc(0xffffffff, (const unsigned char *)type, 4), bytes, count);
    put_big(word, ~sum);
    fwrite(word, 1, 4, out);
}

bool fh_png_write(FILE *out, const unsigned char *rgb, unsigned width, unsigned height)
{
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    unsigned char header[13] = {[8] = 8, [9] = 2 /* red, green and blue of 8 bits */}, adler[4];
    struct packer packer = {.adler_low = 1};
    size_t row_bytes = (size_t)width * 3;
    unsigned char *lines = malloc(2 * (row_bytes + 1));
    put_byte(&packer, 0x78); /* zlib: deflate, a window of 32 KiB */
    put_byte(&packer, 0x01);
    put_bits(&packer, 3, 3); /* the last block, in the fixed code */
    for (unsigned y = 0; lines && y < height; y++)
        pack_row(&packer, rgb + y * row_bytes, y ? rgb + (y - 1) * row_bytes : NULL, row_bytes, lines,
                 lines + row_bytes + 1);
    put_symbol(&packer, 256);
    put_bits(&packer, 0, 7);
    put_big(adler, packer.adler_high << 16 | packer.adler_low);
    for (int i = 0; i < 4; i++) put_byte(&packer, adler[i]);
    put_big(header, width);
    put_big(header + 4, height);
    bool good = lines && !packer.failed;
    if (good) {
        fwrite(signature, 1, sizeof(signature), out);
        put_chunk(out, "IHDR", header, sizeof(header));
        put_chunk(out, "IDAT", packer.bytes, packer.count);
        put_chunk(out, "IEND", NULL, 0);
    }
    free(lines);
    free(packer.bytes);
    return good;
}
