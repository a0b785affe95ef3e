/*
 * operations.c - the random operations: each is done to the allocator and to the table, and what the allocator answers
 * is compared with what the standards and the table say.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <unistd.h>

#include "calls.h"
#include "freehold.h"
#include "model.h"


static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static bool is_power_of_two(size_t n) { return n && (n & (n - 1)) == 0; }

static void digest(struct worker *worker, uint64_t value)
{
    worker->digest = (worker->digest ^ value) * 0x100000001b3ULL;
}

/* --- What must hold of a block --- */

void check_block(const struct worker *worker, const struct block *block)
{
    size_t damage = content_damage(block, (const void *)block->address, SIZE_MAX);
    if (damage != SIZE_MAX)
        failed(worker, "block %#zx of %zu bytes: the byte at %zu is not what was written", (size_t)block->address,
               block->size, damage);
}

static void check_errno(const struct worker *worker, const char *call, int expected)
{
    if (errno != expected) failed(worker, "%s left errno %d, not %d", call, errno, expected);
}

/* In lockstep the other workers stand still, and their tables can be looked at too. */
static const struct block *overlapped(const struct worker *worker, uintptr_t address, size_t bytes)
{
    const struct block *other = table_overlap(&worker->table, address, bytes);
    for (uint32_t i = 0; i < options.threads && options.lockstep && !other; i++)
        other = table_overlap(&workers[i].table, address, bytes);
    return other;
}

static void fill_somehow(struct worker *worker, struct block *block)
{
    size_t dice = random_below(&worker->random, 8);
    block->seed = random_next(&worker->random);
    block->filled = 0;
    if (dice == 0) return; /* a program may leave a block as it is */
    content_fill(block, dice < 4 ? block->usable : block->size);
}

/* A block that a call has returned: checks it and makes it known. */
static void accept_block(struct worker *worker, const char *call, struct block block)
{
    uintptr_t alignment = block.alignment > 16 ? block.alignment : 16;
    check_errno(worker, call, ERRNO_BEFORE);
    if (block.address % alignment != 0)
        failed(worker, "%s(%zu) gave %#zx, which is no multiple of %zu", call, block.size, (size_t)block.address,
               (size_t)alignment);
    block.usable = CALL(malloc_usable_size)((void *)block.address);
    if (block.usable < block.size)
        failed(worker, "%s(%zu) gave %#zx with %zu usable bytes", call, block.size, (size_t)block.address,
               block.usable);
    const struct block *other = overlapped(worker, block.address, block.usable);
    if (other)
        failed(worker, "%s(%zu) gave %#zx with %zu usable bytes, over the block %#zx of %zu", call, block.size,
               (size_t)block.address, block.usable, (size_t)other->address, other->usable);
    digest(worker, block.address);
    digest(worker, block.usable);
    if (!block.filled) fill_somehow(worker, &block);
    table_insert(&worker->table, &block);
}

static void refused(struct worker *worker, const char *call, size_t size, bool sets_errno)
{
    check_errno(worker, call, sets_errno ? ENOMEM : ERRNO_BEFORE);
    if (!options.may_refuse) failed(worker, "%s(%zu) found no memory", call, size);
    worker->refused++;
    digest(worker, ENOMEM);
}

/* --- Allocation --- */

void op_malloc(struct worker *worker)
{
    size_t size = random_size(worker);
    void *pointer = CALL(malloc)(size);
    if (!pointer) refused(worker, "malloc", size, true);
    else accept_block(worker, "malloc", (struct block){.address = (uintptr_t)pointer, .size = size, .alignment = 16});
}

void op_calloc(struct worker *worker)
{
    size_t size = random_size(worker), count = 1;
    if (random_one_in(&worker->random, 2)) {
        count = random_between(&worker->random, 1, 64);
        size = size / count;
    }
    void *pointer = CALL(calloc)(count, size);
    if (!pointer) {
        refused(worker, "calloc", count * size, true);
        return;
    }
    size_t dirty = content_not_zero(pointer, count * size);
    if (dirty != SIZE_MAX)
        failed(worker, "calloc(%zu, %zu) gave %p, where the byte at %zu is not zero", count, size, pointer, dirty);
    accept_block(worker, "calloc",
                 (struct block){.address = (uintptr_t)pointer, .size = count * size, .alignment = 16});
}

