/*
 * samples.c - the live chosen blocks, and the root from which all tables are found.
 *
 * Layer: insight. A row of tables, each twice as large as the one before, made when the last is crowded: what they take
 * follows the number of chosen blocks that live at once. In a table a block has a few slots near its hash where it may
 * stand, so that looking for one that is not there, which every free of a larger block does, ends soon.
 */
#include "samples.h"

#include "atomics.h"
#include "os.h"
#include "wholesale.h"

FH_EXPORT struct fh_samples fh_samples = {
    .magic = FH_SAMPLES_MAGIC, .version = FH_SAMPLES_VERSION, .root_bytes = sizeof(struct fh_samples)};

enum { SLOT_NEVER_USED = 0, SLOT_EMPTY = 1, SLOT_CLAIMED = 2, SLOT_LAST_MARK = SLOT_CLAIMED };
enum { FIRST_SLOTS = 4096, PROBES = 16 };
FH_STATIC_ASSERT((uint64_t)FIRST_SLOTS << (FH_SAMPLES_TABLES - 1) <= UINT32_MAX, "slots are counted in 32 bits");

/* --- Mappings of tables, for the account. --- */

enum { MAPPINGS_LISTED = 2048, RESIDENT_AT_ONCE = 4 << 20 };
struct fh_samples_mapping fh_samples_mappings[MAPPINGS_LISTED];
uint32_t fh_samples_mapping_count;

void *fh_samples_map(size_t bytes)
{
    bytes = fh_align_up(bytes, fh_os_page_size());
    enum { AT_ONCE = 64 }; /* threads that are here */
    if (fh_load_relaxed(&fh_samples_mapping_count) >= MAPPINGS_LISTED - AT_ONCE) return NULL;
    char *start = fh_wholesale_map_own(bytes);
    if (!start) return NULL;
    fh_fetch_add_relaxed(&fh_wholesale.table_bytes, bytes);
    uint32_t i = fh_fetch_add_relaxed(&fh_samples_mapping_count, 1);
    fh_samples_mappings[i].bytes = bytes;
    fh_store_release(&fh_samples_mappings[i].start, start);
    return start;
}

void fh_samples_measure(size_t *mapped, size_t *resident)
{
    *mapped = *resident = 0;
    for (uint32_t i = 0; i < fh_load_relaxed(&fh_samples_mapping_count); i++) {
        char *start = fh_load_acquire(&fh_samples_mappings[i].start);
        if (!start) continue; /* being made; obtained, and not yet to be seen */
        size_t bytes = fh_samples_mappings[i].bytes;
        *mapped += bytes;
        for (size_t done = 0; done < bytes; done += RESIDENT_AT_ONCE)
            *resident += fh_os_resident_within(start + done, fh_min(bytes - done, RESIDENT_AT_ONCE));
    }
}

/* --- The tables. --- */

static struct fh_sample *table_at(unsigned i) { return (void *)(uintptr_t)fh_load_acquire(&fh_samples.tables[i]); }

/* Table i, made if it is the next; another thread may make it at the same time, and one of the two goes unused. */
static struct fh_sample *make_table(unsigned i)
{
    struct fh_sample *table = table_at(i);
    if (table) return table;
    uint32_t slots = (uint32_t)FIRST_SLOTS << i;
    struct fh_sample *made = fh_samples_map(slots * sizeof *made);
    if (!made) return NULL;
    uint64_t nothing = 0;
    fh_store_relaxed(&fh_samples.table_slots[i], slots);
    fh_cas_acq_rel(&fh_samples.tables[i], &nothing, (uint64_t)(uintptr_t)made);
    return table_at(i);
}

static uint32_t slot_of(uint64_t address, uint32_t slots)
{
    return (uint32_t)((address >> 4) * 0x9e3779b97f4a7c15ULL >> 32) & (slots - 1);
}

