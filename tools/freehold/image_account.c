/*
 * image_account.c - the account by a walk: of every byte that the library holds what it is, and if it is in memory.
 */
#include "image_source.h"

#include <stdlib.h>
#include <string.h>

const char *const fh_item_names[FH_ITEMS] = {
#define FH_ITEM(item, remark, help) #item,
#include "counters.def"
};
const char *const fh_item_meanings[FH_ITEMS] = {
#define FH_ITEM(item, remark, help) remark,
#include "counters.def"
};

enum { TAG_BYTES = 8 };

/* Charges [start, start + bytes) to an item; returns how much of it is in memory. */
static uint64_t charge(struct fh_image *image, struct fh_image_account *account, enum fh_item item, uint64_t start,
                       uint64_t bytes)
{
    uint64_t swapped = 0;
    if (bytes == 0)
        return 0;
    uint64_t resident = fh_image_resident(image, start, bytes, &swapped);
    account->bytes[item] += bytes;
    account->resident[item] += resident;
    account->swapped_bytes += swapped;
    return resident;
}

static void add_place(struct fh_image_place *place, uint64_t bytes, uint64_t resident)
{
    place->bytes += bytes;
    place->resident += resident;
}

/* Resident bytes of the whole pages in [start, end). */
static uint64_t whole_pages(struct fh_image *image, uint64_t start, uint64_t end)
{
    uint64_t page = image->about.page_bytes;
    start = (start + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    return start < end ? fh_image_resident(image, start, end - start, NULL) : 0;
}

/* A free chunk, less its pages that were given back. */
static uint64_t charge_free(struct fh_image *image, struct fh_image_account *account,
                            const struct fh_image_chunk *chunk)
{
    uint64_t end = chunk->start + chunk->bytes;
    if (chunk->purged_to == 0)
        return charge(image, account, FH_FREE, chunk->start, chunk->bytes);
    charge(image, account, FH_UNTOUCHED, chunk->purged_from, chunk->purged_to - chunk->purged_from);
    return charge(image, account, FH_FREE, chunk->start, chunk->purged_from - chunk->start) +
           charge(image, account, FH_FREE, chunk->purged_to, end - chunk->purged_to);
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct fh_image_account *account = arg;
    uint64_t swapped = 0;
    switch (region->kind) {
    case FH_REGION_SEGMENT:
        charge(image, account, FH_METADATA, region->start, image->root.segment_head_bytes);
        charge(image, account, FH_METADATA, region->start + region->bytes - image->root.segment_tail_bytes,
               image->root.segment_tail_bytes);
        break;
    case FH_REGION_LARGE: {
        uint64_t head = region->pointer - region->start, usable = region->bytes - head;
        charge(image, account, FH_METADATA, region->start, head);
        uint64_t resident = charge(image, account, region->is_free ? FH_FREE : FH_LIVE, region->pointer, usable);
        if (region->is_free) {
            add_place(&account->free_in_mappings, usable, resident);
            account->warm_bytes += usable;
            break;
        }
        account->large_blocks++;
        account->large_bytes += usable;
        account->live_blocks++;
        account->sizes[fh_log2(usable)].live_blocks++;
        account->sizes[fh_log2(usable)].live_bytes += usable;
        break;
    }
    case FH_REGION_PAGEMAP:
    case FH_REGION_SAMPLES: {
        uint64_t resident = fh_image_resident(image, region->start, region->bytes, &swapped);
        account->bytes[FH_METADATA] += resident + swapped;
        account->resident[FH_METADATA] += resident;
        account->swapped_bytes += swapped;
        account->bytes[FH_UNTOUCHED] += region->bytes - resident - swapped;
        if (region->kind == FH_REGION_SAMPLES)
            add_place(&account->stack_tables, resident + swapped, resident);
        break;
    }
    case FH_REGION_STATES:
        charge(image, account, FH_METADATA, region->start, region->bytes);
        break;
    default:
        break;
    }
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    struct fh_image_account *account = arg;
    uint64_t usable = chunk->bytes - TAG_BYTES, resident;
    struct fh_image_size_use *use = &account->sizes[fh_log2(usable)];
    (void)region;
    switch (chunk->is) {
    case FH_IS_LIVE:
    case FH_IS_CACHED:
        charge(image, account, FH_METADATA, chunk->start, TAG_BYTES);
        charge(image, account, chunk->is == FH_IS_LIVE ? FH_LIVE : FH_CACHED, chunk->start + TAG_BYTES, usable);
        if (chunk->is == FH_IS_LIVE) {
            account->live_blocks++;
            use->live_blocks++;
            use->live_bytes += usable;
        } else {
            account->cached_blocks++;
            use->cached_bytes += usable;
        }
        break;
    case FH_IS_FREE:
        resident = charge_free(image, account, chunk);
        add_place(&account->free_in_chunks, chunk->bytes - (chunk->purged_to - chunk->purged_from), resident);
        account->purged_bytes += chunk->purged_to - chunk->purged_from;
        account->free_chunks++;
        use->free_blocks++;
        use->free_bytes += chunk->bytes;
        account->whole_pages += whole_pages(image, chunk->start + 24, chunk->start + chunk->bytes - 8);
        break;
    case FH_IS_TOP:
        resident = charge(image, account, FH_FREE, chunk->start, chunk->untouched_from - chunk->start);
        add_place(&account->free_in_top, chunk->untouched_from - chunk->start, resident);
        charge(image, account, FH_UNTOUCHED, chunk->untouched_from,
               chunk->start + chunk->bytes - chunk->untouched_from);
        break;
    }
}

/* A slab with a page that is not in memory: object by object. */
static void charge_objects(struct fh_image *image, struct fh_image_account *account, const struct fh_image_slab *slab)
{
    for (uint32_t i = 0; i < slab->carved; i++) {
        uint64_t at = slab->start + slab->first + (uint64_t)i * slab->class_bytes;
        bool live = fh_bit_of(slab->live, i), free = fh_bit_of(slab->listed, i);
        uint64_t resident = charge(image, account, live ? FH_LIVE : free ? FH_FREE : FH_CACHED, at, slab->class_bytes);
        if (free) {
            add_place(&account->free_in_slabs, slab->class_bytes, resident);
            account->classes[slab->class_bytes / 16].free_resident += resident;
        }
    }
}

/* Resident bytes of pages of a slab that hold neither live nor cached objects, nor its head. */
static uint64_t free_pages(struct fh_image *image, const struct fh_image_slab *slab)
{
    uint64_t page = image->about.page_bytes, sum = 0;
    if (slab->live_count + slab->cached_count == slab->carved || slab->bytes <= page)
        return 0;
    uint32_t i = 0;
    for (uint64_t at = page; at < slab->bytes; at += page) {
        uint64_t first = at > slab->first ? (at - slab->first) / slab->class_bytes : 0; /* the one across its start */
        bool used = false;
        for (i = (uint32_t)first; i < slab->carved && slab->first + (uint64_t)i * slab->class_bytes < at + page; i++)
            used |= !fh_bit_of(slab->listed, i);
        if (!used && slab->first + (uint64_t)slab->carved * slab->class_bytes > at)
            sum += fh_image_resident(image, slab->start + at, page, NULL);
    }
    return sum;
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab,
                    void *arg)
{
    struct fh_image_account *account = arg;
    struct fh_image_class_use *use = &account->classes[slab->class_bytes / 16];
    uint64_t extra = image->root.slab_extra_bytes, size = slab->class_bytes, uncarved = slab->capacity - slab->carved;
    (void)region;
    use->slabs++;
    use->slab_bytes += slab->bytes;
    use->live += slab->live_count;
    use->cached += slab->cached_count;
    use->free += slab->free_count;
    use->uncarved += uncarved;
    account->slabs++;
    account->live_blocks += slab->live_count;
    account->cached_blocks += slab->cached_count;

    charge(image, account, FH_METADATA, slab->start, extra);
    charge(image, account, FH_ROUNDING, slab->start + extra, slab->first - extra);
    uint64_t swapped, carved_bytes = slab->carved * size;
    if (fh_image_resident(image, slab->start, slab->bytes, &swapped) == slab->bytes) { /* nearly all are */
        uint64_t bytes[FH_ITEMS] = {[FH_LIVE] = slab->live_count * size,
                                    [FH_CACHED] = slab->cached_count * size,
                                    [FH_FREE] = slab->free_count * size};
        for (int i = 0; i < FH_ITEMS; i++) {
            account->bytes[i] += bytes[i];
            account->resident[i] += bytes[i];
        }
        add_place(&account->free_in_slabs, bytes[FH_FREE], bytes[FH_FREE]);
        use->free_resident += bytes[FH_FREE];
    } else {
        charge_objects(image, account, slab);
    }
    account->slab_whole_pages += free_pages(image, slab);
    uint64_t uncarved_at = slab->start + slab->first + carved_bytes;
    uint64_t resident = charge(image, account, FH_FREE, uncarved_at, uncarved * size);
    add_place(&account->free_uncarved, uncarved * size, resident);
    charge(image, account, FH_ROUNDING, uncarved_at + uncarved * size,
           slab->bytes - slab->first - carved_bytes - uncarved * size);
}

static void on_gap(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg)
{
    (void)image, (void)region, (void)start;
    ((struct fh_image_account *)arg)->gap_bytes += bytes;
}

bool fh_image_account(struct fh_image *image, const char *verb, struct fh_image_account *account)
{
    const struct fh_image_root *root = &image->root;
    memset(account, 0, sizeof(*account));
    struct fh_image_walker walker = {.arg = account,
                                     .region = on_region,
                                     .chunk = on_chunk,
                                     .slab = on_slab,
                                     .gap = on_gap,
                                     .progress = verb};
    if (!fh_image_walk(image, &walker))
        return false;
    uint64_t ledger = root->wholesale;
    account->obtained_bytes = fh_image_read_number(image, FH_IMAGE_AT(ledger, root->wholesale_obtained_bytes), 8);
    account->returned_bytes = fh_image_read_number(image, FH_IMAGE_AT(ledger, root->wholesale_returned_bytes), 8);
    account->stranded_bytes = fh_image_read_number(image, FH_IMAGE_AT(ledger, root->wholesale_stranded_bytes), 8);
    account->bytes[FH_UNTOUCHED] += account->stranded_bytes;
    return true;
}
