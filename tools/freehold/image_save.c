/*
 * image_save.c - taking a snapshot (freehold-snapshot(5)): one walk over the heap, from which the words that say what
 * is where are kept, and nothing of what blocks hold.
 *
 * What is kept of the heap: tags, footers and links of chunks, heads of segments and slabs, link and mark of every
 * freed block. Of the library's own data: the words that the root names, the page map, the threads' states, the tables
 * of samples. A word that should be a tag or a mark and is none was written by the program, and is left out.
 */
#include "image_save.h"

#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { WORD = 8, TAG_BYTES = 8, PIECE = 1 << 16, VMAS_FRAME = 1 << 18, PATH_MOST = 4096, PAGES_IN_BYTE = 4 };

/* --- streams of words and of page flags --- */

void fh_save_flush(struct fh_save *save, struct fh_words *words)
{
    if (words->start)
        fh_snapshot_add(&save->out, FH_SNAPSHOT_WORDS, words->bytes, words->used, words->start,
                        words->end - words->start);
    words->start = 0;
}

static void put(struct fh_save *save, struct fh_words *words, uint64_t address, enum fh_word_kind kind, uint64_t number)
{
    uint64_t bytes = kind == FH_WORD_FREED ? 2 * WORD : WORD;
    if (words->start && (address < words->end || address + bytes - words->start > FH_SNAPSHOT_SPAN_MOST ||
                         words->used + FH_WORD_BYTES_MOST > FH_SNAPSHOT_RAW_MOST))
        fh_save_flush(save, words);
    fh_words_put(words, address, kind, number);
}

void fh_save_word(struct fh_save *save, struct fh_words *words, uint64_t address, uint64_t word)
{
    if (word == save->image->secret) /* threads' caches have copies */
        word = save->secret;
    if (word)
        put(save, words, address, FH_WORD_RAW, word);
}

void fh_save_words(struct fh_save *save, struct fh_words *words, uint64_t address, const unsigned char *bytes,
                   size_t count)
{
    for (size_t i = 0; i + WORD <= count; i += WORD)
        fh_save_word(save, words, address + i, fh_word_at(bytes + i));
}

static void flush_pages(struct fh_save *save)
{
    struct fh_save_pages *pages = &save->pages;
    if (pages->count)
        fh_snapshot_add(&save->out, FH_SNAPSHOT_PAGES, pages->flags, (pages->count + PAGES_IN_BYTE - 1) / PAGES_IN_BYTE,
                        pages->start, pages->count * save->image->about.page_bytes);
    pages->count = 0;
}

static void add_page(struct fh_save *save, uint64_t page, unsigned char flags)
{
    struct fh_save_pages *pages = &save->pages;
    if (pages->count == FH_SNAPSHOT_PAGES_MOST ||
        pages->start + pages->count * save->image->about.page_bytes != page)
        flush_pages(save);
    if (pages->count == 0)
        pages->start = page;
    if (pages->count % PAGES_IN_BYTE == 0)
        pages->flags[pages->count / PAGES_IN_BYTE] = 0;
    pages->flags[pages->count / PAGES_IN_BYTE] |= (unsigned char)(flags << pages->count % PAGES_IN_BYTE * 2);
    pages->count++;
}

/* Flags as the window has them, of the same moment as the words that were seen through it. */
void fh_save_pages_up_to(struct fh_save *save, uint64_t end)
{
    struct fh_image *image = save->image;
    uint64_t page = image->about.page_bytes;
    end = (end + page - 1) & ~(page - 1);
    while (save->pages_done < end) {
        unsigned char flags[1024];
        uint64_t at = save->pages_done, in_window = at - image->window_start;
        if (in_window < image->window_bytes) {
            add_page(save, at, image->window_pages[in_window / page]);
            save->pages_done += page;
            continue;
        }
        uint64_t stop = at < image->window_start && end > image->window_start ? image->window_start : end;
        size_t count = (size_t)((stop - at) / page);
        if (count > sizeof(flags))
            count = sizeof(flags);
        image->source->pages(image, at, count, flags);
        for (size_t i = 0; i < count; i++)
            add_page(save, at + i * page, flags[i]);
        save->pages_done += count * page;
    }
}

