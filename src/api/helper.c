/*
 * helper.c - the thread that looks once a second whether the program has left memory lying; only where it was asked
 * for, since programs that call unshare(2) or setns(2) must have one thread alone.
 *
 * Layer: api.
 */
#define _GNU_SOURCE 1
#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "api.h"
#include "core.h"
#include "options.h"
#include "os.h"

enum { PERIOD_US = 1000 * 1000, STACK_BYTES = 128 << 10 };

static void *help(void *unused)
{
    (void)unused;
    for (;;) {
        fh_os_pause_us(PERIOD_US);
        fh_core_look_for_idle();
    }
    return NULL;
}

static void complain(void)
{
    static const char line[] = "freehold: FREEHOLD_HELPER: no thread can be started; memory goes back at frees only\n";
    fh_os_complain(line, sizeof line - 1);
}

void fh_helper_start(void)
{
    if (!fh_options.helper) return;
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_attr_init(&attributes) != 0) {
        complain();
        return;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the program's signals are not for this thread */
    if (pthread_create(&thread, &attributes, help, NULL) == 0) pthread_setname_np(thread, "freehold");
    else complain();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}
