/*
 * image_check_owners.c - S1 and S2 for what threads keep, and A1: the counters against what was seen.
 */
#include "image_check.h"

#include <stdlib.h>

enum { RECORD_MOST = 1 << 17, CHAIN_MOST = 1 << 18, GRAIN = 4096 };

#define OF(record, field) fh_image_field(record, root->field)

struct sums {
    uint64_t cached_objects; /* small ones, in caches and on their way */
    uint64_t bytes, carved, capacity, listed;
};

/* A block on a thread's list: an object of anybody's slabs, or a chunk of the size. */
static bool is_cacheable(struct fh_check *check, uint64_t block, uint64_t class_bytes)
{
    uint32_t entry = fh_check_entry_at(check, block);
    if (block % 16 || block >> 48)
        return false;
    if (class_bytes <= check->image->root.small_most)
        return entry >> 12 && !(entry >> 31) && (entry & 0xfff) == class_bytes && (block & 0xffff) % class_bytes == 0;
    uint64_t tag = fh_image_read_number(check->image, block - FH_CHECK_TAG_BYTES, 8), content = tag & FH_TAG_CONTENT;
    return entry >> 30 == 2 && fh_is_sealed(check->image, tag, block - FH_CHECK_TAG_BYTES) &&
           (content & FH_TAG_IN_USE) && FH_TAG_SIZE(content) == class_bytes + 2 * FH_CHECK_TAG_BYTES;
}

static uint64_t follow_list(struct fh_check *check, uint64_t head, uint64_t class_bytes)
{
    uint64_t count = 0;
    for (uint64_t block = head; block && block != check->image->root.list_end;) {
        unsigned char bytes[16];
        if (!is_cacheable(check, block, class_bytes) || count >= CHAIN_MOST ||
            !fh_image_read(check->image, block, bytes, sizeof(bytes)) || !fh_is_marked(check->image, bytes, block)) {
            fh_check_violated(check, "S2", block, "a thread's list has what is no freed block of its size");
            break;
        }
        count++;
        block = fh_next_of(check->image, bytes, block);
    }
    return count;
}

static void add_lists(struct fh_check *check, const unsigned char *record, struct sums *sums)
{
    const struct fh_image_root *root = &check->image->root;
    uint64_t violations = check->violations;
    for (uint64_t i = 1; i < root->cache_bins && violations == check->violations; i++) {
        uint64_t size = i * 16 > root->cache_aside_bytes ? i * 16 - root->cache_aside_bytes : i * 16;
        const unsigned char *bin = record + root->state_cache_bins.offset + i * root->cache_bin_bytes;
        uint64_t count = follow_list(check, OF(bin, cache_bin_head), size);
        if (size <= root->small_most)
            sums->cached_objects += count;
    }
}

/* Objects that runs have put on their slabs' lists, and that the class's counter does not know yet. */
static void add_runs(struct fh_check *check, const unsigned char *record, struct sums *sums)
{
    struct fh_image *image = check->image;
    const struct fh_image_root *root = &image->root;
    for (uint64_t i = 1; i < root->cache_bins; i++) {
        const unsigned char *run = record + root->state_runs.offset + i * root->run_bytes;
        uint64_t slab = OF(run, run_slab);
        if (OF(run, run_length) == 0 || slab == 0)
            continue;
        uint64_t listed = fh_image_read_number(image, FH_IMAGE_AT(slab, root->slab_free_count), 2);
        uint64_t class_bytes = fh_image_read_number(image, FH_IMAGE_AT(slab, root->slab_class_bytes), 2);
        sums->listed += (listed - OF(run, run_counted)) * class_bytes;
    }
}

static void add_state(struct fh_check *check, const unsigned char *record, struct sums *sums)
{
    const struct fh_image_root *root = &check->image->root;
    sums->bytes += OF(record, state_slab_bytes);
    sums->cached_objects += OF(record, state_outgoing_objects);
    for (uint64_t i = 1; i <= root->small_most / 16; i++) {
        const unsigned char *class = record + root->state_classes.offset + i * root->class_bytes;
        sums->carved += OF(class, class_carved) * i * 16;
        sums->capacity += OF(class, class_capacity) * i * 16;
        sums->listed += OF(class, class_listed) * i * 16;
    }
    add_lists(check, record, sums);
    add_runs(check, record, sums);
}

