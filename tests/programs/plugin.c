/*
 * plugin.c - a plug-in that is linked with libfreehold, and the program that loads it (with -DHOST).
 *
 * host PLUGIN plain   the plug-in joins the process' malloc, whichever that is: blocks are handed over both ways
 * host PLUGIN deep    RTLD_DEEPBIND: the plug-in has freehold to itself, beside the malloc of the process
 */
#include "proof.h"
#include <pthread.h>

struct plugin {
    void *(*allocate)(size_t size);
    void (*release)(void *block);
    size_t (*alone)(void); /* works with blocks of its own, in threads too; returns their sum */
    int (*is_freehold)(void);
};

#ifndef HOST

static void *allocate(size_t size)
{
    return malloc(size);
}

static void release(void *block)
{
    free(block);
}

static void *in_thread(void *arg)
{
    size_t sum = 0, n = (size_t)arg;

    for (size_t i = 0; i < 3000; i++) {
        size_t size = i % 100 == 0 ? 150000 + i : i * n % 900 + 1;
        unsigned char *block = malloc(size);

        memset(block, 5, size);
        block = realloc(block, size + size / 2);
        sum += block[size - 1] + size;
        free(block);
    }
    return (void *)sum;
}

static size_t alone(void)
{
    size_t sum = (size_t)in_thread((void *)7);

    for (size_t n = 1; n <= 20; n++) {
        pthread_t thread;
        void *part;

        if (pthread_create(&thread, NULL, in_thread, (void *)n) != 0)
            return 0;
        pthread_join(thread, &part);
        sum += (size_t)part;
    }
    return sum;
}

static int is_freehold(void)
{
    void *block = malloc(100);
    struct proof_search search = { (uintptr_t)block, 100, 0 };

    fh_walk(proof_visit, &search);
    free(block);
    proof_of_soundness();
    return search.found;
}

__attribute__((visibility("default"))) const struct plugin plugin = { allocate, release, alone, is_freehold };

#else

#include <dlfcn.h>

int main(int count, char **arguments)
{
    int deep = count > 2 && strcmp(arguments[2], "deep") == 0;

    /* The loader makes the heap's acquaintance twice: blocks of the process exist before the plug-in, and after it. */
    void *before = malloc(1000);

    for (int round = 0; round < 3; round++) {
        void *library = dlopen(arguments[1], RTLD_NOW | (deep ? RTLD_DEEPBIND : 0));
        const struct plugin *plugin = library ? dlsym(library, "plugin") : NULL;
        void *block;

        if (plugin == NULL) {
            fprintf(stderr, "host: %s\n", dlerror());
            return 1;
        }
        if (round == 0)
            printf("freehold %d\n", plugin->is_freehold());
        printf("sum %zu\n", plugin->alone());
        block = plugin->allocate(300);
        memset(block, 1, 300);
        if (deep) {
            plugin->release(block);
            plugin->release(plugin->allocate(500000));
        } else {
            free(block);
            plugin->release(malloc(500000));
            plugin->release(malloc(50));
        }
        dlclose(library);
    }
    free(before);
    free(malloc(3000));
    return 0;
}

#endif
