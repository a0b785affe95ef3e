/*
 * sites.c - reading the tables of call stacks. What is read may be damaged, or changing: numbers are checked against
 * the sizes of the tables, and what does not hold is "not known".
 */
#include "sites.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_AT_ONCE = 1 << 16, /* of the table of sites: for 1 MiB of addresses */
    SAMPLES_AT_ONCE = 1 << 12,
    SLOTS_MOST = 1 << 28,
    BUCKETS_MOST = 1 << 20,
    STACKS_MOST = 1 << 24, /* more is a list that runs in circles */
    FIRST_NUMBER = 8
};

struct fh_sites {
    struct fh_image *image;
    struct fh_samples root;
    uint64_t now_ms;
    uint64_t *blocks[FH_SAMPLES_BLOCKS]; /* copies of the arena's blocks, made when they are needed */
    uint64_t leaf_for, leaf;             /* the leaf of these addresses (their upper bits, plus 1); 0: none */
    uint64_t entries_from;               /* what `entries` is for: the block address divided by the grain, plus 1 */
    uint32_t entries[ENTRIES_AT_ONCE];
};

struct fh_sites *fh_sites_open(struct fh_image *image)
{
    const struct fh_image_about *about = fh_image_about(image);
    uint64_t at = fh_image_root(image)->samples;
    struct fh_sites *sites = at ? calloc(1, sizeof(*sites)) : NULL;
    if (!sites)
        return NULL;
    sites->image = image;
    struct fh_samples *root = &sites->root;
    size_t head = offsetof(struct fh_samples, mode);
    bool good = fh_image_read(image, at, root, head) && root->magic == FH_SAMPLES_MAGIC &&
                root->version == FH_SAMPLES_VERSION && root->root_bytes >= head;
    size_t bytes = root->root_bytes < sizeof(*root) ? root->root_bytes : sizeof(*root);
    if (!good || !fh_image_read(image, at, root, bytes) || root->mode == FH_SAMPLES_OFF) {
        free(sites);
        return NULL;
    }
    if (about->taken_ns > root->started_unix_ns)
        sites->now_ms = (about->taken_ns - root->started_unix_ns) / 1000000;
    return sites;
}

void fh_sites_close(struct fh_sites *sites)
{
    for (int i = 0; sites && i < FH_SAMPLES_BLOCKS; i++)
        free(sites->blocks[i]);
    free(sites);
}

const struct fh_samples *fh_sites_root(const struct fh_sites *sites) { return &sites->root; }
uint32_t fh_sites_mode(const struct fh_sites *sites) { return sites->root.mode; }
uint64_t fh_sites_now_ms(const struct fh_sites *sites) { return sites->now_ms; }

/* `count` words of the arena from number `first` on, all in one block; NULL when they are not there. */
static const uint64_t *words_at(struct fh_sites *sites, uint32_t first, size_t count, bool again)
{
    enum { BLOCK_BYTES = FH_SAMPLES_BLOCK_WORDS * sizeof(uint64_t) };
    uint32_t block = first / FH_SAMPLES_BLOCK_WORDS, in_block = first % FH_SAMPLES_BLOCK_WORDS;
    if (first < FIRST_NUMBER || block >= FH_SAMPLES_BLOCKS || count > FH_SAMPLES_BLOCK_WORDS - in_block)
        return NULL;
    if (!sites->blocks[block] || again) {
        uint64_t at = fh_image_read_number(sites->image, sites->root.block_addresses + block * sizeof(uint64_t), 8);
        if (!sites->blocks[block])
            sites->blocks[block] = malloc(BLOCK_BYTES);
        if (at == 0 || !sites->blocks[block])
            return NULL;
        fh_image_read(sites->image, at, sites->blocks[block], BLOCK_BYTES);
    }
    return sites->blocks[block] + in_block;
}

