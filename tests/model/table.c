/*
 * table.c - the blocks of one worker: a treap by address over dense nodes. Its memory comes from mmap(2), never from
 * the allocator under test or from libc's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "model.h"

/* Nodes 1 to count are in use, in no order; 0 is "none". */
struct node {
    struct block block;
    uint32_t left, right;
    uint32_t priority;
};

void table_init(struct table *table, uint64_t seed)
{
    size_t bytes = sizeof(struct node) * (BLOCKS_MOST + 1);
    table->nodes = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table->nodes == MAP_FAILED) {
        perror("model: no memory for the tables");
        exit(2);
    }
    table->root = table->count = 0;
    table->bytes = 0;
    table->random.state = seed;
}

struct block *table_at(const struct table *table, uint32_t index) { return &table->nodes[index + 1].block; }

struct block *table_overlap(const struct table *table, uintptr_t address, size_t bytes)
{
    uint32_t at = table->root;
    while (at) {
        struct node *node = &table->nodes[at];
        uintptr_t end = node->block.address + (node->block.usable ? node->block.usable : 1);
        if (address < end && node->block.address < address + (bytes ? bytes : 1)) return &node->block;
        at = address < node->block.address ? node->left : node->right;
    }
    return NULL;
}

/* Nodes below `address` go to *low, the others to *high. */
static void split(struct node *nodes, uint32_t root, uintptr_t address, uint32_t *low, uint32_t *high)
{
    while (root) {
        if (nodes[root].block.address < address) {
            *low = root;
            low = &nodes[root].right;
            root = *low;
        } else {
            *high = root;
            high = &nodes[root].left;
            root = *high;
        }
    }
    *low = *high = 0;
}

static uint32_t merge(struct node *nodes, uint32_t low, uint32_t high)
{
    uint32_t root, *link = &root;
    while (low && high) {
        if (nodes[low].priority > nodes[high].priority) {
            *link = low;
            link = &nodes[low].right;
            low = *link;
        } else {
            *link = high;
            link = &nodes[high].left;
            high = *link;
        }
    }
    *link = low ? low : high;
    return root;
}

void table_insert(struct table *table, const struct block *block)
{
    struct node *nodes = table->nodes;
    uint32_t new = ++table->count, *link = &table->root;
    nodes[new] = (struct node){.block = *block, .priority = (uint32_t)random_next(&table->random)};
    while (*link && nodes[*link].priority >= nodes[new].priority)
        link = block->address < nodes[*link].block.address ? &nodes[*link].left : &nodes[*link].right;
    split(nodes, *link, block->address, &nodes[new].left, &nodes[new].right);
    *link = new;
    table->bytes += block->usable;
}

/* Where the number of this node stands: in its parent, or the root. */
static uint32_t *link_to(struct table *table, uint32_t node)
{
    uint32_t *link = &table->root;
    uintptr_t address = table->nodes[node].block.address;
    while (*link != node)
        link = address < table->nodes[*link].block.address ? &table->nodes[*link].left : &table->nodes[*link].right;
    return link;
}

struct block table_remove(struct table *table, uint32_t index)
{
    struct node *nodes = table->nodes;
    uint32_t gone = index + 1, last = table->count;
    struct block block = nodes[gone].block;
    *link_to(table, gone) = merge(nodes, nodes[gone].left, nodes[gone].right);
    if (gone != last) { /* the last node fills the gap */
        *link_to(table, last) = gone;
        nodes[gone] = nodes[last];
    }
    table->count--;
    table->bytes -= block.usable;
    return block;
}
