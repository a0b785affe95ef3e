/*
 * helper_map.c - a heap of which is known what a map must show: 20,000 live blocks of 200 bytes, 20,000 more of which
 * all but one in 100 have been freed, two large blocks, and a thread with 1,000 blocks of its own. Says "ready" and
 * waits; on SIGUSR1 it frees the 20,000, makes a file "freed", and waits again.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 20000, BYTES = 200, ONE_IN = 100, LARGE = 1 << 20, OWN = 1000, OWN_BYTES = 64 };

static char *live[BLOCKS], *sparse[BLOCKS], *large[2], *own[OWN];

static void fill(char **blocks, int count, size_t bytes)
{
    for (int i = 0; i < count; i++) {
        blocks[i] = malloc(bytes);
        memset(blocks[i], 1, bytes);
    }
}

static void *work(void *arg)
{
    fill(own, OWN, OWN_BYTES);
    pthread_barrier_wait(arg);
    for (;;) pause();
    return NULL;
}

int main(void)
{
    pthread_barrier_t barrier;
    pthread_t thread;
    sigset_t wanted;
    int signal;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    fill(live, BLOCKS, BYTES);
    fill(sparse, BLOCKS, BYTES);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % ONE_IN) free(sparse[i]);
    }
    fill(large, 2, LARGE);
    pthread_barrier_init(&barrier, NULL, 2);
    if (pthread_create(&thread, NULL, work, &barrier) != 0) return 1;
    pthread_barrier_wait(&barrier);
    puts("ready");
    fflush(stdout);
    if (sigwait(&wanted, &signal) != 0) return 1;
    for (int i = 0; i < BLOCKS; i++) free(live[i]);
    close(open("freed", O_CREAT | O_WRONLY, 0600));
    for (;;) pause();
}
