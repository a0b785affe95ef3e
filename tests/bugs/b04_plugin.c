/*
 * b04_plugin - a shared object that allocates and frees for itself; the b04 programs load it in other namespaces and
 * with RTLD_DEEPBIND. Its destructor and its constructor allocate, too.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 200

static unsigned char *kept[KEPT];
static __thread void *per_thread;

int plugin_churn(unsigned seed);
int plugin_end(void);

/* Returns 0 when every block kept its contents. */
int plugin_churn(unsigned seed)
{
    for (unsigned i = 0; i < 2000; i++) {
        unsigned slot = (seed = seed * 1103515245u + 12345u) / 65536 % KEPT;
        size_t n = 1 + seed / 7 % (i % 50 == 0 ? 300000 : 3000);

        if (kept[slot] != NULL && kept[slot][0] != (unsigned char)slot)
            return 1;
        free(kept[slot]);
        kept[slot] = malloc(n);
        if (kept[slot] == NULL)
            return 2;
        memset(kept[slot], (int)slot, n);
    }
    free(per_thread);
    per_thread = malloc(99);
    return per_thread == NULL ? 3 : 0;
}

int plugin_end(void)
{
    for (unsigned i = 0; i < KEPT; i++) {
        free(kept[i]);
        kept[i] = NULL;
    }
    free(per_thread);
    per_thread = NULL;
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    kept[0] = calloc(1, 5000);
}

__attribute__((destructor)) static void end(void)
{
    plugin_end();
}
