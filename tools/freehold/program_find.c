/*
 * program_find.c - from a command to a file, as execvp does it.
 */
#include "program.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0 when `path` is a file that may be executed, or the errno that execve would give. *there: the file can be seen. */
static int executable_error(const char *path, bool *there)
{
    struct stat about;
    *there = stat(path, &about) == 0;
    if (!*there)
        return errno;
    if (S_ISDIR(about.st_mode))
        return EISDIR;
    if (!S_ISREG(about.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int say_not_executable(const char *verb, const char *path, int error, bool there)
{
    if (error == EACCES && !there)
        fh_say(verb, "%s: permission denied; a directory above it is closed to you", path);
    else if (error == EISDIR)
        fh_say(verb, "%s: is a directory; name a program in it", path);
    else if (error == EACCES)
        fh_say(verb, "%s: not executable (permission denied); chmod +x makes it so", path);
    else
        fh_say(verb, "%s: %s", path, strerror(error));
    return FH_EXIT_NOT_EXECUTABLE;
}

/* The next directory of a PATH-like list goes to `directory`; an empty one means the current. False at the end. */
static bool next_directory(const char **list, char directory[PATH_MAX])
{
    if (!*list)
        return false;
    size_t length = strcspn(*list, ":");
    snprintf(directory, PATH_MAX, "%.*s", (int)(length < PATH_MAX ? length : 0), *list);
    if (directory[0] == '\0')
        strcpy(directory, ".");
    *list = (*list)[length] ? *list + length + 1 : NULL;
    return true;
}

int fh_program_find(const char *verb, const char *command, char path[PATH_MAX])
{
    if (strlen(command) >= PATH_MAX / 2) {
        fh_say(verb, "the name of the command is too long");
        return FH_EXIT_NOT_FOUND;
    }
    bool there;
    if (strchr(command, '/')) {
        strcpy(path, command);
        int error = executable_error(path, &there);
        if (error == 0)
            return 0;
        if (error != ENOENT && error != ENOTDIR)
            return say_not_executable(verb, path, error, there);
        fh_say(verb, "%s: no such file", command);
        return FH_EXIT_NOT_FOUND;
    }

    const char *list = getenv("PATH");
    char directory[PATH_MAX], refused[PATH_MAX] = "";
    if (!list)
        list = "/bin:/usr/bin"; /* what execvp takes then */
    while (*command && next_directory(&list, directory)) {
        char candidate[2 * PATH_MAX];
        int length = snprintf(candidate, sizeof(candidate), "%s/%s", directory, command);
        if (length < 0 || length >= PATH_MAX)
            continue;
        strcpy(path, candidate);
        int error = executable_error(path, &there);
        if (error == 0)
            return 0;
        if (error == EACCES && there && refused[0] == '\0')
            strcpy(refused, path);
    }
    if (refused[0])
        return say_not_executable(verb, refused, EACCES, true);
    fh_say(verb, "%s: not found in PATH; check the spelling, or give its path", *command ? command : "''");
    return FH_EXIT_NOT_FOUND;
}
