/*
 * plan_make.c - making a plan from a trace.
 *
 * The reader delivers events in one order that respects every dependency; a wait always points backwards in that order,
 * so a replay can't deadlock. Waits are made for what really depends: a block that another thread made, a slot that
 * another thread freed long ago, a thread that had ended before another one began.
 */
#include "plan_make.h"

#include "cli.h"
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KNOWN = 32,               /* other threads whose progress a thread remembers to have waited for */
    SLOTS_TO_SPARE = 1 << 16, /* a thread with more free slots than this gives the oldest half to one that has none */
    NO_THREAD = -1
};

struct slots { /* a queue: the newest are used again first, the oldest are given away */
    uint32_t *slot;
    size_t head, end, capacity;
};

struct maker_thread {
    struct fh_plan_chunk *chunk; /* being filled */
    uint64_t chunk_number, first_chunk, ops;
    struct slots free;
    struct {
        uint32_t thread;
        uint64_t ops;
    } known[KNOWN];
    bool began, ended;
};

struct maker {
    const char *verb;
    int fd;
    bool failed;
    struct fh_plan_header header;
    struct maker_thread *threads;
    size_t thread_count, running;
    uint64_t chunks;
    uint32_t slots, last_active;
    uint32_t *ended; /* threads that no beginning thread has been told to wait for */
    size_t ended_count, ended_capacity;
    struct slots orphans; /* free slots of ended threads */
    struct fh_live live;
};

static bool give_up(struct maker *maker, const char *why)
{
    if (!maker->failed)
        fh_say(maker->verb, "%s", why);
    maker->failed = true;
    return false;
}

static bool no_memory(struct maker *maker)
{
    return give_up(maker, "not enough memory to make the trace ready");
}

/* --- Chunks --- */

static uint64_t chunk_offset(uint64_t number)
{
    return sizeof(struct fh_plan_header) + (number - 1) * sizeof(struct fh_plan_chunk);
}

static bool write_at(struct maker *maker, const void *bytes, size_t length, uint64_t offset)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = pwrite(maker->fd, at, length, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            if (!maker->failed)
                fh_say(maker->verb, "cannot write scratch data: %s; TMPDIR names another place for it",
                       done < 0 ? strerror(errno) : "no space");
            maker->failed = true;
            return false;
        }
        at += done;
        offset += (uint64_t)done;
        length -= (size_t)done;
    }
    return true;
}

static bool next_chunk(struct maker *maker, struct maker_thread *thread, uint32_t number)
{
    uint64_t next = ++maker->chunks;
    if (thread->chunk) {
        thread->chunk->next = next;
        if (!write_at(maker, thread->chunk, sizeof(*thread->chunk), chunk_offset(thread->chunk_number)))
            return false;
    } else {
        thread->chunk = malloc(sizeof(*thread->chunk));
        if (!thread->chunk)
            return no_memory(maker);
        thread->first_chunk = next;
    }
    memset(thread->chunk, 0, sizeof(*thread->chunk));
    thread->chunk->thread = number;
    thread->chunk_number = next;
    return true;
}

/* Appends; where it stands in the file, 0 after a failure. */
static uint64_t put(struct maker *maker, uint32_t number, struct fh_plan_op op)
{
    struct maker_thread *thread = &maker->threads[number];
    if ((!thread->chunk || thread->chunk->ops == FH_PLAN_CHUNK_OPS) && !next_chunk(maker, thread, number))
        return 0;
    uint64_t where = chunk_offset(thread->chunk_number) + offsetof(struct fh_plan_chunk, op) +
                     thread->chunk->ops * sizeof(op);
    thread->chunk->op[thread->chunk->ops++] = op;
    thread->ops++;
    maker->header.ops++;
    maker->header.calls += op.kind <= FH_PLAN_TRIM;
    return where;
}

