/*
 * launch.c - putting a command in this process's place, with a library preloaded.
 */
#include "launch.h"

#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

bool fh_launch_preload(const char *library)
{
    const char *before = getenv("LD_PRELOAD");
    size_t room = strlen(library) + (before ? strlen(before) : 0) + 2;
    char *value = malloc(room);

    if (!value)
        return false;
    size_t used = (size_t)snprintf(value, room, "%s", library);
    for (const char *word = before ? before : ""; *word;) {
        size_t length = strcspn(word, ": ");
        if (length > 0 && !(length == strlen(library) && strncmp(word, library, length) == 0))
            used += (size_t)snprintf(value + used, room - used, ":%.*s", (int)length, word);
        word += length + (word[length] != '\0');
    }
    bool set = setenv("LD_PRELOAD", value, 1) == 0;
    free(value);
    return set;
}

int fh_launch_execute(const char *verb, const char *path, char **argv)
{
    execve(path, argv, environ);
    if (errno == ENOEXEC) {
        size_t count = 0;
        while (argv[count])
            count++;
        char **shell_argv = calloc(count + 2, sizeof(*shell_argv));
        if (shell_argv) {
            shell_argv[0] = (char *)"/bin/sh";
            shell_argv[1] = (char *)path;
            for (size_t i = 1; i < count; i++)
                shell_argv[i + 1] = argv[i];
            execve("/bin/sh", shell_argv, environ);
        }
        free(shell_argv);
    }
    int error = errno;
    fh_say(verb, "%s: cannot be executed: %s", path, strerror(error));
    return error == ENOENT ? FH_EXIT_NOT_FOUND : FH_EXIT_NOT_EXECUTABLE;
}
