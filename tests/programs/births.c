/*
 * births.c - births and deaths: threads and processes by the thousand, while other threads allocate.
 *
 * births       the whole of it: threads, forks, children that exec this program again
 * births leaf  what such a child runs: is malloc still WANTED's, and does it work?
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 1008, BATCH = 16, FORKS = 200, EXEC_EVERY = 6, CHURNERS = 1, MAY_GROW_KB = 8 << 10 };

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

/* malloc and free must be those of the library whose name holds $WANTED. */
static void whose_malloc(void)
{
    static const char *const names[] = { "malloc", "free", "calloc", "realloc", "posix_memalign" };
    const char *wanted = getenv("WANTED");

    for (size_t i = 0; wanted != NULL && i < sizeof names / sizeof names[0]; i++) {
        Dl_info info;
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);

        if (symbol == NULL || dladdr(symbol, &info) == 0 || strstr(info.dli_fname, wanted) == NULL) {
            fprintf(stderr, "births: %s is not of %s\n", names[i], wanted);
            _exit(3);
        }
    }
}

static unsigned next_random(unsigned *state)
{
    return (*state = *state * 1103515245u + 12345u) >> 8;
}

static void work(unsigned seed, int rounds)
{
    unsigned char *blocks[64] = { 0 };
    size_t sizes[64] = { 0 };

    for (int i = 0; i < rounds; i++) {
        unsigned r = next_random(&seed), slot = r % 64;

        for (size_t k = 0; k < sizes[slot]; k += 61)
            if (blocks[slot][k] != (unsigned char)sizes[slot])
                die("damaged block");
        free(blocks[slot]);
        sizes[slot] = r % 50 == 0 ? r % 200000 + 1 : r % 600 + 1;
        blocks[slot] = malloc(sizes[slot]);
        if (blocks[slot] == NULL)
            die("malloc");
        memset(blocks[slot], (int)sizes[slot], sizes[slot]);
    }
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
}

static pthread_key_t key;
static atomic_int ended;

/* Allocates in all four rounds of key destructors. */
static void at_thread_end(void *arg)
{
    uintptr_t *round = arg;
    uintptr_t next = *round + 1;

    free(round);
    if (next == 4) {
        atomic_fetch_add(&ended, 1);
        return;
    }
    round = malloc(sizeof *round);
    if (round == NULL || pthread_setspecific(key, round) != 0)
        die("pthread_setspecific");
    *round = next;
}

/* Leaves a block to whoever joins it. */
static void *short_life(void *arg)
{
    uintptr_t *round = calloc(1, sizeof *round), *left = malloc(100 + (uintptr_t)arg % 400);

    if (round == NULL || left == NULL || pthread_setspecific(key, round) != 0)
        die("thread");
    work((unsigned)(uintptr_t)arg, 40);
    *left = (uintptr_t)arg;
    return left;
}

static size_t resident_kb(void)
{
    char line[200];
    size_t kb = 0;
    FILE *status = fopen("/proc/self/status", "r");

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmRSS: %zu", &kb) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return kb;
}

static void thread_births(void)
{
    pthread_attr_t attributes;
    size_t early_kb = 0, late_kb;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (uintptr_t n = 0; n < THREADS; n += BATCH) {
        pthread_t threads[BATCH];

        for (uintptr_t i = 0; i < BATCH; i++)
            if (pthread_create(&threads[i], &attributes, short_life, (void *)(n + i)) != 0)
                die("pthread_create");
        for (uintptr_t i = 0; i < BATCH; i++) {
            void *left;

            pthread_join(threads[i], &left);
            if (*(uintptr_t *)left != n + i)
                die("a block left behind was damaged");
            free(left);
        }
        if (n == THREADS / 4)
            early_kb = resident_kb();
    }
    late_kb = resident_kb();
    if (late_kb > early_kb + MAY_GROW_KB)
        fprintf(stderr, "births: resident size grew from %zu to %zu KB\n", early_kb, late_kb);
    printf("threads: %d, ended in four rounds: %d, resident size %s\n", THREADS, atomic_load(&ended),
           late_kb <= early_kb + MAY_GROW_KB ? "flat" : "grows");
}

static atomic_int stop;

static void *churn(void *arg)
{
    while (!atomic_load(&stop))
        work((unsigned)(uintptr_t)arg, 200);
    return NULL;
}

/* Lets stdio's locks and the allocator's meet, as getline and fflush(NULL) in other threads do. */
static void *reads_lines(void *arg)
{
    char *line = NULL;
    size_t room = 0;

    (void)arg;
    while (!atomic_load(&stop)) {
        FILE *file = fopen("/proc/self/limits", "r");

        while (file != NULL && getline(&line, &room, file) > 0)
            ;
        if (file != NULL)
            fclose(file);
        fflush(NULL);
        free(line);
        line = NULL;
        room = 0;
    }
    return NULL;
}

static void *in_child(void *arg)
{
    work((unsigned)(uintptr_t)arg, 100);
    return NULL;
}

static void child(const char *self, unsigned n)
{
    pthread_t thread;

    work(n, 100);
    if (n % 3 == 0) {
        if (pthread_create(&thread, NULL, in_child, (void *)(uintptr_t)n) != 0)
            die("pthread_create in a child");
        pthread_join(thread, NULL);
    }
    if (n % EXEC_EVERY == 0) {
        execl(self, self, "leaf", (char *)NULL);
        die("execl");
    }
    if (n % 2 == 0)
        _exit(0);
    exit(0);
}

static void process_births(const char *self)
{
    pthread_t threads[CHURNERS + 1];
    unsigned sound = 0;

    for (uintptr_t i = 0; i <= CHURNERS; i++)
        if (pthread_create(&threads[i], NULL, i < CHURNERS ? churn : reads_lines, (void *)(i + 1)) != 0)
            die("pthread_create");
    fflush(stdout);
    for (unsigned n = 0; n < FORKS; n++) {
        int status = -1;
        pid_t pid = fork();

        if (pid < 0)
            die("fork");
        if (pid == 0)
            child(self, n);
        while (waitpid(pid, &status, 0) < 0)
            if (errno != EINTR)
                die("waitpid");
        sound += status == 0;
        if (status != 0)
            fprintf(stderr, "births: child %u: status %#x\n", n, (unsigned)status);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i <= CHURNERS; i++)
        pthread_join(threads[i], NULL);
    printf("forks: %u of %d children sound, every %dth through exec\n", sound, FORKS, EXEC_EVERY);
}

int main(int count, char **arguments)
{
    whose_malloc();
    if (count > 1 && strcmp(arguments[1], "leaf") == 0) {
        work(7, 300);
        return 0;
    }
    if (pthread_key_create(&key, at_thread_end) != 0)
        die("pthread_key_create");
    thread_births();
    process_births("/proc/self/exe");
    return 0;
}
