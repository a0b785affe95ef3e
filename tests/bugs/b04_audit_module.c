/*
 * b04_audit_module - an LD_AUDIT module that allocates whenever the loader calls it. It lives in a namespace of its own
 * with a libc of its own, whose malloc shares the process with the one that is tested.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>
#include <string.h>

static void *kept[64];
static unsigned calls;

static void churn(void)
{
    unsigned i = calls++ % 64;

    free(kept[i]);
    kept[i] = malloc(16 + calls * 37 % 300000);
    if (kept[i] != NULL)
        memset(kept[i], 0xaa, 16);
}

unsigned la_version(unsigned version)
{
    churn();
    return version < LAV_CURRENT ? version : LAV_CURRENT;
}

unsigned la_objopen(struct link_map *map, Lmid_t namespace_id, uintptr_t *cookie)
{
    (void)map;
    (void)namespace_id;
    (void)cookie;
    churn();
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

void la_activity(uintptr_t *cookie, unsigned flag)
{
    (void)cookie;
    (void)flag;
    churn();
}
