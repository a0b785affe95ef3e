/*
 * b10_cancellation - no function of the malloc family is a cancellation point: a thread with a cancellation pending
 * passes through all of them, also where they go to the kernel, and ends at the first real cancellation point.
 */
#include "bugs.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int through;

static void *body(void *arg)
{
    static _Thread_local void *blocks[500];
    uint64_t seed = 12;

    CHECK(pthread_cancel(pthread_self()) == 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 500; i++) {
            size_t n = bugs_random_size(&seed);

            blocks[i] = i % 2 ? malloc(n) : calloc(1, n);
            CHECK(blocks[i] != NULL);
            if (i % 3 == 0)
                blocks[i] = realloc(blocks[i], n + 20000);
            if (i % 7 == 0) {
                free(blocks[i]);
                blocks[i] = memalign(8192, n);
            }
        }
        free(malloc(4u << 20));
        for (int i = 0; i < 500; i++)
            free(blocks[i]);
        malloc_trim(0);
        (void)mallinfo2();
    }
    /* At the limit, too. */
    errno = 0;
    CHECK(malloc(bugs_hide_size(SIZE_MAX / 4)) == NULL && errno == ENOMEM);
    atomic_store(&through, 1);
    pthread_testcancel();
    return arg;
}

int main(void)
{
    bugs_start();
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *result = NULL;

        atomic_store(&through, 0);
        CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(atomic_load(&through) == 1);
        CHECK(result == PTHREAD_CANCELED);
    }
    bugs_sound();
    return 0;
}
