/*
 * pins_sums.c - the sums of the model of pins: by class, thread, site, and the blocks that hold most.
 */
#include "pins_sums.h"

#include <stdlib.h>
#include <string.h>

enum { OWNERS_MOST = 1 << 18, FIRST_ROOM = 64 };

const char *const fh_pin_names[FH_PIN_HOWS] = {"page", "slab", "chunk", "top"};

uint64_t fh_pin_total(const struct fh_pin_sum *sum)
{
    uint64_t total = 0;
    for (int how = 0; how < FH_PIN_HOWS; how++)
        total += sum->held[how];
    return total;
}

uint64_t fh_pins_kept_bytes(const struct fh_pins *pins)
{
    return pins->kept_top_bytes + pins->kept_slab_bytes + pins->kept_mapping_bytes + pins->kept_end_bytes;
}

uint64_t fh_pins_free_bytes(const struct fh_pins *pins)
{
    return fh_pin_total(&pins->all) + pins->caches_bytes + fh_pins_kept_bytes(pins);
}

static bool has_thread(struct fh_pins *pins, uint32_t thread)
{
    if (thread < pins->thread_count)
        return true;
    size_t room = thread + 1 < FIRST_ROOM ? FIRST_ROOM : 2 * ((size_t)thread + 1);
    struct fh_pin_sum *larger = thread < OWNERS_MOST ? realloc(pins->threads, room * sizeof(*larger)) : NULL;
    if (!larger) {
        pins->out_of_memory = true;
        return false;
    }
    memset(larger + pins->thread_count, 0, (room - pins->thread_count) * sizeof(*larger));
    pins->threads = larger;
    pins->thread_count = room;
    return true;
}

struct fh_pin_owners fh_pins_owners_of_object(struct fh_pins *pins, uint32_t class_bytes, uint32_t thread)
{
    return (struct fh_pin_owners){
        .is_object = true, .size = class_bytes / 16, .owner = has_thread(pins, thread) ? thread : 0};
}

struct fh_pin_owners fh_pins_owners_of_chunk(uint64_t bytes, uint32_t heap)
{
    return (struct fh_pin_owners){.size = fh_log2(bytes), .owner = heap};
}

/* All sums that a block is in; NULL for none. */
enum { SUMS = 4 };
static void sums_of(struct fh_pins *pins, struct fh_pin_owners owners, uint32_t site, struct fh_pin_sum *sums[SUMS])
{
    sums[0] = &pins->all;
    sums[1] = owners.is_object ? &pins->classes[owners.size] : &pins->sizes[owners.size];
    if (owners.is_object)
        sums[2] = owners.owner < pins->thread_count ? &pins->threads[owners.owner] : NULL;
    else
        sums[2] = owners.owner < FH_HEAPS_SHOWN ? &pins->heaps[owners.owner] : NULL;
    sums[3] = site == FH_PIN_NO_SITE ? NULL : &pins->sites[site].sum;
}

void fh_pins_count(struct fh_pins *pins, struct fh_pin_owners owners, uint64_t blocks, uint64_t bytes)
{
    struct fh_pin_sum *sums[SUMS];
    sums_of(pins, owners, FH_PIN_NO_SITE, sums);
    for (int i = 0; i < SUMS; i++) {
        if (!sums[i])
            continue;
        sums[i]->live_blocks += blocks;
        sums[i]->live_bytes += bytes;
    }
}

/* --- sites: a hash table of numbers, by stack --- */

static uint32_t *hash_slot(const struct fh_pins *pins, uint32_t *hash, size_t room, uint32_t stack)
{
    size_t at = (stack * UINT32_C(0x9e3779b1)) & (room - 1);
    while (hash[at] && pins->sites[hash[at] - 1].stack != stack)
        at = (at + 1) & (room - 1);
    return &hash[at];
}

static bool grow_sites(struct fh_pins *pins)
{
    size_t room = pins->site_room ? 2 * pins->site_room : FIRST_ROOM;
    uint32_t *hash = calloc(2 * room, sizeof(*hash));
    struct fh_pin_site *larger = hash ? realloc(pins->sites, room * sizeof(*larger)) : NULL;
    if (!larger) {
        free(hash);
        return false;
    }
    pins->sites = larger;
    pins->site_room = room;
    for (uint32_t i = 0; i < pins->site_count; i++)
        *hash_slot(pins, hash, 2 * room, pins->sites[i].stack) = i + 1;
    free(pins->site_hash);
    pins->site_hash = hash;
    pins->site_hash_room = 2 * room;
    return true;
}

static uint32_t site_of_stack(struct fh_pins *pins, uint32_t stack)
{
    uint32_t *slot = pins->site_hash ? hash_slot(pins, pins->site_hash, pins->site_hash_room, stack) : NULL;
    if (slot && *slot)
        return *slot - 1;
    if (pins->site_count == pins->site_room) {
        if (!grow_sites(pins)) {
            pins->out_of_memory = true;
            return FH_PIN_NO_SITE;
        }
        slot = hash_slot(pins, pins->site_hash, pins->site_hash_room, stack);
    }
    pins->sites[pins->site_count] = (struct fh_pin_site){.stack = stack};
    *slot = (uint32_t)++pins->site_count;
    return *slot - 1;
}

