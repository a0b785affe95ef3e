/*
 * snapshot_words.h - how a snapshot holds the words of a stretch of memory: those that are kept, each by what it is.
 *
 * All but the kept words read as 0. A kept word is a byte, whose bits 0-2 are its kind and 3-7 how many words lie
 * between it and the one before (31: 31 more than the LEB128 number that follows), and then what the kind says. Words
 * that the library mixes with its secret are stored unmixed and are mixed anew, with the snapshot's own secret: so they
 * pack well, and the file does not give the process's secret away.
 */
#ifndef FREEHOLD_TOOL_SNAPSHOT_WORDS_H
#define FREEHOLD_TOOL_SNAPSHOT_WORDS_H

#include "snapshot_format.h"

enum fh_word_kind {
    FH_WORD_RAW,   /* 8 bytes */
    FH_WORD_SMALL, /* LEB128 */
    FH_WORD_SAME,  /* what the last of these three was */
    FH_WORD_TAG,   /* LEB128: content of a tag */
    FH_WORD_SEAL,  /* the same, of a slab: sealed for the slab's start */
    FH_WORD_FREED, /* link and mark of a freed block, two words: the next one as an address */
    FH_WORD_LINK   /* of a free chunk: the other chunk as an address */
};
/* Addresses are LEB128: 0 none, 1 none that can be, else 2 + the zigzag of their distance in units of 8. */
#define FH_WORD_BAD_ADDRESS ((uint64_t)8) /* stands for what is no address: the program wrote there */

enum { FH_WORD_BYTES_MOST = 24 }; /* that one of them takes in a frame */

struct fh_words { /* being written */
    unsigned char *bytes; /* FH_SNAPSHOT_RAW_MOST */
    size_t used;
    uint64_t start, end; /* of the memory: from the first to behind the last; start is 0 when there is none */
    uint64_t last;
};

/* The word at `address`, which must be at or above words->end; `number` is the word, content or address. */
void fh_words_put(struct fh_words *words, uint64_t address, enum fh_word_kind kind, uint64_t number);

struct fh_words_made { /* how they are mixed */
    uint64_t secret;
    uint32_t slab_seal_offset;
};
/* Writes the kept words of a frame, from `start` on, to `memory`, which stands for [from, to): those that lie in it.
 * False when the frame does not hold. */
bool fh_words_expand(const unsigned char *bytes, size_t count, uint64_t start, const struct fh_words_made *made,
                     unsigned char *memory, uint64_t from, uint64_t to);

#endif
