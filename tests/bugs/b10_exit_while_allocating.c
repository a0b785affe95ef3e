/*
 * b10_exit_while_allocating - main returns while other threads allocate: exit handlers and destructors run beside them,
 * and the process ends with its status, neither killed nor stuck.
 * Arguments: number of processes (150; long 10,000).
 */
#include "bugs.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int running;
static int is_child;

static void *churn(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    void *blocks[100] = {NULL};

    atomic_fetch_add(&running, 1);
    for (;;) {
        size_t slot = bugs_random(&seed) % 100;

        free(blocks[slot]);
        blocks[slot] = malloc(bugs_random_size(&seed));
    }
    return NULL;
}

static void allocate(void)
{
    void *p = malloc(300);
    void *q = calloc(1, 3000);

    if (p == NULL || q == NULL)
        _exit(9);
    free(p);
    free(q);
}

__attribute__((destructor)) static void at_destruction(void)
{
    if (is_child)
        allocate();
}

static void child(long number)
{
    pthread_t thread;

    is_child = 1;
    alarm(60);
    CHECK(atexit(allocate) == 0);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&thread, NULL, churn, (void *)(i + 1 + (uintptr_t)number)) == 0);
    while (atomic_load(&running) < 3)
        allocate();
    exit(17);
}

int main(int argc, char **argv)
{
    long count = bugs_count(argc, argv, 150);

    bugs_start();
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0)
            child(i);
        status = bugs_wait(pid);
        CHECK_NUMBERS(status == 17, status, i);
    }
    bugs_sound();
    return 0;
}
