/*
 * helper - FREEHOLD_HELPER=1: what a program leaves lying goes back though it calls nothing any more, in the child of a
 * fork too. The program uses its memory in quick periods first, so that frees give nothing back.
 */
#include "control.h"

#include <sys/wait.h>

enum { COUNT = 4000, SIZE = 8000, TIDES = 30, LEFT_BYTES = 6 << 20 };

static void use_and_leave(void)
{
    static char *blocks[COUNT];

    for (int tide = 0; tide < TIDES; tide++) {
        for (int i = 0; i < COUNT; i++)
            blocks[i] = memset(malloc(SIZE), 1, SIZE);
        for (int i = 0; i < COUNT; i++)
            if (tide < TIDES - 1 || i % 100)
                free(blocks[i]);
    }
}

static void wait_for_memory(const char *who)
{
    size_t before = resident_bytes(), seconds = 0;

    while (resident_bytes() > LEFT_BYTES + (COUNT / 100) * SIZE) { /* ctest's limit is for what hangs */
        sleep(1);
        seconds++;
    }
    printf("%s: %zu bytes after the last free, %zu after %zu s\n", who, before, resident_bytes(), seconds);
}

int main(void)
{
    use_and_leave();
    wait_for_memory("parent");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        use_and_leave();
        wait_for_memory("child");
        CHECK_SOUND();
        fflush(stdout);
        _exit(0);
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "child");
    CHECK_SOUND();
    return 0;
}
