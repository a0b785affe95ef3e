/*
 * linked.c - a program for the linking tests: blocks of all sizes, the allocations that libc makes on its own account,
 * threads that free each other's blocks, and forks while threads allocate. Prints the same lines on any sound malloc.
 */
#include "proof.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>

enum { THREADS = 6, BLOCKS = 2000, FORKS = 10 };

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

static unsigned next_random(unsigned *state)
{
    return (*state = *state * 1103515245u + 12345u) >> 8;
}

static size_t some_size(unsigned *state)
{
    unsigned r = next_random(state);

    return r % 100 == 0 ? r % 300000 + 1 : r % 10 == 0 ? r % 9000 + 1 : r % 400 + 1;
}

/* What libc allocates by itself. */
static void by_libc(void)
{
    char *line = NULL, *text = NULL, *printed = NULL;
    size_t room = 0, length = 0;
    int lines = 0, *numbers = malloc(50000 * sizeof *numbers);
    FILE *stream = fopen("/proc/self/status", "r"), *memory = open_memstream(&text, &length);

    if (stream == NULL || memory == NULL || numbers == NULL)
        die("libc");
    while (getline(&line, &room, stream) > 0)
        lines++;
    fclose(stream);
    free(line);
    for (int i = 0; i < 5000; i++)
        fprintf(memory, "%d,", i * i);
    fclose(memory);
    if (asprintf(&printed, "%s|%s", text, strdup("the end")) < 0) /* the copy is meant to stay */
        die("asprintf");
    printf("libc: lines %s, %zu and %zu bytes\n", lines > 10 ? "read" : "missing", length, strlen(printed));
    free(printed);
    free(text);
    for (int i = 0; i < 50000; i++)
        numbers[i] = (int)((i * 7919u) % 50021u);
    free(realloc(numbers, 100000 * sizeof *numbers));
    setenv("A_NEW_VARIABLE", "its value", 1);
    printf("libc: %s\n", getenv("A_NEW_VARIABLE"));
}

struct block {
    struct block *next;
    size_t size;
    unsigned char bytes[];
};
static _Atomic(struct block *) handed_over;
static atomic_int stop;

static void *churn(void *arg)
{
    unsigned state = (unsigned)(uintptr_t)arg;

    while (!atomic_load(&stop)) {
        void *blocks[16];

        for (int i = 0; i < 16; i++)
            blocks[i] = malloc(some_size(&state));
        for (int i = 0; i < 16; i++)
            free(blocks[i]);
    }
    return NULL;
}

static void *produce(void *arg)
{
    unsigned state = (unsigned)(uintptr_t)arg;

    for (int i = 0; i < BLOCKS; i++) {
        size_t size = some_size(&state);
        struct block *block = malloc(sizeof *block + size);

        if (block == NULL)
            die("malloc");
        block->size = size;
        memset(block->bytes, (int)(size & 255), size);
        block->next = atomic_load(&handed_over);
        while (!atomic_compare_exchange_weak(&handed_over, &block->next, block))
            ;
    }
    return NULL;
}

/* Frees what the producers made, after a look at every byte; returns the sum of the sizes. */
static size_t consume(void)
{
    size_t sum = 0;

    for (struct block *block = atomic_exchange(&handed_over, NULL), *next; block != NULL; block = next) {
        next = block->next;
        for (size_t i = 0; i < block->size; i++)
            if (block->bytes[i] != (block->size & 255))
                die("damaged block");
        sum += block->size;
        free(block);
    }
    return sum;
}

static void in_threads(void *(*body)(void *), int forks)
{
    pthread_t threads[THREADS];
    int sound = 0;

    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, body, (void *)(i + 1)) != 0)
            die("pthread_create");
    for (int i = 0; i < forks; i++) {
        int status = -1;
        pid_t child = fork();

        if (child < 0)
            die("fork");
        if (child == 0) {
            unsigned state = (unsigned)i;
            void *blocks[300];

            for (int k = 0; k < 300; k++)
                blocks[k] = calloc(1, some_size(&state));
            for (int k = 0; k < 300; k++)
                free(blocks[k]);
            proof_of_malloc();
            proof_of_soundness();
            _exit(0);
        }
        if (waitpid(child, &status, 0) != child)
            die("waitpid");
        sound += status == 0;
        if (status != 0)
            fprintf(stderr, "child %d: status %#x\n", i, (unsigned)status);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (forks > 0)
        printf("forks: %d of %d children sound\n", sound, forks);
}

int main(void)
{
    proof_of_malloc();
    if (fh_version != NULL && strchr(fh_version(), '.') == NULL)
        die("fh_version");
    by_libc();
    in_threads(produce, 0);
    printf("threads: %zu bytes handed over\n", consume());
    atomic_store(&stop, 0);
    in_threads(churn, FORKS);
    errno = 0;
    if (malloc(PTRDIFF_MAX) == NULL && errno == ENOMEM)
        printf("refused: %s\n", strerror(errno));
    proof_of_malloc();
    proof_of_soundness();
    return 0;
}