void fh_check_owners(struct fh_check *check)
{
    struct fh_image *image = check->image;
    const struct fh_image_root *root = &image->root;
    struct sums sums = {0};
    bool was_sound = check->violations == 0;
    if (root->cache_bins == 0) /* a library that does not tell where they are */
        return;
    unsigned char *record = root->state_bytes < RECORD_MOST ? malloc(root->state_bytes + 8) : NULL;
    check->out_of_memory |= record == NULL;
    for (uint64_t id = 1; record && id < check->owner_end; id++) {
        uint64_t at = fh_image_state_at(image, id);
        if (at && fh_image_read(image, at, record, root->state_bytes) && OF(record, state_status))
            add_state(check, record, &sums);
    }
    free(record);
    if (!was_sound || check->violations || check->is_torn)
        return;
    sums.cached_objects += fh_image_read_number(image, root->transit_objects, 8);
    if (sums.cached_objects != check->slabs.cached_objects)
        fh_check_violated(check, "S1", 0, "carved is not live + cached + on the way + free");
    if (sums.bytes != check->slabs.bytes || sums.carved != check->slabs.carved ||
        sums.capacity != check->slabs.capacity || sums.listed != check->slabs.listed)
        fh_check_violated(check, "A1", 0, "the owners' counters differ from their slabs");
}

static void check_heap(struct fh_check *check, uint64_t number)
{
    struct fh_image *image = check->image;
    const struct fh_image_root *root = &image->root;
    const struct fh_check_heap *seen = &check->heaps[number];
    uint64_t heap = root->heaps + number * root->heap_bytes;
    unsigned char *record = root->heap_bytes < RECORD_MOST ? malloc(root->heap_bytes + 8) : NULL;
    if (!record || !fh_image_read(image, heap, record, root->heap_bytes)) {
        free(record);
        return;
    }
    if (seen->total_bytes != OF(record, heap_total_bytes) || seen->free_bytes != OF(record, heap_free_bytes) ||
        seen->used_bytes != OF(record, heap_used_bytes) || seen->used_chunks != OF(record, heap_used_chunks) ||
        seen->purged_bytes != OF(record, heap_purged_bytes))
        fh_check_violated(check, "A1", heap, "the heap's counters differ from its chunks");
    /* A slab that was handed over is flagged still, and counted no more, until the lock's next holder frees it. */
    if (seen->slab_chunks != OF(record, heap_slab_chunks) && OF(record, heap_handed_over) == 0)
        fh_check_violated(check, "A1", heap, "the count of slabs differs from the heap");
    free(record);
}

void fh_check_account(struct fh_check *check)
{
    struct fh_image *image = check->image;
    const struct fh_image_root *root = &image->root;
    struct fh_image_counters counters;
    for (uint64_t i = 0; i < check->heap_count; i++)
        check_heap(check, i);
#define LARGE(field) fh_image_read_number(image, FH_IMAGE_AT(root->large_counts, root->field), 8)
    if (check->large.blocks != LARGE(large_blocks) || check->large.mapping_bytes != LARGE(large_mapping_bytes) ||
        check->large.head_bytes != LARGE(large_head_bytes) || check->large.warm_blocks != LARGE(large_warm_blocks) ||
        check->large.warm_bytes != LARGE(large_warm_bytes))
        fh_check_violated(check, "A1", root->large_counts, "the counters of large blocks differ from the blocks");
#undef LARGE
    if (!fh_image_counters(image, &counters) || check->is_torn)
        return;
    uint64_t sum = 0, ledger = counters.obtained_bytes - counters.returned_bytes;
    for (int i = 0; i < FH_ITEMS; i++)
        sum += counters.bytes[i];
    if (sum != ledger)
        fh_check_violated(check, "A1", root->wholesale, "the account does not add up to what the kernel gave");
    uint64_t stranded = fh_image_read_number(image, FH_IMAGE_AT(root->wholesale, root->wholesale_stranded_bytes), 8);
    if (check->large.all_bytes + stranded != ledger)
        fh_check_violated(check, "A1", root->wholesale, "what the kernel gave is not what heaps and mappings take");
}
