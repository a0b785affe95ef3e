/*
 * program.h - the command that is to be run: which file it is, and whether a library can be preloaded into it.
 */
#ifndef FREEHOLD_TOOL_PROGRAM_H
#define FREEHOLD_TOOL_PROGRAM_H

#include "library.h"

#include <limits.h>

/*
 * The file that execvp would execute for `command`. Returns 0, or FH_EXIT_NOT_FOUND or FH_EXIT_NOT_EXECUTABLE when the
 * reason has been printed.
 */
int fh_program_find(const char *verb, const char *command, char path[PATH_MAX]);

/*
 * Whether the library would be loaded into the program at `path`, or into the interpreter of the script that it is.
 * Returns 0, or the exit status to end with when the reason, and what can be done, has been printed.
 */
int fh_program_check(const char *verb, const char *path, const struct fh_library *library);

#endif
