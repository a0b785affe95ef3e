/*
 * gate.h - how often memory may be given back: what was given back and is touched again costs a page fault a page.
 *
 * Layer: pages. A page that goes back and comes again costs half a microsecond to twenty more than one that is left
 * alone, by the machine: it is tried out. So the first time memory is spared it goes; when it is wanted again, that
 * is a regret, and the gate stays closed until sixteen times the cost of the regret has passed, and for a second at
 * least, for twice as long when it comes again soon after; but never longer than 8 seconds, so that who looks later
 * (core/idle.c) can give back within 10. Thus whatever a program does, giving back takes at most about a sixteenth of
 * its time, more only where half a second of faults is at stake, and one that uses its memory in short periods keeps
 * it. A gate is guarded by the lock of what it belongs to.
 */
#ifndef FH_GATE_H
#define FH_GATE_H

#include "base.h"

struct fh_gate {
    uint64_t closed_until_ms;    /* on the clock of os.h; 0: open */
    uint64_t owed_until_us;      /* when sixteen times the cost of all regrets so far will have passed */
    uint32_t patience;           /* questions to be answered "closed" before the clock is asked again */
    uint64_t regretted_until_ms; /* when what the last regrets have closed opens, or did */
    uint32_t closed_least_ms;    /* for how long they closed it at least; 0: there were none */
};

/* Whether memory may be given back now; false for good while the option says so. */
bool fh_gate_is_open(struct fh_gate *gate);
/* The same for whoever asks seldom: the clock is asked each time. */
bool fh_gate_is_past(const struct fh_gate *gate);
/* Memory that was given back has been taken again: so many bytes. */
void fh_gate_regret(struct fh_gate *gate, size_t bytes);
/* Work that should not come again within a second, or the kernel has refused. */
void fh_gate_close(struct fh_gate *gate, uint64_t ms);

#endif
