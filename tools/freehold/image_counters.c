/*
 * image_counters.c - what the library's own counters say: those of counters.def, without a walk, and the threads.
 */
#include "image_source.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 4, RUNNING = 1, HEAP_RECORD_MOST = 1 << 16, STATE_RECORD_MOST = 1 << 17, TAG_BYTES = 8 };

static_assert(offsetof(struct fh_image_counters, live_bytes) == FH_LIVE * sizeof(uint64_t) &&
                  offsetof(struct fh_image_counters, metadata_bytes) == FH_METADATA * sizeof(uint64_t),
              "the items stand in the table in the order of enum fh_item");

#define OF(record, field) fh_image_field(record, image->root.field)
#define LEDGER(field) fh_image_read_number(image, FH_IMAGE_AT(image->root.wholesale, image->root.field), 8)
#define LARGE(field) fh_image_read_number(image, FH_IMAGE_AT(image->root.large_counts, image->root.field), 8)

static void add_heap(struct fh_image *image, struct fh_image_counters *counters, uint64_t number, const void *record)
{
    const struct fh_image_root *root = &image->root;
    uint64_t segments = 0, top_bytes = 0, untouched = 0;
    uint64_t segment = OF(record, heap_segments), top = OF(record, heap_top), fresh = OF(record, heap_fresh);
    for (; segment && segments < 1 << 16; segments++)
        segment = fh_image_read_number(image, FH_IMAGE_AT(segment, root->segment_next), 8);
    if (top) {
        uint64_t tag = fh_image_read_number(image, top, 8);
        top_bytes = fh_is_sealed(image, tag, top) ? FH_TAG_SIZE(tag & FH_TAG_CONTENT) : 0;
        if (fresh < top + top_bytes)
            untouched = fresh > top ? top + top_bytes - fresh : top_bytes;
    }
    uint64_t slab_bytes = OF(record, heap_slab_bytes), used = OF(record, heap_used_bytes);
    uint64_t blocks = OF(record, heap_used_chunks) - OF(record, heap_slab_chunks);
    uint64_t handed_over = OF(record, heap_handed_over_bytes);
    counters->handed_over_bytes += handed_over;
    uint64_t withheld = OF(record, heap_withheld_bytes); /* looks in use while its pages go */
    if (withheld)
        counters->live_blocks--, handed_over += withheld - TAG_BYTES;
    uint64_t *bytes = counters->bytes;
    counters->heaps += segments != 0;
    counters->live_blocks += blocks;
    bytes[FH_METADATA] += segments * (root->segment_head_bytes + root->segment_tail_bytes) + blocks * TAG_BYTES;
    bytes[FH_LIVE] += used - slab_bytes - blocks * TAG_BYTES - handed_over;
    bytes[FH_CACHED] += handed_over;
    bytes[FH_ROUNDING] += slab_bytes; /* less what the slabs say of themselves, in add_state */
    uint64_t purged = OF(record, heap_purged_bytes);
    bytes[FH_FREE] += OF(record, heap_free_bytes) - purged + top_bytes - untouched;
    bytes[FH_UNTOUCHED] += untouched + purged;
    counters->purged_bytes += purged;
    counters->given_back_bytes += OF(record, heap_given_back_bytes);
    counters->taken_again_bytes += OF(record, heap_taken_again_bytes);
    if (number < FH_HEAPS_SHOWN)
        counters->heap[number] = (struct fh_image_heap){.total_bytes = OF(record, heap_total_bytes),
                                                        .used_bytes = used,
                                                        .free_bytes = OF(record, heap_free_bytes),
                                                        .purged_bytes = purged,
                                                        .top_bytes = top_bytes,
                                                        .untouched_bytes = untouched,
                                                        .slab_bytes = slab_bytes};
}

static uint64_t cached_of(const struct fh_image *image, const unsigned char *record, size_t index)
{
    struct fh_image_field field = image->root.state_cached;
    field.offset += (uint32_t)(index * field.bytes);
    return fh_image_field(record, field);
}

