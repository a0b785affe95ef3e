/*
 * model.c - the program: options, what to say when something fails, the run, and the end of it.
 *
 *     model [--seed S] [--ops N] [--threads T] [--lockstep] [--interval N] [--births N] [--forks N] [--mallopt]
 *           [--refusals N] [--no-break] [--address-space BYTES] [--fixed-addresses] [--digest]
 *
 * The same options give the same operations; with one thread or in lockstep also the same answers, and with fixed
 * addresses the same addresses.
 */
#define _GNU_SOURCE 1
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#include "calls.h"
#include "freehold.h"
#include "model.h"

struct options options = {.seed = 1, .operations = 1000000, .interval = 20000, .threads = 1};
struct worker workers[WORKERS_MOST];
struct ring rings[WORKERS_MOST][WORKERS_MOST];

static char again[512]; /* the command that repeats this run */

static void say(const char *text)
{
    if (write(2, text, strlen(text)) < 0) return; /* nothing more can be done */
}

void failed(const struct worker *worker, const char *format, ...)
{
    char line[512], head[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    snprintf(head, sizeof head, "model: FAILED at operation %llu of worker %d%s: ",
             worker ? (unsigned long long)worker->operations : 0ULL, worker ? (int)worker->number : -1,
             worker && worker->in_child ? ", in a forked child" : "");
    say(head);
    say(line);
    say("\n");
    abort();
}

/* The allocator has stopped the program, or worse. */
static void on_signal(int signal)
{
    static const char *const names[] = {[SIGABRT] = "SIGABRT", [SIGSEGV] = "SIGSEGV", [SIGBUS] = "SIGBUS",
                                        [SIGILL] = "SIGILL",   [SIGTRAP] = "SIGTRAP", [SIGALRM] = "SIGALRM"};
    say("model: ");
    say(names[signal]);
    say("; the same again: ");
    say(again);
    say("\n");
    raise(signal);
}

static void install_handlers(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGALRM};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) sigaction(signals[i], &action, NULL);
}

static void usage(const char *program, const char *what)
{
    fprintf(stderr, "%s: %s\nsee the first lines of tests/model/model.c\n", program, what);
    exit(2);
}

static uint64_t number_of(char **arguments, const char *program)
{
    char *end = NULL;
    uint64_t number = arguments[1] ? strtoull(arguments[1], &end, 0) : 0;
    if (!arguments[1] || *end || end == arguments[1]) usage(program, arguments[0]);
    return number;
}

/* Addresses that do not differ from run to run: the kernel gives those only to a program that starts so. */
static void fix_addresses(char **arguments)
{
    int now = personality(0xffffffff);
    if (now == -1 || (now & ADDR_NO_RANDOMIZE)) return;
    if (personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1) execv("/proc/self/exe", arguments);
}

static bool parse(int count, char **arguments)
{
    static const struct {
        const char *name;
        uint64_t *wide;
        uint32_t *narrow;
        bool *flag;
    } known[] = {
        {"--seed", &options.seed, NULL, NULL},         {"--ops", &options.operations, NULL, NULL},
        {"--interval", &options.interval, NULL, NULL}, {"--address-space", &options.address_space, NULL, NULL},
        {"--threads", NULL, &options.threads, NULL},   {"--births", NULL, &options.births, NULL},
        {"--forks", NULL, &options.forks, NULL},       {"--refusals", NULL, &options.refusals, NULL},
        {"--lockstep", NULL, NULL, &options.lockstep}, {"--mallopt", NULL, NULL, &options.options_change},
        {"--no-break", NULL, NULL, &options.no_break},
    };
    bool digest = false;
    for (int i = 0; i < count; i++) {
        if (strlen(again) + strlen(arguments[i]) + 2 > sizeof again) usage(arguments[0], "too long");
        strcat(again, arguments[i]);
        strcat(again, " ");
    }
    for (int i = 1; i < count; i++) {
        size_t k = 0, all = sizeof known / sizeof known[0];
        if (!strcmp(arguments[i], "--digest") || !strcmp(arguments[i], "--fixed-addresses")) {
            digest |= !strcmp(arguments[i], "--digest");
            continue;
        }
        while (k < all && strcmp(arguments[i], known[k].name)) k++;
        if (k == all) usage(arguments[0], arguments[i]);
        if (known[k].flag) *known[k].flag = true;
        else if (known[k].wide) *known[k].wide = number_of(arguments + i, arguments[0]);
        else *known[k].narrow = (uint32_t)number_of(arguments + i, arguments[0]);
        i += !known[k].flag;
    }
    if (options.threads < 1 || options.threads > WORKERS_MOST) usage(arguments[0], "threads: 1 to 16");
    if (options.interval < options.threads) usage(arguments[0], "interval: at least one operation of each thread");
    if (options.forks && options.lockstep) usage(arguments[0], "a fork needs threads that run, or a single one");
    return digest;
}

static void limit_address_space(void)
{
    char line[128];
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || !fgets(line, sizeof line, file)) usage("model", "/proc/self/statm can't be read");
    fclose(file);
    pages = strtoul(line, NULL, 10);
    rlim_t most = pages * (size_t)sysconf(_SC_PAGESIZE) + options.address_space;
    if (setrlimit(RLIMIT_AS, &(struct rlimit){most, most}) != 0) usage("model", "RLIMIT_AS can't be set");
}

/* With all threads gone, what they left is freed by this one, which has never held any of it. */
static void finish(void)
{
    audit(NULL, true);
    if (options.lockstep && options.threads > 1) audit_nothing_on_the_way();
    for (uint32_t i = 0; i < options.threads; i++) {
        worker_free_all(&workers[i]);
        for (uint32_t j = 0; j < options.threads; j++)
            for (struct ring *ring = &rings[i][j]; ring->head != ring->tail; ring->head++)
                free_block(&workers[i], &ring->slots[ring->head % RING_SLOTS]);
    }
    audit(NULL, true);
    CALL(malloc_trim)(0);
    audit(NULL, true);
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        if (!strcmp(arguments[i], "--fixed-addresses")) fix_addresses(arguments);
    bool digest = parse(count, arguments);
    install_handlers();
    options.may_refuse = options.refusals || options.address_space;
    if (options.no_break) kernel_refuse_break();
    setvbuf(stdout, NULL, _IONBF, 0);
    for (uint32_t i = 0; i < options.threads; i++) worker_init(&workers[i], i, options.seed);
    audit_init();
    if (options.address_space) limit_address_space();
    workers_run();
    uint64_t refused = 0, all = 0, sum = 0;
    for (uint32_t i = 0; i < options.threads; i++) {
        refused += workers[i].refused;
        all += workers[i].operations;
        sum = sum * 31 + workers[i].digest;
    }
    finish();
    printf("model: seed %llu, %u thread(s), %llu operations, %llu refused\n", (unsigned long long)options.seed,
           options.threads, (unsigned long long)all, (unsigned long long)refused);
    if (digest) printf("digest %016llx\n", (unsigned long long)sum);
    return 0;
}
