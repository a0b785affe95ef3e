/*
 * live.c - the blocks that are live at a point of a trace. Open addressing, linear probing, at most half full.
 */
#include "live.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024 };

static uint64_t key_of(struct fh_trace_id id)
{
    return (uint64_t)id.thread << 44 | (id.number & (((uint64_t)1 << 44) - 1));
}

static size_t home(const struct fh_live *live, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15ull;
    return (size_t)(hash ^ hash >> 32) & (live->capacity - 1);
}

static struct fh_live_block *look(const struct fh_live *live, uint64_t key)
{
    size_t i = home(live, key);
    while (live->table[i].key && live->table[i].key != key)
        i = (i + 1) & (live->capacity - 1);
    return &live->table[i];
}

static bool grow(struct fh_live *live)
{
    struct fh_live bigger = *live;
    bigger.capacity = live->capacity ? live->capacity * 2 : FIRST_CAPACITY;
    bigger.table = calloc(bigger.capacity, sizeof(*bigger.table));
    if (!bigger.table)
        return false;
    for (size_t i = 0; i < live->capacity; i++) {
        if (live->table[i].key)
            *look(&bigger, live->table[i].key) = live->table[i];
    }
    free(live->table);
    *live = bigger;
    return true;
}

struct fh_live_block *fh_live_add(struct fh_live *live, struct fh_trace_id id, uint64_t size)
{
    if (id.number == 0 || (live->count * 2 >= live->capacity && !grow(live)))
        return NULL;
    uint64_t key = key_of(id);
    struct fh_live_block *block = look(live, key);
    if (block->key)
        return NULL;
    memset(block, 0, sizeof(*block));
    block->key = key;
    block->size = size;
    live->count++;
    live->bytes += size;
    if (live->bytes > live->peak_bytes)
        live->peak_bytes = live->bytes;
    if (live->count > live->peak_count)
        live->peak_count = live->count;
    return block;
}

struct fh_live_block *fh_live_find(const struct fh_live *live, struct fh_trace_id id)
{
    if (!live->capacity || id.number == 0 || id.number >> 44)
        return NULL;
    struct fh_live_block *block = look(live, key_of(id));
    return block->key ? block : NULL;
}

void fh_live_remove(struct fh_live *live, struct fh_live_block *block)
{
    size_t mask = live->capacity - 1, hole = (size_t)(block - live->table);
    live->count--;
    live->bytes -= block->size;
    for (size_t i = (hole + 1) & mask; live->table[i].key; i = (i + 1) & mask) {
        size_t wanted = home(live, live->table[i].key);
        if (((i - wanted) & mask) >= ((i - hole) & mask)) {
            live->table[hole] = live->table[i];
            hole = i;
        }
    }
    live->table[hole].key = 0;
}

void fh_live_clear(struct fh_live *live)
{
    free(live->table);
    memset(live, 0, sizeof(*live));
}
