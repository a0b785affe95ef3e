/*
 * work.h - the workloads that fault injection runs: small programs that use every way of getting and giving memory,
 * verify the contents of all they hold, and take NULL with ENOMEM for an answer at any time.
 */
#ifndef OUTSIDE_WORK_H
#define OUTSIDE_WORK_H

#include "probe.h"

struct workload {
    const char *name;
    void (*run)(void);
};

/* Each file of workloads ends its table with a name of NULL. */
extern const struct workload small_workloads[];
extern const struct workload large_workloads[];
extern const struct workload many_workloads[];
extern const struct workload library_workloads[];

/* Drops every block of an array that is held. */
void drop_held(struct held *blocks, size_t count);

/* `operations` times: a random one of `count` blocks is dropped and taken again, with a size from..to. */
void churn(struct held *blocks, size_t count, size_t operations, size_t from, size_t to, uint64_t random);

#endif /* OUTSIDE_WORK_H */
