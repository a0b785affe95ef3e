/*
 * probability - how often damage is noticed: thousands of trials of each kind with random bytes, each in a child.
 *
 * A damaged link or header that happens to look right is not noticed; the rate of that is what is measured. Each
 * trial ends with the line and SIGABRT (noticed), with another signal (crashed), or well (missed). A whole word of
 * random bytes must be noticed in all but one of a thousand trials; what becomes of one or two bytes is printed.
 * Argument: number of trials of each kind (150, of which none may be missed; long 10,000).
 */
#include "misuse.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static uint64_t seed;

static uint32_t draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

/* Overwrites `count` bytes at a random place within the first `range` bytes, each with another value than it had. */
static void damage(void *place, size_t range, size_t count)
{
    unsigned char *bytes = hide(place);
    size_t at = range > count ? draw() % (range - count + 1) : 0;

    for (size_t i = 0; i < count; i++)
        bytes[at + i] = (unsigned char)(bytes[at + i] + 1 + draw() % 255);
}

static void link_of(size_t size, size_t range, size_t count)
{
    void *a = get(size);
    void *wall = get(size);
    void *b = get(size);
    void *end = get(size);

    release(a);
    release(b);
    damage(b, range, count);
    take_many(size, 3000);
    release(wall);
    release(end);
}

static void header_of(size_t size, size_t range, size_t count)
{
    char *p = get(size);

    damage(p - 8, range, count);
    release(hide(p));
}

static const struct {
    const char *name;
    void (*act)(size_t size, size_t range, size_t count);
    size_t size;
    size_t range;
    size_t count;
    int least_noticed_of_1000;
} kinds[] = {
    {"small, link overwritten", link_of, SMALL, 8, 8, 999},
    {"small, mark overwritten", link_of, SMALL, 16, 16, 999},
    {"medium, link overwritten", link_of, MEDIUM, 8, 8, 999},
    {"medium, header overwritten", header_of, MEDIUM, 8, 8, 999},
    {"medium, half of the header", header_of, MEDIUM, 8, 4, 999},
    {"medium, one byte of the header", header_of, MEDIUM, 8, 1, 999},
    {"large, header overwritten", header_of, LARGE, 8, 8, 999},
    {"small, one byte of link or mark", link_of, SMALL, 16, 1, 0},
    {"small, two bytes of link or mark", link_of, SMALL, 16, 2, 0},
    {"medium, one byte of link or mark", link_of, MEDIUM, 16, 1, 0},
};

static int trial(size_t kind, long number)
{
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        _exit(45);
    if (pid == 0) {
        seed = (uint64_t)number * 2654435761u + kind;
        dup2(open("/dev/null", O_WRONLY), 2);
        kinds[kind].act(kinds[kind].size, kinds[kind].range, kinds[kind].count);
        _exit(44);
    }
    waitpid(pid, &status, 0);
    return status;
}

int main(int argc, char **argv)
{
    long trials = argc > 1 ? strtol(argv[1], NULL, 10) : 150;
    int failed = 0;

    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        long noticed = 0;
        long crashed = 0;

        for (long i = 0; i < trials; i++) {
            int status = trial(kind, i);

            noticed += WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
            crashed += WIFSIGNALED(status) && WTERMSIG(status) != SIGABRT;
        }
        printf("%-34s %ld trials: %ld noticed, %ld crashed, %ld missed\n", kinds[kind].name, trials, noticed, crashed,
               trials - noticed - crashed);
        failed |= noticed * 1000 < trials * kinds[kind].least_noticed_of_1000;
    }
    return failed;
}
