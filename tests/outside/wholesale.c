/*
 * wholesale.c - W1 to W4: what the library asks of the kernel, seen from the system calls.
 */
#define _GNU_SOURCE
#include "levels.h"

#include "mark.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEFECTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_FAULT {.only_number = -1}

enum { KIB = 1024, MIB = 1024 * 1024, THRESHOLD = 128 * KIB, BLOCKS_MAX = 70000 };

static struct held blocks[BLOCKS_MAX];

static void hold_all(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        EXPECT(hold(&blocks[i], size), "malloc of %zu bytes gave NULL (block %zu)", size, i);
    }
}

static void drop_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drop(&blocks[i]);
    }
}

/* W1 */

static void grow_heap(void)
{
    mark(MARK_BEGIN);
    hold_all(65536, 1000);
    mark(MARK_BEGIN + 1);
    drop_all(65536);
}

static bool judge_growth(const struct trace *trace)
{
    struct break_moves moves = break_moves(trace, MARK_BEGIN, MARK_BEGIN);

    return judged(moves.up > 0, "the break did not move") &
           judged(moves.up_bytes >= 60 * MIB, "the break moved by %lu bytes only", (unsigned long)moves.up_bytes) &
           judged(moves.smallest_up >= MIB, "a step of only %lu bytes", (unsigned long)moves.smallest_up) &
           judged(moves.down == 0, "the break moved down while the heap grew");
}

/* W2 */

static void *put_page_above_break(void)
{
    uintptr_t end = (uintptr_t)syscall(SYS_brk, 0);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *wanted = (void *)((end + page - 1) / page * page);
    void *got = mmap(wanted, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    EXPECT(got == wanted, "cannot put a page above the break");
    return got;
}

static void grow_elsewhere(void)
{
    mark(MARK_BEGIN);
    hold_all(8192, 4000);
    mark_value(MARK_BEGIN + 1, (uintptr_t)blocks[8191].address);
    for (size_t i = 0; i < 8192; i++) {
        verify(&blocks[i]);
    }
    for (size_t i = 0; i < 8192; i += 2) {
        drop(&blocks[i]);
    }
    for (size_t i = 0; i < 8192; i += 2) {
        EXPECT(hold(&blocks[i], 4000), "malloc gave NULL at the second filling");
    }
    drop_all(8192);
}

static void grow_past_obstacle(void)
{
    EXPECT(hold(&blocks[0], 1000), "malloc gave NULL"); /* the heap has begun when the page gets in its way */
    void *obstacle = put_page_above_break();
    drop(&blocks[0]);
    grow_elsewhere();
    munmap(obstacle, (size_t)sysconf(_SC_PAGESIZE));
}

static bool judge_elsewhere(const struct trace *trace)
{
    struct break_moves moves = break_moves(trace, MARK_BEGIN, MARK_BEGIN);
    uint64_t mapped = bytes_mapped(trace, MARK_BEGIN, MARK_BEGIN);
    unsigned calls = memory_calls(trace, MARK_BEGIN, MARK_BEGIN);
    uint64_t last = marked(trace, MARK_BEGIN + 1);

    return judged(moves.up == 0, "the break moved: the test is void") &
           judged(mapped >= 24 * MIB, "only %lu bytes were mapped instead", (unsigned long)mapped) &
           judged(calls <= 80, "%u system calls for 32 MiB", calls) &
           judged(mapping_of(trace, MARK_BEGIN, MARK_BEGIN, last) != NULL, "the last block is in no new mapping");
}

/* W3 */

enum { W3_BELOW = 20, W3_AT = 30, W3_FREE = 50 };
/* No two with mappings of one size: what is asked for again at once may be kept warm (see reuse_one_size). */
static const size_t w3_sizes[] = {THRESHOLD, THRESHOLD + 4096, 200000, MIB, 10 * MIB + 5, 64 * MIB};
enum { W3_COUNT = sizeof w3_sizes / sizeof *w3_sizes };

static void *volatile w3_below[4];

/* Each request is a phase of its own: W3_BELOW+i below the threshold, W3_AT+i at or above, W3_FREE+i its free. */
static void cross_threshold(void)
{
    void *first = malloc(1000);

    free(malloc(3 * MIB)); /* what the first block and the first mapping need once is in place after them */
    mark(MARK_BEGIN);
    for (int i = 0; i < 4; i++) {
        mark(W3_BELOW + i);
        w3_below[i] = i == 3 ? calloc(1, THRESHOLD - 1) : malloc(THRESHOLD - 1 - (size_t)i * 16);
        EXPECT(w3_below[i] != NULL, "malloc gave NULL");
        memset(w3_below[i], 1, THRESHOLD - 49);
    }
    for (int i = 0; i < (int)W3_COUNT; i++) {
        mark(W3_AT + i);
        char *block = i == 3 ? calloc(1, w3_sizes[i]) : malloc(w3_sizes[i]);
        mark_value(W3_AT + i, (uintptr_t)block);
        EXPECT(block != NULL, "malloc of %zu gave NULL", w3_sizes[i]);
        block[0] = block[w3_sizes[i] - 1] = 1;
        mark(W3_FREE + i);
        free(block);
    }
    mark(MARK_END - 1);
    for (int i = 0; i < 4; i++) {
        free(w3_below[i]);
    }
    free(first);
}

/* A size that is freed and asked for again may be kept; at the latest malloc_trim gives it back. */
static void reuse_one_size(void)
{
    free(malloc(3 * MIB));
    mark(MARK_BEGIN);
    for (int i = 0; i < 100; i++) {
        EXPECT(hold(&blocks[0], 600000) && hold(&blocks[1], 900000), "malloc gave NULL");
        drop(&blocks[0]);
        drop(&blocks[1]);
    }
    flush_cache();
}

static bool judge_reuse(const struct trace *trace)
{
    uint64_t unmapped = 0;
    uint64_t mapped = bytes_mapped(trace, MARK_BEGIN, MARK_BEGIN);

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (!event->is_mark && event->phase == MARK_BEGIN && event->number == SYS_munmap) {
            unmapped += event->args[1];
        }
    }
    return judged(mapped == unmapped, "%lu bytes mapped, %lu unmapped", (unsigned long)mapped,
                  (unsigned long)unmapped) &
           judged(mapped >= 1500000, "only %lu bytes were mapped", (unsigned long)mapped);
}

