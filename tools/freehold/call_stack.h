/*
 * call_stack.h - the call stack that a block came from, as functions and lines: what every verb that names one shows.
 */
#ifndef FREEHOLD_TOOL_CALL_STACK_H
#define FREEHOLD_TOOL_CALL_STACK_H

#include "sites.h"
#include "symbols.h"

enum { FH_SOURCES_MOST = 96, FH_ALL_CALLERS = FH_SOURCES_MOST };

struct fh_call_stack {
    struct fh_source sources[FH_SOURCES_MOST]; /* inlined functions too, the innermost first */
    size_t count;
    size_t own;     /* the one to name: the first that neither wraps malloc nor is the plumbing of a container */
    bool truncated; /* there was more */
};

/* At least `callers` of the callers of the own one are found, if there are so many: names cost time. `sites` and
 * `symbols` may be NULL and `stack` 0: then there are no sources. */
void fh_call_stack_read(struct fh_sites *sites, struct fh_symbols *symbols, uint32_t stack, size_t callers,
                        struct fh_call_stack *read);

/* "f() at x.c:3", the own one; "an unknown place" when there are no sources. */
void fh_call_stack_place(struct fh_sites *sites, struct fh_symbols *symbols, uint32_t stack, char *text, size_t room);

/* Lines of 80 columns, indented by 6: the own one, and by which it was called, at most `callers` of them. */
void fh_call_stack_print(const struct fh_call_stack *read, size_t callers);
/* The members "own", "truncated" and "stack" of a JSON object, without its braces. */
void fh_call_stack_json(struct fh_sites *sites, struct fh_symbols *symbols, uint32_t stack);

#endif
