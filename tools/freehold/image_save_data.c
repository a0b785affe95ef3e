/*
 * image_save_data.c - what a snapshot keeps besides the heap: the library's own data as far as the root names it, and
 * the sites of live blocks.
 *
 * Only the words that items of the root describe: in a program that is linked statically, the library's data lies among
 * the program's.
 */
#include "image_save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <freehold_samples.h>

enum { RANGES_MOST = 32, ROOT_ENTRIES = 65536, SITE_PIECE = 16384 };

struct range {
    uint64_t start, bytes;
};

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* How long a record is: to the end of the last of its fields, whose names begin with `prefix`. */
static uint64_t record_bytes(const struct fh_image_root *root, const char *prefix)
{
    uint64_t end = 0;
#define NUMBER(name)
#define FIELD(name)                                                                                                    \
    if (strncmp(#name, prefix, strlen(prefix)) == 0)                                                                   \
        end = larger(end, (uint64_t)root->name.offset + root->name.bytes);
    FH_IMAGE_ITEMS(NUMBER, FIELD)
#undef NUMBER
#undef FIELD
    return end;
}

static size_t list_ranges(struct fh_image *image, struct range *ranges)
{
    const struct fh_image_root *root = &image->root;
    uint64_t heaps = fh_image_read_number(image, root->heap_count, 4);
    uint64_t states = fh_image_state_end(image);
    uint64_t blocks = fh_image_read_number(image, FH_IMAGE_AT(root->state_table, root->state_table_blocks), 8);
    uint64_t each = fh_image_read_number(image, FH_IMAGE_AT(root->state_table, root->state_table_per_block), 4);
    uint64_t samples = root->samples, mappings = fh_image_read_number(image, root->sample_mapping_count, 4);
    const struct range all[] = {
        {root->pagemap_root, ROOT_ENTRIES * sizeof(uint64_t)},
        {root->heaps, heaps * root->heap_bytes},
        {root->heap_count, 4},
        {root->state_table, record_bytes(root, "state_table_")},
        {fh_image_read_number(image, FH_IMAGE_AT(root->state_table, root->state_table_id_end), 8), 4},
        {blocks, each ? (states / each + 1) * 8 : 0},
        {fh_image_state_at(image, 1), root->state_bytes},
        {root->wholesale, record_bytes(root, "wholesale_")},
        {root->large_counts, record_bytes(root, "large_")},
        {root->transit_bytes, 8},
        {root->transit_objects, 8},
        {root->secret, 8},
        {root->options, record_bytes(root, "option_")},
        {root->fork_has_torn, 4},
        {root->sample_mapping_count, 4},
        {root->sample_mappings, mappings * 16},
        {samples, samples ? sizeof(struct fh_samples) : 0},
        {samples ? fh_image_read_number(image, samples + offsetof(struct fh_samples, block_addresses), 8) : 0,
         FH_SAMPLES_BLOCKS * sizeof(uint64_t)},
        {samples ? fh_image_read_number(image, samples + offsetof(struct fh_samples, bucket_addresses), 8) : 0,
         samples ? 4 * fh_image_read_number(image, samples + offsetof(struct fh_samples, bucket_count), 8) : 0},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].start == 0 || all[i].bytes == 0 || all[i].bytes > FH_SNAPSHOT_RAW_MOST)
            continue;
        uint64_t start = all[i].start & ~(uint64_t)7, end = (all[i].start + all[i].bytes + 7) & ~(uint64_t)7;
        ranges[count++] = (struct range){start, end - start};
    }
    return count;
}

static int by_start(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

void fh_save_statics(struct fh_save *save)
{
    struct range ranges[RANGES_MOST];
    size_t count = list_ranges(save->image, ranges);
    qsort(ranges, count, sizeof(ranges[0]), by_start);
    uint64_t done = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t start = larger(ranges[i].start, done), end = ranges[i].start + ranges[i].bytes;
        if (start < end)
            fh_save_range(save, &save->heap_words, start, end - start);
        done = larger(done, end);
    }
}

/* --- sites: a 32-bit entry for each 16 bytes of the heap, of which those of live blocks mean something --- */

bool fh_save_is_site_leaf(const struct fh_region *region)
{
    return region->bytes == (uint64_t)4 << (FH_SITES_LEAF_SHIFT - FH_SITES_GRAIN_SHIFT); /* no other table has this */
}

