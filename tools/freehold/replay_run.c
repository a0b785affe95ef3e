/*
 * replay_run.c - starting freehold-replay with an allocator preloaded, and reading what it says.
 */
#include "replay_run.h"

#include "cli.h"
#include "file.h"
#include "library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FH_REPLAY_FROM_PROGRAM
#define FH_REPLAY_FROM_PROGRAM "../libexec/freehold"
#endif

const char *const fh_replay_call_names[FH_REPLAY_CALLS] = {"malloc", "free", "realloc"};
const char *const fh_replay_percentile_names[FH_REPLAY_PERCENTILES] = {"p50", "p99", "p999", "p9999", "max"};

int fh_replay_find_program(char path[PATH_MAX])
{
    static const char *const places[] = {".", FH_REPLAY_FROM_PROGRAM};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length > 0) {
        self[length] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            if (snprintf(path, PATH_MAX, "%s/%s/freehold-replay", self, places[i]) < PATH_MAX &&
                access(path, X_OK) == 0)
                return 0;
        }
    }
    fh_say("replay", "freehold-replay is not beside this program or in its libexec; install it");
    return FH_EXIT_FAILED;
}

/* Starts it; its output is the stream, NULL after a message. */
static FILE *start(const char *program, const char *option, const char *plan, const char *preload, pid_t *child)
{
    int ends[2];
    if (pipe(ends) != 0 || (*child = fork()) < 0) {
        fh_say("replay", "cannot start %s: %s", program, strerror(errno));
        return NULL;
    }
    if (*child == 0) {
        const char *argv[4] = {program, option ? option : plan, option ? plan : NULL, NULL};
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        unsetenv("FREEHOLD_RECORD");
        unsetenv("FREEHOLD_REPORT");
        if (*preload)
            setenv("LD_PRELOAD", preload, 1);
        else
            unsetenv("LD_PRELOAD");
        execv(program, (char *const *)(const void *)argv);
        _exit(127);
    }
    close(ends[1]);
    return fdopen(ends[0], "r");
}

