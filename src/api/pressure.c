/*
 * pressure.c - limits, pressure and giving back, as the program asks for them.
 *
 * Layer: api. Owns the program's callback.
 */
#include <errno.h>

#include "core.h"
#include "freehold.h"
#include "limit.h"
#include "options.h"

FH_STATIC_ASSERT((int)FH_PRESSURE_NONE == (int)FH_URGENCY_NONE && (int)FH_PRESSURE_SOME == (int)FH_URGENCY_SOME &&
                     (int)FH_PRESSURE_FULL == (int)FH_URGENCY_FULL,
                 "one scale");

static fh_pressure_fn *callback; /* atomic, as are the next two */
static void *callback_arg;
static uint32_t is_calling;

/* Called by the core without locks, in the middle of some thread's call of malloc or free: errno is that call's. */
static void tell(uint32_t level)
{
    fh_pressure_fn *told = fh_load_acquire(&callback);
    if (!told || fh_exchange_acquire(&is_calling, 1)) return; /* by what it frees or allocates itself */
    int saved = errno;
    told((enum fh_pressure_level)level, fh_load_relaxed(&callback_arg));
    errno = saved;
    fh_store_release(&is_calling, 0);
}

FH_EXPORT void fh_on_pressure(fh_pressure_fn *function, void *arg)
{
    fh_store_relaxed(&callback_arg, arg);
    fh_store_release(&callback, function);
    fh_store_release(&fh_core_tell_pressure, tell);
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
