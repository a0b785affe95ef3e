/*
 * known.c - a program whose allocations are known: what profiles say of it can be judged.
 *
 *   known                  10 MB come and go by 200 bytes, 5 MB by 1,000 bytes stay, 6 blocks of 1 MB stay
 *   known dump FILE        the same, then fh_profile_dump(FILE), "ready", and it waits without allocating
 *   known threads          the same in 4 threads, each on its own
 *   known fork             the same in a child too
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

/* What follows a call keeps it from becoming a jump, which leaves no frame. */
#define KEEP_FRAME() __asm__ volatile("")

static __thread void *volatile last;

static NOINLINE void known_come_and_go(void)
{
    for (int i = 0; i < 50000; i++) {
        last = malloc(200);
        free(last);
    }
    KEEP_FRAME();
}

static NOINLINE void known_stay_small(void)
{
    for (int i = 0; i < 5000; i++) last = malloc(1000);
    KEEP_FRAME();
}

static NOINLINE void known_stay_large(void)
{
    for (int i = 0; i < 6; i++) last = malloc(1000000);
    KEEP_FRAME();
}

static NOINLINE void known_all(void)
{
    known_come_and_go();
    known_stay_small();
    known_stay_large();
    KEEP_FRAME();
}

static void *known_thread(void *nothing)
{
    known_all();
    return nothing;
}

static int run_threads(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, known_thread, NULL) != 0) return 1;
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    return 0;
}

static int dump_and_wait(const char *path)
{
    int (*dump)(const char *path) = (int (*)(const char *))dlsym(RTLD_DEFAULT, "fh_profile_dump");
    if (!dump || dump(path) != 0 || write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
    close(STDOUT_FILENO);
    for (;;) pause();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "threads") == 0) return run_threads();
    known_all();
    if (argc == 3 && strcmp(argv[1], "dump") == 0) return dump_and_wait(argv[2]);
    if (argc == 2 && strcmp(argv[1], "fork") == 0) {
        pid_t child = fork();
        if (child == 0) {
            known_all();
            exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}
