/*
 * benign_pointers - a program whose blocks begin with pointers to blocks, counters and small numbers, and that
 * reads, writes
 * and compares just the words that the library uses while a block is free: lists, queues and trees, built and torn
 * down.
 */
#include "misuse.h"

struct node {
    struct node *next;
    struct node *previous;
    uint64_t payload[4];
};

static void list_round(size_t count)
{
    struct node head = {&head, &head, {0}};

    for (size_t i = 0; i < count; i++) {
        struct node *node = get(sizeof *node);

        /* Whatever was there before is used: as a hash, as garbage does. */
        head.payload[0] += node->payload[0] ^ (uintptr_t)node->next;
        node->next = &head;
        node->previous = head.previous;
        head.previous->next = node;
        head.previous = node;
    }
    while (head.next != &head) {
        struct node *node = head.next;

        head.next = node->next;
        node->next->previous = &head;
        release(node);
    }
}

/* A free list of the program's own: nodes are kept and used again without the library's knowing. */
static void own_free_list(size_t count)
{
    struct node *kept = NULL;

    for (size_t i = 0; i < count; i++) {
        struct node *node = kept != NULL && i % 3 != 0 ? kept : get(sizeof *node);

        if (node == kept)
            kept = kept->next;
        node->next = kept;
        node->previous = (struct node *)(uintptr_t)i;
        kept = node;
        if (i % 5 == 0 && kept != NULL) {
            node = kept;
            kept = kept->next;
            release(node);
        }
    }
    while (kept != NULL) {
        struct node *next = kept->next;

        release(kept);
        kept = next;
    }
}

static void chunks_of_pointers(size_t count)
{
    void **chunks[200];

    for (size_t i = 0; i < 200; i++) {
        chunks[i] = get(count + i * 50);
        for (size_t j = 0; j < (count + i * 50) / sizeof(void *); j++)
            chunks[i][j] = i > 0 ? chunks[i - 1] + j % 20 : NULL;
    }
    for (size_t i = 0; i < 200; i++)
        release(chunks[(i * 37) % 200]);
}

int main(void)
{
    for (size_t round = 0; round < 200; round++) {
        list_round(100 + round * 20);
        own_free_list(1000);
        chunks_of_pointers(400 + round * 30);
    }
    return 0;
}
