/*
 * levels.h - the tests of the two levels, wholesale (W1 to W4) and retail (R1 to R6): each is a program that runs on
 * the malloc under test, and a judge that reads the system calls it made.
 */
#ifndef OUTSIDE_LEVELS_H
#define OUTSIDE_LEVELS_H

#include "probe.h"
#include "tracer.h"

struct level_test {
    const char *name;
    void (*program)(void);              /* in the traced process: ends with fail() when what it sees is wrong */
    bool (*judge)(const struct trace *trace); /* in the tracer, after the program ended well */
    const char *const *defects;         /* of the stand-in: with each of them this test must fail; NULL at the end */
    struct trace_fault fault;           /* what the tracer makes fail meanwhile; nth 0 for nothing */
    bool needs_walk;
};

extern const struct level_test wholesale_tests[];
extern const struct level_test retail_tests[];
extern const struct level_test metadata_tests[];
extern const struct level_test thrift_tests[];

/* Says why on stderr when the condition does not hold; returns the condition, as an int: `&` joins several. */
int judged(bool condition, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How the break moved by the calls of phases from..to. */
struct break_moves {
    unsigned up, down;
    uint64_t up_bytes, down_bytes;
    uint64_t smallest_up, largest_up;
    uint64_t end; /* where it was after them */
};
struct break_moves break_moves(const struct trace *trace, int from, int to);

/* Memory calls (see trace_is_memory_call) in phases from..to, all of them or those of one number. */
unsigned memory_calls(const struct trace *trace, int from, int to);
unsigned calls_of(const struct trace *trace, int from, int to, long number);

/* Bytes mapped without a file in phases from..to. */
uint64_t bytes_mapped(const struct trace *trace, int from, int to);

/* The mapping made in phases from..to that holds the address, or NULL. */
const struct trace_event *mapping_of(const struct trace *trace, int from, int to, uint64_t address);

/* The value that came with the mark of a phase (the first such mark); 0 for none. */
uint64_t marked(const struct trace *trace, int phase);

#endif /* OUTSIDE_LEVELS_H */