/* The second mark of a W3_AT phase carries the block's address. */
static uint64_t w3_block(const struct trace *trace, int phase)
{
    uint64_t address = 0;

    for (size_t i = 0; i < trace->count; i++) {
        if (trace->events[i].is_mark && trace->events[i].phase == phase) {
            address = trace->events[i].args[0];
        }
    }
    return address;
}

static bool judge_unmapping(const struct trace *trace, int phase, const struct trace_event *mapping)
{
    uint64_t start = 0;
    uint64_t length = 0;

    for (size_t i = 0; i < trace->count; i++) {
        if (!trace->events[i].is_mark && trace->events[i].phase == phase && trace->events[i].number == SYS_munmap) {
            start = trace->events[i].args[0];
            length = trace->events[i].args[1];
        }
    }
    return start == (uint64_t)mapping->result && length == mapping->args[1];
}

static bool judge_threshold(const struct trace *trace)
{
    bool good = true;

    for (int i = 0; i < 4; i++) {
        good &= judged(calls_of(trace, W3_BELOW + i, W3_BELOW + i, SYS_mmap) == 0, "a mapping below the threshold");
    }
    for (int i = 0; i < (int)W3_COUNT; i++) {
        int at = W3_AT + i;
        uint64_t block = w3_block(trace, at);
        const struct trace_event *mapping = mapping_of(trace, at, at, block);
        if (!judged(mapping != NULL, "the block of %zu bytes has no mapping of its own", w3_sizes[i])) {
            good = false;
            continue;
        }
        good &= judged(memory_calls(trace, at, at) == 1, "%u calls to get %zu bytes", memory_calls(trace, at, at),
                       w3_sizes[i]);
        good &= judged(mapping->args[1] <= w3_sizes[i] + 128 * KIB, "a mapping of %lu bytes for %zu",
                       (unsigned long)mapping->args[1], w3_sizes[i]);
        good &= judged(memory_calls(trace, W3_FREE + i, W3_FREE + i) == 1, "%u calls to free %zu bytes",
                       memory_calls(trace, W3_FREE + i, W3_FREE + i), w3_sizes[i]);
        good &= judged(judge_unmapping(trace, W3_FREE + i, mapping), "the mapping of %zu bytes was not unmapped whole",
                       w3_sizes[i]);
    }
    return good;
}

/* W4 */

enum { W4_GROW = 10, W4_PIN = 11, W4_SMALL = 12, W4_DROP = 13, W4_SLABS = 20, W4_SLABS_DROP = 21 };

