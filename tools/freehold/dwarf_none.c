/*
 * dwarf_none.c - stands for dwarf_libdw.c in a build without libdw: nothing is known but modules and offsets.
 */
#include "dwarf.h"

#include <unistd.h>

struct fh_dwarf *fh_dwarf_open(const char *path, int fd)
{
    (void)path;
    close(fd);
    return NULL;
}

void fh_dwarf_close(struct fh_dwarf *dwarf) { (void)dwarf; }

size_t fh_dwarf_find(struct fh_dwarf *dwarf, uint64_t address, struct fh_source *sources, size_t most)
{
    (void)dwarf, (void)address, (void)sources, (void)most;
    return 0;
}