static void begin_range(struct fh_save *save, uint64_t start)
{
    uint64_t page = start & ~(uint64_t)(save->image->about.page_bytes - 1);
    if (page > save->pages_done || start < save->range_start)
        save->pages_done = page;
    save->range_start = start;
}

void fh_save_range(struct fh_save *save, struct fh_words *words, uint64_t start, uint64_t bytes)
{
    unsigned char piece[PIECE];
    begin_range(save, start);
    fh_save_pages_up_to(save, start + bytes);
    for (uint64_t end = start + bytes; start < end && !save->out.error;) {
        size_t some = end - start < PIECE ? (size_t)(end - start) : PIECE;
        save->image->source->read(save->image, start, piece, some);
        fh_save_words(save, words, start, piece, some);
        start += some;
    }
    fh_save_flush(save, words);
}

/* --- the heap's words --- */

static void put_tag(struct fh_save *save, uint64_t address, uint64_t tag)
{
    if (fh_is_sealed(save->image, tag, address))
        put(save, &save->heap_words, address, FH_WORD_TAG, tag & FH_TAG_CONTENT);
}

/* The block at `address`, of which `bytes` are the first 16, if it is on a list. */
static void put_freed(struct fh_save *save, uint64_t address, const unsigned char *bytes)
{
    if (!fh_is_marked(save->image, bytes, address))
        return;
    uint64_t next = fh_next_of(save->image, bytes, address);
    put(save, &save->heap_words, address, FH_WORD_FREED, next >> 48 || next % 16 ? FH_WORD_BAD_ADDRESS : next);
}

static void put_link(struct fh_save *save, uint64_t place, uint64_t word)
{
    uint64_t chunk = word ^ (save->image->secret + place);
    bool is_bad = chunk && (chunk >> 48 || chunk % 16 != 8);
    put(save, &save->heap_words, place, FH_WORD_LINK, is_bad ? FH_WORD_BAD_ADDRESS : chunk);
}

static void on_large(struct fh_save *save, const struct fh_region *region)
{
    unsigned char bytes[32] = {0};
    uint64_t at = region->pointer - 16;
    fh_image_read(save->image, at, bytes, sizeof(bytes));
    put_tag(save, at, fh_word_at(bytes));
    put_tag(save, at + WORD, fh_word_at(bytes + WORD));
    put_freed(save, region->pointer, bytes + 16);
    if (!region->is_free)
        fh_save_site(save, region->pointer);
}

static void end_segment(struct fh_save *save)
{
    const struct fh_region *segment = &save->segment;
    if (segment->bytes == 0)
        return;
    uint64_t tail = segment->start + segment->bytes - save->image->root.segment_tail_bytes;
    fh_save_pages_up_to(save, tail);
    const unsigned char *bytes = fh_image_view(save->image, tail, WORD); /* unlike a read, touches no new page */
    if (bytes)
        put_tag(save, tail, fh_word_at(bytes));
    fh_save_pages_up_to(save, segment->start + segment->bytes);
    save->segment.bytes = 0;
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct fh_save *save = arg;
    unsigned char head[256];
    end_segment(save);
    begin_range(save, region->start);
    save->heap_bytes += region->bytes;
    switch (region->kind) {
    case FH_REGION_SEGMENT: {
        size_t bytes = image->root.segment_head_bytes & ~(uint64_t)7;
        if (bytes > sizeof(head) || !fh_image_read(image, region->start, head, bytes))
            break;
        fh_save_words(save, &save->heap_words, region->start, head, bytes);
        save->segment = *region;
        break;
    }
    case FH_REGION_LARGE:
        on_large(save, region);
        fh_save_pages_up_to(save, region->start + region->bytes);
        break;
    case FH_REGION_SLAB:
        break;
    default:
        fh_save_flush(save, &save->heap_words);
        if (region->kind == FH_REGION_SAMPLES && fh_save_is_site_leaf(region))
            fh_save_pages_up_to(save, region->start + region->bytes);
        else
            fh_save_range(save, &save->heap_words, region->start, region->bytes);
        break;
    }
}

