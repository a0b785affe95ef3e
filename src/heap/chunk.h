/*
 * chunk.h - the boundary-tagged chunk (R3, R5): the only code that knows its bits.
 *
 * Layer: heap. After Knuth, TAOCP 1, section 2.5, algorithm C, and Lea's malloc.
 *
 *      chunk ->  +--------------------------------+   address = 8 modulo 16
 *                | tag: checksum | size | flags   |   8 bytes, sealed (guard.h)
 *    pointer ->  +--------------------------------+   address = 0 modulo 16: what malloc returned
 *                | in use: the user's bytes       |
 *                | free:   next, previous in bin  |
 *                |         ...                    |
 *                | free:   footer = size          |   the last 8 bytes, which the user owned before
 *      next  ->  +--------------------------------+
 *
 * The footer of a free chunk is how its successor finds its start; whether there is one to read, the successor's own
 * PREVIOUS_IN_USE flag says. Overhead: 8 bytes a block.
 */
#ifndef FH_CHUNK_H
#define FH_CHUNK_H

#include "atomics.h"
#include "base.h"
#include "classes.h"
#include "fault.h"
#include "guard.h"
#include "os.h"

struct fh_chunk {
    uint64_t tag;               /* only through the functions below */
    struct fh_chunk *next_free; /* these two lie in the user's bytes */
    struct fh_chunk *previous_free;
};

enum {
    FH_CHUNK_IN_USE = 1,
    FH_CHUNK_PREVIOUS_IN_USE = 2,
    FH_CHUNK_TOP = 4,    /* of a free chunk: the wilderness, in no bin */
    FH_CHUNK_SLAB = 4,   /* of a chunk in use: it is a slab */
    FH_CHUNK_PURGED = 8, /* of a free chunk: pages in it were given back; which, say the words behind its links */
    FH_CHUNK_FENCE = 8,  /* of a chunk in use: the end of a segment, no payload */
    FH_CHUNK_FLAGS = 15
};

enum { FH_CHUNK_TAG_BYTES = 8, FH_CHUNK_LEAST = 32 }; /* tag, two links, footer */
FH_STATIC_ASSERT(sizeof(struct fh_chunk) + 8 == FH_CHUNK_LEAST, "links and footer must fit the smallest chunk");

/* Requests above this can't be chunks: their size would not fit the tag. */
#define FH_CHUNK_MOST ((size_t)1 << 46)

FH_INLINE struct fh_chunk *fh_chunk_of(const void *pointer)
{
    return (struct fh_chunk *)(uintptr_t)((const char *)pointer - FH_CHUNK_TAG_BYTES);
}
FH_INLINE void *fh_chunk_payload(struct fh_chunk *chunk) { return (char *)chunk + FH_CHUNK_TAG_BYTES; }
FH_INLINE struct fh_chunk *fh_chunk_at(struct fh_chunk *chunk, size_t offset)
{
    return (struct fh_chunk *)(void *)((char *)chunk + offset);
}

/* Pages of a free chunk that went back to the kernel and were not touched since; empty when from >= to. */
struct fh_span {
    uintptr_t from, to;
};
/* A free chunk that is marked as purged: the span behind its links, sealed like tags. */
struct fh_purged_chunk {
    struct fh_chunk chunk;
    uint64_t from, to;
};
FH_INLINE struct fh_span fh_chunk_span(const struct fh_chunk *chunk, uint64_t content)
{
    if (FH_LIKELY(!(content & FH_CHUNK_PURGED))) return (struct fh_span){0, 0};
    const struct fh_purged_chunk *purged = (const struct fh_purged_chunk *)(const void *)chunk;
    if (FH_UNLIKELY(!fh_guard_is_sealed(purged->from, (uintptr_t)&purged->from) ||
                    !fh_guard_is_sealed(purged->to, (uintptr_t)&purged->to)))
        fh_fault(FH_FAULT_DAMAGED_LINK, chunk, SIZE_MAX, (struct fh_place){"a free chunk", 0, -1});
    return (struct fh_span){purged->from & FH_TAG_CONTENT, purged->to & FH_TAG_CONTENT};
}
FH_INLINE void fh_chunk_write_span(struct fh_chunk *chunk, struct fh_span span)
{
    struct fh_purged_chunk *purged = (struct fh_purged_chunk *)(void *)chunk;
    purged->from = fh_guard_seal(span.from, (uintptr_t)&purged->from);
    purged->to = fh_guard_seal(span.to, (uintptr_t)&purged->to);
}
FH_INLINE size_t fh_span_bytes(struct fh_span span) { return span.from < span.to ? span.to - span.from : 0; }

/* The whole pages within a free chunk, behind the words and before the footer. */
FH_INLINE struct fh_span fh_chunk_inner_pages(const struct fh_chunk *chunk, size_t size)
{
    size_t page = fh_max(fh_os_page_size(), 4096);
    return (struct fh_span){fh_align_up((uintptr_t)chunk + sizeof(struct fh_purged_chunk), page),
                            fh_align_down((uintptr_t)chunk + size - 8, page)};
}

