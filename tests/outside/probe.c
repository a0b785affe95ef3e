/*
 * probe.c - see probe.h. The fh_* functions are found by dlsym, so that one program runs on any malloc.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SNAPSHOT_MAX = 16384, FILL_WHOLE = 2048, PAGE = 4096 };

static struct fh_block blocks[SNAPSHOT_MAX];
static size_t block_count;

static _Noreturn void end(int status, const char *format, va_list arguments)
{
    char line[512];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);

    if (length < 0 || (size_t)length > sizeof line - 2) {
        length = (int)sizeof line - 2;
    }
    line[length] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)length + 1);
    (void)written;
    _exit(status);
}

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    end(1, format, arguments);
}

void skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    end(EXIT_SKIP, format, arguments);
}

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Eight bytes of the pattern, the lowest first (both machines are little-endian). */
static uint64_t word_of(uint64_t key, size_t index)
{
    return (key + index) * 0x9e3779b97f4a7c15u;
}

static unsigned char pattern(uint64_t key, size_t offset)
{
    return (unsigned char)(word_of(key, offset / 8) >> (offset % 8 * 8));
}

/*
 * Calls `visit` for the offsets that carry the pattern: all of a small block; of a large one both ends and some bytes
 * of each page, so that a large block costs little and yet no page of it can be lost unseen.
 */
#define FOR_PATTERN(offset, size)                                                                       \
    for (size_t offset = 0; offset < (size); offset = pattern_next(offset, (size)))

static size_t pattern_next(size_t offset, size_t size)
{
    offset++;
    if (size <= FILL_WHOLE || offset < 256 || offset >= size - 256 || offset % PAGE < 8) {
        return offset;
    }
    size_t next = (offset / PAGE + 1) * PAGE;
    return next < size - 256 ? next : size - 256;
}

/* Small blocks a word at a time: there are many. */
void fill(const struct held *held)
{
    size_t words = held->size <= FILL_WHOLE ? held->size / 8 : 0;

    for (size_t i = 0; i < words; i++) {
        uint64_t mixed = word_of(held->key, i);
        memcpy(held->address + i * 8, &mixed, 8);
    }
    for (size_t offset = words * 8; offset < held->size; offset = pattern_next(offset, held->size)) {
        held->address[offset] = pattern(held->key, offset);
    }
}

static void verify_part(const struct held *held, size_t filled_size, size_t size)
{
    FOR_PATTERN(offset, filled_size) {
        if (offset >= size) {
            break;
        }
        if (held->address[offset] != pattern(held->key, offset)) {
            fail("contents lost: block %p of %zu bytes, byte %zu is 0x%02x, not 0x%02x", (void *)held->address,
                 filled_size, offset, held->address[offset], pattern(held->key, offset));
        }
    }
}

void verify(const struct held *held)
{
    if (held->address != NULL) {
        verify_part(held, held->size, held->size);
    }
}

static uint64_t new_key(void)
{
    static uint64_t state = 88172645463325252u;

    return __atomic_add_fetch(&state, 0x632be59bd9b4e019u, __ATOMIC_RELAXED);
}

void adopt(struct held *held, void *address, size_t size)
{
    held->address = address;
    held->size = size;
    held->key = new_key();
    fill(held);
}

static unsigned patience; /* 0: endless */
static unsigned refusals;

void give_up_after(unsigned limit)
{
    __atomic_store_n(&refusals, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&patience, limit, __ATOMIC_RELAXED);
}

static bool gave_up(void)
{
    unsigned limit = __atomic_load_n(&patience, __ATOMIC_RELAXED);

    return limit != 0 && __atomic_load_n(&refusals, __ATOMIC_RELAXED) >= limit;
}

static void count_answer(const void *address)
{
    if (address == NULL) {
        __atomic_add_fetch(&refusals, 1, __ATOMIC_RELAXED);
    }
}

static bool take(struct held *held, void *address, size_t alignment, size_t size, int error, const char *call)
{
    *held = (struct held){NULL, 0, 0};
    count_answer(address);
    if (address == NULL) {
        EXPECT(error == ENOMEM, "%s of %zu bytes gave NULL with errno %d, not ENOMEM", call, size, error);
        return false;
    }
    EXPECT((uintptr_t)address % alignment == 0, "%s of %zu bytes gave %p, not aligned to %zu", call, size, address,
           alignment);
    adopt(held, address, size);
    return true;
}

bool hold(struct held *held, size_t size)
{
    *held = (struct held){NULL, 0, 0};
    if (gave_up()) {
        return false;
    }
    errno = 0;
    void *address = malloc(size);
    return take(held, address, 16, size, errno, "malloc");
}

