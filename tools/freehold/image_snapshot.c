/*
 * image_snapshot.c - a snapshot (freehold-snapshot(5)) as the source of an image.
 *
 * The flags of pages are kept in memory, two bits each; words are unpacked a frame at a time when they are asked for,
 * and those that were looked at last are kept for reads here and there. The file is not trusted: every size in it is
 * bounded, and frames have checksums.
 */
#include "cli.h"
#include "file.h"
#include "image_source.h"
#include "snapshot_pack.h"
#include "snapshot_words.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEPT_SPANS = 16,
    PAGES_IN_BYTE = 4,
    ENTRIES_MOST = 1 << 26,
    VMAS_MOST = 1 << 22,
    THREADS_MOST = 1 << 20,
    PATH_MOST = 4096
};

struct page_range {
    uint64_t start, pages;
    unsigned char *flags; /* two bits each */
};

struct snapshot_source {
    int fd;
    uint64_t file_bytes;
    struct fh_packer *packer;
    unsigned char *packed, *raw; /* of a frame */
    size_t packed_room;
    struct fh_words_made made;
    struct fh_snapshot_entry *words; /* by address */
    size_t word_count;
    struct page_range *ranges; /* by address */
    size_t range_count;
    struct kept_span {
        size_t index; /* of words, + 1 */
        uint64_t used;
        unsigned char *memory;
    } kept[KEPT_SPANS];
    uint64_t clock;
};

bool fh_image_is_snapshot(int fd)
{
    struct fh_snapshot_header header;
    return fh_read_at(fd, &header, sizeof(header), 0) && header.frame == FH_SNAPSHOT_HEADER_FRAME &&
           memcmp(header.magic, FH_SNAPSHOT_MAGIC, sizeof(header.magic)) == 0;
}

/* Unpacks `stored` bytes at `offset` of the file, which must be exactly `raw_bytes` then. */
static bool unpack(struct snapshot_source *source, uint64_t offset, uint64_t stored, void *raw, size_t raw_bytes)
{
    if (offset > source->file_bytes || stored > source->file_bytes - offset || stored > source->packed_room)
        return false;
    return fh_read_at(source->fd, source->packed, (size_t)stored, offset) &&
           fh_unpack(source->packer, raw, raw_bytes, source->packed, (size_t)stored);
}

static bool unpack_entry(struct snapshot_source *source, const struct fh_snapshot_entry *entry)
{
    return unpack(source, entry->offset, entry->stored_bytes, source->raw, entry->raw_bytes);
}

/* --- reading memory --- */

static bool expand(struct snapshot_source *source, const struct fh_snapshot_entry *entry, unsigned char *memory,
                   uint64_t from, uint64_t to)
{
    return unpack_entry(source, entry) &&
           fh_words_expand(source->raw, entry->raw_bytes, entry->start, &source->made, memory, from, to);
}

/* The memory that a frame stands for; NULL when it does not hold. */
static const unsigned char *keep_span(struct snapshot_source *source, size_t index)
{
    struct kept_span *oldest = &source->kept[0];
    for (size_t i = 0; i < KEPT_SPANS; i++) {
        struct kept_span *span = &source->kept[i];
        if (span->index == index + 1) {
            span->used = ++source->clock;
            return span->memory;
        }
        if (span->used < oldest->used)
            oldest = span;
    }
    if (!oldest->memory)
        oldest->memory = malloc(FH_SNAPSHOT_SPAN_MOST);
    if (!oldest->memory)
        return NULL;
    const struct fh_snapshot_entry *entry = &source->words[index];
    memset(oldest->memory, 0, entry->bytes);
    oldest->index = 0;
    if (!expand(source, entry, oldest->memory, entry->start, entry->start + entry->bytes))
        return NULL;
    oldest->index = index + 1;
    oldest->used = ++source->clock;
    return oldest->memory;
}

