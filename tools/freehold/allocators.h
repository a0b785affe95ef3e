/*
 * allocators.h - the table of known allocators: by which names and marks each is recognised.
 */
#ifndef FREEHOLD_TOOL_ALLOCATORS_H
#define FREEHOLD_TOOL_ALLOCATORS_H

#include "elf_file.h"

#include <stdbool.h>

enum { FH_ALLOCATOR_MARKS = 4, FH_VERSION_BYTES = 32 };

struct fh_allocator {
    const char *name;                        /* as its authors write it */
    bool is_libc;                            /* comes with the C library: the one that a program gets unasked */
    const char *files[FH_ALLOCATOR_MARKS];   /* how the names of its libraries begin */
    const char *symbols[FH_ALLOCATOR_MARKS]; /* of its own; one that ends in '*' is a beginning */
    const char *text;                        /* what its code says; for files without symbols */
    const char *version_after;               /* in the file, the version follows this text */
    bool takes_over;                         /* wherever it is loaded: it rewrites the program's code */
    bool version_in_name;                    /* libNAME.so.1.2.3 */
};

/* Which allocator is inside the file, by its symbols and by what it says; NULL for none of the table. */
const struct fh_allocator *fh_allocator_in_file(const struct fh_elf *elf, bool search_text);

/* Which allocator a library of that name is; NULL when the name says nothing. */
const struct fh_allocator *fh_allocator_by_file_name(const char *path);

/* The version of `allocator` in that file; empty when it cannot be known. `path` is the real name of the file. */
void fh_allocator_version(const struct fh_allocator *allocator, const struct fh_elf *elf, const char *path,
                          char version[FH_VERSION_BYTES]);

#endif
