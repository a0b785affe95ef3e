/*
 * operations.c - the random operations: each is done to the allocator and to the table, and what the allocator answers
 * is compared with what the standards and the table say.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "model.h"

enum { ERRNO_BEFORE = 4242 }; /* no error has this number: a call that writes errno without need is seen */
enum { BYTES_MOST = 64 << 20 };

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static bool is_power_of_two(size_t n) { return n && (n & (n - 1)) == 0; }

static void digest(struct worker *worker, uint64_t value)
{
    worker->digest = (worker->digest ^ value) * 0x100000001b3ULL;
}

/* --- Sizes and alignments --- */

static size_t size_of_mix(struct worker *worker, enum size_mix mix)
{
    struct random *random = &worker->random;
    switch (mix) {
    case MIX_TINY: return random_below(random, 33);
    case MIX_SMALL: return random_between(random, 1, 256);
    case MIX_CUTOFF: return random_between(random, 232, 288);
    case MIX_MEDIUM: return random_between(random, 257, 40000);
    case MIX_THRESHOLD: return random_between(random, 131072 - 4200, 131072 + 4200);
    case MIX_LARGE: return random_between(random, 131072, random_one_in(random, 8) ? 8 << 20 : 1 << 19);
    case MIX_POWER: return random_next(random) >> random_between(random, 44, 63);
    case MIX_ONE: return worker->mix_size;
    case MIX_EVERYTHING: break;
    }
    size_t dice = random_below(random, 1000);
    if (dice < 150) return size_of_mix(worker, MIX_TINY);
    if (dice < 550) return size_of_mix(worker, MIX_SMALL);
    if (dice < 620) return size_of_mix(worker, MIX_CUTOFF);
    if (dice < 820) return random_between(random, 257, 4096);
    if (dice < 900) return size_of_mix(worker, MIX_MEDIUM);
    if (dice < 910) return size_of_mix(worker, MIX_THRESHOLD);
    if (dice < 918) return size_of_mix(worker, MIX_LARGE);
    return size_of_mix(worker, MIX_POWER);
}

static size_t random_size(struct worker *worker)
{
    bool stray = random_one_in(&worker->random, 8);
    return size_of_mix(worker, stray ? MIX_EVERYTHING : worker->mix);
}

/* Large enough that no machine has it; some overflow when a header or an alignment is added. */
static size_t impossible_size(struct random *random)
{
    static const size_t bases[] = {SIZE_MAX, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)1 << 48, (size_t)1 << 62};
    size_t base = bases[random_below(random, sizeof bases / sizeof bases[0])], off = random_below(random, 5000);
    return base == SIZE_MAX || random_one_in(random, 2) ? base - off : base + off;
}

static size_t random_alignment(struct random *random)
{
    size_t dice = random_below(random, 100);
    if (dice < 60) return (size_t)8 << random_below(random, 6);
    if (dice < 95) return (size_t)256 << random_below(random, 5);
    return (size_t)4096 << random_below(random, 9);
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
        failed(worker, "%s(%zu) gave %#zx with %zu usable bytes", call, block.size, (size_t)block.address, block.usable);
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

static void op_malloc(struct worker *worker)
{
    size_t size = random_size(worker);
    void *pointer = CALL(malloc)(size);
    if (!pointer) refused(worker, "malloc", size, true);
    else accept_block(worker, "malloc", (struct block){.address = (uintptr_t)pointer, .size = size, .alignment = 16});
}

static void op_calloc(struct worker *worker)
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

static void op_aligned(struct worker *worker)
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
        if (result && (result != ENOMEM || pointer)) failed(worker, "posix_memalign(%zu, %zu) gave %d", alignment, size, result);
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

static void op_new(struct worker *worker)
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
static void op_impossible(struct worker *worker)
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
        if (result != ENOMEM || out != &out) failed(worker, "posix_memalign(%zu, %zu) gave %d", alignment, size, result);
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

static struct block take_any(struct worker *worker)
{
    return table_remove(&worker->table, (uint32_t)random_below(&worker->random, worker->table.count));
}

static void op_free(struct worker *worker)
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

static void op_realloc(struct worker *worker)
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
        bool sane = !impossible;
        if (sane) refused(worker, "realloc", size, true);
        else check_errno(worker, "realloc", ENOMEM);
        check_block(worker, &block); /* a refused block is as it was */
        table_insert(&worker->table, &block);
        return;
    }
    if (impossible) failed(worker, "realloc(%p, %zu) gave %p", old, size, pointer);
    check_prefix(worker, &block, pointer, size);
    accept_block(worker, "realloc", (struct block){.address = (uintptr_t)pointer, .size = size});
}

/* --- The rest --- */

static void op_usable(struct worker *worker)
{
    if (worker->table.count == 0) return;
    uint32_t index = (uint32_t)random_below(&worker->random, worker->table.count);
    const struct block *block = table_at(&worker->table, index);
    size_t usable = CALL(malloc_usable_size)((void *)block->address);
    if (usable != block->usable)
        failed(worker, "block %#zx had %zu usable bytes and has %zu", (size_t)block->address, block->usable, usable);
    check_block(worker, block);
}

