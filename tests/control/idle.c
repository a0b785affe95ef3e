/*
 * idle - a million blocks of 16 to 527 bytes, all but one in so many freed, and no call from then on: what is resident
 * right after the last free, by the kernel's word, the array of pointers aside.
 *
 *     control_idle ONE_IN forwards|backwards|random MOST_MB [COUNT]
 */
#include "control.h"

#include <sys/mman.h>

int main(int argc, char **argv)
{
    CHECK(argc >= 4, "usage");
    uint32_t one_in = (uint32_t)atoi(argv[1]), count = argc > 4 ? (uint32_t)atoi(argv[4]) : 1000000;
    size_t most = (size_t)atoi(argv[3]) * 1000000, table = count * (sizeof(char *) + sizeof(uint32_t));
    uint64_t seed = 1;
    char **blocks = mmap(NULL, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(blocks != MAP_FAILED, "no memory");
    uint32_t *order = (uint32_t *)(void *)(blocks + count);

    for (uint32_t i = 0; i < count; i++) {
        size_t size = 16 + random_below(&seed, 512);
        blocks[i] = memset(malloc(size), 1, size);
        order[i] = argv[2][0] == 'b' ? count - 1 - i : i;
    }
    for (uint32_t i = count - 1; argv[2][0] == 'r' && i > 0; i--) {
        uint32_t k = random_below(&seed, i + 1), other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
    for (uint32_t i = 0; i < count; i++)
        if (order[i] % one_in)
            free(blocks[order[i]]);
    size_t resident = resident_bytes() - table;
    printf("1 in %u kept, freed %s: %zu bytes resident\n", one_in, argv[2], resident);
    CHECK(resident <= most, "%zu of at most %zu", resident, most);
    CHECK_SOUND();
    return 0;
}