static void on_free_chunk(struct fh_save *save, const struct fh_image_chunk *chunk, const unsigned char *bytes)
{
    enum { SPAN_AT = 24 };
    struct fh_image *image = save->image;
    uint64_t footer = chunk->start + chunk->bytes - WORD;
    put_link(save, chunk->start + WORD, fh_word_at(bytes + WORD));
    put_link(save, chunk->start + 2 * WORD, fh_word_at(bytes + 2 * WORD));
    if (chunk->purged && (bytes = fh_image_view(image, chunk->start + SPAN_AT, 2 * WORD)) != NULL) {
        put_tag(save, chunk->start + SPAN_AT, fh_word_at(bytes));
        put_tag(save, chunk->start + SPAN_AT + WORD, fh_word_at(bytes + WORD));
    }
    fh_save_pages_up_to(save, footer);
    bytes = fh_image_view(image, footer, WORD);
    if (bytes)
        put_tag(save, footer, fh_word_at(bytes));
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    struct fh_save *save = arg;
    (void)region;
    const unsigned char *bytes = fh_image_view(image, chunk->start, 32);
    if (!bytes)
        return;
    put_tag(save, chunk->start, fh_word_at(bytes));
    switch (chunk->is) {
    case FH_IS_LIVE:
        fh_save_site(save, chunk->start + TAG_BYTES);
        break;
    case FH_IS_CACHED:
        put_freed(save, chunk->start + TAG_BYTES, bytes + TAG_BYTES);
        break;
    case FH_IS_FREE:
        on_free_chunk(save, chunk, bytes);
        break;
    case FH_IS_TOP:
        break;
    }
    fh_save_pages_up_to(save, chunk->start + chunk->bytes);
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab, void *arg)
{
    enum { BOUNDARY = 16 };
    struct fh_save *save = arg;
    const unsigned char *bytes = fh_image_view(image, slab->start, slab->bytes);
    const struct fh_image_root *root = &image->root;
    if (!bytes || root->slab_extra_bytes > slab->bytes)
        return;
    if (region->kind == FH_REGION_SEGMENT)
        put_tag(save, slab->start + BOUNDARY - TAG_BYTES, fh_word_at(bytes + BOUNDARY - TAG_BYTES));
    for (size_t i = BOUNDARY; i + WORD <= root->slab_extra_bytes; i += WORD) {
        if (i == root->slab_seal.offset)
            put(save, &save->heap_words, slab->start + i, FH_WORD_SEAL, fh_word_at(bytes + i) & FH_TAG_CONTENT);
        else
            fh_save_word(save, &save->heap_words, slab->start + i, fh_word_at(bytes + i));
    }
    for (uint32_t i = 0; i < slab->carved; i++) {
        uint64_t offset = slab->first + (uint64_t)i * slab->class_bytes;
        if (fh_bit_of(slab->live, i))
            fh_save_site(save, slab->start + offset);
        else
            put_freed(save, slab->start + offset, bytes + offset);
    }
    fh_save_pages_up_to(save, slab->start + slab->bytes);
}

/* What the walk could make nothing of; it may have a tag all the same. */
static void on_gap(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg)
{
    struct fh_save *save = arg;
    (void)region;
    const unsigned char *tag = fh_image_view(image, start, WORD);
    if (tag)
        put_tag(save, start, fh_word_at(tag));
    fh_save_pages_up_to(save, start + bytes);
}

/* --- the rest of the file --- */

static void save_root(struct fh_save *save)
{
    const struct fh_image_root *root = &save->image->root;
    size_t bytes = root->root_bytes < sizeof(*root) ? root->root_bytes : sizeof(*root);
    fh_snapshot_add(&save->out, FH_SNAPSHOT_ROOT, root, bytes, root->self, bytes);
}