void op_aligned(struct worker *worker)
{
    struct random *random = &worker->random;
    size_t alignment = random_alignment(random), size = random_size(worker);
    struct block block = {.size = size, .alignment = alignment, .family = FROM_ALIGNED};
    const char *call;
    void *pointer = NULL;
    switch (random_below(random, 5)) {
    case 0:
        call = "aligned_alloc";
        pointer = CALL(aligned_alloc)(alignment, size);
        break;
    case 1:
        call = "memalign"; /* rounds an alignment that is no power of two up to one */
        pointer = CALL(memalign)(alignment - random_below(random, alignment / 2), size);
        break;
    case 2: {
        int result = CALL(posix_memalign)(&pointer, alignment, size);
        call = "posix_memalign";
        if (result && (result != ENOMEM || pointer))
            failed(worker, "posix_memalign(%zu, %zu) gave %d", alignment, size, result);
        if (result) {
            refused(worker, call, size, false);
            return;
        }
        break;
    }
    case 3:
        call = "valloc";
        block.alignment = page_size();
        pointer = CALL(valloc)(size);
        break;
    default:
        call = "pvalloc";
        block.alignment = page_size();
        block.size = (size + page_size() - 1) & ~(page_size() - 1);
        pointer = CALL(pvalloc)(size);
        break;
    }
    block.address = (uintptr_t)pointer;
    if (pointer) accept_block(worker, call, block);
    else refused(worker, call, size, true);
}

void op_new(struct worker *worker)
{
    static const char tag; /* std::nothrow's address is never looked at */
    struct random *random = &worker->random;
    size_t size = random_size(worker), alignment = random_alignment(random);
    struct block block = {.size = size, .alignment = 16};
    bool throwing = random_one_in(random, 2) && !options.may_refuse;
    void *pointer;
    switch (random_below(random, 4)) {
    case 0:
        block.family = FROM_NEW;
        pointer = throwing ? _Znwm(size) : _ZnwmRKSt9nothrow_t(size, &tag);
        break;
    case 1:
        block.family = FROM_NEW_ARRAY;
        pointer = throwing ? _Znam(size) : _ZnamRKSt9nothrow_t(size, &tag);
        break;
    case 2:
        block.family = FROM_NEW_ALIGNED;
        block.alignment = alignment;
        pointer = throwing ? _ZnwmSt11align_val_t(size, alignment)
                           : _ZnwmSt11align_val_tRKSt9nothrow_t(size, alignment, &tag);
        break;
    default:
        block.family = FROM_NEW_ARRAY_ALIGNED;
        block.alignment = alignment;
        pointer = throwing ? _ZnamSt11align_val_t(size, alignment)
                           : _ZnamSt11align_val_tRKSt9nothrow_t(size, alignment, &tag);
        break;
    }
    block.address = (uintptr_t)pointer;
    if (pointer) {
        accept_block(worker, "operator new", block);
        return;
    }
    errno = ENOMEM; /* operator new says nothing of errno */
    refused(worker, "operator new", size, true);
}

