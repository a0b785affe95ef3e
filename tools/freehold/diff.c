/*
 * diff.c - the sums of two images, side by side: the account, and what the program holds by call stack.
 *
 * A stack of one image is that of the other when its frames are the same places in the same files: so it is found again
 * in another process of the same program.
 */
#include "diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct stack_sum {
    uint32_t stack; /* 0: an empty slot */
    double blocks, bytes;
};

struct stack_sums { /* open addressing */
    struct fh_sites *sites;
    struct stack_sum *slots;
    size_t count, room; /* a power of two */
    bool out_of_memory;
};

static struct stack_sum *slot_of(struct stack_sum *slots, size_t room, uint32_t stack)
{
    size_t i = (stack * UINT32_C(0x9e3779b1)) & (room - 1);
    while (slots[i].stack && slots[i].stack != stack)
        i = (i + 1) & (room - 1);
    return &slots[i];
}

static void add(struct stack_sums *sums, uint32_t stack, double blocks, double bytes)
{
    if (stack == 0 || sums->out_of_memory)
        return;
    if (sums->count * 2 >= sums->room) {
        size_t room = sums->room ? 2 * sums->room : 1024;
        struct stack_sum *slots = calloc(room, sizeof(*slots));
        if (!slots) {
            sums->out_of_memory = true;
            return;
        }
        for (size_t i = 0; i < sums->room; i++) {
            if (sums->slots[i].stack)
                *slot_of(slots, room, sums->slots[i].stack) = sums->slots[i];
        }
        free(sums->slots);
        sums->slots = slots;
        sums->room = room;
    }
    struct stack_sum *slot = slot_of(sums->slots, sums->room, stack);
    sums->count += slot->stack == 0;
    slot->stack = stack;
    slot->blocks += blocks;
    slot->bytes += bytes;
}

static void add_block(struct stack_sums *sums, uint64_t address, uint64_t bytes)
{
    uint64_t born_ms;
    add(sums, fh_sites_find(sums->sites, address, &born_ms), 1, (double)bytes);
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    (void)image;
    if (region->kind == FH_REGION_LARGE && !region->is_free)
        add_block(arg, region->pointer, region->start + region->bytes - region->pointer);
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    (void)image, (void)region;
    if (chunk->is == FH_IS_LIVE)
        add_block(arg, chunk->start + 8, chunk->bytes - 8);
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab, void *arg)
{
    (void)image, (void)region;
    for (uint32_t i = 0; i < slab->carved; i++) {
        if (fh_bit_of(slab->live, i))
            add_block(arg, slab->start + slab->first + (uint64_t)i * slab->class_bytes, slab->class_bytes);
    }
}

static void on_sample(uint32_t stack, double objects, double bytes, void *arg) { add(arg, stack, objects, bytes); }

/* The frames as places in files; 0 for none. */
static uint64_t key_of(struct fh_image *image, struct fh_sites *sites, uint32_t stack)
{
    uint64_t frames[FH_SAMPLES_STACK_MOST], key = 0;
    bool truncated;
    unsigned depth = fh_sites_frames(sites, stack, frames, &truncated);
    for (unsigned i = 0; i < depth; i++) {
        const struct fh_image_vma *vma = fh_image_vma_at(image, frames[i]);
        uint64_t place = frames[i];
        if (vma && vma->path[0] == '/') {
            place = place - vma->start + vma->file_offset;
            for (const char *at = vma->path; *at; at++)
                place = (place ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
        }
        key = (key ^ place) * UINT64_C(0xff51afd7ed558ccd);
        key ^= key >> 32;
    }
    return key;
}

static int by_key(const void *a, const void *b)
{
    const struct fh_diff_site *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_change(const void *a, const void *b)
{
    const struct fh_diff_site *x = a, *y = b;
    double dx = fabs(x->bytes[FH_AFTER] - x->bytes[FH_BEFORE]), dy = fabs(y->bytes[FH_AFTER] - y->bytes[FH_BEFORE]);
    return (dx < dy) - (dx > dy);
}

static bool add_site(struct fh_diff *diff, int side, uint64_t key, const struct stack_sum *sum)
{
    if (diff->site_count == diff->site_room) {
        size_t room = diff->site_room ? 2 * diff->site_room : 256;
        struct fh_diff_site *larger = realloc(diff->site, room * sizeof(*larger));
        if (!larger)
            return false;
        diff->site = larger;
        diff->site_room = room;
    }
    struct fh_diff_site *site = &diff->site[diff->site_count++];
    *site = (struct fh_diff_site){.key = key};
    site->stack[side] = sum->stack;
    site->blocks[side] = sum->blocks;
    site->bytes[side] = sum->bytes;
    return true;
}

/* Those of the same key become one. */
static void join_sites(struct fh_diff *diff)
{
    size_t kept = 0;
    qsort(diff->site, diff->site_count, sizeof(*diff->site), by_key);
    for (size_t i = 0; i < diff->site_count; i++) {
        const struct fh_diff_site *site = &diff->site[i];
        if (kept == 0 || diff->site[kept - 1].key != site->key) {
            diff->site[kept++] = *site;
            continue;
        }
        struct fh_diff_site *to = &diff->site[kept - 1];
        for (int side = 0; side < FH_SIDES; side++) {
            to->stack[side] = to->stack[side] ? to->stack[side] : site->stack[side];
            to->blocks[side] += site->blocks[side];
            to->bytes[side] += site->bytes[side];
        }
    }
    diff->site_count = kept;
    if (kept)
        qsort(diff->site, kept, sizeof(*diff->site), by_change);
}

static bool sum_sites(struct fh_diff *diff, int side)
{
    struct fh_image *image = diff->image[side];
    struct stack_sums sums = {.sites = diff->sites[side]};
    const struct fh_image_walker walker = {&sums, on_region, on_chunk, on_slab, NULL, "diff"};
    bool good = true;
    if (diff->is_estimated)
        fh_sites_each_sample(diff->sites[side], on_sample, &sums);
    else
        good = fh_image_walk(image, &walker);
    for (size_t i = 0; good && i < sums.room; i++) {
        if (sums.slots[i].stack)
            good = add_site(diff, side, key_of(image, diff->sites[side], sums.slots[i].stack), &sums.slots[i]);
    }
    free(sums.slots);
    return good && !sums.out_of_memory;
}

bool fh_diff_make(struct fh_diff *diff)
{
    bool has_all = true, has_any = true;
    for (int side = 0; side < FH_SIDES; side++) {
        struct fh_image *image = diff->image[side];
        if (!fh_image_account(image, "diff", &diff->account[side]) || !fh_image_refresh(image))
            return false;
        size_t count;
        const struct fh_image_vma *vmas = fh_image_vmas(image, &count);
        for (size_t i = 0; i < count; i++)
            diff->rss_bytes[side] += vmas[i].rss_bytes;
        diff->sites[side] = fh_sites_open(image);
        has_any = has_any && diff->sites[side];
        has_all = has_all && diff->sites[side] && (fh_sites_mode(diff->sites[side]) & FH_SAMPLES_SITES);
    }
    diff->has_sites = has_any;
    diff->is_estimated = !has_all;
    for (int side = 0; side < FH_SIDES && has_any; side++) {
        if (!sum_sites(diff, side))
            return false;
    }
    if (has_any)
        join_sites(diff);
    return true;
}

void fh_diff_free(struct fh_diff *diff)
{
    for (int side = 0; side < FH_SIDES; side++) {
        fh_sites_close(diff->sites[side]);
        fh_image_close(diff->image[side]);
    }
    free(diff->site);
}
