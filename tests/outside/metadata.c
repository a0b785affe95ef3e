/*
 * metadata.c - R3 and R4: the hidden header in front of the user's pointer, and what `free` does with it.
 *
 * A program that damages a header does so in a child of its own, whose last words it reads.
 */
#define _GNU_SOURCE
#include "levels.h"

#include "mark.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define DEFECTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_FAULT {.only_number = -1}

enum { HEADER = 8 };

/* Runs the deed in a child; it must abort, and the first line on its stderr must begin with `words`. */
static void expect_abort(void (*deed)(int), int argument, const char *words)
{
    char line[256] = "";
    int ends[2];
    int status;

    EXPECT(pipe(ends) == 0, "no pipe");
    pid_t child = fork();
    EXPECT(child >= 0, "no fork");
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        deed(argument);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while (length < sizeof line - 1 && (got = read(ends[0], line + length, sizeof line - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(ends[0]);
    EXPECT(waitpid(child, &status, 0) == child, "no child");
    line[strcspn(line, "\n")] = '\0';
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
           "deed %d: not aborted (status 0x%x), stderr \"%s\"", argument, status, line);
    EXPECT(strncmp(line, words, strlen(words)) == 0, "deed %d: the line is \"%s\", not \"%s…\"", argument, line, words);
}

/* R3, seen by the walk: 8 bytes between one block's end and the next one's beginning, whatever the size. */
static void look_at_headers(void)
{
    static const size_t sizes[] = {1100, 1025, 1032, 1033, 1040, 1048, 1049, 4096, 40000, 131071};
    struct held one, two;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        EXPECT(hold(&one, sizes[i]) && hold(&two, sizes[i]), "malloc gave NULL");
        const struct fh_block *block = block_at(one.address);
        EXPECT(block != NULL && block->state == FH_STATE_LIVE && block->kind == FH_BLOCK_CHUNK,
               "the walk does not show %zu bytes as a live chunk", sizes[i]);
        EXPECT((block->size_bytes + HEADER) % 16 == 0, "%zu bytes: a chunk of %zu and its header", sizes[i],
               block->size_bytes);
        EXPECT(block->size_bytes >= sizes[i] && block->size_bytes < sizes[i] + sizes[i] / 8 + 40, "%zu bytes got %zu",
               sizes[i], block->size_bytes);
        EXPECT(block->size_bytes == malloc_usable_size(one.address), "usable size %zu, %zu in the walk",
               malloc_usable_size(one.address), block->size_bytes);
        const struct fh_block *next = block_after(block);
        EXPECT(next == NULL || next->heap != block->heap || next->kind == FH_BLOCK_SLAB ||
                   next->kind == FH_BLOCK_SLAB_OBJECT ||
                   next->address == block->address + block->size_bytes + HEADER,
               "%zu bytes: no 8-byte header between a block and the next", sizes[i]);
        drop(&one);
        drop(&two);
    }
}

static const uint64_t bad_headers[] = {0, UINT64_MAX, 0x4141414141414141u, 0x20, 0x7fffffffffffff01u};
enum { BAD_HEADERS = sizeof bad_headers / sizeof *bad_headers };

/* A block whose origin the compiler does not know, so that it may be indexed below. */
static uint64_t *unknown_block(size_t size)
{
    uint64_t *block = malloc(size);

    __asm__("" : "+r"(block));
    return block;
}

static void free_with_bad_header(int which)
{
    uint64_t *block = unknown_block(1100);
    uint64_t *guard = malloc(1100);

    block[-1] = bad_headers[which];
    free(block);
    free(guard);
}

static void realloc_with_bad_header(int which)
{
    uint64_t *block = unknown_block(40000);

    block[-1] = bad_headers[which];
    block = realloc(block, 50000);
    free(block);
}

/* The common way to damage one: a string longer than its block. */
static void overflow_into_header(int size)
{
    char *blocks[2] = {malloc((size_t)size), malloc((size_t)size)};
    char *low = blocks[0] < blocks[1] ? blocks[0] : blocks[1];
    char *high = blocks[0] < blocks[1] ? blocks[1] : blocks[0];

    memset(low, 'A', malloc_usable_size(low) + HEADER);
    free(high);
    free(low);
}

static void damage_headers(void)
{
    for (int i = 0; i < BAD_HEADERS; i++) {
        expect_abort(free_with_bad_header, i, "freehold: damaged chunk header: 0x");
        expect_abort(realloc_with_bad_header, i, "freehold: damaged chunk header: 0x");
    }
    expect_abort(overflow_into_header, 1100, "freehold: damaged chunk header: 0x");
    expect_abort(overflow_into_header, 40000, "freehold: damaged chunk header: 0x");
}

/* R4 */

static enum fh_block_state state_at(uintptr_t address)
{
    const struct fh_block *block = block_around((void *)address);

    return block == NULL ? 0 : block->state;
}

static void free_twice(int size)
{
    void *block = malloc((size_t)size);
    void *guard = malloc((size_t)size);

    free(block);
    free(block);
    free(guard);
}

/*
 * Takes blocks of the size until one of them lies at the address (the free chunk may begin below it, where it has
 * joined its neighbour); then frees them all.
 */
static bool find_again(uintptr_t address, size_t size, size_t tries)
{
    struct held found[64];
    size_t count = 0;
    bool seen = false;

    while (!seen && count < tries) {
        EXPECT(hold(&found[count], size), "malloc gave NULL");
        uintptr_t start = (uintptr_t)found[count].address;
        seen = start <= address && address < start + malloc_usable_size(found[count].address);
        count++;
    }
    EXPECT(!seen || state_at(address) == FH_STATE_LIVE, "%zu bytes: not live when taken again", size);
    while (count > 0) {
        drop(&found[--count]);
    }
    return seen;
}

/* After free the walk shows the block as free (at once, or when the thread's cache is flushed), and malloc finds it. */
static void follow_block(size_t size, bool cached)
{
    struct held floor, block, guard;

    EXPECT(hold(&floor, size) && hold(&block, size) && hold(&guard, size), "malloc gave NULL");
    uintptr_t address = (uintptr_t)block.address;
    EXPECT(state_at(address) == FH_STATE_LIVE, "%zu bytes: not live after malloc", size);
    mark(MARK_BEGIN);
    drop(&block);
    enum fh_block_state state = state_at(address);
    EXPECT(state == FH_STATE_FREE || (cached && state == FH_STATE_CACHED), "%zu bytes: state %d after free", size,
           (int)state);
    EXPECT(find_again(address, size, state == FH_STATE_CACHED ? 1 : 64),
           "%zu bytes: the freed block was not found again", size);
    mark(MARK_END);
    flush_cache();
    state = state_at(address);
    EXPECT(state == FH_STATE_FREE || state == FH_STATE_TOP || state == 0, "%zu bytes: state %d after a flush", size,
           (int)state);
    expect_sound("after the flush");
    drop(&guard);
    drop(&floor);
    flush_cache();
    expect_abort(free_twice, (int)size, "freehold: double free: 0x");
}

static void mark_and_list(void)
{
    static const size_t sizes[] = {24, 64, 256, 300, 1000, 1100, 8000, 30000};
    static const size_t large_sizes[] = {40000, 100000, 131071};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        follow_block(sizes[i], true);
    }
    for (size_t i = 0; i < sizeof large_sizes / sizeof *large_sizes; i++) {
        follow_block(large_sizes[i], false);
    }
}

const struct level_test metadata_tests[] = {
    {"r3_metadata_in_front", look_at_headers, NULL, DEFECTS("wide_header", "wrong_walk_size"), NO_FAULT, true},
    {"r3_damaged_metadata_is_detected", damage_headers, NULL, DEFECTS("no_header_check"), NO_FAULT, true},
    {"r4_free_marks_and_lists", mark_and_list, NULL, DEFECTS("unmarked_free", "never_reuse", "no_double_free_check"),
     NO_FAULT, true},
    {NULL, NULL, NULL, NULL, NO_FAULT, false},
};