static size_t first_words_above(const struct snapshot_source *source, uint64_t address)
{
    size_t low = 0, high = source->word_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (source->words[middle].start + source->words[middle].bytes <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t first_range_above(const struct snapshot_source *source, uint64_t address, size_t page)
{
    size_t low = 0, high = source->range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (source->ranges[middle].start + source->ranges[middle].pages * page <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t read_snapshot(struct fh_image *image, uint64_t address, void *buffer, size_t bytes)
{
    enum { SMALL = 65536 }; /* below, it is likely that the next read is nearby */
    struct snapshot_source *source = image->source_data;
    size_t page = image->about.page_bytes, had = 0;
    uint64_t end = address + bytes;
    memset(buffer, 0, bytes);
    for (size_t i = first_words_above(source, address); i < source->word_count && source->words[i].start < end; i++) {
        const struct fh_snapshot_entry *entry = &source->words[i];
        uint64_t from = entry->start > address ? entry->start : address;
        uint64_t to = entry->start + entry->bytes < end ? entry->start + entry->bytes : end;
        if (to <= from)
            continue; /* frames that overlap: nobody wrote that */
        if (bytes > SMALL) {
            expand(source, entry, buffer, address, end);
        } else {
            const unsigned char *memory = keep_span(source, i);
            if (memory)
                memcpy((char *)buffer + (from - address), memory + (from - entry->start), (size_t)(to - from));
        }
    }
    for (size_t i = first_range_above(source, address, page);
         i < source->range_count && source->ranges[i].start < end; i++) {
        uint64_t from = source->ranges[i].start, to = from + source->ranges[i].pages * page;
        if (to > address)
            had += (size_t)((to < end ? to : end) - (from > address ? from : address));
    }
    return had < bytes ? had : bytes;
}

static void pages_of_snapshot(struct fh_image *image, uint64_t address, size_t count, unsigned char *flags)
{
    const struct snapshot_source *source = image->source_data;
    size_t page = image->about.page_bytes;
    uint64_t end = address + count * page;
    memset(flags, 0, count);
    for (size_t i = first_range_above(source, address, page);
         i < source->range_count && source->ranges[i].start < end; i++) {
        const struct page_range *range = &source->ranges[i];
        uint64_t n = address > range->start ? (address - range->start) / page : 0;
        for (; n < range->pages && range->start + n * page < end; n++)
            flags[(range->start + n * page - address) / page] |=
                range->flags[n / PAGES_IN_BYTE] >> n % PAGES_IN_BYTE * 2 & 3;
    }
}

static uint64_t next_of_snapshot(struct fh_image *image, uint64_t address)
{
    const struct snapshot_source *source = image->source_data;
    size_t i = first_range_above(source, address, image->about.page_bytes);
    if (i == source->range_count)
        return UINT64_MAX;
    return source->ranges[i].start > address ? source->ranges[i].start : address;
}

static void close_snapshot(struct fh_image *image)
{
    struct snapshot_source *source = image->source_data;
    for (size_t i = 0; i < source->range_count; i++)
        free(source->ranges[i].flags);
    for (size_t i = 0; i < KEPT_SPANS; i++)
        free(source->kept[i].memory);
    fh_packer_close(source->packer);
    free(source->packed);
    free(source->raw);
    free(source->words);
    free(source->ranges);
    close(source->fd);
    free(source);
}

static const struct fh_image_source snapshot_source = {read_snapshot, pages_of_snapshot, next_of_snapshot,
                                                      close_snapshot};

/* --- opening --- */

static bool read_vmas(struct fh_image *image, const unsigned char *raw, size_t bytes)
{
    size_t count = 0, at;
    struct fh_snapshot_vma vma;
    for (at = 0; at + sizeof(vma) <= bytes; at += sizeof(vma) + ((vma.path_bytes + 7u) & ~7u), count++) {
        memcpy(&vma, raw + at, sizeof(vma));
        if (vma.path_bytes > PATH_MOST || sizeof(vma) + vma.path_bytes > bytes - at || vma.end < vma.start)
            return false;
    }
    size_t all = image->vma_count + count;
    struct fh_image_vma *vmas = all <= VMAS_MOST ? realloc(image->vmas, (all + 1) * sizeof(*vmas)) : NULL;
    if (!vmas)
        return false;
    image->vmas = vmas;
    for (at = 0; count--; at += sizeof(vma) + ((vma.path_bytes + 7u) & ~7u)) {
        memcpy(&vma, raw + at, sizeof(vma));
        vmas[image->vma_count++] = (struct fh_image_vma){
            .start = vma.start,
            .end = vma.end,
            .rss_bytes = vma.rss_bytes,
            .swap_bytes = vma.swap_bytes,
            .file_offset = vma.file_offset,
            .writable = vma.flags & 1,
            .executable = vma.flags & 2,
            .is_private = vma.flags & 4,
            .path = strndup((const char *)raw + at + sizeof(vma), vma.path_bytes),
        };
    }
    return true;
}

static bool read_builds(struct fh_image *image, const unsigned char *raw, size_t bytes)
{
    struct fh_snapshot_build build;
    for (size_t at = 0; at + sizeof(build) <= bytes; at += sizeof(build)) {
        memcpy(&build, raw + at, sizeof(build));
        const struct fh_image_vma *found = fh_image_vma_at(image, build.start);
        struct fh_image_vma *vma = found ? &image->vmas[found - image->vmas] : NULL;
        if (vma && !vma->build_id && build.id[0])
            vma->build_id = strndup(build.id, FH_BUILD_ID_TEXT - 1);
    }
    return true;
}

static bool read_threads(struct fh_image *image, const unsigned char *raw, size_t bytes)
{
    struct fh_snapshot_thread thread;
    size_t count = bytes / sizeof(thread), all = image->thread_name_count + count;
    struct fh_image_thread_name *names =
        all <= THREADS_MOST ? realloc(image->thread_names, (all + 1) * sizeof(*names)) : NULL;
    if (!names)
        return false;
    image->thread_names = names;
    for (size_t i = 0; i < count; i++) {
        memcpy(&thread, raw + i * sizeof(thread), sizeof(thread));
        struct fh_image_thread_name *name = &names[image->thread_name_count++];
        *name = (struct fh_image_thread_name){.state = thread.state, .id = (int32_t)thread.id};
        memcpy(name->name, thread.name, sizeof(name->name) - 1);
    }
    return true;
}

static bool read_root(struct fh_image *image, const unsigned char *raw, size_t bytes)
{
    if (bytes < offsetof(struct fh_image_root, pagemap_root))
        return false;
    memcpy(&image->root, raw, bytes < sizeof(image->root) ? bytes : sizeof(image->root));
    image->about.has_root = image->root.layout == FH_IMAGE_LAYOUT;
    image->about.version = image->root.version;
    struct snapshot_source *source = image->source_data;
    source->made.slab_seal_offset = image->root.slab_seal.offset;
    return true;
}

static bool read_pages(struct snapshot_source *source, const struct fh_snapshot_entry *entry, size_t page)
{
    uint64_t pages = entry->bytes / page;
    if (entry->start % page || entry->bytes % page || pages > FH_SNAPSHOT_PAGES_MOST ||
        entry->raw_bytes < (pages + PAGES_IN_BYTE - 1) / PAGES_IN_BYTE)
        return false;
    unsigned char *flags = malloc(entry->raw_bytes + 1);
    if (!flags)
        return false;
    memcpy(flags, source->raw, entry->raw_bytes);
    source->ranges[source->range_count++] = (struct page_range){entry->start, pages, flags};
    return true;
}

static bool take_entry(struct fh_image *image, const struct fh_snapshot_entry *entry)
{
    struct snapshot_source *source = image->source_data;
    if (entry->raw_bytes > FH_SNAPSHOT_RAW_MOST || entry->start + entry->bytes < entry->start)
        return false;
    if (entry->kind == FH_SNAPSHOT_WORDS) {
        source->words[source->word_count++] = *entry;
        return entry->bytes <= FH_SNAPSHOT_SPAN_MOST;
    }
    if (!unpack_entry(source, entry))
        return false;
    switch (entry->kind) {
    case FH_SNAPSHOT_ROOT:
        return read_root(image, source->raw, entry->raw_bytes);
    case FH_SNAPSHOT_VMAS:
        return read_vmas(image, source->raw, entry->raw_bytes);
    case FH_SNAPSHOT_THREADS:
        return read_threads(image, source->raw, entry->raw_bytes);
    case FH_SNAPSHOT_BUILDS:
        return read_builds(image, source->raw, entry->raw_bytes);
    case FH_SNAPSHOT_PAGES:
        return read_pages(source, entry, image->about.page_bytes);
    default:
        return true; /* of a later version, which says so if it can't be done without */
    }
}

static int by_start(const void *a, const void *b)
{
    const struct fh_snapshot_entry *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static int by_range_start(const void *a, const void *b)
{
    const struct page_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* The index, whose frames follow one another; freed by the caller. */
static struct fh_snapshot_entry *read_index(struct snapshot_source *source, uint64_t *count)
{
    struct fh_snapshot_trailer trailer;
    if (source->file_bytes < sizeof(trailer) ||
        !fh_read_at(source->fd, &trailer, sizeof(trailer), source->file_bytes - sizeof(trailer)) ||
        memcmp(trailer.magic, FH_SNAPSHOT_END_MAGIC, sizeof(trailer.magic)) != 0 ||
        trailer.checksum != fh_snapshot_checksum(&trailer, offsetof(struct fh_snapshot_trailer, checksum)) ||
        trailer.index_entries > ENTRIES_MOST || trailer.index_offset > source->file_bytes ||
        trailer.index_stored_bytes > source->file_bytes - trailer.index_offset)
        return NULL;
    *count = trailer.index_entries;
    size_t left = trailer.index_entries * sizeof(struct fh_snapshot_entry);
    uint64_t offset = trailer.index_offset, end = offset + trailer.index_stored_bytes;
    struct fh_snapshot_entry *entries = malloc(left + 1);
    char *raw = (char *)entries;
    while (entries && left) {
        size_t some = left < FH_SNAPSHOT_RAW_MOST ? left : FH_SNAPSHOT_RAW_MOST;
        uint64_t most = end - offset < source->packed_room ? end - offset : source->packed_room;
        size_t stored = fh_read_at(source->fd, source->packed, (size_t)most, offset)
                            ? fh_pack_frame_bytes(source->packed, (size_t)most)
                            : 0;
        if (stored == 0 || !unpack(source, offset, stored, raw, some)) {
            free(entries);
            return NULL;
        }
        offset += stored;
        raw += some;
        left -= some;
    }
    return entries;
}

static bool read_file(struct fh_image *image)
{
    struct snapshot_source *source = image->source_data;
    uint64_t count;
    struct fh_snapshot_entry *entries = read_index(source, &count);
    if (!entries)
        return false;
    source->words = malloc((count + 1) * sizeof(*source->words));
    source->ranges = malloc((count + 1) * sizeof(*source->ranges));
    bool good = source->words && source->ranges;
    for (uint64_t i = 0; i < count && good; i++)
        good = take_entry(image, &entries[i]);
    free(entries);
    if (!good)
        return false;
    qsort(source->words, source->word_count, sizeof(*source->words), by_start);
    qsort(source->ranges, source->range_count, sizeof(*source->ranges), by_range_start);
    return image->root.root_bytes != 0;
}

static bool take_header(struct fh_image *image, const struct fh_snapshot_header *header)
{
    struct snapshot_source *source = image->source_data;
    image->about.kind = FH_IMAGE_SNAPSHOT;
    image->about.pid = (pid_t)header->pid;
    image->about.taken_ns = header->taken_ns;
    image->about.page_bytes = header->page_bytes;
    image->about.knows_pages = header->flags & FH_SNAPSHOT_KNOWS_PAGES;
    image->about.was_held = header->flags & FH_SNAPSHOT_WAS_HELD;
    memcpy(image->about.name, header->name, sizeof(image->about.name));
    image->about.name[sizeof(image->about.name) - 1] = '\0';
    source->made.secret = header->secret;
    uint32_t page = header->page_bytes;
    return page >= 4096 && page <= 65536 && (page & (page - 1)) == 0 &&
           header->checksum == fh_snapshot_checksum(header, offsetof(struct fh_snapshot_header, checksum));
}

int fh_image_open_snapshot(const char *verb, const char *path, int fd, struct fh_image *image)
{
    struct snapshot_source *source = calloc(1, sizeof(*source));
    struct fh_snapshot_header header;
    struct stat about;
    if (!source || !fh_pack_is_built_in()) {
        close(fd);
        fh_say(verb, !source ? "out of memory"
                             : "this freehold was built without zstd; install libzstd-dev and build it again");
        free(source);
        return FH_EXIT_FAILED;
    }
    source->fd = fd;
    image->source_data = source;
    image->source = &snapshot_source;
    source->packed_room = fh_pack_room(FH_SNAPSHOT_RAW_MOST);
    source->packed = malloc(source->packed_room);
    source->raw = malloc(FH_SNAPSHOT_RAW_MOST);
    source->packer = fh_packer_open();
    if (!source->packed || !source->raw || !source->packer) {
        fh_say(verb, "out of memory");
        return FH_EXIT_FAILED;
    }
    source->file_bytes = fstat(fd, &about) == 0 ? (uint64_t)about.st_size : 0;
    bool good = fh_read_at(fd, &header, sizeof(header), 0) && take_header(image, &header);
    if (good && header.version != FH_SNAPSHOT_VERSION) {
        fh_say(verb, "snapshot '%s' is of version %u, this program reads version %u; use the program that wrote it",
               path, header.version, (unsigned)FH_SNAPSHOT_VERSION);
        return FH_EXIT_FAILED;
    }
    if (!good || !read_file(image)) {
        fh_say(verb, "snapshot '%s' is cut short or damaged; copy it again, or take a new one", path);
        return FH_EXIT_FAILED;
    }
    return 0;
}
