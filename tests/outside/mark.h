/*
 * mark.h - how a traced program speaks to its tracer: a system call that the kernel refuses and nobody else makes.
 *
 * prctl(MARK_OPTION, phase, value) fails with EINVAL and changes nothing. The tracer records it, and every later event
 * carries its phase. Untraced, a mark does nothing at all, so the same program can be run by hand.
 */
#ifndef OUTSIDE_MARK_H
#define OUTSIDE_MARK_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK_OPTION 0x46524d4b /* "FRMK" */

/* Phases of every program; tests number their own from MARK_BEGIN up to MARK_END. */
enum mark_phase {
    MARK_START = 0,  /* nothing was marked yet: the loader and constructors run */
    MARK_MAIN = 1,   /* main was reached */
    MARK_BEGIN = 10, /* what is to be judged begins */
    MARK_END = 100   /* and has ended */
};

static inline void mark_value(int phase, uintptr_t value)
{
    int saved = errno;

    syscall(SYS_prctl, (unsigned long)MARK_OPTION, (unsigned long)phase, (unsigned long)value, 0ul, 0ul);
    errno = saved;
}

static inline void mark(int phase)
{
    mark_value(phase, 0);
}

#endif /* OUTSIDE_MARK_H */