/* The entry of the block in the table of sites. */
static uint32_t entry_of(struct fh_sites *sites, uint64_t block)
{
    uint64_t grain = block >> FH_SITES_GRAIN_SHIFT, from = grain & ~(uint64_t)(ENTRIES_AT_ONCE - 1);
    if (sites->entries_from != from + 1) {
        uint64_t upper = block >> FH_SITES_LEAF_SHIFT, in_leaf = (uint64_t)1 << FH_SITES_LEAF_SHIFT;
        if (sites->leaf_for != upper + 1) {
            uint64_t place = upper % FH_SITES_ROOT_ENTRIES * sizeof(uint64_t);
            sites->leaf = fh_image_read_number(sites->image, sites->root.sites_root + place, 8);
            sites->leaf_for = upper + 1;
        }
        sites->entries_from = from + 1;
        if (sites->leaf == 0) {
            memset(sites->entries, 0, sizeof(sites->entries));
        } else {
            uint64_t index = from & ((in_leaf >> FH_SITES_GRAIN_SHIFT) - 1);
            fh_image_read(sites->image, sites->leaf + index * sizeof(uint32_t), sites->entries,
                          sizeof(sites->entries));
        }
    }
    return sites->entries[grain - from];
}

uint32_t fh_sites_find(struct fh_sites *sites, uint64_t block, uint64_t *born_ms)
{
    *born_ms = 0;
    if (sites->root.sites_root == 0)
        return 0;
    uint32_t number = entry_of(sites, block);
    const uint64_t *word = words_at(sites, number, 1, false);
    if (word && *word == 0) /* written since its block was copied */
        word = words_at(sites, number, 1, true);
    if (!word)
        return 0;
    *born_ms = (*word & UINT32_MAX) * FH_SITE_TICK_MS;
    return (uint32_t)(*word >> 32);
}

/* The stack of that number with all its frames; NULL when it does not hold. Valid until the next one is asked for. */
static const struct fh_stack *stack_at(struct fh_sites *sites, uint32_t number)
{
    enum { HEAD_WORDS = sizeof(struct fh_stack) / sizeof(uint64_t) };
    const struct fh_stack *stack = (const void *)words_at(sites, number, HEAD_WORDS, false);
    if (stack && stack->depth == 0) /* written since its block was copied */
        stack = (const void *)words_at(sites, number, HEAD_WORDS, true);
    bool holds = stack && stack->depth <= FH_SAMPLES_STACK_MOST &&
                 words_at(sites, number, (size_t)HEAD_WORDS + stack->depth, false);
    return holds ? stack : NULL;
}

unsigned fh_sites_frames(struct fh_sites *sites, uint32_t stack, uint64_t frames[FH_SAMPLES_STACK_MOST],
                         bool *truncated)
{
    const struct fh_stack *found = stack_at(sites, stack);
    *truncated = found && (found->flags & FH_STACK_TRUNCATED);
    if (!found)
        return 0;
    memcpy(frames, found->frames, found->depth * sizeof(*frames));
    return found->depth;
}

bool fh_sites_each_stack(struct fh_sites *sites, fh_sites_stack_fn *visit, void *arg)
{
    uint64_t buckets = sites->root.bucket_count, seen = 0;
    if (buckets == 0 || buckets > BUCKETS_MOST)
        return buckets == 0;
    uint32_t *first = calloc(buckets, sizeof(*first));
    bool good = first && fh_image_read(sites->image, sites->root.bucket_addresses, first, buckets * sizeof(*first));
    for (uint64_t i = 0; good && i < buckets; i++) {
        for (uint32_t number = first[i]; good && number && seen < STACKS_MOST; seen++) {
            const struct fh_stack *stack = stack_at(sites, number);
            if (!stack)
                break;
            number = stack->next;
            good = visit(stack, arg);
        }
    }
    free(first);
    return good;
}

void fh_sites_each_sample(struct fh_sites *sites, fh_sites_visit_fn *visit, void *arg)
{
    struct fh_sample *samples = malloc(SAMPLES_AT_ONCE * sizeof(*samples));
    double interval = (double)sites->root.interval_bytes;
    for (int i = 0; samples && interval > 0 && i < FH_SAMPLES_TABLES; i++) {
        uint64_t slots = sites->root.table_slots[i];
        for (uint64_t done = 0; sites->root.tables[i] && slots <= SLOTS_MOST && done < slots;) {
            size_t count = slots - done < SAMPLES_AT_ONCE ? (size_t)(slots - done) : SAMPLES_AT_ONCE;
            fh_image_read(sites->image, sites->root.tables[i] + done * sizeof(*samples), samples,
                          count * sizeof(*samples));
            for (size_t n = 0; n < count; n++) {
                if (samples[n].address < 16)
                    continue;
                double objects = 1 / -expm1(-(double)samples[n].size_bytes / interval);
                visit(samples[n].stack, objects, objects * (double)samples[n].size_bytes, arg);
            }
            done += count;
        }
    }
    free(samples);
}
