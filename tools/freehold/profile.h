/*
 * profile.h - a sampled profile: of each call stack what it has allocated and what of it lives, as estimated. Read from
 * a running process, from a snapshot or core of one, or from a file that the library wrote.
 */
#ifndef FREEHOLD_TOOL_PROFILE_H
#define FREEHOLD_TOOL_PROFILE_H

#include "build_id.h"
#include "symbols.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* In the order of pprof's sample types. */
enum fh_profile_value { FH_ALLOC_OBJECTS, FH_ALLOC_SPACE, FH_INUSE_OBJECTS, FH_INUSE_SPACE, FH_PROFILE_VALUES };
extern const char *const fh_profile_value_names[FH_PROFILE_VALUES]; /* "alloc_objects" ... */

struct fh_profile_stack {
    uint64_t values[FH_PROFILE_VALUES];
    uint64_t *frames; /* the caller of the allocation function first; addresses within the call */
    size_t depth;
};

struct fh_profile_mapping { /* of code */
    uint64_t start, limit, offset;
    char *path;
    char build_id[FH_BUILD_ID_TEXT]; /* hexadecimal; empty: none */
};

struct fh_profile {
    struct fh_profile_stack *stacks;
    size_t stack_count;
    struct fh_profile_mapping *mappings;
    size_t mapping_count;
    uint64_t interval_bytes, started_unix_ns, duration_ns;
    uint64_t lost;      /* samples for which there was no room: the values are too low */
    uint64_t truncated; /* stacks that may go on */
    pid_t pid;          /* of the process whose heap was read; 0: the process wrote it, at its end or when it said so */
    bool is_running;    /* the process can be asked for its files; of a snapshot or core it cannot */
    char name[64];      /* of the process, or the file */
};

/* A file in pprof's format, not compressed. 0, or an exit status when the reason has been printed. */
int fh_profile_read_file(const char *verb, const char *path, struct fh_profile *profile);
/* The tables of a running process, or of one as a snapshot or core has it. */
int fh_profile_read_image(const char *verb, const char *word, struct fh_profile *profile);
void fh_profile_free(struct fh_profile *profile);

/* By a value, the largest first. */
void fh_profile_sort(struct fh_profile *profile, enum fh_profile_value by);
uint64_t fh_profile_total(const struct fh_profile *profile, enum fh_profile_value value);

/* Functions and lines of addresses in a profile, from the files of its mappings; only of those whose build id is that
 * of the mapping. NULL without memory. */
struct fh_profile_names;
struct fh_profile_names *fh_profile_names_open(const struct fh_profile *profile);
void fh_profile_names_close(struct fh_profile_names *names);
enum { FH_INLINED_MOST = 16 };
/* The functions that the instruction is in, the innermost inlined one first: how many, at least 1. */
size_t fh_profile_names_find(struct fh_profile_names *names, uint64_t address,
                             struct fh_source sources[FH_INLINED_MOST]);

/* The file of a mapping; -1 when it cannot be had. */
int fh_profile_open_mapping(const struct fh_profile *profile, const struct fh_profile_mapping *mapping);

/* The profile with names in pprof's format, not compressed; false when `file` did not take it. */
bool fh_profile_write_pprof(const struct fh_profile *profile, struct fh_profile_names *names, FILE *file);

/* To stdout: "main;load;parse 12345", a line for each stack. */
void fh_profile_print_collapsed(const struct fh_profile *profile, struct fh_profile_names *names,
                                enum fh_profile_value value);
void fh_profile_print_json(const struct fh_profile *profile, struct fh_profile_names *names);
/* For people: the `most` first stacks; with `not_freed` only what lives. */
void fh_profile_print_text(const struct fh_profile *profile, struct fh_profile_names *names, size_t most,
                           bool not_freed);

#endif