static void add_classes(struct fh_image *image, struct fh_image_counters *counters, const unsigned char *record,
                        uint64_t *heads, uint64_t *capacity)
{
    const struct fh_image_root *root = &image->root;
    uint64_t *bytes = counters->bytes;
    for (size_t i = 1; i <= root->small_most / 16 && i < FH_CLASSES_MOST; i++) {
        const unsigned char *class = record + root->state_classes.offset + i * root->class_bytes;
        uint64_t size = i * 16, fits = OF(class, class_capacity), carved = OF(class, class_carved);
        uint64_t listed = OF(class, class_listed), cached = cached_of(image, record, i), slabs = OF(class, class_slabs);
        struct fh_image_class *sum = &counters->classes[i];
        *heads += slabs * root->slab_extra_bytes;
        *capacity += fits * size;
        bytes[FH_FREE] += (listed + (fits - carved)) * size;
        bytes[FH_CACHED] += cached * size;
        bytes[FH_LIVE] += (carved - listed - cached) * size;
        counters->live_blocks += carved - listed - cached;
        sum->slabs += slabs;
        sum->capacity += fits;
        sum->carved += carved;
        sum->listed += listed;
        sum->cached += cached;
        sum->live += carved - listed - cached;
    }
}

static void add_state(struct fh_image *image, struct fh_image_counters *counters, const unsigned char *record)
{
    const struct fh_image_root *root = &image->root;
    uint64_t *bytes = counters->bytes, heads = 0, capacity = 0;
    if (OF(record, state_status) == 0)
        return;
    counters->states++;
    counters->threads += OF(record, state_status) == RUNNING;
    add_classes(image, counters, record, &heads, &capacity);
    bytes[FH_METADATA] += heads;
    bytes[FH_ROUNDING] += OF(record, state_mapped_bytes) - heads - capacity; /* add_heap put the other slabs there */

    uint64_t medium = OF(record, state_medium_bytes);
    uint64_t away = OF(record, state_outgoing_bytes) + medium;
    uint64_t blocks = OF(record, state_outgoing_objects) + OF(record, state_medium_blocks);
    for (size_t size = root->small_most + 16; size <= root->cached_most; size += 16) {
        uint64_t cached = cached_of(image, record, size / 16);
        away += cached * (size + 8);
        medium += cached * (size + 8);
        blocks += cached;
    }
    counters->medium_cached_bytes += medium;
    bytes[FH_CACHED] += away;
    bytes[FH_LIVE] -= away;
    counters->live_blocks -= blocks;
}

