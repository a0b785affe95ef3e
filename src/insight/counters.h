/*
 * counters.h - the values of config/counters.def, read all at once.
 *
 * Layer: insight.
 */
#ifndef FH_COUNTERS_H
#define FH_COUNTERS_H

#include "base.h"
#include "classes.h"

/* Of the process. All modulo 2^64: while they are summed up they may be below zero for a moment. */
struct fh_counters {
#define FH_COUNTER(name, kind, unit, label, remark, help) uint64_t name;
#include "counters.def"
};

enum { FH_HEAPS_COUNTED = 64 };
struct fh_counters_of_heap {
#define FH_HEAP_COUNTER(name, kind, unit, help) uint64_t name;
#include "counters.def"
};

struct fh_counters_of_class {
#define FH_CLASS_COUNTER(name, kind, unit, help) uint64_t name;
#include "counters.def"
};

/* What the whole reading gives. */
struct fh_counters_detailed {
    struct fh_counters process;
    uint32_t heap_count;
    struct fh_counters_of_heap heaps[FH_HEAPS_COUNTED];
    struct fh_counters_of_class classes[FH_CLASS_COUNT]; /* index: class size / 16 */
};

/* Both start with zeros and cost time in proportion to threads and heaps. fh_counters_read leaves the details out. */
void fh_counters_read(struct fh_counters *counters);
void fh_counters_read_detailed(struct fh_counters_detailed *detailed);

#endif
