/*
 * library.h - finding libfreehold.so and what it was built for.
 */
#ifndef FREEHOLD_TOOL_LIBRARY_H
#define FREEHOLD_TOOL_LIBRARY_H

#include "elf_file.h"

#include <limits.h>

enum fh_libc { FH_LIBC_UNKNOWN, FH_LIBC_GLIBC, FH_LIBC_MUSL };

struct fh_library {
    char preload[PATH_MAX]; /* what LD_PRELOAD gets: an absolute path, or the bare SONAME */
    struct fh_elf elf;      /* its headers; closed */
    enum fh_libc libc;
};

/*
 * Looks, in this order, at FREEHOLD_LIBRARY, beside this program (the build tree), where the installation puts
 * libraries as seen from this program, and where the loader looks. Returns 0, or FH_EXIT_REFUSED when the reason has
 * been printed.
 */
int fh_library_find(const char *verb, struct fh_library *library);

/* "glibc" or "musl libc", for messages. */
const char *fh_libc_name(enum fh_libc libc);

#endif
