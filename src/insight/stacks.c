/*
 * stacks.c - the arena of words, the call stacks in it, and the sites: which live block came from which stack, and
 * when.
 *
 * Layer: insight. The arena only grows: blocks of 256 KiB, made when needed. Stacks are found through a hash table
 * whose buckets are lists that only grow at their heads, so readers need no lock.
 */
#include "samples.h"

#include "atomics.h"
#include "os.h"

static uint64_t block_addresses[FH_SAMPLES_BLOCKS]; /* atomic */
enum { BUCKETS = 1 << 14 };
static uint32_t buckets[BUCKETS]; /* atomic: numbers of the first stacks */

static bool make_block(uint32_t block)
{
    if (block >= FH_SAMPLES_BLOCKS) return false;
    if (fh_load_acquire(&block_addresses[block])) return true;
    void *made = fh_samples_map(FH_SAMPLES_BLOCK_WORDS * sizeof(uint64_t));
    if (!made) return false;
    uint64_t nothing = 0;
    fh_cas_acq_rel(&block_addresses[block], &nothing, (uint64_t)(uintptr_t)made);
    fh_store_relaxed(&fh_samples.block_addresses, (uint64_t)(uintptr_t)block_addresses);
    fh_store_relaxed(&fh_samples.bucket_addresses, (uint64_t)(uintptr_t)buckets);
    fh_store_relaxed(&fh_samples.bucket_count, BUCKETS);
    return true;
}

uint32_t fh_words_take(unsigned count)
{
    FH_ASSERT(count <= FH_SAMPLES_BLOCK_WORDS);
    uint64_t first, end = fh_load_relaxed(&fh_samples.word_count);
    do {
        first = end;
        if (first % FH_SAMPLES_BLOCK_WORDS + count > FH_SAMPLES_BLOCK_WORDS)
            first = fh_align_up(first, FH_SAMPLES_BLOCK_WORDS);
        if (!make_block((uint32_t)(first / FH_SAMPLES_BLOCK_WORDS))) return 0;
    } while (!fh_cas_acq_rel(&fh_samples.word_count, &end, first + count));
    return first ? (uint32_t)first : 1; /* the first words of all are nobody's */
}

uint64_t *fh_words_at(uint32_t number)
{
    uint64_t *block = (uint64_t *)(uintptr_t)fh_load_acquire(&block_addresses[number / FH_SAMPLES_BLOCK_WORDS]);
    return block + number % FH_SAMPLES_BLOCK_WORDS;
}

struct fh_stack *fh_stack_at(uint32_t number) { return (struct fh_stack *)(void *)fh_words_at(number); }

static uint64_t hash_of(const uint64_t *frames, unsigned depth, bool truncated)
{
    uint64_t hash = depth * 2 + truncated;
    for (unsigned i = 0; i < depth; i++) {
        hash = (hash ^ frames[i]) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The stack in a bucket's list, up to `end`, which has been looked at before. */
static uint32_t search(uint32_t first, uint32_t end, uint64_t hash, const uint64_t *frames, unsigned depth)
{
    for (uint32_t number = first; number != end;) {
        struct fh_stack *stack = fh_stack_at(number);
        if (stack->hash == hash && stack->depth == depth) {
            unsigned i = 0;
            while (i < depth && stack->frames[i] == frames[i]) i++;
            if (i == depth) return number;
        }
        number = stack->next;
    }
    return 0;
}

uint32_t fh_stack_find(const uint64_t *frames, unsigned depth, bool truncated)
{
    uint64_t hash = hash_of(frames, depth, truncated);
    uint32_t *bucket = &buckets[hash >> 32 & (BUCKETS - 1)];
    uint32_t first = fh_load_acquire(bucket), found = search(first, 0, hash, frames, depth);
    if (found) return found;
    uint32_t number = fh_words_take((unsigned)(sizeof(struct fh_stack) / sizeof(uint64_t)) + depth);
    if (!number) {
        fh_fetch_add_relaxed(&fh_samples.lost_stacks, 1);
        return 0;
    }
    struct fh_stack *stack = fh_stack_at(number);
    stack->hash = hash;
    stack->depth = (uint16_t)depth;
    stack->flags = truncated ? FH_STACK_TRUNCATED : 0;
    for (unsigned i = 0; i < depth; i++) stack->frames[i] = frames[i];
    for (;;) {
        stack->next = first;
        uint32_t before = first;
        if (fh_cas_acq_rel(bucket, &first, number)) return number;
        found = search(first, before, hash, frames, depth); /* another thread's, of the same frames */
        if (found) return found;
    }
}

void fh_stacks_each(void (*visit)(struct fh_stack *stack, void *arg), void *arg)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        for (uint32_t number = fh_load_acquire(&buckets[i]); number; number = fh_stack_at(number)->next)
            visit(fh_stack_at(number), arg);
}

/* --- Sites. --- */

/* The word for "this stack, now": the stack's last one while that is young, as ages go by then. */
static uint32_t site_of(uint32_t stack_number)
{
    struct fh_stack *stack = fh_stack_at(stack_number);
    uint64_t now = (fh_os_coarse_ms() - fh_samples.started_ms) / FH_SITE_TICK_MS;
    uint32_t last = (uint32_t)fh_load_acquire(&stack->last_site);
    if (last) {
        uint64_t begun = (uint32_t)fh_load_relaxed(fh_words_at(last));
        enum { PRECISION = 256 };
        if (now - begun <= now / PRECISION) return last;
    }
    uint32_t number = fh_words_take(1);
    if (!number) return last;
    fh_store_relaxed(fh_words_at(number), (uint64_t)stack_number << 32 | (uint32_t)now);
    fh_store_release(&stack->last_site, number);
    return number;
}

void fh_site_note(const void *pointer, uint32_t stack)
{
    enum { LEAF_ENTRIES = 1 << (FH_SITES_LEAF_SHIFT - FH_SITES_GRAIN_SHIFT) };
    uint64_t *root = (uint64_t *)(uintptr_t)fh_samples.sites_root;
    uint64_t *place = &root[((uintptr_t)pointer >> FH_SITES_LEAF_SHIFT) % FH_SITES_ROOT_ENTRIES];
    uint64_t leaf = fh_load_acquire(place);
    if (!leaf) {
        uint64_t made = (uintptr_t)fh_samples_map(LEAF_ENTRIES * sizeof(uint32_t));
        if (made && fh_cas_acq_rel(place, &leaf, made)) leaf = made;
        if (!leaf) return;
    }
    uint32_t *entries = (uint32_t *)(uintptr_t)leaf;
    uint32_t site = stack ? site_of(stack) : 0;
    fh_store_relaxed(&entries[((uintptr_t)pointer >> FH_SITES_GRAIN_SHIFT) % LEAF_ENTRIES], site);
}