/* Requests that nobody can serve, and arguments that are wrong. */
void op_impossible(struct worker *worker)
{
    struct random *random = &worker->random;
    size_t size = impossible_size(random), alignment = random_alignment(random);
    void *out = &out, *pointer = NULL;
    int expected = ENOMEM, result;
    switch (random_below(random, 9)) {
    case 0: pointer = CALL(malloc)(size); break;
    case 1: pointer = CALL(calloc)(size / 16 + 1, random_between(random, 16, 1 << 20)); break;
    case 2: pointer = CALL(reallocarray)(NULL, random_between(random, 16, 1 << 20), size / 16 + 1); break;
    case 3: pointer = CALL(aligned_alloc)(alignment, size); break;
    case 4: pointer = CALL(memalign)((size_t)1 << random_between(random, 50, 63), size); break;
    case 5: pointer = random_one_in(random, 2) ? CALL(valloc)(size) : CALL(pvalloc)(size); break;
    case 6:
        pointer = CALL(aligned_alloc)(alignment + 1, random_size(worker));
        expected = EINVAL;
        break;
    case 7:
        result = CALL(posix_memalign)(&out, alignment, size);
        expected = ERRNO_BEFORE;
        if (result != ENOMEM || out != &out)
            failed(worker, "posix_memalign(%zu, %zu) gave %d", alignment, size, result);
        break;
    default:
        result = CALL(posix_memalign)(&out, random_one_in(random, 2) ? 4 : alignment + 8, random_size(worker));
        expected = ERRNO_BEFORE;
        if ((result != EINVAL && !is_power_of_two(alignment + 8)) || (out != &out && result))
            failed(worker, "posix_memalign with a bad alignment gave %d", result);
        if (result == 0) CALL(free)(out);
        break;
    }
    if (pointer) failed(worker, "a request of %zu bytes, alignment %zu, gave %p", size, alignment, pointer);
    check_errno(worker, "an impossible request", expected);
}

/* --- Freeing --- */

static void delete_block(struct random *random, const struct block *block, void *p)
{
    static const char tag;
    bool array = block->family == FROM_NEW_ARRAY || block->family == FROM_NEW_ARRAY_ALIGNED;
    size_t form = random_below(random, 3);
    if (block->family == FROM_NEW || block->family == FROM_NEW_ARRAY) {
        if (form == 0) array ? _ZdaPv(p) : _ZdlPv(p);
        if (form == 1) array ? _ZdaPvm(p, block->size) : _ZdlPvm(p, block->size);
        if (form == 2) array ? _ZdaPvRKSt9nothrow_t(p, &tag) : _ZdlPvRKSt9nothrow_t(p, &tag);
        return;
    }
    size_t a = block->alignment;
    if (form == 0) array ? _ZdaPvSt11align_val_t(p, a) : _ZdlPvSt11align_val_t(p, a);
    if (form == 1) array ? _ZdaPvmSt11align_val_t(p, block->size, a) : _ZdlPvmSt11align_val_t(p, block->size, a);
    if (form == 2)
        array ? _ZdaPvSt11align_val_tRKSt9nothrow_t(p, a, &tag) : _ZdlPvSt11align_val_tRKSt9nothrow_t(p, a, &tag);
}

void free_block(struct worker *worker, const struct block *block)
{
    void *pointer = (void *)block->address;
    bool sized = random_one_in(&worker->random, 8);
    check_block(worker, block);
    errno = ERRNO_BEFORE;
    if (block->family >= FROM_NEW) delete_block(&worker->random, block, pointer);
    else if (!sized) CALL(free)(pointer);
    else if (block->family == FROM_ALIGNED) CALL(free_aligned_sized)(pointer, block->alignment, block->size);
    else CALL(free_sized)(pointer, block->size);
    check_errno(worker, "free", ERRNO_BEFORE);
}

struct block take_any(struct worker *worker)
{
    return table_remove(&worker->table, (uint32_t)random_below(&worker->random, worker->table.count));
}

void op_free(struct worker *worker)
{
    struct block block;
    if (random_one_in(&worker->random, 200)) CALL(free)(NULL);
    if (worker->table.count == 0) return;
    /* Often the newest, as programs do; it is the last of the dense table. */
    if (random_one_in(&worker->random, 3)) block = table_remove(&worker->table, worker->table.count - 1);
    else block = take_any(worker);
    free_block(worker, &block);
}

void worker_free_all(struct worker *worker)
{
    while (worker->table.count) {
        struct block block = take_any(worker);
        free_block(worker, &block);
    }
}

/* --- Resizing --- */

