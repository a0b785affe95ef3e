/*
 * image_walk.c - every block in address order.
 *
 * Damage and half-done changes: a tag that is not sealed is read again; if it still is not, the walk goes on at the
 * next two tags in a row that are, and what lies between is a gap.
 */
#include "cli.h"
#include "image_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_LEAST = 32, TRIES = 3, RESYNC_STEP = 65536 };

struct walk {
    struct fh_image *image;
    const struct fh_image_walker *walker;
    uint64_t all_bytes, done_bytes;
    struct timespec started;
    unsigned percent_shown;
    struct fh_image_slab slab;
};

/* --- progress: nothing for a second, and only where somebody looks --- */

static void show_progress(struct walk *walk, uint64_t in_region)
{
    enum { DELAY_MS = 700 };
    struct timespec now;
    if (!walk->walker->progress || walk->all_bytes == 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (now.tv_sec - walk->started.tv_sec) * 1000 + (now.tv_nsec - walk->started.tv_nsec) / 1000000;
    unsigned percent = (unsigned)((walk->done_bytes + in_region) * 100 / walk->all_bytes);
    if (ms < DELAY_MS || percent == walk->percent_shown || !isatty(STDERR_FILENO))
        return;
    walk->percent_shown = percent;
    fprintf(stderr, "\rfreehold %s: %3u %% of %.1f GB", walk->walker->progress, percent,
            (double)walk->all_bytes / 1e9);
    fflush(stderr);
}

static void end_progress(const struct walk *walk)
{
    if (walk->percent_shown)
        fputs("\r\033[K", stderr);
}

/* --- slabs --- */

/* The objects that are on the slab's own list, a bit each. */
static bool read_list(struct fh_image *image, struct fh_image_slab *slab, const unsigned char *bytes, uint64_t head,
                      uint32_t count)
{
    uint64_t at = head == image->root.list_end ? 0 : head, first = slab->start + slab->first;
    uint32_t found = 0;
    for (; at; found++) {
        uint64_t offset = at - first, index = offset / slab->class_bytes;
        if (at < first || index >= slab->carved || offset % slab->class_bytes ||
            fh_bit_of(slab->listed, (uint32_t)index))
            return false;
        const unsigned char *object = bytes + (at - slab->start);
        if (!fh_is_marked(image, object, at))
            return false;
        slab->listed[index / 64] |= (uint64_t)1 << index % 64;
        at = fh_next_of(image, object, at);
    }
    return found == count;
}

/* What each object says of itself. */
static void find_live(struct fh_image *image, struct fh_image_slab *slab, const unsigned char *bytes)
{
    size_t page = image->about.page_bytes;
    const unsigned char *flags = image->window_pages + (slab->start - image->window_start) / page;
    uint64_t in_page = slab->start & (page - 1), mark = image->secret + slab->start + slab->first;
    const unsigned char *object = bytes + slab->first;
    for (uint32_t word = 0; word * 64 < slab->carved; word++) {
        uint32_t count = slab->carved - word * 64 < 64 ? slab->carved - word * 64 : 64;
        for (uint32_t i = 0; i < count; i++, object += slab->class_bytes, mark += slab->class_bytes)
            slab->live[word] |= (uint64_t)(fh_word_at(object + 8) != mark) << i;
    }
    /* Of a page that went back to the kernel nothing is live: a live block was written to when it was carved. */
    for (uint64_t at = 0; at < slab->bytes; at += page - ((in_page + at) & (page - 1))) {
        if (flags[(in_page + at) / page])
            continue;
        uint64_t end = at + page - ((in_page + at) & (page - 1));
        for (uint32_t i = 0; i < slab->carved; i++) {
            uint64_t mark_at = slab->first + (uint64_t)i * slab->class_bytes + 8;
            if (mark_at < at || mark_at >= end)
                continue;
            slab->live[i / 64] &= ~((uint64_t)1 << i % 64);
            slab->listed[i / 64] |= (uint64_t)1 << i % 64;
        }
    }
    slab->live_count = slab->free_count = 0;
    for (uint32_t word = 0; word * 64 < slab->carved; word++) {
        slab->live[word] &= ~slab->listed[word];
        slab->live_count += (uint32_t)__builtin_popcountll(slab->live[word]);
        slab->free_count += (uint32_t)__builtin_popcountll(slab->listed[word]);
    }
    slab->cached_count = slab->carved - slab->live_count - slab->free_count;
}

bool fh_image_read_slab(struct fh_image *image, uint64_t start, struct fh_image_slab *slab)
{
    const struct fh_image_root *root = &image->root;
    const unsigned char *bytes = fh_image_view(image, start, 4096);
    if (!bytes)
        return false;
    uint64_t seal = fh_image_field(bytes, root->slab_seal), entry = fh_image_field(bytes, root->slab_entry);
    uint64_t shift = fh_image_field(bytes, root->slab_shift);
    if (seal != fh_seal_of(image, entry, start) || shift < 12 || shift > 16)
        return false;
    uint64_t tail = fh_image_field(bytes, root->slab_tail);
    if (tail >= (uint64_t)1 << shift)
        return false;
    slab->start = start;
    slab->bytes = ((uint64_t)1 << shift) - tail;
    bytes = fh_image_view(image, start, (size_t)slab->bytes);
    if (!bytes)
        return false;
    slab->class_bytes = (uint32_t)fh_image_field(bytes, root->slab_class_bytes);
    slab->first = (uint32_t)fh_image_field(bytes, root->slab_first);
    slab->capacity = (uint32_t)fh_image_field(bytes, root->slab_capacity);
    slab->carved = (uint32_t)fh_image_field(bytes, root->slab_carved);
    slab->owner = (uint32_t)(entry >> 12 & 0x3ffff);
    if (slab->class_bytes < 16 || slab->class_bytes % 16 || slab->class_bytes / 16 >= FH_CLASSES_MOST ||
        slab->carved > slab->capacity || slab->first + (uint64_t)slab->capacity * slab->class_bytes > slab->bytes)
        return false;
    size_t words = slab->capacity / 64 + 1;
    memset(slab->live, 0, words * sizeof(slab->live[0]));
    memset(slab->listed, 0, words * sizeof(slab->listed[0]));
    uint32_t listed = (uint32_t)fh_image_field(bytes, root->slab_free_count);
    slab->list_is_sound = read_list(image, slab, bytes, fh_image_field(bytes, root->slab_free), listed);

    find_live(image, slab, bytes);
    return true;
}

/* --- segments --- */

/* The content of the tag at `at`, or 0: not sealed, or it can't be a chunk of this segment. */
static uint64_t tag_at(struct fh_image *image, uint64_t at, uint64_t end)
{
    const unsigned char *bytes = fh_image_view(image, at, 32);
    if (!bytes)
        return 0;
    uint64_t tag = fh_word_at(bytes), size = FH_TAG_SIZE(tag & FH_TAG_CONTENT);
    bool good = fh_is_sealed(image, tag, at) && size >= CHUNK_LEAST && size <= end - at;
    return good ? tag & FH_TAG_CONTENT : 0;
}

/* Where the walk can go on behind a place that does not hold. What can't be read is passed over. */
static uint64_t resync(struct fh_image *image, uint64_t from, uint64_t end)
{
    for (uint64_t at = from + 16; at < end && end - at >= CHUNK_LEAST; at += 16) {
        if (!fh_image_view(image, at, CHUNK_LEAST)) {
            uint64_t next = image->source->next(image, at + RESYNC_STEP);
            if (next >= end)
                break;
            at = ((next - from) & ~(uint64_t)15) + from;
            continue;
        }
        uint64_t content = tag_at(image, at, end);
        if (content == 0)
            continue;
        uint64_t next = at + FH_TAG_SIZE(content);
        if (next == end || tag_at(image, next, end))
            return at;
    }
    return end;
}

/* Which pages of a free chunk were given back: two tags behind its links. */
static void read_span(struct fh_image *image, struct fh_image_chunk *chunk)
{
    enum { SPAN_AT = 24 };
    const unsigned char *bytes = fh_image_view(image, chunk->start, SPAN_AT + 16);
    uint64_t from = bytes ? fh_word_at(bytes + SPAN_AT) & FH_TAG_CONTENT : 0;
    uint64_t to = bytes ? fh_word_at(bytes + SPAN_AT + 8) & FH_TAG_CONTENT : 0;
    if (from <= chunk->start || to <= from || to >= chunk->start + chunk->bytes)
        return; /* changed under our eyes */
    chunk->purged_from = from;
    chunk->purged_to = to;
}

static void visit_chunk(struct walk *walk, const struct fh_region *region, uint64_t at, uint64_t content,
                        uint64_t fresh)
{
    struct fh_image *image = walk->image;
    bool in_use = content & FH_TAG_IN_USE;
    struct fh_image_chunk chunk = {.start = at, .bytes = FH_TAG_SIZE(content)};
    chunk.untouched_from = at + chunk.bytes;
    const unsigned char *bytes = fh_image_view(image, at, 32);
    bool is_marked = bytes && in_use && fh_is_marked(image, bytes + 8, at + 8);
    if (in_use && (content & FH_TAG_SLAB) && !is_marked) { /* marked: an empty one that waits for the heap's lock */
        uint64_t base = (at + 8) & ~(uint64_t)4095;
        if (fh_image_read_slab(image, base, &walk->slab) || (fh_image_view_again(image, base, 4096) &&
                                                             fh_image_read_slab(image, base, &walk->slab))) {
            if (walk->walker->slab)
                walk->walker->slab(image, region, &walk->slab, walk->walker->arg);
        } else if (walk->walker->gap) {
            walk->walker->gap(image, region, at, chunk.bytes, walk->walker->arg);
        }
        return;
    }
    if (in_use) {
        chunk.is = is_marked ? FH_IS_CACHED : FH_IS_LIVE;
    } else {
        chunk.is = content & FH_TAG_TOP ? FH_IS_TOP : FH_IS_FREE;
        chunk.purged = !(content & FH_TAG_TOP) && (content & FH_TAG_PURGED);
        if (chunk.purged)
            read_span(image, &chunk);
        if (chunk.is == FH_IS_TOP && fresh > at && fresh < chunk.untouched_from)
            chunk.untouched_from = fresh;
    }
    if (walk->walker->chunk)
        walk->walker->chunk(image, region, &chunk, walk->walker->arg);
}

static void walk_segment(struct walk *walk, const struct fh_region *region)
{
    struct fh_image *image = walk->image;
    const struct fh_image_root *root = &image->root;
    uint64_t heap = root->heaps + region->heap * root->heap_bytes;
    uint64_t fresh = region->is_growing ? fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_fresh), 8) : 0;
    uint64_t at = region->start + root->segment_head_bytes;
    uint64_t end = region->start + region->bytes - root->segment_tail_bytes;
    for (unsigned count = 0; at < end; count++) {
        uint64_t content = tag_at(image, at, end);
        for (int i = 0; content == 0 && i < TRIES && fh_image_view_again(image, at, 32); i++)
            content = tag_at(image, at, end);
        if (content == 0) {
            uint64_t next = resync(image, at, end);
            if (walk->walker->gap)
                walk->walker->gap(image, region, at, next - at, walk->walker->arg);
            at = next;
            continue;
        }
        visit_chunk(walk, region, at, content, fresh);
        at += FH_TAG_SIZE(content);
        if (count % 1024 == 0)
            show_progress(walk, at - region->start);
    }
}