void fh_save_begin_sites(struct fh_save *save)
{
    uint64_t samples = save->image->root.samples;
    if (samples)
        save->sites_root =
            fh_image_read_number(save->image, samples + offsetof(struct fh_samples, sites_root), sizeof(uint64_t));
    save->site_leaf_index = UINT64_MAX;
    if (save->sites_root)
        save->site_entries = malloc(SITE_PIECE * sizeof(uint32_t));
}

void fh_save_end_sites(struct fh_save *save)
{
    if (save->site_word_at)
        fh_save_word(save, &save->site_words, save->site_word_at, save->site_word);
    save->site_word_at = 0;
    fh_save_flush(save, &save->site_words);
}

void fh_save_site(struct fh_save *save, uint64_t address)
{
    if (!save->site_entries || address >> 48)
        return;
    uint64_t index = address >> FH_SITES_LEAF_SHIFT;
    if (index != save->site_leaf_index) {
        save->site_leaf = fh_image_read_number(save->image, save->sites_root + index * sizeof(uint64_t), 8);
        save->site_leaf_index = index;
        save->site_entries_at = UINT64_MAX;
    }
    if (save->site_leaf == 0)
        return;
    uint64_t entry = (address & (((uint64_t)1 << FH_SITES_LEAF_SHIFT) - 1)) >> FH_SITES_GRAIN_SHIFT;
    uint64_t piece = entry & ~(uint64_t)(SITE_PIECE - 1);
    if (piece != save->site_entries_at) {
        save->image->source->read(save->image, save->site_leaf + piece * sizeof(uint32_t), save->site_entries,
                                  SITE_PIECE * sizeof(uint32_t));
        save->site_entries_at = piece;
    }
    uint64_t number = save->site_entries[entry - piece], at = save->site_leaf + entry * sizeof(uint32_t);
    uint64_t word_at = at & ~(uint64_t)7;
    if (number == 0)
        return;
    if (word_at != save->site_word_at && save->site_word_at)
        fh_save_word(save, &save->site_words, save->site_word_at, save->site_word);
    if (word_at != save->site_word_at)
        save->site_word = 0;
    save->site_word_at = word_at;
    save->site_word |= number << (at - word_at) * 8;
}

void fh_save_threads(struct fh_save *save)
{
    enum { AT_ONCE = FH_SNAPSHOT_RAW_MOST / sizeof(struct fh_snapshot_thread) };
    size_t count, used = 0;
    struct fh_image_thread *threads = fh_image_threads_all(save->image, &count);
    struct fh_snapshot_thread *frame = malloc(AT_ONCE * sizeof(*frame));
    for (size_t i = 0; frame && i < count; i++) {
        struct fh_image_thread_name name;
        if (!fh_image_thread_name(save->image, &threads[i], &name))
            continue;
        frame[used] = (struct fh_snapshot_thread){.state = name.state, .id = (uint32_t)name.id};
        memcpy(frame[used].name, name.name, sizeof(frame[used].name));
        if (++used < AT_ONCE)
            continue;
        fh_snapshot_add(&save->out, FH_SNAPSHOT_THREADS, frame, used * sizeof(*frame), 0, 0);
        used = 0;
    }
    if (used)
        fh_snapshot_add(&save->out, FH_SNAPSHOT_THREADS, frame, used * sizeof(*frame), 0, 0);
    if (!frame)
        save->out.error = ENOMEM;
    free(frame);
    free(threads);
}

void fh_save_builds(struct fh_save *save)
{
    enum { AT_ONCE = 1024 };
    size_t count, used = 0;
    const struct fh_image_vma *vmas = fh_image_vmas(save->image, &count);
    struct fh_snapshot_build *frame = calloc(AT_ONCE, sizeof(*frame));
    for (size_t i = 0; frame && i < count; i++) {
        char id[FH_BUILD_ID_TEXT];
        bool is_known = save->image->about.kind == FH_IMAGE_PROCESS || vmas[i].build_id; /* and not only likely */
        if (!is_known || !vmas[i].executable || !fh_image_build_id(save->image, &vmas[i], id))
            continue;
        frame[used].start = vmas[i].start;
        memset(frame[used].id, 0, sizeof(frame[used].id));
        memcpy(frame[used].id, id, strlen(id));
        if (++used < AT_ONCE)
            continue;
        fh_snapshot_add(&save->out, FH_SNAPSHOT_BUILDS, frame, used * sizeof(*frame), 0, 0);
        used = 0;
    }
    if (used)
        fh_snapshot_add(&save->out, FH_SNAPSHOT_BUILDS, frame, used * sizeof(*frame), 0, 0);
    if (!frame)
        save->out.error = ENOMEM;
    free(frame);
}
