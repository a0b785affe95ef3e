/*
 * b03_fork_threads_in_child - nested forks and threads: each child starts threads that allocate and free what they
 * inherited, forks while they run, and so on for several generations.
 *
 * The child abandons the state of the threads that it lost; its new threads adopt it. Doing that again and again must
 * neither lose nor double anything.
 * Arguments: number of runs (8; long 1,000).
 */
#include "b03_fork_load.h"

#define GENERATIONS 6

/* What one process of the line does beside the next one, which it has forked while its threads were running. */
static void finish(pid_t next, uint64_t seed)
{
    if (next > 0)
        CHECK(bugs_wait(next) == 0);
    atomic_store(&load_stop, 1);
    for (size_t i = 0; i < load_count; i++)
        CHECK(pthread_join(load_threads[i], NULL) == 0);
    load_child_allocates(seed);
    bugs_sound();
    _exit(0);
}

/* Each turn of the loop is run by the child of the process that ran the one before. */
static void generations(uint64_t seed)
{
    for (int depth = 0; depth < GENERATIONS; depth++) {
        pid_t next;

        load_watch("a generation of forks with threads hangs\n");
        load_count = 0; /* the threads of the parent are not here */
        load_add(load_churn, seed + 1);
        load_add(load_churn, seed + 2);
        for (int i = 0; i < 200; i++)
            load_step(&seed);
        next = fork();
        CHECK(next >= 0);
        if (next != 0)
            finish(next, seed);
    }
    load_count = 0;
    finish(0, seed);
}

int main(int argc, char **argv)
{
    long runs = bugs_count(argc, argv, 8);

    bugs_start();
    load_begin(2, 0, 0);
    for (long i = 0; i < runs; i++) {
        pid_t pid;

        load_watch("the parent hangs in fork\n");
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            generations((uint64_t)i * 977);
        CHECK(bugs_wait(pid) == 0);
    }
    load_end();
    bugs_sound();
    return 0;
}
