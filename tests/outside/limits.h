/*
 * limits.h - tests of a malloc in a process that the kernel keeps short: filters, limits, a break that others move.
 */
#ifndef OUTSIDE_LIMITS_H
#define OUTSIDE_LIMITS_H

#include "probe.h"

struct limit_test {
    const char *name;
    void (*program)(void);
    int (*before_exec)(void *arg); /* sets the limit before the library starts; may be NULL */
    uintptr_t arg;
};

extern const struct limit_test filter_tests[];
extern const struct limit_test size_tests[];
extern const struct limit_test break_tests[];
extern const struct limit_test lock_tests[];

/*
 * Every kind of request, with contents verified; all must be served. `rounds` of about 2,000 calls and at most 40 MB.
 * Each calling thread needs its own `seed`, which is also its number below EXERCISERS.
 */
enum { EXERCISERS = 4 };
void exercise(unsigned rounds, unsigned seed);

/* Takes blocks of the size until malloc gives NULL with ENOMEM, verifies and frees them; returns the bytes it got. */
size_t fill_up(size_t size, size_t limit_bytes);

#endif /* OUTSIDE_LIMITS_H */
