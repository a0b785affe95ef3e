/*
 * touched.c - how much of a large block is in memory, as the kernel says (mincore(2)).
 *
 * Layer: record. Under a lock of its own: large blocks are rare, and each costs a system call anyway. A hash table of a
 * fixed size, open addressing with linear probing; blocks that find no room are not looked at.
 */
#include "lock.h"
#include "os.h"
#include "stream.h"

enum { SLOTS_LOG2 = 14, SLOTS = 1 << SLOTS_LOG2, MOST = SLOTS / 2, SAMPLE = 8, SOME_MOST_BYTES = 64 << 20 };

static struct entry {
    char *pointer;
    size_t size_bytes;
    uint64_t id;
} table[SLOTS];
static size_t count, turn;
static struct fh_lock lock = {.rank = FH_RECORD_RANK_TOUCHED};

static size_t home(const void *pointer)
{
    return (size_t)(((uintptr_t)pointer >> FH_SHADOW_UNIT_SHIFT) * 0x9e3779b97f4a7c15ull >> (64 - SLOTS_LOG2));
}

static size_t pages_in_memory(const struct entry *entry)
{
    enum { AT_ONCE = 4 << 20 };
    size_t page = fh_os_page_size(), in_memory = 0;
    uintptr_t at = fh_align_down((uintptr_t)entry->pointer, page);
    uintptr_t end = fh_align_up((uintptr_t)entry->pointer + entry->size_bytes, page);
    for (; at < end; at += AT_ONCE) in_memory += fh_os_resident_within((void *)at, fh_min(AT_ONCE, end - at));
    return in_memory / page;
}

void fh_touched_add(void *pointer, size_t size_bytes, uint64_t id)
{
    if (!fh_lock_acquire(&lock)) return;
    if (count < MOST) {
        size_t i = home(pointer);
        while (table[i].pointer && table[i].pointer != pointer) i = (i + 1) % SLOTS;
        count += !table[i].pointer;
        table[i] = (struct entry){.pointer = pointer, .size_bytes = size_bytes, .id = id};
    }
    fh_lock_release(&lock);
}

/* Moves later entries of the same probe sequence up, so that no mark of a removed one is needed. */
static void remove_at(size_t hole)
{
    for (size_t i = (hole + 1) % SLOTS; table[i].pointer; i = (i + 1) % SLOTS) {
        size_t wanted = home(table[i].pointer);
        if ((i - wanted) % SLOTS >= (i - hole) % SLOTS) {
            table[hole] = table[i];
            hole = i;
        }
    }
    table[hole].pointer = NULL;
    count--;
}

size_t fh_touched_remove(void *pointer)
{
    size_t pages = SIZE_MAX;
    if (!fh_lock_acquire(&lock)) return pages;
    size_t i = home(pointer);
    while (table[i].pointer && table[i].pointer != pointer) i = (i + 1) % SLOTS;
    if (table[i].pointer) {
        pages = pages_in_memory(&table[i]);
        remove_at(i);
    }
    fh_lock_release(&lock);
    return pages;
}

void fh_touched_sample(bool all, void (*note)(void *arg, uint64_t id, size_t pages), void *arg)
{
    if (!fh_lock_acquire(&lock)) return;
    size_t wanted = all ? count : fh_min(count, SAMPLE), seen = 0;
    for (size_t i = 0; i < SLOTS && seen < wanted; i++) {
        const struct entry *entry = &table[(turn + i) % SLOTS];
        if (!entry->pointer) continue;
        seen++;
        if (seen == wanted) turn = (turn + i + 1) % SLOTS;
        if (all || entry->size_bytes <= SOME_MOST_BYTES) note(arg, entry->id, pages_in_memory(entry));
    }
    fh_lock_release(&lock);
}

void fh_touched_forget(void)
{
    fh_lock_init(&lock, (enum fh_lock_rank)FH_RECORD_RANK_TOUCHED);
    for (size_t i = 0; i < SLOTS; i++) table[i].pointer = NULL;
    count = turn = 0;
}