static size_t size_after(struct worker *worker, size_t before)
{
    switch (random_below(&worker->random, 6)) {
    case 0: return before + random_between(&worker->random, 1, 64);
    case 1: return before - random_below(&worker->random, before / 4 + 1) + (before == 0);
    case 2: return before / 2 + 1;
    case 3: return before < 1 << 21 ? before * 2 + 1 : before / 3 + 1;
    default: return random_size(worker) + 1;
    }
}

static void check_prefix(const struct worker *worker, const struct block *before, void *after, size_t size)
{
    size_t damage = content_damage(before, after, size);
    if (damage != SIZE_MAX)
        failed(worker, "realloc of %#zx from %zu to %zu bytes, now %p: the byte at %zu is not kept",
               (size_t)before->address, before->size, size, after, damage);
}

static void realloc_to_nothing(struct worker *worker, struct block block)
{
    check_block(worker, &block);
    errno = ERRNO_BEFORE;
    void *result = CALL(realloc)((void *)block.address, 0);
    if (result) failed(worker, "realloc(p, 0) gave %p", result);
    check_errno(worker, "realloc(p, 0)", ERRNO_BEFORE);
}

void op_realloc(struct worker *worker)
{
    struct random *random = &worker->random;
    if (worker->table.count == 0 || random_one_in(random, 50)) {
        size_t size = random_size(worker) + 1;
        void *pointer = CALL(realloc)(NULL, size);
        if (pointer) accept_block(worker, "realloc", (struct block){.address = (uintptr_t)pointer, .size = size});
        else refused(worker, "realloc", size, true);
        return;
    }
    uint32_t index = (uint32_t)random_below(random, worker->table.count);
    if (table_at(&worker->table, index)->family > FROM_ALIGNED) return;
    struct block block = table_remove(&worker->table, index);
    if (random_one_in(random, 40)) {
        realloc_to_nothing(worker, block);
        return;
    }
    size_t size = size_after(worker, block.size), count = random_one_in(random, 8) ? random_between(random, 1, 9) : 1;
    bool impossible = random_one_in(random, 60);
    size = impossible ? impossible_size(random) : (size + count - 1) / count * count;
    void *old = (void *)block.address, *pointer;
    if (impossible) count = 1;
    pointer = count > 1 ? CALL(reallocarray)(old, count, size / count) : CALL(realloc)(old, size);
    if (!pointer) {
        if (size <= block.usable) failed(worker, "realloc from %zu to %zu bytes failed", block.usable, size);
        if (!impossible) refused(worker, "realloc", size, true);
        else check_errno(worker, "realloc", ENOMEM);
        check_block(worker, &block); /* a refused block is as it was */
        table_insert(&worker->table, &block);
        return;
    }
    if (impossible) failed(worker, "realloc(%p, %zu) gave %p", old, size, pointer);
    check_prefix(worker, &block, pointer, size);
    accept_block(worker, "realloc", (struct block){.address = (uintptr_t)pointer, .size = size});
}

/* Moves what should be, of some blocks; the rest stays as it is. */
void op_move(struct worker *worker)
{
    for (uint64_t i = random_between(&worker->random, 1, 30); i && worker->table.count; i--) {
        uint32_t index = (uint32_t)random_below(&worker->random, worker->table.count);
        if (table_at(&worker->table, index)->family != FROM_MALLOC) continue;
        struct block block = table_remove(&worker->table, index);
        void *moved = fh_move((void *)block.address);
        if (!moved) {
            check_block(worker, &block);
            table_insert(&worker->table, &block);
            continue;
        }
        check_prefix(worker, &block, moved, block.size);
        accept_block(worker, "fh_move", (struct block){.address = (uintptr_t)moved, .size = block.size});
    }
}

void op_usable(struct worker *worker)
{
    if (worker->table.count == 0) return;
    uint32_t index = (uint32_t)random_below(&worker->random, worker->table.count);
    const struct block *block = table_at(&worker->table, index);
    size_t usable = CALL(malloc_usable_size)((void *)block->address);
    if (usable != block->usable)
        failed(worker, "block %#zx had %zu usable bytes and has %zu", (size_t)block->address, block->usable, usable);
    check_block(worker, block);
}
