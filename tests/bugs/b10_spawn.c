/*
 * b10_spawn - vfork and posix_spawn: the child shares the memory of its parent until it executes something, so a
 * malloc in
 * a vfork child works on the parent's heap, which must be whole afterwards. system() and popen() likewise.
 */
#include "bugs.h"

#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

extern char **environ;
static atomic_int stop;

static void *churn(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    while (!atomic_load(&stop)) {
        void *p = malloc(bugs_random_size(&seed));

        CHECK(p != NULL);
        free(p);
    }
    return NULL;
}

static void by_vfork(void)
{
    static void *volatile from_child[20];
    static const size_t sizes[] = {10, 100, 500, 5000, 200000};
    pid_t pid = vfork();

    CHECK(pid >= 0);
    if (pid == 0) {
        for (size_t i = 0; i < 20; i++) {
            from_child[i] = malloc(sizes[i % 5]);
            if (from_child[i] == NULL)
                _exit(9);
            *(volatile char *)from_child[i] = (char)i;
        }
        for (size_t i = 0; i < 20; i += 2) {
            free(from_child[i]);
            from_child[i] = NULL;
        }
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    CHECK(bugs_wait(pid) == 0);
    for (size_t i = 0; i < 20; i++) {
        CHECK(from_child[i] == NULL || *(char *)from_child[i] == (char)i);
        free(from_child[i]);
    }
}

static void by_spawn(void)
{
    char *const arguments[] = {(char *)"true", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;

    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) == 0);
    CHECK(posix_spawnattr_init(&attributes) == 0);
    CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP) == 0);
    CHECK(posix_spawnp(&pid, "true", &actions, &attributes, arguments, environ) == 0);
    CHECK(bugs_wait(pid) == 0);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}

static void by_shell(void)
{
    char text[16] = "";
    FILE *stream;

    CHECK(system("exit 5") == 5 << 8);
    stream = popen("echo spoken", "r");
    CHECK(stream != NULL && fgets(text, sizeof text, stream) != NULL && strcmp(text, "spoken\n") == 0);
    CHECK(pclose(stream) == 0);
}

int main(void)
{
    pthread_t threads[2];

    bugs_start();
    for (int i = 0; i < 20; i++)
        by_vfork();
    bugs_sound();
    for (uintptr_t i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    for (int i = 0; i < 100; i++) {
        by_vfork();
        by_spawn();
        if (i % 5 == 0)
            by_shell();
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    bugs_sound();
    return 0;
}
