/*
 * kernel.c - src/os/os_memory.c with a gate in front of every call that gives or takes memory, so that refusals can be
 * part of a random run. Linked in place of os_memory.c.
 *
 * The gate also says to ThreadSanitizer what it cannot see of raw system calls: the kernel orders what gives addresses
 * back before what gives the same ones out again.
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

static uint32_t kernel_order; /* atomic */
static void gives_back(void) { __atomic_fetch_add(&kernel_order, 1, __ATOMIC_RELEASE); }
static void has_given(void) { __atomic_fetch_add(&kernel_order, 1, __ATOMIC_ACQUIRE); }

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
    static const uint32_t fronts[] = {ALL_CALLS,       BREAK_UP | MAP, MAP,        BREAK_UP,
                                      UNMAP | DISCARD, REMAP | MOVE,   MAP | REMAP};
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
    bool up = to > fh_os_break();
    if (refuses(up ? BREAK_UP : BREAK_DOWN)) return false;
    gives_back();
    bool moved = real_break_move(to);
    has_given();
    return moved;
}

void *fh_os_map(void *hint, size_t size)
{
    void *memory = refuses(MAP) ? NULL : real_map(hint, size);
    has_given();
    return memory;
}

bool fh_os_unmap(void *address, size_t size)
{
    gives_back();
    return !refuses(UNMAP) && real_unmap(address, size);
}

bool fh_os_remap(void *address, size_t old_size, size_t new_size)
{
    gives_back();
    bool resized = !refuses(REMAP) && real_remap(address, old_size, new_size);
    has_given();
    return resized;
}

bool fh_os_move(void *address, size_t old_size, void *target, size_t new_size)
{
    gives_back();
    return !refuses(MOVE) && real_move(address, old_size, target, new_size);
}

bool fh_os_discard(void *address, size_t size) { return !refuses(DISCARD) && real_discard(address, size); }