/* So many bytes of whole pages a free chunk of this size has at most; for sums that every free adds to. */
FH_INLINE size_t fh_chunk_pages_at_most(size_t size) { return (size - sizeof(struct fh_chunk)) & ~(size_t)4095; }

/*
 * A chunk that is a slab: its tag stands behind the slab's base, and in front of the tag, at the base, is the place for
 * the footer of a free chunk below. So all that has to stay in memory of a slab with little in it is on its first page,
 * and the chunk above keeps its tag and links on a page of its own.
 */
FH_INLINE struct fh_chunk *fh_chunk_of_slab(const void *slab)
{
    return (struct fh_chunk *)(uintptr_t)((const char *)slab + FH_SLAB_BOUNDARY_BYTES - FH_CHUNK_TAG_BYTES);
}
FH_INLINE void *fh_slab_of_chunk(struct fh_chunk *chunk)
{
    return (char *)chunk + FH_CHUNK_TAG_BYTES - FH_SLAB_BOUNDARY_BYTES;
}

/* The chunk size that a request needs; the caller has bounded the request by FH_CHUNK_MOST. */
FH_INLINE size_t fh_chunk_size_for(size_t request_bytes)
{
    return fh_max(fh_align_up(request_bytes + FH_CHUNK_TAG_BYTES, FH_ALIGNMENT), FH_CHUNK_LEAST);
}

/* The tag without looking at the checksum: for places that may see anything. */
FH_INLINE uint64_t fh_chunk_raw_tag(const struct fh_chunk *chunk) { return fh_load_relaxed(&chunk->tag); }
FH_INLINE bool fh_chunk_is_sound(const struct fh_chunk *chunk)
{
    return fh_guard_is_sealed(fh_chunk_raw_tag(chunk), (uintptr_t)chunk);
}

/* Size and flags. Trust boundary: the tag is memory that the program can overwrite, so every read checks the seal and
 * a damaged one never returns. */
FH_INLINE uint64_t fh_chunk_read(const struct fh_chunk *chunk)
{
    uint64_t tag = fh_chunk_raw_tag(chunk);
    if (FH_UNLIKELY(!fh_guard_is_sealed(tag, (uintptr_t)chunk)))
        fh_fault(FH_FAULT_DAMAGED_HEADER, chunk, SIZE_MAX, (struct fh_place){"a heap", 0, -1});
    return tag & FH_TAG_CONTENT;
}
FH_INLINE size_t fh_chunk_size(uint64_t content) { return content & ~(uint64_t)FH_CHUNK_FLAGS; }

FH_INLINE void fh_chunk_write(struct fh_chunk *chunk, size_t size, unsigned flags)
{
    FH_ASSERT(size % FH_ALIGNMENT == 0);
    fh_store_relaxed(&chunk->tag, fh_guard_seal(size | flags, (uintptr_t)chunk));
}

FH_INLINE void fh_chunk_set_previous_in_use(struct fh_chunk *chunk, bool in_use)
{
    uint64_t content = fh_chunk_read(chunk);
    content = in_use ? content | FH_CHUNK_PREVIOUS_IN_USE : content & ~(uint64_t)FH_CHUNK_PREVIOUS_IN_USE;
    fh_chunk_write(chunk, fh_chunk_size(content), content & FH_CHUNK_FLAGS);
}

/* The footer of a free chunk: its size, sealed for the place, in its last 8 bytes. */
FH_INLINE uint64_t *fh_chunk_footer(struct fh_chunk *chunk, size_t size)
{
    return (uint64_t *)(void *)((char *)chunk + size - 8);
}
FH_INLINE void fh_chunk_write_footer(struct fh_chunk *chunk, size_t size)
{
    uint64_t *footer = fh_chunk_footer(chunk, size);
    *footer = fh_guard_seal(size, (uintptr_t)footer);
}
/* Size of the free chunk that ends where `chunk` begins. */
FH_INLINE size_t fh_chunk_previous_size(const struct fh_chunk *chunk)
{
    const uint64_t *footer = (const uint64_t *)(const void *)((const char *)chunk - 8);
    if (FH_UNLIKELY(!fh_guard_is_sealed(*footer, (uintptr_t)footer)))
        fh_fault(FH_FAULT_DAMAGED_LINK, footer, SIZE_MAX, (struct fh_place){"a free chunk", 0, -1});
    return *footer & FH_TAG_CONTENT;
}

/* Bytes of whole pages in a free chunk that are in memory, as far as is known. */
FH_INLINE size_t fh_chunk_dirty_bytes(const struct fh_chunk *chunk)
{
    uint64_t content = fh_chunk_read(chunk);
    size_t inner = fh_span_bytes(fh_chunk_inner_pages(chunk, fh_chunk_size(content)));
    return inner - fh_span_bytes(fh_chunk_span(chunk, content));
}

#endif
