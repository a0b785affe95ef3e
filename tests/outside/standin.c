/*
 * standin.c - a small malloc with the two levels of Freehold and, on demand, one defect: it proves that the tests of
 * this folder can fail. STANDIN_DEFECT names the defect; without it the stand-in is right.
 *
 * One lock, one heap of boundary-tagged chunks in bins by power of two, segments from brk (by way of libc's sbrk, so
 * that others may call it too) or mmap, blocks from 128 KiB on in mappings of their own. Neither fast nor hardened.
 * Chunk: 8-byte header below the pointer (size | IN_USE | BELOW_IN_USE); a free chunk ends in its size. Each segment
 * ends in a header of size 0 that is in use.
 */
#define _GNU_SOURCE
#include "standin.h"

static const char *defect_name = "";

bool defect(const char *name)
{
    return strcmp(defect_name, name) == 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct free_chunk bins[BINS];
static struct segment segments[SEGMENTS_MAX];
static size_t segment_count;
static struct mapping mappings[MAPPINGS_MAX];
static size_t mapping_count;
static bool ready;

static size_t page_size(void)
{
    return 4096;
}

static void *kernel_map(size_t size)
{
    void *got = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return got == MAP_FAILED && !defect("trusting") ? NULL : got;
}

static void start_up(void)
{
    const char *name = secure_getenv("STANDIN_DEFECT");

    defect_name = name == NULL ? "" : name;
    for (int i = 0; i < BINS; i++) {
        bins[i].next = bins[i].previous = &bins[i];
    }
    ready = true;
}

static void enter(void)
{
    pthread_mutex_lock(&lock);
    if (!ready) {
        start_up();
    }
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

__attribute__((constructor)) static void follow_forks(void)
{
    pthread_atfork(before_fork, leave, leave);
}

static _Noreturn void die(const char *what, const void *address)
{
    char line[128];
    int length = snprintf(line, sizeof line, "freehold: %s: %p, size unknown, in no heap\n", what, address);

    ssize_t written = write(2, line, (size_t)length);
    (void)written;
    leave();
    abort();
}

static uint64_t *header_of(void *block)
{
    return (uint64_t *)block - 1;
}

static size_t chunk_size(void *block)
{
    return (size_t)(*header_of(block) & ~(uint64_t)15);
}

static void *above(void *block)
{
    return (char *)block + chunk_size(block);
}

static int bin_of(size_t size)
{
    return 63 - __builtin_clzll(size);
}

static void list_insert(void *block)
{
    struct free_chunk *chunk = block;
    struct free_chunk *bin = &bins[bin_of(chunk_size(block))];

    bool largish = chunk_size(block) > 80000 && chunk_size(block) < MIB;

    if (defect("never_reuse") || (defect("forget_when_large") && largish)) {
        chunk->next = chunk->previous = chunk;
        return;
    }
    chunk->next = bin->next;
    chunk->previous = bin;
    bin->next->previous = chunk;
    bin->next = chunk;
}

static void list_remove(void *block)
{
    struct free_chunk *chunk = block;

    chunk->next->previous = chunk->previous;
    chunk->previous->next = chunk->next;
}

/* Makes [block, block+size) one free chunk on its list, joined with free neighbours. Returns where it begins. */
static void *release(void *block, size_t size)
{
    uint64_t below_in_use = *header_of(block) & BELOW_IN_USE;

    *header_of(block) = size | below_in_use;
    if (!below_in_use && !defect("no_coalesce_below")) {
        size_t below_size = *((uint64_t *)block - 2);
        block = (char *)block - below_size;
        list_remove(block);
        size += below_size;
    }
    void *next = (char *)block + size;
    if (!(*header_of(next) & IN_USE) && !defect("no_coalesce_above")) {
        list_remove(next);
        size += chunk_size(next);
        next = (char *)block + size;
    }
    *header_of(block) = size | (*header_of(block) & BELOW_IN_USE);
    *((uint64_t *)next - 2) = size;
    *header_of(next) &= ~(uint64_t)BELOW_IN_USE;
    list_insert(block);
    return block;
}

static void *best_in_bin(int bin, size_t size)
{
    void *best = NULL;
    int looked = 0;

    for (struct free_chunk *chunk = bins[bin].next; chunk != &bins[bin] && looked < 200; chunk = chunk->next) {
        if (chunk_size(chunk) >= size && (best == NULL || chunk_size(chunk) < chunk_size(best))) {
            best = chunk;
        }
        looked++;
    }
    return best;
}

static void *find_chunk(size_t size)
{
    for (int bin = bin_of(size); bin < BINS; bin++) {
        void *found = best_in_bin(bin, size);
        if (found != NULL) {
            list_remove(found);
            return found;
        }
    }
    return NULL;
}

/* Turns fresh memory into a segment of one free chunk, or extends the segment that ends there. */
static bool add_memory(char *start, size_t size, bool by_break)
{
    for (size_t i = 0; i < segment_count; i++) {
        struct segment *segment = &segments[i];
        if (segment->by_break && by_break && segment->end == start) {
            void *block = segment->end; /* the closing header lies just below it */
            segment->end += size;
            *header_of(segment->end) = IN_USE;
            release(block, size);
            return true;
        }
    }
    if (segment_count == SEGMENTS_MAX) {
        return false;
    }
    struct segment *segment = &segments[segment_count++];
    *segment = (struct segment){start, start + size, by_break};
    *header_of(segment->end) = IN_USE;
    *header_of(start + 16) = BELOW_IN_USE;
    release(start + 16, size - 16);
    return true;
}

/* libc's own sbrk: it knows when somebody else moved the break. */
static bool grow_by_break(size_t size)
{
    static bool refused;

    if (defect("only_mmap") || (defect("no_fallback_ever") && refused)) {
        return false;
    }
    char *start = sbrk((intptr_t)size);
    if (start == (void *)-1) {
        refused = true;
        return false;
    }
    if ((uintptr_t)start % 16 != 0) {
        size_t skip = 16 - (uintptr_t)start % 16;
        start += skip;
        size = (size - skip) & ~(size_t)15;
    }
    if (defect("break_is_mine") && segment_count > 0) {
        for (size_t i = 0; i < segment_count; i++) {
            if (segments[i].by_break) {
                size += (size_t)(start - segments[i].end);
                start = segments[i].end;
                break;
            }
        }
    }
    return add_memory(start, size, true);
}

/* A large heap grows and keeps more, so that churn does not move the break up and down. */
enum { LARGE_STEP = 64 * MIB };

static bool large_heap(void)
{
    return segment_count > 0 && segments[0].end - segments[0].start > 2 * MIB;
}

static bool grow(size_t wanted)
{
    size_t step = defect("small_steps") ? 64 * 1024 : large_heap() ? LARGE_STEP : MIB;
    size_t size = (wanted + 64 + step - 1) / step * step;

    if (grow_by_break(size)) {
        return true;
    }
    if (defect("no_fallback") || defect("no_fallback_ever")) {
        return false;
    }
    size = defect("small_fallback") ? (wanted + 64 + 65535) / 65536 * 65536 : size < 4 * MIB ? 4 * MIB : size;
    char *start = kernel_map(size);
    if (start == NULL) {
        size = (wanted + 64 + 65535) / 65536 * 65536;
        start = kernel_map(size);
    }
    return start != NULL && add_memory(start, size, false);
}

static void *cut(void *block, size_t size)
{
    size_t whole = chunk_size(block);

    if (whole - size >= 32 && !defect("no_split")) {
        *header_of(block) = size | (*header_of(block) & BELOW_IN_USE) | IN_USE;
        void *rest = (char *)block + size;
        *header_of(rest) = BELOW_IN_USE;
        if (defect("lose_remainder")) {
            *header_of(rest) = (whole - size) | BELOW_IN_USE | IN_USE;
        } else {
            release(rest, whole - size);
        }
    } else {
        *header_of(block) |= IN_USE;
        *header_of(above(block)) |= BELOW_IN_USE;
    }
    return block;
}

static void *take_chunk(size_t request)
{
    size_t header = defect("wide_header") ? 256 + 8 : 8;
    size_t size = request + header < 32 ? 32 : (request + header + 15) / 16 * 16;
    void *block = find_chunk(size);

    if (block == NULL && grow(size)) {
        block = find_chunk(size);
        if (block == NULL && defect("never_reuse")) { /* the fresh chunk is on no list: take it where it lies */
            block = segments[segment_count - 1].end;
            block = (char *)block - *((uint64_t *)block - 2);
        }
    }
    return block == NULL ? NULL : cut(block, size);
}

static struct mapping *mapping_at(const void *block)
{
    for (size_t i = mapping_count; i-- > 0;) {
        if (mappings[i].start + 16 == (const char *)block) {
            return &mappings[i];
        }
    }
    return NULL;
}

static void *take_mapping(size_t request)
{
    size_t size = (request + 16 + page_size() - 1) / page_size() * page_size();

    if (mapping_count == MAPPINGS_MAX) {
        return NULL;
    }
    char *start = kernel_map(size);
    if (start == NULL) {
        return NULL;
    }
    mappings[mapping_count++] = (struct mapping){start, size};
    *header_of(start + 16) = MAPPED | IN_USE;
    return start + 16;
}

static void drop_mapping(struct mapping *mapping)
{
    if (!defect("late_munmap")) {
        syscall(SYS_munmap, mapping->start, mapping->size);
    }
    *mapping = mappings[--mapping_count];
}

void *standin_take(size_t request)
{
    size_t threshold = 128 * 1024 + (defect("high_threshold") ? 1 : defect("low_threshold") ? -16 : 0);
    void *block;

    enter();
    block = request >= threshold ? take_mapping(request) : take_chunk(request);
    if (block == NULL && request >= threshold && request < PTRDIFF_MAX / 2) {
        block = take_chunk(request);
    }
    if (block != NULL || !defect("keeps_lock")) {
        leave();
    }
    if (block == NULL) {
        errno = defect("silent") ? 0 : ENOMEM;
    }
    return block;
}

static void check_header(void *block)
{
    uint64_t header = *header_of(block);
    size_t size = chunk_size(block);

    if (defect("no_header_check")) {
        return;
    }
    for (size_t i = 0; i < segment_count; i++) {
        struct segment *segment = &segments[i];
        if ((char *)block > segment->start && (char *)block < segment->end) {
            if (size < 32 || size > (size_t)(segment->end - (char *)block) || (header & 8) ||
                !(*header_of(above(block)) & IN_USE) != !(header & IN_USE ? *header_of(above(block)) & IN_USE : 1)) {
                die("damaged chunk header", block);
            }
            if (!!(header & IN_USE) != !!(*header_of(above(block)) & BELOW_IN_USE)) {
                die("damaged chunk header", block);
            }
        }
    }
    if (!(header & IN_USE) && !defect("no_double_free_check")) {
        die("double free", block);
    }
}

/* Gives the free end of the segment that the break ends back to the kernel. */
static void trim(size_t keep)
{
    for (size_t i = 0; i < segment_count; i++) {
        struct segment *segment = &segments[i];
        uint64_t *end = (uint64_t *)segment->end;
        if (!segment->by_break || (end[-1] & BELOW_IN_USE) || end[-2] < keep || end[-2] <= 64) {
            continue;
        }
        size_t free_size = end[-2];
        size_t size = (free_size - 64) & ~(size_t)4095;
        void *top = segment->end - free_size;
        if (size == 0 || sbrk(0) != (void *)segment->end || sbrk(-(intptr_t)size) == (void *)-1) {
            continue;
        }
        list_remove(top);
        segment->end -= size;
        *header_of(segment->end) = IN_USE;
        release(top, free_size - size);
    }
}

void standin_give(void *block)
{
    int saved = errno;

    if (block == NULL || defect("unmarked_free")) {
        return;
    }
    enter();
    struct mapping *mapping = mapping_count > 0 ? mapping_at(block) : NULL;
    if (mapping != NULL) {
        drop_mapping(mapping);
    } else if (defect("no_double_free_check") && !(*header_of(block) & IN_USE)) {
        leave();
        return;
    } else {
        check_header(block);
        release(block, chunk_size(block));
        if (!defect("no_trim")) {
            trim(defect("eager_trim") ? 4096 : 128 * 1024 + (large_heap() ? LARGE_STEP : MIB));
        }
    }
    leave();
    if (!defect("dirty_errno")) {
        errno = saved;
    }
}

size_t malloc_usable_size(void *block)
{
    if (block == NULL) {
        return 0;
    }
    if (*header_of(block) == MOVED) { /* moved forward to be aligned: see standin_entries.c */
        size_t moved = (size_t)((uint64_t *)block)[-2];
        return malloc_usable_size((char *)block - moved) - moved;
    }
    enter();
    struct mapping *mapping = mapping_at(block);
    size_t size = mapping != NULL ? mapping->size - 16 : (check_header(block), chunk_size(block) - 8);
    leave();
    return size;
}

int malloc_trim(size_t keep)
{
    enter();
    if (!defect("no_trim")) {
        trim(keep + 128);
    }
    leave();
    return 1;
}

static int by_address(const void *one, const void *other)
{
    const struct segment *a = one;
    const struct segment *b = other;

    return (a->start > b->start) - (a->start < b->start);
}

int fh_walk(fh_walk_fn *visit, void *arg)
{
    struct segment sorted[SEGMENTS_MAX];
    int answer = 0;

    memcpy(sorted, segments, sizeof sorted);
    qsort(sorted, segment_count, sizeof *sorted, by_address);
    for (size_t i = 0; i < segment_count && answer == 0; i++) {
        char *block = sorted[i].start + 16;
        while (block < sorted[i].end && answer == 0) {
            size_t size = chunk_size(block);
            bool live = (*header_of(block) & IN_USE) != 0;
            bool top = !live && block + size == sorted[i].end;
            struct fh_block shown = {(uintptr_t)block, size - (defect("wrong_walk_size") ? 0 : 8), FH_BLOCK_CHUNK,
                                     top ? FH_STATE_TOP : live ? FH_STATE_LIVE : FH_STATE_FREE, (uint32_t)i, 0};
            answer = visit(&shown, arg);
            block += size;
        }
    }
    return answer;
}