static bool ended_well(const struct fh_replay_allocator *allocator, pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        fh_say("replay", "%s: the replay was killed by signal %d (%s)", allocator->name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else
        fh_say("replay", "%s: the replay failed with status %d", allocator->name, WEXITSTATUS(status));
    return false;
}

/* --- Allocators --- */

static const struct {
    const char *name, *library;
} short_names[] = {
    {"jemalloc", "libjemalloc.so.2"},
    {"mimalloc", "libmimalloc.so.2.0"},
    {"tcmalloc", "libtcmalloc_minimal.so.4"},
    {"tbbmalloc", "libtbbmalloc_proxy.so.2"},
};

static bool find_provider(const char *program, struct fh_replay_allocator *allocator)
{
    pid_t child;
    FILE *said = start(program, "--which", NULL, allocator->preload, &child);
    if (!said)
        return false;
    if (!fgets(allocator->provider, sizeof(allocator->provider), said))
        allocator->provider[0] = '\0';
    allocator->provider[strcspn(allocator->provider, "\n")] = '\0';
    fclose(said);
    return ended_well(allocator, child);
}

static int set_preload(const char *text, struct fh_replay_allocator *allocator)
{
    static struct fh_library library;
    if (strcmp(text, "glibc") == 0 || strcmp(text, "system") == 0)
        return 0;
    if (strcmp(text, "freehold") == 0) {
        int status = fh_library_find("replay", &library);
        snprintf(allocator->preload, sizeof(allocator->preload), "%s", library.preload);
        return status;
    }
    if (strchr(text, '/')) {
        if (realpath(text, allocator->preload))
            return 0;
        fh_say("replay", "%s: %s", text, strerror(errno));
        return FH_EXIT_FAILED;
    }
    for (size_t i = 0; i < sizeof(short_names) / sizeof(short_names[0]); i++) {
        if (strcmp(text, short_names[i].name) == 0)
            text = short_names[i].library;
    }
    snprintf(allocator->preload, sizeof(allocator->preload), "%s", text);
    return 0;
}

int fh_replay_find_allocator(const char *program, const char *text, struct fh_replay_allocator *allocator)
{
    struct fh_replay_allocator none = {.name = "glibc"};

    memset(allocator, 0, sizeof(*allocator));
    snprintf(allocator->name, sizeof(allocator->name), "%s", fh_base_name(text));
    int status = set_preload(text, allocator);
    if (status != 0)
        return status;
    if (strpbrk(allocator->preload, " :")) {
        fh_say("replay", "%s: LD_PRELOAD cannot hold a path with a space or ':'; link the library elsewhere", text);
        return FH_EXIT_FAILED;
    }
    if (!find_provider(program, &none) || !find_provider(program, allocator))
        return FH_EXIT_FAILED;
    if (*allocator->preload && strcmp(none.provider, allocator->provider) == 0) {
        fh_say("replay", "%s: no allocator that could be preloaded; give the file of a library with malloc in it",
               text);
        return FH_EXIT_FAILED;
    }
    return 0;
}

/* --- Figures --- */

static void add_sample(struct fh_replay_result *result, const char *line)
{
    unsigned long long ns, ops, rss, live;
    if (sscanf(line, "%llu %llu %llu %llu", &ns, &ops, &rss, &live) != 4)
        return;
    struct fh_replay_sample *grown =
        realloc(result->samples, (result->sample_count + 1) * sizeof(*result->samples));
    if (!grown)
        return;
    result->samples = grown;
    grown[result->sample_count++] =
        (struct fh_replay_sample){.ns = ns, .ops = ops, .rss_bytes = rss, .live_bytes = live};
}

static void take_figure(struct fh_replay_result *result, const char *name, const char *text)
{
    double value = strtod(text, NULL);
    struct {
        const char *name;
        uint64_t *value;
    } counts[] = {{"operations", &result->operations},
                  {"failures", &result->failures},
                  {"own_bytes", &result->own_bytes},
                  {"peak_rss_bytes", &result->peak_rss_bytes},
                  {"final_rss_bytes", &result->final_rss_bytes}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (strcmp(name, counts[i].name) == 0)
            *counts[i].value = strtoull(text, NULL, 10);
    }
    for (int call = 0; call < FH_REPLAY_CALLS; call++) {
        struct fh_replay_latency *latency = &result->latency[call];
        size_t length = strlen(fh_replay_call_names[call]);
        if (strncmp(name, fh_replay_call_names[call], length) != 0 || name[length] != '_')
            continue;
        const char *rest = name + length + 1;
        if (strcmp(rest, "count") == 0)
            latency->count = strtoull(text, NULL, 10);
        for (int i = 0; i < FH_REPLAY_PERCENTILES; i++) {
            size_t part = strlen(fh_replay_percentile_names[i]);
            if (strncmp(rest, fh_replay_percentile_names[i], part) == 0 && strcmp(rest + part, "_ns") == 0)
                latency->ns[i] = value;
        }
    }
}

static int run_once(const char *program, const struct fh_replay_allocator *allocator, const char *option,
                    const char *plan, struct fh_replay_result *result)
{
    char line[512], name[64];
    int used;
    pid_t child;
    FILE *said = start(program, option, plan, allocator->preload, &child);

    if (!said)
        return FH_EXIT_FAILED;
    while (fgets(line, sizeof(line), said)) {
        if (sscanf(line, "%63s %n", name, &used) != 1)
            continue;
        const char *value = line + used;
        if (strcmp(name, "sample") == 0)
            add_sample(result, value);
        else if (!option && strcmp(name, "wall_ns") == 0)
            result->wall_ns = strtod(value, NULL);
        else if (!option && strcmp(name, "cpu_ns") == 0)
            result->cpu_ns = strtod(value, NULL);
        else
            take_figure(result, name, value);
    }
    fclose(said);
    return ended_well(allocator, child) ? 0 : FH_EXIT_FAILED;
}

static int compare_samples(const void *a, const void *b)
{
    uint64_t first = ((const struct fh_replay_sample *)a)->ops, second = ((const struct fh_replay_sample *)b)->ops;
    return (first > second) - (first < second);
}

int fh_replay_run(const char *program, const struct fh_replay_allocator *allocator, const char *plan,
                  struct fh_replay_result *result)
{
    memset(result, 0, sizeof(*result));
    int status = run_once(program, allocator, NULL, plan, result);
    if (status == 0)
        status = run_once(program, allocator, "--latency", plan, result);
    if (result->sample_count > 0) /* threads take them side by side */
        qsort(result->samples, result->sample_count, sizeof(*result->samples), compare_samples);
    /* An allocator that keeps what it got stays at its peak, give or take a page: what counts is the moment, of those,
     * when the most was live. */
    uint64_t most = 0;
    for (size_t i = 0; i < result->sample_count; i++)
        most = result->samples[i].rss_bytes > most ? result->samples[i].rss_bytes : most;
    for (size_t i = 0; i < result->sample_count; i++) {
        const struct fh_replay_sample *sample = &result->samples[i];
        if (sample->rss_bytes >= most - most / 50 && sample->live_bytes > result->live_at_peak_bytes)
            result->live_at_peak_bytes = sample->live_bytes;
    }
    return status;
}