static void op_control(struct worker *worker)
{
    struct random *random = &worker->random;
    static const struct {
        int parameter, values[4];
    } settings[] = {
        {M_TRIM_THRESHOLD, {128 << 10, 4096, 16 << 20, -1}}, {M_TOP_PAD, {0, 0, 65536, 1000001}},
        {M_MMAP_THRESHOLD, {128 << 10, 128 << 10, 1000, 4 << 20}}, {M_MMAP_MAX, {65536, 65536, 0, 20}},
        {M_PERTURB, {0, 0, 0xa5, 1}}, {M_ARENA_MAX, {0, 1, 2, 8}}};
    size_t dice = random_below(random, 16);
    if (dice < 8) {
        struct mallinfo2 info = CALL(mallinfo2)();
        if (info.hblkhd > (size_t)1 << 46 || info.arena > (size_t)1 << 46 || info.uordblks > (size_t)1 << 46)
            failed(worker, "mallinfo2 says arena %zu, hblkhd %zu, uordblks %zu", info.arena, info.hblkhd, info.uordblks);
    } else if (dice < 11 || !options.options_change) {
        CALL(malloc_trim)(random_one_in(random, 2) ? 0 : random_below(random, 1 << 20));
    } else {
        size_t which = random_below(random, sizeof settings / sizeof settings[0]), value = random_below(random, 4);
        if (!CALL(mallopt)(settings[which].parameter, settings[which].values[value]))
            failed(worker, "mallopt(%d, %d) refused", settings[which].parameter, settings[which].values[value]);
    }
}

static void op_send(struct worker *worker)
{
    uint32_t to = (uint32_t)random_below(&worker->random, options.threads);
    struct ring *ring = &rings[worker->number][to];
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
    if (worker->in_child || to == worker->number || worker->table.count == 0) return;
    if (tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) >= RING_SLOTS) return;
    ring->slots[tail % RING_SLOTS] = take_any(worker);
    __atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
}

static void op_receive(struct worker *worker)
{
    uint32_t from = (uint32_t)random_below(&worker->random, options.threads);
    struct ring *ring = &rings[from][worker->number];
    if (worker->in_child) return;
    uint32_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    for (; head != tail && worker->table.count + 1 < BLOCKS_MOST; head++) {
        struct block block = ring->slots[head % RING_SLOTS];
        if (random_one_in(&worker->random, 2)) free_block(worker, &block);
        else table_insert(&worker->table, &block);
    }
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}

/* A child that goes on with this worker's blocks alone, whatever the other threads were doing. */
static void op_fork(struct worker *worker)
{
    enum { CHILD_OPERATIONS = 2000, CHILD_SECONDS = 60 };
    pid_t pid = fork();
    if (pid < 0) failed(worker, "fork: error %d", errno);
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        worker->in_child = true;
        options.forks = options.births = 0;
        for (int i = 0; i < CHILD_OPERATIONS; i++) worker_step(worker);
        audit_child(worker);
        worker_free_all(worker);
        audit_child(worker);
        _exit(0);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) failed(worker, "waitpid: error %d", errno);
    if (status) failed(worker, "child %d ended with status %#x", (int)pid, status);
}

static void new_phase(struct worker *worker)
{
    struct random *random = &worker->random;
    worker->mix = random_one_in(random, 3) ? MIX_EVERYTHING : (enum size_mix)random_between(random, 0, MIX_ONE);
    worker->mix_size = random_one_in(random, 2) ? random_between(random, 1, 300) : size_of_mix(worker, MIX_POWER);
    worker->target = (uint32_t)(random_next(random) >> random_between(random, 51, 62)); /* up to 8192, mostly few */
    if (worker->mix == MIX_LARGE || worker->mix == MIX_THRESHOLD) worker->target /= 32;
    worker->phase_left = (uint32_t)random_between(random, 100, 20000);
}

void worker_init(struct worker *worker, uint32_t number, uint64_t seed)
{
    *worker = (struct worker){.number = number, .random = {seed ^ (uint64_t)(number + 1) << 56}};
    table_init(&worker->table, random_next(&worker->random));
}

void worker_step(struct worker *worker)
{
    struct random *random = &worker->random;
    if (worker->phase_left-- == 0) new_phase(worker);
    size_t dice = random_below(random, 1000);
    bool full = worker->table.count >= BLOCKS_MOST - 2 || worker->table.bytes > BYTES_MOST / options.threads;
    bool grow = !full && random_below(random, 100) < (worker->table.count < worker->target ? 62 : 38);
    worker->operations++;
    if (options.refusals && random_one_in(random, options.refusals)) {
        CALL(malloc_trim)(0); /* what is kept in store would last for long */
        kernel_maybe_storm(random);
    }
    errno = ERRNO_BEFORE;
    if (options.forks && random_one_in(random, options.forks)) op_fork(worker);
    else if (dice < 2) op_control(worker);
    else if (dice < 6) op_impossible(worker);
    else if (dice < 25) op_usable(worker);
    else if (dice < 50 && options.threads > 1) op_receive(worker);
    else if (dice < 140 && options.threads > 1) op_send(worker);
    else if (dice < 240 && !full) op_realloc(worker);
    else if (!grow) op_free(worker);
    else if (dice < 350) op_calloc(worker);
    else if (dice < 400) op_aligned(worker);
    else if (dice < 500) op_new(worker);
    else op_malloc(worker);
}
