/*
 * dwarf.h - debug information of one file: dwarf_libdw.c, or dwarf_none.c where libdw was not there to build with.
 */
#ifndef FREEHOLD_TOOL_DWARF_H
#define FREEHOLD_TOOL_DWARF_H

#include "symbols.h"

struct fh_dwarf;

/* `path` says where separate debug information may be; takes over `fd`. NULL when there is nothing to be learnt. */
struct fh_dwarf *fh_dwarf_open(const char *path, int fd);
void fh_dwarf_close(struct fh_dwarf *dwarf);

/* Fills function, file and line of the functions at that address of the file, innermost first; how many. */
size_t fh_dwarf_find(struct fh_dwarf *dwarf, uint64_t address, struct fh_source *sources, size_t most);

#endif
