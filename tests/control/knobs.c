/*
 * knobs - each parameter of mallopt(3) does what its page says, by mallopt, by its MALLOC_*_ variable and by its
 * tunable; and setting one leaves what the library learns by itself as it is.
 *
 *   knobs                        all of them; runs itself for each
 *   knobs probe WHAT SET VALUE   WHAT with the parameter set by mallopt (SET: its number) or by the environment (0)
 */
#include "control.h"

#include <pthread.h>
#include <sys/wait.h>

enum { MIB = 1 << 20 };

static size_t large_blocks(void)
{
    return account().large_blocks;
}

static int mmap_threshold(void)
{
    size_t before = large_blocks();
    void *below = malloc(60000), *above = malloc(70000);
    int mapped = large_blocks() == before + 1;

    free(below);
    free(above);
    return mapped;
}

static int mmap_max(void)
{
    void *blocks[3] = {malloc(MIB), malloc(MIB), malloc(MIB)};
    int mapped = (int)large_blocks();

    for (int i = 0; i < 3; i++)
        free(blocks[i]);
    return mapped == 1;
}

/* How far the break is still up after 12 MiB of blocks have been freed again. */
static size_t break_left(void)
{
    enum { COUNT = 240 };
    static void *blocks[COUNT];
    char *start = sbrk(0);

    for (int i = 0; i < COUNT; i++)
        blocks[i] = memset(malloc(50000), 1, 50000);
    for (int i = COUNT; i-- > 0;)
        free(blocks[i]);
    return (size_t)((char *)sbrk(0) - start);
}

static int trim_threshold(void) { return break_left() >= 11u * MIB; }
static int top_pad(void) { size_t left = break_left(); return left >= 4u * MIB && left <= 11u * MIB; }

static void *hold(void *barrier)
{
    void *block = malloc(5000);
    pthread_barrier_wait(barrier);
    free(block);
    return NULL;
}

static int arena_max(void)
{
    pthread_t threads[8];
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, 9);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, hold, &barrier) == 0, "thread");
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    return account().heaps == 1;
}

static int perturb(void)
{
    unsigned char *block = malloc(2000);
    int filled = block[1000] == 0x5a;

    free(block);
    block = calloc(1, 2000);
    filled = filled && block[1000] == 0;
    free(block);
    return filled;
}

/* Blocks of a size that comes and goes are given by the heap after a while, since each mapping is a page fault. */
static int still_learns(void)
{
    void *blocks[8];

    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 8; i++)
            blocks[i] = malloc(200000);
        for (int i = 0; i < 8; i++)
            free(blocks[i]);
    }
    size_t before = large_blocks();
    blocks[0] = malloc(200000);
    int learned = large_blocks() == before;
    free(blocks[0]);
    return learned;
}

static const struct probe {
    const char *what;
    int (*holds)(void);
    int by_default; /* whether it holds when nothing is set: -1 where the machine decides */
} probes[] = {
    {"mmap_threshold", mmap_threshold, 0}, {"mmap_max", mmap_max, 0}, {"trim_threshold", trim_threshold, 0},
    {"top_pad", top_pad, 0},               {"arena_max", arena_max, -1}, {"perturb", perturb, 0},
    {"learns", still_learns, 1},
};

static int probe(const char *what, int parameter, int value)
{
    if (parameter != 0)
        CHECK(mallopt(parameter, value) == 1, "mallopt(%d, %d)", parameter, value);
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        if (strcmp(probes[i].what, what) == 0) {
            int holds = probes[i].holds();
            CHECK_SOUND();
            return holds ? 0 : 3;
        }
    return 2;
}

/* Whether WHAT holds in a process with this set. */
static int holds(const char *what, const char *setting, int parameter, int value)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        char number[16], amount[16];
        snprintf(number, sizeof number, "%d", parameter);
        snprintf(amount, sizeof amount, "%d", value);
        if (setting != NULL)
            putenv(strdup(setting));
        execl("/proc/self/exe", "knobs", "probe", what, number, amount, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "%s: status %#x", what, status);
    CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3, "%s: status %d", what, WEXITSTATUS(status));
    return WEXITSTATUS(status) == 0;
}

static const struct knob {
    int parameter, value;
    const char *what, *variable, *tunable; /* each with the same value */
} knobs[] = {
    {M_MMAP_THRESHOLD, 65536, "mmap_threshold", "MALLOC_MMAP_THRESHOLD_=65536",
     "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=65536"},
    {M_MMAP_MAX, 1, "mmap_max", "MALLOC_MMAP_MAX_=1", "GLIBC_TUNABLES=glibc.malloc.mmap_max=1"},
    {M_TRIM_THRESHOLD, 64 * MIB, "trim_threshold", "MALLOC_TRIM_THRESHOLD_=67108864",
     "GLIBC_TUNABLES=glibc.malloc.trim_threshold=67108864"},
    {M_TRIM_THRESHOLD, -1, "trim_threshold", "MALLOC_TRIM_THRESHOLD_=-1",
     "GLIBC_TUNABLES=glibc.malloc.trim_threshold=-1"},
    {M_TOP_PAD, 5 * MIB, "top_pad", "MALLOC_TOP_PAD_=5242880", "GLIBC_TUNABLES=glibc.malloc.top_pad=5242880"},
    {M_ARENA_MAX, 1, "arena_max", "MALLOC_ARENA_MAX=1", "GLIBC_TUNABLES=glibc.malloc.arena_max=1"},
    {M_PERTURB, 0xa5, "perturb", "MALLOC_PERTURB_=165", "GLIBC_TUNABLES=glibc.malloc.perturb=165"},
};

int main(int argc, char **argv)
{
    if (argc == 5)
        return probe(argv[2], atoi(argv[3]), atoi(argv[4]));
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        CHECK(probes[i].by_default < 0 || holds(probes[i].what, NULL, 0, 0) == probes[i].by_default,
              "%s, nothing set", probes[i].what);
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++) {
        const struct knob *knob = &knobs[i];
        CHECK(holds(knob->what, NULL, knob->parameter, knob->value), "%s by mallopt", knob->what);
        CHECK(holds(knob->what, knob->variable, 0, 0), "%s", knob->variable);
        CHECK(holds(knob->what, knob->tunable, 0, 0), "%s", knob->tunable);
        /* In glibc any of these ends all that is dynamic. Here only the threshold itself is as it was set. */
        if (knob->parameter != M_MMAP_THRESHOLD && knob->parameter != M_MMAP_MAX)
            CHECK(holds("learns", NULL, knob->parameter, knob->value), "%s ends learning", knob->what);
    }
    CHECK(holds("learns", NULL, M_MMAP_MAX, 60000), "M_MMAP_MAX ends learning");
    CHECK(!holds("learns", NULL, M_MMAP_THRESHOLD, 150000), "a threshold that was set moves");
    CHECK(mallopt(M_MXFAST, 80) == 1 && mallopt(M_MXFAST, 161) == 0, "M_MXFAST");
    CHECK(mallopt(M_CHECK_ACTION, 3) == 1 && mallopt(M_ARENA_TEST, 2) == 1, "accepted, without effect");
    CHECK(mallopt(M_MMAP_THRESHOLD, -1) == 0 && mallopt(M_MMAP_MAX, -1) == 0 && mallopt(12345, 1) == 0, "refused");
    return 0;
}
