/*
 * b06_mlockall - in a process whose memory is locked MADV_DONTNEED fails with EINVAL, so pages that were to be given
 * back
 * keep their contents: calloc must not take them for zero.
 */
#include "bugs.h"

#include <sys/mman.h>

#define SLOTS 400

static unsigned char *slots[SLOTS];

int main(void)
{
    uint64_t seed = 21;

    bugs_start();
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        bugs_skip("mlockall is not permitted here");
    for (int i = 0; i < 60000; i++) {
        size_t slot = bugs_random(&seed) % SLOTS;
        size_t n = i % 20 == 0 ? bugs_random(&seed) % 400000 : bugs_random_size(&seed);

        free(slots[slot]);
        slots[slot] = calloc(1, n);
        CHECK_NUMBERS(slots[slot] != NULL, n, errno);
        CHECK_NUMBERS(bugs_kept(slots[slot], n, 0), n, i);
        memset(slots[slot], 0xdb, n);
        if (i % 2000 == 0) {
            for (size_t j = 0; j < SLOTS; j += 2) {
                free(slots[j]);
                slots[j] = NULL;
            }
            malloc_trim(0);
        }
    }
    for (size_t i = 0; i < SLOTS; i++)
        free(slots[i]);
    malloc_trim(0);
    for (size_t i = 0; i < SLOTS; i++) {
        slots[i] = calloc(1, i * 300);
        CHECK(slots[i] != NULL && bugs_kept(slots[i], i * 300, 0));
    }
    bugs_sound();
    return 0;
}
