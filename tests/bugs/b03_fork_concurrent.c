/*
 * b03_fork_concurrent - several threads fork at the same time, while others allocate; the children fork on.
 *
 * An allocator's fork state (who prepares, who is locked out) must cope with two forks in flight and with a fork from a
 * child whose only thread was not the main thread.
 * Arguments: number of forks of each thread (24; long 10,000).
 */
#include "b03_fork_load.h"

#define FORKERS 4

static long forks_each;
static bugs_check_fn *check;

static void *forker(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    for (long i = 0; i < forks_each; i++) {
        pid_t pid;
        int status;

        load_step(&seed);
        load_watch("forks of several threads hang\n");
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            load_watch("a child hangs after fork\n");
            load_child_allocates(seed);
            if (i % 4 == 0) {
                pid_t grandchild = fork();

                CHECK(grandchild >= 0);
                if (grandchild == 0) {
                    load_child_allocates(seed + 1);
                    _exit(check != NULL && check(bugs_violation, NULL) != 0);
                }
                CHECK(bugs_wait(grandchild) == 0);
            }
            _exit(0);
        }
        status = bugs_wait(pid);
        CHECK_NUMBERS(status == 0, i, status);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[FORKERS];

    bugs_start();
    forks_each = bugs_count(argc, argv, 24);
    check = bugs_find_check();
    load_begin(2, 1, 0);
    for (uintptr_t i = 0; i < FORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, forker, (void *)(i + 100)) == 0);
    for (size_t i = 0; i < FORKERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    load_end();
    bugs_sound();
    return 0;
}
