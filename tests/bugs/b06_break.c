/*
 * b06_break - the break is moved by somebody else, is obstructed by a mapping, or is brought back below our memory's
 * end.
 *
 * The program calls sbrk itself between allocations and keeps its own data there; then it puts a mapping in the way of
 * the break. No block may overlap what the program took, contents stay, and the heap goes on elsewhere.
 */
#include "bugs.h"

#include <sys/mman.h>

#define SLOTS 2000
#define FOREIGN 40

static unsigned char *slots[SLOTS];
static size_t slot_bytes[SLOTS];
static struct {
    unsigned char *start;
    size_t bytes;
} foreign[FOREIGN];
static size_t foreign_count;

static void check_foreign(void)
{
    for (size_t i = 0; i < foreign_count; i++)
        CHECK_NUMBERS(bugs_kept(foreign[i].start, foreign[i].bytes, 0xf0 + (unsigned)i % 8), i, foreign[i].start);
}

static void churn(uint64_t *seed, int steps)
{
    for (int i = 0; i < steps; i++) {
        size_t slot = bugs_random(seed) % SLOTS;

        CHECK_NUMBERS(bugs_kept(slots[slot], slot_bytes[slot], (unsigned)slot), slot, slots[slot]);
        free(slots[slot]);
        slot_bytes[slot] = bugs_random_size(seed);
        if (i % 3 == 0) {
            slots[slot] = calloc(1, slot_bytes[slot]);
            CHECK(slots[slot] != NULL && bugs_kept(slots[slot], slot_bytes[slot], 0));
        } else {
            slots[slot] = malloc(slot_bytes[slot]);
            CHECK(slots[slot] != NULL);
        }
        bugs_mark(slots[slot], slot_bytes[slot], (unsigned)slot);
    }
}

/* Somebody else takes from the break, sometimes by an odd number of bytes. */
static void take_break(uint64_t *seed)
{
    const size_t amounts[] = {1, 100, 4096, 5000, 65536, 1 << 20};
    size_t bytes = amounts[bugs_random(seed) % 6];
    void *start = sbrk((intptr_t)bytes);

    if (start == (void *)-1 || foreign_count == FOREIGN)
        return;
    foreign[foreign_count].start = start;
    foreign[foreign_count].bytes = bytes;
    bugs_mark(start, bytes, 0xf0 + (unsigned)foreign_count % 8);
    foreign_count++;
}

/* And gives back what it took last, if nobody has moved the break since. */
static void give_break(void)
{
    if (foreign_count == 0)
        return;
    if (foreign[foreign_count - 1].start + foreign[foreign_count - 1].bytes == (unsigned char *)sbrk(0)) {
        foreign_count--;
        CHECK(sbrk(-(intptr_t)foreign[foreign_count].bytes) != (void *)-1);
    }
}

static void obstruct(uint64_t *seed)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = ((uintptr_t)sbrk(0) + 2 * page - 1) / page * page + 16 * page;
    void *wall = mmap((void *)end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    void *blocks[1000];

    CHECK(wall == (void *)end);
    churn(seed, 20000);
    for (int i = 0; i < 1000; i++) {
        blocks[i] = malloc(60000);
        CHECK(blocks[i] != NULL);
        bugs_mark(blocks[i], 60000, (unsigned)i);
    }
    for (int i = 0; i < 1000; i++) {
        CHECK(bugs_kept(blocks[i], 60000, (unsigned)i));
        free(blocks[i]);
    }
    malloc_trim(0);
    churn(seed, 5000);
    bugs_sound();
    CHECK(munmap(wall, page) == 0);
    churn(seed, 20000);
    bugs_sound();
}

int main(void)
{
    uint64_t seed = 9;

    take_break(&seed); /* before the first malloc of main */
    bugs_start();
    for (int round = 0; round < 200; round++) {
        churn(&seed, 200);
        if (round % 4 == 0)
            take_break(&seed);
        if (round % 7 == 0)
            give_break();
        if (round % 16 == 0) {
            malloc_trim(0);
            bugs_sound();
        }
        check_foreign();
    }
    obstruct(&seed);
    check_foreign();
    for (size_t i = 0; i < SLOTS; i++) {
        free(slots[i]);
        slots[i] = NULL;
        slot_bytes[i] = 0;
    }
    malloc_trim(0);
    check_foreign();
    bugs_sound();
    churn(&seed, 5000);
    check_foreign();
    bugs_sound();
    return 0;
}
