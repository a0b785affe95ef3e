/*
 * resolution.h - which malloc a process uses: the first one in the order in which the loader searches its modules.
 */
#ifndef FREEHOLD_TOOL_RESOLUTION_H
#define FREEHOLD_TOOL_RESOLUTION_H

#include "allocators.h"
#include "process.h"

enum fh_arrival {
    FH_ARRIVAL_NONE,
    FH_ARRIVAL_STATIC,       /* linked into a program that the loader has no part in */
    FH_ARRIVAL_BUILT_IN,     /* defined by the program itself, which is searched before all libraries */
    FH_ARRIVAL_LD_PRELOAD,   /* by the environment variable */
    FH_ARRIVAL_PRELOAD_FILE, /* by /etc/ld.so.preload */
    FH_ARRIVAL_EARLY,        /* loaded before the C library, by means that have left no trace */
    FH_ARRIVAL_LINKED,       /* DT_NEEDED of the program or of a library */
    FH_ARRIVAL_LIBC,         /* the C library's own */
    FH_ARRIVAL_LATE          /* loaded while the program ran (dlopen): too late to be the malloc of the whole program */
};

/* One file with code in the process. */
struct fh_module {
    const char *path;
    uint64_t start;
    uint64_t memory_bytes; /* what the loader mapped from there on; 0: not known */
    char *soname; /* NULL for none */
    char **needed;
    size_t needed_count;
    bool readable;                        /* false: the file could not be opened; only its name is known */
    bool has_malloc;                      /* takes part in the search for malloc */
    const struct fh_allocator *allocator; /* NULL: none that is known */
    char version[FH_VERSION_BYTES];       /* empty when not known */
    enum fh_arrival arrival;
    char *through; /* the entry of LD_PRELOAD, or the path of the module that needs this one; NULL for none */
};

struct fh_resolution {
    pid_t pid;
    struct fh_module *modules; /* [0] is the executable */
    size_t module_count;
    const struct fh_module *used; /* NULL: no malloc found */
    char *missing;                /* an allocator that was to be preloaded and is not there; NULL for none */
    struct fh_mapped_file *files; /* backing of the paths */
    size_t file_count;
};

/* Returns 0, or FH_EXIT_FAILED when the reason has been printed. */
int fh_resolution_find(const char *verb, const struct fh_process *process, struct fh_resolution *resolution);
void fh_resolution_free(struct fh_resolution *resolution);

#endif