uint64_t fh_image_rss(const struct fh_image *image)
{
    if (image->about.kind == FH_IMAGE_PROCESS) {
        char path[64], text[128] = "";
        snprintf(path, sizeof(path), "/proc/%ld/statm", (long)image->about.pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (fd >= 0)
            close(fd);
        const char *second = got > 0 ? strchr(text, ' ') : NULL;
        return second ? strtoull(second, NULL, 10) * image->about.page_bytes : 0;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < image->vma_count; i++)
        sum += image->vmas[i].rss_bytes;
    return sum;
}

static void add_ledger(struct fh_image *image, struct fh_image_counters *counters)
{
    const struct fh_image_root *root = &image->root;
    uint64_t heads = LARGE(large_head_bytes);
    counters->large_blocks = LARGE(large_blocks);
    counters->large_bytes = LARGE(large_mapping_bytes) - heads;
    counters->live_blocks += counters->large_blocks - fh_image_read_number(image, root->transit_objects, 8);
    counters->warm_bytes = LARGE(large_warm_bytes);
    counters->transit_bytes = fh_image_read_number(image, root->transit_bytes, 8);
    counters->mappings = LEDGER(wholesale_mappings);
    counters->stranded_bytes = LEDGER(wholesale_stranded_bytes);
    counters->pagemap_bytes = LEDGER(wholesale_pagemap_bytes);
    counters->table_bytes = LEDGER(wholesale_table_bytes);
    counters->obtain_calls = LEDGER(wholesale_obtain_calls);
    counters->return_calls = LEDGER(wholesale_return_calls);
    counters->live_bytes += counters->large_bytes - counters->transit_bytes;
    counters->cached_bytes += counters->transit_bytes;
    counters->metadata_bytes += heads + LEDGER(wholesale_state_bytes);
    counters->free_bytes += counters->warm_bytes;
    counters->untouched_bytes += counters->stranded_bytes + counters->pagemap_bytes + counters->table_bytes;
    counters->returned_bytes = LEDGER(wholesale_returned_bytes);
    counters->resident_bytes = fh_image_rss(image);
}

static bool read_once(struct fh_image *image, struct fh_image_counters *counters)
{
    const struct fh_image_root *root = &image->root;
    memset(counters, 0, sizeof(*counters));
    counters->obtained_bytes = LEDGER(wholesale_obtained_bytes);
    size_t room = root->heap_bytes > root->state_bytes ? root->heap_bytes : root->state_bytes;
    unsigned char *record = room < STATE_RECORD_MOST ? malloc(room + sizeof(uint64_t)) : NULL;
    if (!record)
        return false;
    uint64_t heaps = fh_image_read_number(image, root->heap_count, 4);
    for (uint64_t i = 0; i < heaps && i < FH_HEAPS_SHOWN; i++) {
        if (fh_image_read(image, root->heaps + i * root->heap_bytes, record, root->heap_bytes))
            add_heap(image, counters, i, record);
    }
    counters->heap_count = (uint32_t)(heaps < FH_HEAPS_SHOWN ? heaps : FH_HEAPS_SHOWN);
    counters->class_count = (uint32_t)(root->small_most / 16 + 1);
    if (counters->class_count > FH_CLASSES_MOST)
        counters->class_count = FH_CLASSES_MOST;
    uint64_t end = fh_image_state_end(image);
    for (uint64_t id = 1; id < end; id++) {
        uint64_t at = fh_image_state_at(image, id);
        if (at && fh_image_read(image, at, record, root->state_bytes))
            add_state(image, counters, record);
    }
    free(record);
    add_ledger(image, counters);
    return !image->has_ended;
}

/* While other threads allocate, sums are caught between two of their counters. */
static bool adds_up(const struct fh_image_counters *counters)
{
    uint64_t sum = 0;
    for (int i = 0; i < FH_ITEMS; i++)
        sum += counters->bytes[i];
    return sum == counters->obtained_bytes - counters->returned_bytes;
}

bool fh_image_counters(struct fh_image *image, struct fh_image_counters *counters)
{
    bool good = false;
    for (int i = 0; i < TRIES; i++) {
        good = read_once(image, counters);
        if (!good || adds_up(counters) || image->about.kind != FH_IMAGE_PROCESS)
            break;
    }
    return good;
}

size_t fh_image_threads(struct fh_image *image, struct fh_image_thread *threads, size_t most)
{
    const struct fh_image_root *root = &image->root;
    uint64_t end = fh_image_state_end(image);
    size_t count = 0;
    unsigned char *record = root->state_bytes < STATE_RECORD_MOST ? malloc(root->state_bytes + 8) : NULL;
    for (uint64_t id = 1; record && id < end && count < most; id++) {
        uint64_t at = fh_image_state_at(image, id);
        if (!at || !fh_image_read(image, at, record, root->state_bytes) || !OF(record, state_status))
            continue;
        uint64_t cached = OF(record, state_medium_bytes);
        for (size_t size = 16; size <= root->cached_most; size += 16)
            cached += cached_of(image, record, size / 16) * (size <= root->small_most ? size : size + 8);
        uint64_t heap = OF(record, state_heap) - root->heaps;
        threads[count++] = (struct fh_image_thread){.id = (uint32_t)id,
                                                    .status = (uint32_t)OF(record, state_status),
                                                    .pointer = OF(record, state_thread),
                                                    .heap = (uint32_t)(root->heap_bytes ? heap / root->heap_bytes : 0),
                                                    .slab_bytes = OF(record, state_slab_bytes),
                                                    .cached_bytes = cached,
                                                    .outgoing_bytes = OF(record, state_outgoing_bytes)};
    }
    free(record);
    return count;
}
