/*
 * processes.c - a process that forks and starts another program, for processes.sh.
 *
 *     processes                  forks; parent and child allocate; the child ends by _exit
 *     processes exec PROGRAM     replaces itself
 *     processes close            closes every descriptor, opens files of its own, and goes on
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void work(size_t size, int count)
{
    for (int i = 0; i < count; i++)
        free(malloc(size));
}

int main(int argc, char **argv)
{
    work(1001, 10);
    if (argc > 2 && strcmp(argv[1], "exec") == 0) {
        execl(argv[2], argv[2], (char *)NULL);
        return 127;
    }
    if (argc > 1 && strcmp(argv[1], "close") == 0) {
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        for (int fd = 3; fd < 300; fd++)
            open("/dev/null", O_WRONLY);
        work(1003, 100000);
        return 0;
    }
    void *inherited = malloc(1005);
    pid_t child = fork();
    if (child == 0) {
        free(inherited);
        work(1007, 20000);
        _exit(0);
    }
    work(1009, 30);
    free(inherited);
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}
