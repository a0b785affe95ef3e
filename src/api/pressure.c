/*
 * pressure.c - limits, pressure and giving back, as the program asks for them.
 *
 * Layer: api. Owns the program's callback.
 */
#include <errno.h>

#include "api.h"
#include "core.h"
#include "freehold.h"
#include "limit.h"
#include "options.h"
#include "os.h"

FH_STATIC_ASSERT((int)FH_PRESSURE_NONE == (int)FH_URGENCY_NONE && (int)FH_PRESSURE_SOME == (int)FH_URGENCY_SOME &&
                     (int)FH_PRESSURE_FULL == (int)FH_URGENCY_FULL,
                 "one scale");

enum { PAUSE_US = 50 };

static uintptr_t caller; /* atomic: fh_os_self() of the thread that calls the function, or sets it; 0 for none */
static fh_pressure_fn *callback; /* the caller's, as is the next */
static void *callback_arg;

static bool enter(void)
{
    uintptr_t nobody = 0;
    return fh_cas_acquire(&caller, &nobody, fh_os_self());
}
static void leave(void) { fh_store_release(&caller, 0); }

/* Called by the core without locks, in the middle of some thread's call of malloc or free: errno is that call's. */
static void tell(uint32_t level)
{
    if (!enter()) return; /* by what it frees or allocates itself */
    fh_pressure_fn *told = fh_load_relaxed(&callback);
    int saved = errno;
    if (told) told((enum fh_pressure_level)level, callback_arg);
    errno = saved;
    leave();
}

FH_EXPORT void fh_on_pressure(fh_pressure_fn *function, void *arg)
{
    bool is_within = fh_load_relaxed(&caller) == fh_os_self(); /* the function sets another */
    while (!is_within && !enter()) fh_os_pause_us(PAUSE_US);
    fh_store_relaxed(&callback, NULL); /* a fork of another thread here: no function rather than the wrong argument */
    fh_store_release(&callback_arg, arg);
    fh_store_release(&callback, function);
    fh_store_release(&fh_core_tell_pressure, tell);
    if (!is_within) leave();
}

void fh_pressure_after_fork(void)
{
    if (caller != fh_os_self()) leave();
}

FH_EXPORT int fh_pressure(enum fh_pressure_level level)
{
    if ((unsigned)level > FH_PRESSURE_FULL) return EINVAL;
    fh_store_relaxed(&fh_limit.asked_urgency, (uint32_t)level);
    if (level == FH_PRESSURE_NONE) return 0;
    fh_limit_want();
    fh_core_relieve();
    return 0;
}

FH_EXPORT size_t fh_purge(void) { return fh_core_purge(); }

FH_EXPORT int fh_set_limit(size_t soft_bytes, size_t hard_bytes)
{
    if (hard_bytes && soft_bytes > hard_bytes) return EINVAL;
    if (soft_bytes > SIZE_MAX / 4 || hard_bytes > SIZE_MAX / 4) return EINVAL;
    fh_options_set_size(&fh_options.soft_limit, soft_bytes);
    fh_options_set_size(&fh_options.hard_limit, hard_bytes);
    fh_store_relaxed(&fh_limit.next_soft_bytes, 0);
    fh_limit_note_growth(); /* it may be passed already */
    fh_core_relieve();
    return 0;
}