/* What a large block touched is known when it is freed, and needed where it was allocated. */
static bool set_touch(struct maker *maker, uint32_t number, uint64_t where, uint32_t pages)
{
    struct maker_thread *thread = &maker->threads[number];
    uint64_t start = chunk_offset(thread->chunk_number);
    if (thread->chunk && where >= start && where < start + sizeof(*thread->chunk)) {
        memcpy((char *)thread->chunk + (where - start) + offsetof(struct fh_plan_op, touch), &pages, sizeof(pages));
        return true;
    }
    return write_at(maker, &pages, sizeof(pages), where + offsetof(struct fh_plan_op, touch));
}

/* --- Slots --- */

static bool push_slot(struct maker *maker, struct slots *slots, uint32_t slot)
{
    if (slots->end == slots->capacity && slots->head > slots->capacity / 2) {
        memmove(slots->slot, slots->slot + slots->head, (slots->end - slots->head) * sizeof(uint32_t));
        slots->end -= slots->head;
        slots->head = 0;
    }
    if (slots->end == slots->capacity) {
        size_t capacity = slots->capacity ? slots->capacity * 2 : 64;
        uint32_t *grown = realloc(slots->slot, capacity * sizeof(uint32_t));
        if (!grown)
            return no_memory(maker);
        slots->slot = grown;
        slots->capacity = capacity;
    }
    slots->slot[slots->end++] = slot;
    return true;
}

static size_t slots_in(const struct slots *slots)
{
    return slots->end - slots->head;
}

/* --- Order across threads --- */

static bool wait_for(struct maker *maker, uint32_t number, uint32_t other, uint64_t ops)
{
    struct maker_thread *thread = &maker->threads[number];
    unsigned place = other % KNOWN;
    if (number == other || (thread->known[place].thread == other && thread->known[place].ops >= ops))
        return true;
    thread->known[place].thread = other;
    thread->known[place].ops = ops;
    return put(maker, number, (struct fh_plan_op){.kind = FH_PLAN_WAIT, .slot = other, .size = ops}) != 0;
}

static bool more_threads(struct maker *maker, uint32_t number)
{
    size_t count = maker->thread_count ? maker->thread_count : 16;
    while (count <= number)
        count *= 2;
    struct maker_thread *threads = realloc(maker->threads, count * sizeof(*threads));
    if (!threads)
        return no_memory(maker);
    memset(threads + maker->thread_count, 0, (count - maker->thread_count) * sizeof(*threads));
    maker->threads = threads;
    maker->thread_count = count;
    return true;
}

/* A thread begins: started by the first one, or by another if that has ended, when those that had ended have ended. */
static bool begin(struct maker *maker, uint32_t number)
{
    struct maker_thread *thread = &maker->threads[number];
    thread->began = true;
    if (number >= maker->header.threads)
        maker->header.threads = number + 1;
    if (++maker->running > maker->header.threads_at_once)
        maker->header.threads_at_once = maker->running;
    for (size_t i = 0; i < KNOWN; i++)
        thread->known[i].thread = UINT32_MAX;
    if (number == 0)
        return true;
    if (!maker->threads[0].began && !begin(maker, 0))
        return false;
    uint32_t starter = maker->threads[0].ended && !maker->threads[maker->last_active].ended ? maker->last_active : 0;
    for (size_t i = 0; i < maker->ended_count; i++) {
        if (!wait_for(maker, starter, maker->ended[i], maker->threads[maker->ended[i]].ops))
            return false;
    }
    maker->ended_count = 0;
    struct slots inherited = thread->free;
    thread->free = maker->orphans;
    maker->orphans = inherited;
    return put(maker, starter, (struct fh_plan_op){.kind = FH_PLAN_SPAWN, .slot = number}) != 0;
}