static bool put_into(struct fh_sample *table, uint32_t slots, const struct fh_sample *sample)
{
    uint32_t first = slot_of(sample->address, slots);
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        struct fh_sample *slot = &table[(first + probe) & (slots - 1)];
        uint64_t there = fh_load_relaxed(&slot->address);
        if (there != SLOT_NEVER_USED && there != SLOT_EMPTY) continue;
        if (!fh_cas_acquire(&slot->address, &there, SLOT_CLAIMED)) continue;
        fh_store_relaxed(&slot->size_bytes, sample->size_bytes);
        fh_store_relaxed(&slot->stack, sample->stack);
        fh_store_relaxed(&slot->thread, sample->thread);
        fh_store_relaxed(&slot->born_ms, sample->born_ms);
        fh_store_release(&slot->address, sample->address);
        return true;
    }
    return false;
}

bool fh_samples_put(const struct fh_sample *sample)
{
    for (unsigned i = 0; i < FH_SAMPLES_TABLES; i++) {
        struct fh_sample *table = make_table(i);
        if (!table) break;
        if (put_into(table, fh_load_relaxed(&fh_samples.table_slots[i]), sample)) return true;
    }
    fh_fetch_add_relaxed(&fh_samples.lost_samples, 1);
    return false;
}

static void copy_slot(struct fh_sample *slot, uint64_t address, struct fh_sample *sample)
{
    sample->address = address;
    sample->size_bytes = fh_load_relaxed(&slot->size_bytes);
    sample->stack = fh_load_relaxed(&slot->stack);
    sample->thread = fh_load_relaxed(&slot->thread);
    sample->born_ms = fh_load_relaxed(&slot->born_ms);
}

bool fh_samples_take(const void *pointer, struct fh_sample *sample)
{
    uint64_t address = (uintptr_t)pointer;
    for (unsigned i = 0; i < FH_SAMPLES_TABLES; i++) {
        struct fh_sample *table = table_at(i);
        if (!table) return false;
        uint32_t slots = fh_load_relaxed(&fh_samples.table_slots[i]), first = slot_of(address, slots);
        for (uint32_t probe = 0; probe < PROBES; probe++) {
            struct fh_sample *slot = &table[(first + probe) & (slots - 1)];
            uint64_t there = fh_load_relaxed(&slot->address);
            if (there == SLOT_NEVER_USED) break; /* it would stand here at the latest */
            if (there != address) continue;
            copy_slot(slot, address, sample);
            fh_store_release(&slot->address, SLOT_EMPTY);
            return true;
        }
    }
    return false;
}

void fh_samples_each(void (*visit)(const struct fh_sample *sample, void *arg), void *arg)
{
    for (unsigned i = 0; i < FH_SAMPLES_TABLES && table_at(i); i++) {
        struct fh_sample *table = table_at(i), sample;
        for (uint32_t n = 0; n < fh_load_relaxed(&fh_samples.table_slots[i]); n++) {
            uint64_t address = fh_load_acquire(&table[n].address);
            if (address <= SLOT_LAST_MARK) continue;
            copy_slot(&table[n], address, &sample);
            visit(&sample, arg);
        }
    }
}

bool fh_samples_init(uint32_t mode, uint64_t interval_bytes)
{
    if (mode & FH_SAMPLES_SITES) {
        void *root = fh_samples_map(FH_SITES_ROOT_ENTRIES * sizeof(uint64_t));
        if (!root) return false;
        fh_samples.sites_root = (uintptr_t)root;
    }
    if (!fh_words_take(8) || !make_table(0)) return false; /* words 0 to 7 stand for nothing */
    fh_samples.interval_bytes = interval_bytes;
    fh_samples.started_ms = fh_os_coarse_ms();
    fh_samples.started_unix_ns = fh_os_unix_ns();
    fh_samples.pid = (uint32_t)fh_os_pid();
    fh_store_release(&fh_samples.mode, mode);
    return true;
}
