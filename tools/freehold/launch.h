/*
 * launch.h - putting a command in this process's place, with a library preloaded.
 */
#ifndef FREEHOLD_TOOL_LAUNCH_H
#define FREEHOLD_TOOL_LAUNCH_H

#include <stdbool.h>

/*
 * Sets LD_PRELOAD. The library goes first, so that its malloc is found before one that the user preloads; what the user
 * preloads stays, and a second mention of the library does not. False, and errno, if that fails.
 */
bool fh_launch_preload(const char *library);

/* execv, and the shell for a file without #! line, as execvp does. Returns an exit status only when it fails, after a
 * message. */
int fh_launch_execute(const char *verb, const char *path, char **argv);

#endif