void fh_pins_locate(struct fh_pins *pins, struct fh_sites *sites, struct fh_pin_block *block)
{
    block->site = FH_PIN_NO_SITE;
    if (sites)
        block->site = site_of_stack(pins, fh_sites_find(sites, block->address, &block->born_ms));
}

void fh_pins_count_at_site(struct fh_pins *pins, const struct fh_pin_block *block)
{
    if (block->site == FH_PIN_NO_SITE)
        return;
    pins->sites[block->site].sum.live_blocks++;
    pins->sites[block->site].sum.live_bytes += block->bytes;
}

/* --- the blocks that hold most: a few, the least of them last --- */

static void sift_into_place(struct fh_pins *pins, size_t at)
{
    struct fh_pin_block moved = pins->blocks[at];
    for (; at > 0 && pins->blocks[at - 1].total < moved.total; at--)
        pins->blocks[at] = pins->blocks[at - 1];
    pins->blocks[at] = moved;
}

static void note_block(struct fh_pins *pins, const struct fh_pin_block *block)
{
    if (pins->block_count < pins->block_room)
        pins->block_count++;
    else if (pins->block_room == 0 || pins->blocks[pins->block_count - 1].total >= block->total)
        return;
    pins->blocks[pins->block_count - 1] = *block;
    sift_into_place(pins, pins->block_count - 1);
}

void fh_pins_charge(struct fh_pins *pins, struct fh_pin_owners owners, const struct fh_pin_block *block)
{
    struct fh_pin_site *site = block->site == FH_PIN_NO_SITE ? NULL : &pins->sites[block->site];
    struct fh_pin_sum *sums[SUMS];
    struct fh_pin_block whole = *block;
    whole.total = 0;
    for (int how = 0; how < FH_PIN_HOWS; how++)
        whole.total += block->held[how];
    if (whole.total == 0)
        return;
    if (site && site->stack != 0) {
        bool first = site->sum.holders == 0;
        if (first || block->born_ms < site->oldest_ms)
            site->oldest_ms = block->born_ms;
        if (first || block->born_ms > site->youngest_ms)
            site->youngest_ms = block->born_ms;
    }
    sums_of(pins, owners, block->site, sums);
    for (int i = 0; i < SUMS; i++) {
        if (!sums[i])
            continue;
        sums[i]->holders++;
        for (int how = 0; how < FH_PIN_HOWS; how++)
            sums[i]->held[how] += block->held[how];
    }
    note_block(pins, &whole);
}

void fh_pins_move_to_top(struct fh_pins *pins, struct fh_pin_owners owners, const struct fh_pin_block *block,
                         uint64_t bytes)
{
    struct fh_pin_sum *sums[SUMS];
    sums_of(pins, owners, block->site, sums);
    for (int i = 0; i < SUMS; i++) {
        if (!sums[i])
            continue;
        sums[i]->held[FH_PIN_CHUNK] -= bytes;
        sums[i]->held[FH_PIN_TOP] += bytes;
    }
    for (size_t i = 0; i < pins->block_count; i++) {
        if (pins->blocks[i].address != block->address)
            continue;
        pins->blocks[i].held[FH_PIN_CHUNK] -= bytes;
        pins->blocks[i].held[FH_PIN_TOP] += bytes;
    }
}

void fh_pins_end_region(struct fh_pins *pins, uint32_t region, uint64_t live_blocks)
{
    for (size_t i = 0; i < pins->block_count; i++) {
        if (pins->blocks[i].region == region)
            pins->blocks[i].above = live_blocks - pins->blocks[i].above;
    }
}

void fh_pins_free(struct fh_pins *pins)
{
    free(pins->threads);
    free(pins->sites);
    free(pins->site_hash);
    free(pins->blocks);
    memset(pins, 0, sizeof(*pins));
}

size_t fh_pins_top_sites(const struct fh_pins *pins, bool by_live, uint32_t *order, size_t most)
{
    size_t count = 0;
    for (uint32_t i = 0; i < pins->site_count && most > 0; i++) {
        const struct fh_pin_sum *sum = &pins->sites[i].sum;
        uint64_t weight = by_live ? sum->live_bytes : fh_pin_total(sum);
        size_t at = count;
        for (; at > 0; at--) {
            const struct fh_pin_sum *other = &pins->sites[order[at - 1]].sum;
            if ((by_live ? other->live_bytes : fh_pin_total(other)) >= weight)
                break;
            if (at < most)
                order[at] = order[at - 1];
        }
        if (at < most && weight > 0) {
            order[at] = i;
            count += count < most;
        }
    }
    return count;
}