static bool end(struct maker *maker, uint32_t number)
{
    struct maker_thread *thread = &maker->threads[number];
    thread->ended = true;
    maker->running--;
    if (!put(maker, number, (struct fh_plan_op){.kind = FH_PLAN_END}))
        return false;
    while (slots_in(&thread->free) > 0) {
        if (!push_slot(maker, &maker->orphans, thread->free.slot[--thread->free.end]))
            return false;
    }
    free(thread->free.slot);
    memset(&thread->free, 0, sizeof(thread->free));
    if (maker->ended_count == maker->ended_capacity) {
        size_t capacity = maker->ended_capacity ? maker->ended_capacity * 2 : 64;
        uint32_t *grown = realloc(maker->ended, capacity * sizeof(uint32_t));
        if (!grown)
            return no_memory(maker);
        maker->ended = grown;
        maker->ended_capacity = capacity;
    }
    maker->ended[maker->ended_count++] = number;
    return true;
}

/* A thread that others free for would take ever new slots: it gets some that were freed long ago. */
static bool borrow_slots(struct maker *maker, uint32_t number)
{
    if (maker->running < 2 || maker->slots % 1024 != 0) /* not at every birth */
        return true;
    for (uint32_t other = 0; other < maker->header.threads; other++) {
        struct maker_thread *rich = &maker->threads[other];
        if (other == number || slots_in(&rich->free) < SLOTS_TO_SPARE)
            continue;
        for (size_t i = 0; i < SLOTS_TO_SPARE / 2; i++) {
            if (!push_slot(maker, &maker->threads[number].free, rich->free.slot[rich->free.head++]))
                return false;
        }
        return wait_for(maker, number, other, rich->ops);
    }
    return true;
}

static bool take_slot(struct maker *maker, uint32_t number, uint32_t *slot)
{
    struct slots *mine = &maker->threads[number].free;
    if (slots_in(mine) == 0 && !borrow_slots(maker, number))
        return false;
    if (slots_in(mine) > 0)
        *slot = mine->slot[--mine->end];
    else if (maker->slots == UINT32_MAX)
        return give_up(maker, "more than 4 billion blocks at once");
    else
        *slot = maker->slots++;
    return true;
}

/* --- Events --- */

static uint32_t touch_of(uint64_t size)
{
    enum { KNOWN_WHEN_FREED = 128 * 1024, ONE_PAGE = 1 };
    return size < KNOWN_WHEN_FREED ? FH_PLAN_TOUCH_ALL : ONE_PAGE;
}

static bool born(struct maker *maker, uint32_t number, const struct fh_trace_event *event)
{
    static const uint8_t kinds[] = {[FH_TRACE_MALLOC] = FH_PLAN_MALLOC,
                                    [FH_TRACE_CALLOC] = FH_PLAN_CALLOC,
                                    [FH_TRACE_ALIGNED] = FH_PLAN_ALIGNED,
                                    [FH_TRACE_REALLOC] = FH_PLAN_REALLOC};
    struct fh_plan_op op = {.kind = kinds[event->kind],
                            .align_log2 = event->align_log2 & 63,
                            .size = event->size,
                            .touch = touch_of(event->size)};
    if (event->size >> 47)
        return give_up(maker, "the trace has a block that no address space holds: it is damaged");

    struct fh_live_block *old = event->kind == FH_TRACE_REALLOC ? fh_live_find(&maker->live, event->old) : NULL;
    if (old) {
        op.slot = old->slot;
        if (!wait_for(maker, number, event->old.thread, old->born))
            return false;
        fh_live_remove(&maker->live, old);
    } else {
        if (event->kind == FH_TRACE_REALLOC)
            op.kind = FH_PLAN_MALLOC; /* of a block whose birth is not in the trace */
        if (!take_slot(maker, number, &op.slot))
            return false;
    }
    struct fh_live_block *block = fh_live_add(&maker->live, event->id, event->size);
    if (!block)
        return give_up(maker, "not enough memory, or a block of the trace is born twice: it is damaged");
    block->where = put(maker, number, op);
    block->born = maker->threads[number].ops;
    block->slot = op.slot;
    return block->where != 0;
}