static void fill_and_drain(void)
{
    struct held pin;

    EXPECT(hold(&blocks[0], 1000), "malloc gave NULL"); /* the heap has begun */
    mark(W4_GROW);
    for (size_t i = 1; i <= 512; i++) {
        EXPECT(hold(&blocks[i], 64 * KIB), "malloc gave NULL");
    }
    EXPECT(hold(&pin, 40000), "malloc gave NULL");
    mark_value(W4_PIN, (uintptr_t)pin.address); /* the live block at the top keeps everything below it */
    for (size_t i = 1; i <= 512; i++) {
        drop(&blocks[i]);
    }
    mark(W4_DROP); /* now the top chunk is all of it */
    drop(&pin);
    mark(W4_DROP + 1);
    drop(&blocks[0]);
}

static bool judge_trim(const struct trace *trace)
{
    struct break_moves pinned = break_moves(trace, W4_PIN, W4_PIN);
    struct break_moves dropped = break_moves(trace, W4_DROP, W4_DROP);

    return judged(pinned.end > marked(trace, W4_PIN), "the break moved below a live block") &
           judged(dropped.down >= 1, "the break did not move down") &
           judged(dropped.down <= 4, "the break moved down %u times for one free", dropped.down) &
           judged(dropped.down_bytes >= 31 * MIB, "the break moved down by %lu bytes only, of 32 MiB",
                  (unsigned long)dropped.down_bytes);
}

static void fill_and_drain_slabs(void)
{
    EXPECT(hold(&blocks[BLOCKS_MAX - 1], 1000), "malloc gave NULL");
    mark(W4_SLABS);
    hold_all(65536, 200);
    mark(W4_SLABS_DROP);
    drop_all(65536);
    flush_cache();
    mark(W4_SLABS_DROP + 1);
    drop(&blocks[BLOCKS_MAX - 1]);
}

static bool judge_slab_trim(const struct trace *trace)
{
    struct break_moves up = break_moves(trace, W4_SLABS, W4_SLABS);
    struct break_moves down = break_moves(trace, W4_SLABS_DROP, W4_SLABS_DROP);

    return judged(up.up_bytes >= 12 * MIB, "the break moved up by %lu bytes only", (unsigned long)up.up_bytes) &
           judged(down.down_bytes >= up.up_bytes / 8 * 7, "the break moved up by %lu bytes and down by %lu only",
                  (unsigned long)up.up_bytes, (unsigned long)down.down_bytes);
}

/* Less than the threshold is kept: a program that frees and asks again must not go to the kernel each time. */
static void breathe_below_threshold(void)
{
    EXPECT(hold(&blocks[0], 1000), "malloc gave NULL");
    flush_cache();
    EXPECT(hold(&blocks[1], 40 * KIB) && hold(&blocks[2], 40 * KIB), "malloc gave NULL");
    mark(MARK_BEGIN);
    for (int i = 0; i < 1000; i++) {
        drop(&blocks[2]);
        drop(&blocks[1]);
        EXPECT(hold(&blocks[1], 40 * KIB) && hold(&blocks[2], 40 * KIB), "malloc gave NULL");
    }
    mark(MARK_END);
}

static bool judge_breathing(const struct trace *trace)
{
    unsigned calls = memory_calls(trace, MARK_BEGIN, MARK_BEGIN);

    return judged(calls <= 2, "%u system calls for 80 KiB freed and taken again", calls);
}

const struct level_test wholesale_tests[] = {
    {"w1_break_grows_in_large_steps", grow_heap, judge_growth, DEFECTS("small_steps", "only_mmap"), NO_FAULT, false},
    {"w2_mmap_when_break_cannot_move", grow_past_obstacle, judge_elsewhere, DEFECTS("no_fallback", "small_fallback"),
     NO_FAULT, false},
    {"w2_mmap_when_break_is_refused", grow_elsewhere, judge_elsewhere, DEFECTS("no_fallback", "small_fallback"),
     {.nth = 1, .onward = true, .error = TRACE_REFUSED, .only_number = SYS_brk}, false},
    {"w3_threshold_128k", cross_threshold, judge_threshold, DEFECTS("high_threshold", "low_threshold", "late_munmap"),
     NO_FAULT, false},
    {"w3_kept_mappings_go_back", reuse_one_size, judge_reuse, DEFECTS("late_munmap"), NO_FAULT, false},
    {"w4_top_is_trimmed", fill_and_drain, judge_trim, DEFECTS("no_trim"), NO_FAULT, false},
    {"w4_emptied_slabs_are_trimmed", fill_and_drain_slabs, judge_slab_trim, DEFECTS("no_trim"), NO_FAULT, false},
    {"w4_less_than_the_threshold_is_kept", breathe_below_threshold, judge_breathing, DEFECTS("eager_trim"), NO_FAULT,
     false},
    {NULL, NULL, NULL, NULL, NO_FAULT, false},
};
