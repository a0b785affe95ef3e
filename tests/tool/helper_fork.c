/*
 * helper_fork.c - a process with a child, both of which use the heap and end by exit: to see whose report is written.
 * Prints the two process ids. With arguments the child executes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void use_heap(void)
{
    char *volatile block = malloc(1000);
    if (!block)
        abort();
}

int main(int argc, char **argv)
{
    (void)argc;
    use_heap();
    pid_t child = fork();
    if (child == 0) {
        if (argv[1])
            execvp(argv[1], argv + 1);
        use_heap();
        exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child)
        return 1;
    printf("%ld %ld\n", (long)getpid(), (long)child);
    return 0;
}
