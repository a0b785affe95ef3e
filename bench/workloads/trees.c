/*
 * trees.c - binary trees built and torn down, as in the well-known benchmark of that name: one long-lived tree beside
 * many short-lived ones, of nodes that are two pointers large or carry a payload.
 */
#include "bench.h"

struct tree {
    struct tree *left;
    struct tree *right;
};

static struct tree *build(int depth, size_t size)
{
    struct tree *t = bench_malloc(size);
    t->left = depth > 0 ? build(depth - 1, size) : NULL;
    t->right = depth > 0 ? build(depth - 1, size) : NULL;
    return t;
}

static void tear_down(struct tree *t)
{
    if (t == NULL) return;
    tear_down(t->left);
    tear_down(t->right);
    bench_free(t);
}

static uint64_t nodes(int depth) { return (2ull << depth) - 1; }

static void run_trees(struct bench *b, size_t size)
{
    uint64_t operations = nodes(18), each = bench_scaled(b, 2000000);
    bench_start(b);
    struct tree *long_lived = build(18, size);
    for (int depth = 6; depth <= 18; depth += 4)
        for (uint64_t i = 0; i < each / nodes(depth) + 1; i++) {
            tear_down(build(depth, size));
            operations += nodes(depth);
        }
    tear_down(long_lived);
    bench_stop(b, operations);
}

static void trees16(struct bench *b) { run_trees(b, sizeof(struct tree)); }

static void trees40(struct bench *b) { run_trees(b, 40); }

const struct workload bench_trees[] = {
    {"trees16", trees16, 1, "binary trees of 16-byte nodes, one long-lived, many short-lived", BENCH_USUAL},
    {"trees40", trees40, 1, "the same with nodes of 40 bytes", BENCH_USUAL},
    {0},
};
