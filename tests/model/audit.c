/*
 * audit.c - while nobody is inside the allocator: every invariant, and every block of the heap against every block of
 * the tables. In the prefixed build nobody but the model allocates, so the two must be the same to the byte.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "calls.h"
#include "freehold.h"
#include "model.h"

#if defined(FH_MODEL_PRODUCT) && FH_MODEL_PRODUCT
#define OTHERS_ALLOCATE 1
#else
#define OTHERS_ALLOCATE 0
#endif

static void report(const char *invariant, uintptr_t address, const char *text, void *worker)
{
    failed(worker, "invariant %s does not hold at %#zx: %s", invariant, (size_t)address, text);
}

static void check_account(const struct worker *worker)
{
    struct fh_account account;
    fh_account_read(&account);
    size_t held = account.obtained_bytes - account.returned_bytes;
    size_t sum = account.live_bytes + account.rounding_bytes + account.cached_bytes + account.free_bytes +
                 account.untouched_bytes + account.metadata_bytes;
    if (sum != held) failed(worker, "the account adds up to %zu, and the kernel gave %zu", sum, held);
    if (held > (size_t)1 << 46 || account.live_bytes > held) failed(worker, "the account makes no sense");
}

/* One expected block: where it is, and how large. */
struct expected {
    uintptr_t address;
    size_t usable;
};
struct comparison {
    const struct worker *worker;
    struct expected *expected; /* by address */
    size_t count, at;          /* how many, and the next that the walk should come to */
    size_t live, live_bytes;   /* that the walk saw */
    uintptr_t end;             /* of the last block that it saw */
};

static int compare_block(const struct fh_block *block, void *argument)
{
    struct comparison *comparison = argument;
    if (block->kind == FH_BLOCK_SLAB) return 0; /* its objects follow */
    if (block->address < comparison->end)
        failed(comparison->worker, "the walk shows block %#zx within the block before it", (size_t)block->address);
    comparison->end = block->address + block->size_bytes;
    bool is_live = block->state == FH_STATE_LIVE;
    comparison->live += is_live;
    comparison->live_bytes += is_live ? block->size_bytes : 0;
    const struct expected *next = &comparison->expected[comparison->at];
    bool known = comparison->at < comparison->count && next->address == block->address;
    if (comparison->at < comparison->count && next->address < block->address)
        failed(comparison->worker, "the walk does not show the block %#zx of %zu bytes", (size_t)next->address,
               next->usable);
    if (known && !is_live)
        failed(comparison->worker, "the walk shows the live block %#zx as %d", (size_t)block->address, block->state);
    if (known && next->usable != block->size_bytes)
        failed(comparison->worker, "the walk shows the block %#zx with %zu bytes, not %zu", (size_t)block->address,
               block->size_bytes, next->usable);
    if (!known && is_live && !OTHERS_ALLOCATE)
        failed(comparison->worker, "the walk shows a live block %#zx of %zu bytes that nobody holds",
               (size_t)block->address, block->size_bytes);
    comparison->at += known;
    return 0;
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = ((const struct expected *)a)->address, y = ((const struct expected *)b)->address;
    return x < y ? -1 : x > y;
}

static void add_table(struct expected *to, size_t *count, const struct table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        to[(*count)++] = (struct expected){table_at(table, i)->address, table_at(table, i)->usable};
}

static void add_ring(struct expected *to, size_t *count, const struct ring *ring)
{
    for (uint32_t i = ring->head; i != ring->tail; i++)
        to[(*count)++] =
            (struct expected){ring->slots[i % RING_SLOTS].address, ring->slots[i % RING_SLOTS].usable};
}

/* Every block that all workers hold, and those on their way. */
static size_t collect(struct expected *to)
{
    size_t count = 0;
    for (uint32_t i = 0; i < options.threads; i++) {
        add_table(to, &count, &workers[i].table);
        for (uint32_t j = 0; j < options.threads; j++) add_ring(to, &count, &rings[i][j]);
    }
    qsort(to, count, sizeof to[0], by_address);
    return count;
}

static struct expected *expected; /* room for all blocks of all workers */

void audit_init(void)
{
    size_t most = (size_t)options.threads * (BLOCKS_MOST + WORKERS_MOST * RING_SLOTS);
    expected = mmap(NULL, most * sizeof *expected, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (expected == MAP_FAILED) failed(NULL, "no memory for audits");
}

static void compare_with_walk(const struct worker *worker, bool exact_account)
{
    struct comparison comparison = {.worker = worker, .expected = expected, .count = collect(expected)};
    fh_walk(compare_block, &comparison);
    if (comparison.at != comparison.count)
        failed(worker, "the walk ended before the block %#zx", (size_t)expected[comparison.at].address);
    struct fh_account account;
    fh_account_read(&account);
    if (!exact_account || OTHERS_ALLOCATE) return;
    if (account.live_blocks != comparison.live || account.live_bytes != comparison.live_bytes)
        failed(worker, "the account has %zu live blocks of %zu bytes; there are %zu of %zu", account.live_blocks,
               account.live_bytes, comparison.live, comparison.live_bytes);
}

void audit(const struct worker *worker, bool last)
{
    kernel_calm();
    fh_check(report, (void *)(uintptr_t)worker);
    check_account(worker);
    compare_with_walk(worker, last || options.threads == 1);
    for (uint32_t w = 0; w < options.threads; w++)
        for (uint32_t i = 0; i < workers[w].table.count; i++) check_block(worker, table_at(&workers[w].table, i));
}

#if OTHERS_ALLOCATE
void audit_nothing_on_the_way(void) {}
#else
extern size_t fh_transit_bytes; /* of the library: in inboxes */

void audit_nothing_on_the_way(void)
{
    if (fh_transit_bytes)
        failed(NULL, "all threads have ended, and %zu bytes are still on their way", fh_transit_bytes);
}
#endif

void audit_quick(const struct worker *worker)
{
    struct fh_account account;
    fh_account_read(&account);
    if (OTHERS_ALLOCATE) return;
    if (account.live_blocks != worker->table.count || account.live_bytes != worker->table.bytes)
        failed(worker, "the account has %zu live blocks of %zu bytes; the table has %u of %zu", account.live_blocks,
               account.live_bytes, worker->table.count, worker->table.bytes);
}

void audit_child(const struct worker *worker)
{
    kernel_calm();
    fh_check(report, (void *)(uintptr_t)worker);
    check_account(worker);
    for (uint32_t i = 0; i < worker->table.count; i++) check_block(worker, table_at(&worker->table, i));
}