static bool freed(struct maker *maker, uint32_t number, const struct fh_trace_event *event)
{
    struct fh_live_block *block = fh_live_find(&maker->live, event->old);
    if (!block)
        return true; /* its birth is not in the trace */
    uint32_t slot = block->slot;
    if (!wait_for(maker, number, event->old.thread, block->born))
        return false;
    fh_live_remove(&maker->live, block);
    return put(maker, number, (struct fh_plan_op){.kind = FH_PLAN_FREE, .slot = slot}) != 0 &&
           push_slot(maker, &maker->threads[number].free, slot);
}

static bool looked_at(struct maker *maker, uint32_t number, const struct fh_trace_event *event)
{
    struct fh_live_block *block = fh_live_find(&maker->live, event->old);
    if (!block)
        return true;
    uint32_t pages = event->size < UINT32_MAX ? (uint32_t)event->size : UINT32_MAX;
    if (event->kind == FH_TRACE_TOUCHED)
        return set_touch(maker, event->old.thread, block->where, pages);
    uint32_t slot = block->slot;
    return wait_for(maker, number, event->old.thread, block->born) &&
           put(maker, number, (struct fh_plan_op){.kind = FH_PLAN_USABLE, .slot = slot}) != 0;
}

static bool visit(void *arg, uint32_t number, const struct fh_trace_event *event)
{
    struct maker *maker = arg;
    if (number >= maker->thread_count && !more_threads(maker, number))
        return false;
    if (maker->threads[number].ended)
        return give_up(maker, "a thread of the trace goes on after its end: it is damaged");
    if (!maker->threads[number].began && !begin(maker, number))
        return false;
    maker->last_active = number;
    switch (event->kind) {
    case FH_TRACE_MALLOC:
    case FH_TRACE_CALLOC:
    case FH_TRACE_ALIGNED:
    case FH_TRACE_REALLOC:
        return born(maker, number, event);
    case FH_TRACE_FREE:
        return freed(maker, number, event);
    case FH_TRACE_TOUCHED:
    case FH_TRACE_USABLE:
        return looked_at(maker, number, event);
    case FH_TRACE_TRIM:
        return put(maker, number, (struct fh_plan_op){.kind = FH_PLAN_TRIM}) != 0;
    case FH_TRACE_THREAD_END:
        return end(maker, number);
    default:
        return true;
    }
}

static bool finish(struct maker *maker)
{
    struct fh_plan_header *header = &maker->header;
    header->magic = FH_PLAN_MAGIC;
    header->slots = maker->slots;
    header->peak_live_bytes = maker->live.peak_bytes;
    for (size_t i = 0; i < header->threads; i++) {
        struct maker_thread *thread = &maker->threads[i];
        if (thread->chunk &&
            !write_at(maker, thread->chunk, sizeof(*thread->chunk), chunk_offset(thread->chunk_number)))
            return false;
    }
    header->threads_offset = chunk_offset(maker->chunks + 1);
    for (size_t i = 0; i < header->threads; i++) {
        if (!write_at(maker, &maker->threads[i].first_chunk, sizeof(uint64_t),
                      header->threads_offset + i * sizeof(uint64_t)))
            return false;
    }
    return write_at(maker, header, sizeof(*header), 0);
}

bool fh_plan_make(const char *verb, struct fh_trace_reader *reader, const char *path, int fd,
                  struct fh_plan_header *header)
{
    struct maker maker = {.verb = verb, .fd = fd};
    maker.header.page_bytes = reader->header.page_bytes;
    bool read = fh_trace_read(reader, visit, &maker);
    if (!read && !maker.failed)
        fh_say(verb, "%s: %s", path, reader->error);
    if (read && maker.header.calls == 0)
        read = give_up(&maker, "the trace has no calls to replay");
    bool made = read && finish(&maker);
    *header = maker.header;
    for (size_t i = 0; i < maker.thread_count; i++) {
        free(maker.threads[i].chunk);
        free(maker.threads[i].free.slot);
    }
    free(maker.threads);
    free(maker.ended);
    free(maker.orphans.slot);
    fh_live_clear(&maker.live);
    return made;
}
