/*
 * helper_sleep.c - a process to be looked at: does what its arguments say, says "ready", and waits for a signal.
 *
 *   --name NAME     its name from now on          --dlopen FILE   loads a library late
 *   --overwrite     writes over its environment   --undumpable    closes itself to others, as setuid programs are
 *   --zombie        has a child that is a zombie, and says its id instead of "ready"
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void overwrite_environment(void)
{
    for (char **entry = environ; *entry; entry++)
        memset(*entry, 0, strlen(*entry));
}

static pid_t make_zombie(void)
{
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    return child;
}

int main(int argc, char **argv)
{
    pid_t zombie = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--overwrite") == 0)
            overwrite_environment();
        else if (strcmp(argv[i], "--undumpable") == 0)
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        else if (strcmp(argv[i], "--zombie") == 0)
            zombie = make_zombie();
        else if (strcmp(argv[i], "--name") == 0 && argv[i + 1])
            prctl(PR_SET_NAME, argv[++i], 0, 0, 0);
#ifndef HELPER_STATIC
        else if (strcmp(argv[i], "--dlopen") == 0 && argv[i + 1]) {
            if (!dlopen(argv[++i], RTLD_NOW))
                printf("%s\n", dlerror());
        }
#endif
        else
            return 2;
    }
    if (zombie)
        printf("%ld\n", (long)zombie);
    else
        puts("ready");
    fclose(stdout);
    char *volatile block = malloc(100); /* volatile: it must not be optimised away, a static link would go without it */
    free(block);
    for (;;)
        pause();
}