static void save_vmas(struct fh_save *save)
{
    char *frame = malloc(VMAS_FRAME);
    size_t used = 0, count;
    const struct fh_image_vma *vmas = fh_image_vmas(save->image, &count);
    if (!frame)
        save->out.error = ENOMEM;
    for (size_t i = 0; frame && i < count; i++) {
        size_t length = strnlen(vmas[i].path, PATH_MOST), filled = (length + 7) & ~(size_t)7;
        struct fh_snapshot_vma vma = {
            .start = vmas[i].start,
            .end = vmas[i].end,
            .rss_bytes = vmas[i].rss_bytes,
            .swap_bytes = vmas[i].swap_bytes,
            .file_offset = vmas[i].file_offset,
            .flags = (vmas[i].writable ? 1u : 0) | (vmas[i].executable ? 2u : 0) | (vmas[i].is_private ? 4u : 0),
            .path_bytes = (uint32_t)length,
        };
        if (used + sizeof(vma) + filled > VMAS_FRAME) {
            fh_snapshot_add(&save->out, FH_SNAPSHOT_VMAS, frame, used, 0, 0);
            used = 0;
        }
        memcpy(frame + used, &vma, sizeof(vma));
        memset(frame + used + sizeof(vma), 0, filled);
        memcpy(frame + used + sizeof(vma), vmas[i].path, length);
        used += sizeof(vma) + filled;
    }
    if (frame)
        fh_snapshot_add(&save->out, FH_SNAPSHOT_VMAS, frame, used, 0, 0);
    free(frame);
}

static void fill_header(const struct fh_save *save, struct fh_snapshot_header *header)
{
    const struct fh_image_about *about = &save->image->about;
    bool held = about->kind == FH_IMAGE_CORE || about->was_held;
    *header = (struct fh_snapshot_header){
        .frame = FH_SNAPSHOT_HEADER_FRAME,
        .frame_bytes = sizeof(*header) - 8,
        .magic = FH_SNAPSHOT_MAGIC,
        .version = FH_SNAPSHOT_VERSION,
        .flags = (about->knows_pages ? FH_SNAPSHOT_KNOWS_PAGES : 0) | (held ? FH_SNAPSHOT_WAS_HELD : 0),
        .pid = (uint32_t)about->pid,
        .page_bytes = (uint32_t)about->page_bytes,
        .taken_ns = about->taken_ns,
        .secret = save->secret,
    };
    memcpy(header->name, about->name, sizeof(header->name));
    header->checksum = fh_snapshot_checksum(header, offsetof(struct fh_snapshot_header, checksum));
}

static bool make_save(struct fh_save *save)
{
    save->heap_words.bytes = malloc(FH_SNAPSHOT_RAW_MOST);
    save->site_words.bytes = malloc(FH_SNAPSHOT_RAW_MOST);
    return save->heap_words.bytes && save->site_words.bytes &&
           getrandom(&save->secret, sizeof(save->secret), 0) == sizeof(save->secret);
}

int fh_image_save(struct fh_image *image, const char *verb, const char *path, struct fh_image_saved *saved)
{
    struct fh_save *save = calloc(1, sizeof(*save));
    struct fh_snapshot_header header;
    int status = FH_EXIT_FAILED;
    bool good = save != NULL;
    if (good) {
        save->image = image;
        good = make_save(save);
    }
    if (!good) {
        fh_say(verb, "out of memory");
    } else {
        fill_header(save, &header);
        status = fh_snapshot_create(verb, path, &header, &save->out);
    }
    if (status == 0) {
        const struct fh_image_walker walker = {save, on_region, on_chunk, on_slab, on_gap, verb};
        save_root(save);
        fh_save_statics(save);
        fh_save_threads(save);
        fh_save_begin_sites(save);
        bool walked = fh_image_walk(image, &walker);
        end_segment(save);
        if (!walked || !fh_image_refresh(image)) {
            fh_say(verb, "the process ended while it was read; nothing of '%s' was left", path);
            fh_snapshot_drop(&save->out);
            status = FH_EXIT_FAILED;
        } else {
            save_vmas(save);
            fh_save_builds(save);
            fh_save_flush(save, &save->heap_words);
            fh_save_end_sites(save);
            flush_pages(save);
            if (saved)
                saved->heap_bytes = save->heap_bytes;
            status = fh_snapshot_end(verb, &save->out);
            if (saved)
                saved->file_bytes = save->out.offset;
        }
    }
    if (save) {
        free(save->heap_words.bytes);
        free(save->site_words.bytes);
        free(save->site_entries);
    }
    free(save);
    return status;
}
