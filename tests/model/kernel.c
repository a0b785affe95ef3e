/*
 * kernel.c - src/os/os_memory.c with a gate in front of every call that gives or takes memory, so that refusals can be
 * part of a random run. Linked in place of os_memory.c.
 *
 * Under ThreadSanitizer the gate also says which memory is new: the kernel orders an unmapping before the mapping that
 * gets the same addresses, but the library's raw system calls are not seen by the sanitizer.
 */
#define fh_os_break_move real_break_move
#define fh_os_map real_map
#define fh_os_unmap real_unmap
#define fh_os_remap real_remap
#define fh_os_move real_move
#define fh_os_discard real_discard
#include "os_memory.c"
#undef fh_os_break_move
#undef fh_os_map
#undef fh_os_unmap
#undef fh_os_remap
#undef fh_os_move
#undef fh_os_discard

#include "model.h"

bool fh_os_break_move(char *to);
void *fh_os_map(void *hint, size_t size);
bool fh_os_unmap(void *address, size_t size);
bool fh_os_remap(void *address, size_t old_size, size_t new_size);
bool fh_os_move(void *address, size_t old_size, void *target, size_t new_size);
bool fh_os_discard(void *address, size_t size);

#if defined(__SANITIZE_THREAD__)
void AnnotateNewMemory(const char *file, int line, const volatile void *memory, size_t size);
static void note_new(void *memory, size_t size) { AnnotateNewMemory(__FILE__, __LINE__, memory, size); }
#else
static void note_new(void *memory, size_t size) { (void)memory, (void)size; }
#endif

enum call { BREAK_UP = 1, BREAK_DOWN = 2, MAP = 4, UNMAP = 8, REMAP = 16, MOVE = 32, DISCARD = 64, ALL_CALLS = 127 };

static uint32_t refused_calls; /* atomic: a set of enum call, */
static uint32_t chance;        /* atomic: each refused with chance / 256 */
static uint32_t calls;         /* atomic: so far, for the dice */
static uint32_t no_break;

void kernel_refuse_break(void) { no_break = BREAK_UP; }
void kernel_calm(void) { fh_store_relaxed(&refused_calls, 0); }

/* The next storm replaces the present one; every second is the end of one. */
void kernel_maybe_storm(struct random *random)
{
    static const uint32_t fronts[] = {ALL_CALLS, BREAK_UP | MAP, MAP, BREAK_UP, UNMAP | DISCARD, REMAP | MOVE, MAP | REMAP};
    uint32_t front = fronts[random_below(random, sizeof fronts / sizeof fronts[0])];
    fh_store_relaxed(&chance, random_one_in(random, 2) ? 256 : (uint32_t)random_between(random, 16, 255));
    fh_store_relaxed(&refused_calls, random_one_in(random, 2) ? front : 0);
}

static bool refuses(enum call call)
{
    uint32_t dice = fh_fetch_add_relaxed(&calls, 1) * 2654435761u >> 24;
    if (no_break & call) return true;
    return (fh_load_relaxed(&refused_calls) & call) && dice < fh_load_relaxed(&chance);
}

bool fh_os_break_move(char *to)
{
    char *now = fh_os_break();
    bool up = to > now;
    if (refuses(up ? BREAK_UP : BREAK_DOWN) || !real_break_move(to)) return false;
    if (up) note_new(now, (size_t)(to - now));
    return true;
}

void *fh_os_map(void *hint, size_t size)
{
    void *memory = refuses(MAP) ? NULL : real_map(hint, size);
    if (memory) note_new(memory, size);
    return memory;
}

bool fh_os_unmap(void *address, size_t size) { return !refuses(UNMAP) && real_unmap(address, size); }

bool fh_os_remap(void *address, size_t old_size, size_t new_size)
{
    if (refuses(REMAP) || !real_remap(address, old_size, new_size)) return false;
    if (new_size > old_size) note_new((char *)address + old_size, new_size - old_size);
    return true;
}

bool fh_os_move(void *address, size_t old_size, void *target, size_t new_size)
{
    return !refuses(MOVE) && real_move(address, old_size, target, new_size);
}

bool fh_os_discard(void *address, size_t size) { return !refuses(DISCARD) && real_discard(address, size); }