bool hold_zeroed(struct held *held, size_t size)
{
    *held = (struct held){NULL, 0, 0};
    if (gave_up()) {
        return false;
    }
    errno = 0;
    unsigned char *address = calloc(size, 1);
    int error = errno;
    for (size_t i = 0; address != NULL && i < size; i++) {
        EXPECT(address[i] == 0, "calloc of %zu bytes: byte %zu is 0x%02x", size, i, address[i]);
    }
    return take(held, address, 16, size, error, "calloc");
}

bool hold_aligned(struct held *held, size_t alignment, size_t size)
{
    void *address = NULL;

    *held = (struct held){NULL, 0, 0};
    if (gave_up()) {
        return false;
    }
    int error = posix_memalign(&address, alignment, size);

    EXPECT(error == 0 || address == NULL, "posix_memalign failed and changed the pointer");
    return take(held, address, alignment > 16 ? alignment : 16, size, error, "posix_memalign");
}

bool resize(struct held *held, size_t size)
{
    if (held->address == NULL) {
        return hold(held, size);
    }
    verify(held);
    if (gave_up()) {
        return false;
    }
    errno = 0;
    unsigned char *address = realloc(held->address, size);
    count_answer(address);
    if (address == NULL) {
        EXPECT(errno == ENOMEM, "realloc to %zu bytes gave NULL with errno %d, not ENOMEM", size, errno);
        verify(held);
        return false;
    }
    EXPECT((uintptr_t)address % 16 == 0, "realloc to %zu bytes gave %p", size, (void *)address);
    held->address = address;
    verify_part(held, held->size, held->size < size ? held->size : size);
    adopt(held, address, size);
    return true;
}

void drop(struct held *held)
{
    verify(held);
    errno = 12345;
    free(held->address);
    EXPECT(errno == 12345, "free of %zu bytes changed errno to %d", held->size, errno);
    *held = (struct held){NULL, 0, 0};
}

typedef int walk_function(fh_walk_fn *visit, void *arg);
typedef size_t check_function(fh_check_fn *report, void *arg);
typedef void account_function(struct fh_account *account);

static void *symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

bool can_walk(void)
{
    return symbol("fh_walk") != NULL;
}

static int keep_block(const struct fh_block *block, void *arg)
{
    bool *complete = arg;

    if (block_count == SNAPSHOT_MAX) {
        *complete = false;
        return 1;
    }
    blocks[block_count++] = *block;
    return 0;
}

struct snapshot walk(void)
{
    walk_function *walk_heap = (walk_function *)(uintptr_t)symbol("fh_walk");
    bool complete = true;

    EXPECT(walk_heap != NULL, "no fh_walk");
    block_count = 0;
    walk_heap(keep_block, &complete);
    return (struct snapshot){blocks, block_count, complete};
}

const struct fh_block *block_around(const void *address)
{
    uintptr_t wanted = (uintptr_t)address;
    struct snapshot shot = walk();

    EXPECT(shot.complete, "the heap has more than %d blocks", SNAPSHOT_MAX);
    for (size_t i = 0; i < shot.count; i++) {
        const struct fh_block *block = &shot.blocks[i];
        if (block->kind != FH_BLOCK_SLAB && wanted >= block->address && wanted < block->address + block->size_bytes) {
            return block;
        }
    }
    return NULL;
}

const struct fh_block *block_at(const void *address)
{
    const struct fh_block *block = block_around(address);

    return block != NULL && block->address == (uintptr_t)address ? block : NULL;
}

const struct fh_block *block_after(const struct fh_block *block)
{
    return block + 1 < blocks + block_count ? block + 1 : NULL;
}

const struct fh_block *block_before(const struct fh_block *block)
{
    return block > blocks ? block - 1 : NULL;
}

static void report_violation(const char *invariant, uintptr_t address, const char *text, void *arg)
{
    char line[256];
    int length = snprintf(line, sizeof line, "violation of %s at 0x%lx: %s (%s)\n", invariant, (unsigned long)address,
                          text, (const char *)arg);

    ssize_t written = write(STDERR_FILENO, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    (void)written;
}

void expect_sound(const char *when)
{
    check_function *check = (check_function *)(uintptr_t)symbol("fh_check");
    account_function *read_account = (account_function *)(uintptr_t)symbol("fh_account_read");
    struct fh_account account;

    if (check == NULL || read_account == NULL) {
        return;
    }
    size_t violations = check(report_violation, (void *)(uintptr_t)when);
    EXPECT(violations == 0, "fh_check: %zu violations (%s)", violations, when);
    read_account(&account);
    size_t sum = account.live_bytes + account.rounding_bytes + account.cached_bytes + account.free_bytes +
                 account.untouched_bytes + account.metadata_bytes;
    EXPECT(sum == account.obtained_bytes - account.returned_bytes,
           "the account does not add up (%s): %zu in parts, %zu from the kernel", when, sum,
           account.obtained_bytes - account.returned_bytes);
}

void flush_cache(void)
{
    malloc_trim(0);
}
