/*
 * b04_namespaces - other mallocs in the same process: a plugin in a namespace of its own (dlmopen), a plugin whose
 * malloc is libc's (RTLD_DEEPBIND), and the library itself loaded a second time by dlmopen, and late by dlopen.
 *
 * glibc's malloc in the DEEPBIND case moves the same program break. Each side must keep its own blocks whole.
 * Arguments: path of the plugin, and of the library.
 */
#include "bugs.h"

#include <pthread.h>

static void *own[500];

static void own_churn(uint64_t *seed)
{
    for (int i = 0; i < 2000; i++) {
        size_t slot = bugs_random(seed) % 500;
        size_t n = bugs_random_size(seed);

        if (own[slot] != NULL)
            CHECK(*(size_t *)own[slot] == slot);
        free(own[slot]);
        own[slot] = malloc(n + sizeof slot);
        CHECK(own[slot] != NULL);
        memset(own[slot], 0x5e, n + sizeof slot);
        *(size_t *)own[slot] = slot;
    }
}

typedef int churn_fn(unsigned seed);
typedef int end_fn(void);

static void *find(void *handle, const char *name)
{
    void *address = dlsym(handle, name);

    CHECK(address != NULL);
    return address;
}

static void with_plugin(void *handle, uint64_t *seed)
{
    churn_fn *churn = NULL;
    end_fn *end = NULL;

    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&churn = find(handle, "plugin_churn");
    *(void **)&end = find(handle, "plugin_end");
    for (unsigned round = 0; round < 10; round++) {
        own_churn(seed);
        CHECK(churn(round) == 0);
        /* Their memory must not be taken for ours: end and begin anew, so that top chunks meet. */
        if (round % 3 == 2)
            CHECK(end() == 0);
        malloc_trim(0);
    }
    CHECK(end() == 0);
    bugs_sound();
    CHECK(dlclose(handle) == 0);
    own_churn(seed);
    bugs_sound();
}

typedef void *malloc_fn(size_t);
typedef void free_fn(void *);
static malloc_fn *their_malloc;
static free_fn *their_free;

static void *their_thread(void *arg)
{
    for (size_t i = 0; i < 3000; i++) {
        void *p = their_malloc(i * 7);
        void *q = malloc(i * 5);

        CHECK(p != NULL && q != NULL && p != q);
        memset(p, 1, i * 7);
        memset(q, 2, i * 5);
        CHECK(bugs_kept(p, i * 7, 1));
        their_free(p);
        free(q);
    }
    return arg;
}

/* A second copy of the library, alive beside the first; dlclose must not pull the code from under its threads. */
static void with_second_copy(void *handle, uint64_t *seed)
{
    pthread_t thread;
    void *their_address;
    Dl_info info;
    pid_t pid;

    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    their_address = find(handle, "malloc");
    *(void **)&their_malloc = their_address;
    *(void **)&their_free = find(handle, "free");
    own_churn(seed);
    /* One after the other: two owners of the break cannot move it at the same time, whatever they are. */
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_create(&thread, NULL, their_thread, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        their_thread(NULL);
    }
    own_churn(seed);
    dlclose(handle);
    /* Threads and blocks of it may exist: a malloc that lets itself be unloaded cannot work. */
    CHECK(dladdr(their_address, &info) != 0 && info.dli_sname != NULL);
    CHECK(pthread_create(&thread, NULL, their_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        their_thread(NULL);
        _exit(0);
    }
    CHECK(bugs_wait(pid) == 0);
    bugs_sound();
}

int main(int argc, char **argv)
{
    uint64_t seed = 5;

    bugs_start();
    CHECK(argc == 4);
    if (strcmp(argv[1], "dlmopen") == 0)
        with_plugin(dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW | RTLD_LOCAL), &seed);
    else if (strcmp(argv[1], "deepbind") == 0)
        with_plugin(dlopen(argv[2], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND), &seed);
    else if (strcmp(argv[1], "second_copy") == 0)
        with_second_copy(dlmopen(LM_ID_NEWLM, argv[3], RTLD_NOW | RTLD_LOCAL), &seed);
    else if (strcmp(argv[1], "late") == 0)
        with_second_copy(dlopen(argv[3], RTLD_NOW | RTLD_LOCAL), &seed);
    else
        CHECK(!"a known mode");
    for (size_t i = 0; i < 500; i++)
        free(own[i]);
    bugs_sound();
    return 0;
}
