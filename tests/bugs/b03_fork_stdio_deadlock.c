/*
 * b03_fork_stdio_deadlock - forks from a process whose other threads allocate, free, getline, fflush(NULL), open
 * streams and beget threads must hang neither parent nor child.
 *
 * Every child allocates and frees blocks of every kind, frees blocks of threads that it does not have, and ends; some
 * also ask fh_check() whether the heap they woke up in is sound, create threads, or fork again.
 * Arguments: number of forks (60; long 100,000).
 */
#include "b03_fork_load.h"

static bugs_check_fn *check;

static void *thread_of_child(void *arg)
{
    load_child_allocates((uintptr_t)arg);
    return NULL;
}

static void child(long number)
{
    load_watch("a child hangs after fork\n");
    load_child_allocates((uint64_t)number);
    if (number % 16 == 1) {
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, thread_of_child, (void *)number) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    if (number % 16 == 2) {
        pid_t grandchild = fork();

        CHECK(grandchild >= 0);
        if (grandchild == 0) {
            load_watch("a grandchild hangs after fork\n");
            load_child_allocates((uint64_t)number + 1);
            _exit(0);
        }
        CHECK(bugs_wait(grandchild) == 0);
    }
    if (number % 4 == 0 && check != NULL)
        CHECK_NUMBERS(check(bugs_violation, NULL) == 0, number, 0);
    _exit(0);
}

int main(int argc, char **argv)
{
    long forks = bugs_count(argc, argv, 60);

    bugs_start();
    check = bugs_find_check();
    load_begin(2, 1, 1);
    for (long i = 0; i < forks; i++) {
        pid_t pid;
        int status;

        load_watch("the parent hangs in fork\n");
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            child(i);
        status = bugs_wait(pid);
        CHECK_NUMBERS(status == 0, i, status);
    }
    load_watch("the threads of the parent hang after the last fork\n");
    load_end();
    bugs_sound();
    return 0;
}