bool fh_image_walk(struct fh_image *image, const struct fh_image_walker *walker)
{
    size_t count;
    const struct fh_region *regions = fh_image_regions(image, &count);
    struct walk *walk = calloc(1, sizeof(*walk));
    bool good = regions && walk;
    if (good) {
        walk->image = image;
        walk->walker = walker;
        clock_gettime(CLOCK_MONOTONIC, &walk->started);
        for (size_t i = 0; i < count; i++)
            walk->all_bytes += regions[i].kind == FH_REGION_SEGMENT ? regions[i].bytes : 0;
        image->window_bytes = 0;
    }
    for (size_t i = 0; good && i < count; i++) {
        const struct fh_region *region = &regions[i];
        if (walker->region)
            walker->region(image, region, walker->arg);
        if (region->kind == FH_REGION_SEGMENT && (walker->chunk || walker->slab)) {
            walk_segment(walk, region);
            walk->done_bytes += region->bytes;
        } else if (region->kind == FH_REGION_SLAB && walker->slab) {
            if (fh_image_read_slab(image, region->start, &walk->slab))
                walker->slab(image, region, &walk->slab, walker->arg);
            else if (walker->gap)
                walker->gap(image, region, region->start, region->bytes, walker->arg);
        }
        show_progress(walk, 0);
    }
    if (walk)
        end_progress(walk);
    free(walk);
    return good && !image->has_ended;
}
