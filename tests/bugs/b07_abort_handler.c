/*
 * b07_abort_handler - after a detected misuse a SIGABRT handler that allocates must not hang: no lock is held while
 * the process is told to abort.
 *
 * The handler allocates and frees blocks of every kind, waits until the other threads have got on as well, and either
 * ends the process or jumps out of the handler and goes on. Each misuse runs in a child.
 */
#include "bugs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <time.h>

static atomic_ulong progress;
static sigjmp_buf escape;
static int jumps;

static void churn(uint64_t *seed, int steps)
{
    void *blocks[50] = {NULL};

    for (int i = 0; i < steps; i++) {
        size_t slot = bugs_random(seed) % 50;

        free(blocks[slot]);
        blocks[slot] = malloc(bugs_random_size(seed));
        CHECK(blocks[slot] != NULL);
    }
    for (int i = 0; i < 50; i++)
        free(blocks[i]);
}

static void *other_thread(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    for (;;) {
        churn(&seed, 100);
        atomic_fetch_add(&progress, 1);
    }
    return NULL;
}

static void on_hang(int signal_number)
{
    (void)signal_number;
    (void)!write(2, "the SIGABRT handler hangs\n", 26);
    _exit(3);
}

static void on_abort(int signal_number)
{
    uint64_t seed = 1;
    unsigned long before = atomic_load(&progress);

    (void)signal_number;
    churn(&seed, 2000);
    while (atomic_load(&progress) < before + 5)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    if (jumps)
        siglongjmp(escape, 1);
    _exit(42);
}

static void twice(size_t n)
{
    void *p = malloc(n);
    void *q = malloc(n);

    CHECK(p != NULL && q != NULL);
    free(p);
    free(bugs_hide(p));
    free(q);
}

static void inside(size_t n)
{
    char *p = malloc(n);

    CHECK(p != NULL);
    free(bugs_hide(p + 32));
}

static void header(size_t n)
{
    char *p = malloc(n);
    char *q = malloc(n);

    CHECK(p != NULL && q != NULL);
    memset(bugs_hide(p - 8), 0x41, 8);
    free(p);
    free(q);
    for (int i = 0; i < 1000; i++)
        free(malloc(n));
}

static void never_ours(size_t n)
{
    static char storage[256] __attribute__((aligned(64)));

    (void)n;
    free(bugs_hide(storage + 64));
}

static const struct {
    void (*act)(size_t);
    size_t size;
    const char *name;
} misuses[] = {
    {twice, 40, "double free of a small block"},
    {twice, 5000, "double free of a medium block"},
    {twice, 200000, "double free of a large block"},
    {inside, 200, "free inside a small block"},
    {inside, 5000, "free inside a medium block"},
    {inside, 200000, "free inside a large block"},
    {header, 5000, "damaged header"},
    {never_ours, 0, "free of static storage"},
};

static void child(size_t number)
{
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_NODEFER};
    pthread_t thread;
    uint64_t seed = 3;
    int null_fd = open("/dev/null", O_WRONLY);

    dup2(null_fd, 2);
    CHECK(sigaction(SIGABRT, &action, NULL) == 0);
    signal(SIGALRM, on_hang);
    alarm(30);
    CHECK(pthread_create(&thread, NULL, other_thread, (void *)9) == 0);
    CHECK(pthread_create(&thread, NULL, other_thread, (void *)10) == 0);
    churn(&seed, 2000);
    if (sigsetjmp(escape, 1) == 0)
        misuses[number].act(misuses[number].size);
    else {
        churn(&seed, 20000);
        _exit(43);
    }
    _exit(44);
}

int main(void)
{
    bugs_start();
    for (jumps = 0; jumps < 2; jumps++)
        for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
            pid_t pid = fork();
            int status;

            CHECK(pid >= 0);
            if (pid == 0)
                child(i);
            status = bugs_wait(pid);
            if (status != 42 + jumps) {
                fprintf(stderr, "%s: %s: ended with %d, not %d (3: hang, 44: not detected, 1000+n: signal n)\n",
                        misuses[i].name, jumps ? "jump out of the handler" : "exit in the handler", status, 42 + jumps);
                return 1;
            }
        }
    return 0;
}
