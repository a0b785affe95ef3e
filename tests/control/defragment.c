/*
 * defragment - a cache as Redis is one: random sizes, random eviction, then one pass in which what is hinted is moved.
 * It must end at no more than 1.1 times what is live, by the account and by the kernel's word.
 *
 *   defragment move|copy|batch SMALLEST LARGEST KEPT [MIB]   KEPT of 100 entries survive, of 60 MiB or so many
 *   defragment nothing                                       a heap without holes: nothing is hinted
 */
#include "control.h"

enum { BYTES = 60 << 20, MOST = 1 << 21, BATCH = 64 };

struct entry {
    unsigned char *block; /* NULL: evicted */
    uint32_t size;
    uint32_t number;
};
static struct entry entries[MOST];
static size_t count;
static uint64_t seed = 7;

static void fill(uint32_t smallest, uint32_t largest, size_t most_bytes)
{
    size_t bytes = 0;

    for (count = 0; bytes < most_bytes && count < MOST; count++) {
        struct entry *entry = &entries[count];
        entry->size = smallest + random_below(&seed, largest - smallest + 1);
        entry->number = (uint32_t)count;
        entry->block = malloc(entry->size);
        CHECK(entry->block != NULL, "no memory");
        memset(entry->block, (int)count, entry->size);
        bytes += entry->size;
    }
}

static size_t evict(uint32_t kept)
{
    size_t live = 0;

    for (size_t i = 0; i < count; i++) {
        if (random_below(&seed, 100) >= kept) {
            free(entries[i].block);
            entries[i].block = NULL;
        } else {
            live += entries[i].size;
        }
    }
    return live;
}

/* The pass meets the entries as a hash table does: in no order. */
static void shuffle(void)
{
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = random_below(&seed, (uint32_t)i + 1);
        struct entry swapped = entries[i];
        entries[i] = entries[other];
        entries[other] = swapped;
    }
}

static size_t move_by_hand(struct entry *entry)
{
    unsigned char *moved = malloc(entry->size);

    CHECK(moved != NULL, "no memory");
    memcpy(moved, entry->block, entry->size);
    free(entry->block);
    entry->block = moved;
    return 1;
}

static size_t move_batch(size_t from, size_t to)
{
    void *blocks[BATCH] = {NULL};
    unsigned char answers[BATCH];
    size_t moved = 0;

    for (size_t i = from; i < to; i++)
        blocks[i - from] = entries[i].block;
    fh_should_move_batch(blocks, to - from, answers);
    for (size_t i = from; i < to; i++)
        moved += answers[i - from] ? move_by_hand(&entries[i]) : 0;
    return moved;
}

static size_t pass(const char *way)
{
    size_t moved = 0;

    if (strcmp(way, "batch") == 0) {
        for (size_t i = 0; i < count; i += BATCH)
            moved += move_batch(i, i + BATCH < count ? i + BATCH : count);
        return moved;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(way, "copy") == 0) {
            if (fh_should_move(entries[i].block))
                moved += move_by_hand(&entries[i]);
        } else {
            void *place = fh_move(entries[i].block);
            if (place != NULL) {
                entries[i].block = place;
                moved++;
            }
        }
    }
    return moved;
}

static void check_contents(void)
{
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; entries[i].block != NULL && at < entries[i].size; at++)
            CHECK(entries[i].block[at] == (unsigned char)entries[i].number, "entry %zu, byte %zu", i, at);
}

/* Only what survived. */
static void forget_evicted(void)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        if (entries[i].block != NULL)
            entries[left++] = entries[i];
    count = left;
}

static void show(const char *when, size_t live, size_t held, size_t resident)
{
    printf("%-8s live %5.1f MiB, held %5.1f MiB (%.3f), resident %5.1f MiB (%.3f)\n", when, (double)live / 1048576,
           (double)held / 1048576, (double)held / (double)live, (double)resident / 1048576,
           (double)resident / (double)live);
}

static int defragment(char **argv, size_t bytes)
{
    size_t live_before, live, moved, held, resident, resident_before;

    memset(entries, 1, sizeof entries);
    resident_before = resident_bytes() - held_bytes();
    fill((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), bytes);
    evict((uint32_t)atoi(argv[4]));
    forget_evicted();
    shuffle();
    live_before = account().live_bytes;
    malloc_trim(0); /* what can be had without moving anything */
    show("before", live_before, held_bytes(), resident_bytes() - resident_before);
    moved = pass(argv[1]);
    malloc_trim(0);
    live = account().live_bytes;
    held = held_bytes();
    resident = resident_bytes() - resident_before;
    show("after", live, held, resident);
    printf("%zu of %zu moved\n", moved, count);
    CHECK_SOUND(); /* not sooner: it reads all of the page map, and what is read is in memory */
    check_contents();
    CHECK(moved > 0, "nothing was hinted");
    CHECK(live <= live_before + live_before / 50, "blocks have grown: %zu, were %zu", live, live_before);
    CHECK(held <= live + live / 10, "held %zu, live %zu", held, live);
    CHECK(resident <= live + live / 10, "resident %zu, live %zu", resident, live);
    CHECK(pass("move") <= count / 10, "a second pass finds more");
    check_contents();
    CHECK_SOUND();
    return 0;
}

static int nothing_to_move(void)
{
    size_t moved;

    fill(16, 1000, BYTES);
    moved = pass("move");
    CHECK(moved <= count / 100, "%zu of %zu moved", moved, count);
    check_contents();
    CHECK_SOUND();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5)
        return defragment(argv, argc > 5 ? (size_t)atoi(argv[5]) << 20 : BYTES);
    return nothing_to_move();
}
