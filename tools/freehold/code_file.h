/*
 * code_file.h - one file of code, program or library: from a place in it to functions and lines.
 */
#ifndef FREEHOLD_TOOL_CODE_FILE_H
#define FREEHOLD_TOOL_CODE_FILE_H

#include "elf_file.h"
#include "symbols.h"

struct fh_code_file { /* all zero: a file that says nothing */
    struct fh_elf_load loads[FH_ELF_LOADS_MAX];
    size_t load_count;
    struct fh_dwarf *dwarf;
};

/* Takes over `fd`; `path` says where separate debug information may be. What cannot be read says nothing. */
void fh_code_file_open(struct fh_code_file *file, const char *path, int fd);
void fh_code_file_close(struct fh_code_file *file);

/*
 * Fills `sources` of the instruction at that offset in the file: the functions that it is in, the innermost inlined one
 * first; how many, at least 1. The module is the name of `path`. `most` is at least 1.
 */
size_t fh_code_file_find(const struct fh_code_file *file, const char *path, uint64_t in_file,
                         struct fh_source *sources, size_t most);

#endif
