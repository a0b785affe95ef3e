/*
 * verb_metrics.c - `freehold metrics PID|FILE`: the counters of a process as OpenMetrics text, from outside. The same
 * as fh_stats_openmetrics() writes from inside.
 */
#include "cli.h"
#include "counters.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum kind { KIND_GAUGE, KIND_COUNTER };
enum unit { UNIT_NONE, UNIT_BYTES };

static void print_family(const char *name, enum kind kind, enum unit unit, const char *help)
{
    printf("# TYPE %s %s\n", name, kind == KIND_COUNTER ? "counter" : "gauge");
    if (unit == UNIT_BYTES)
        printf("# UNIT %s bytes\n", name);
    printf("# HELP %s %s\n", name, help);
}

static const char *suffix_of(enum kind kind) { return kind == KIND_COUNTER ? "_total" : ""; }

/* Names of processes may hold any byte. */
static void print_label(const char *text)
{
    putchar('"');
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            putchar('\\');
        putchar(*at >= ' ' && *at < 0x7f ? *at : '?');
    }
    putchar('"');
}

static void print_process(const struct fh_counters_read *read)
{
    const struct fh_image_about *about = &read->about;
    char version[FH_IMAGE_NAME_BYTES];
    printf("# TYPE freehold info\n# HELP freehold The library and the process.\n"
           "freehold_info{version=\"%s\",pid=\"%ld\",process=",
           fh_image_version(about, version), (long)about->pid);
    print_label(about->name);
    printf("} 1\n");
#define FH_COUNTER(name, kind, unit, label, remark, help)            \
    print_family("freehold_" #name, KIND_##kind, UNIT_##unit, help); \
    printf("freehold_" #name "%s %" PRIu64 "\n", suffix_of(KIND_##kind), read->counters.name);
#include "counters.def"
}

static void print_heaps(const struct fh_image_counters *counters)
{
#define FH_HEAP_COUNTER(name, kind, unit, help)                                                   \
    print_family("freehold_heap_" #name, KIND_##kind, UNIT_##unit, help);                         \
    for (uint32_t i = 0; i < counters->heap_count; i++)                                           \
        printf("freehold_heap_" #name "%s{heap=\"%u\"} %" PRIu64 "\n", suffix_of(KIND_##kind), i, \
               counters->heap[i].name);
#include "counters.def"
}

static void print_classes(const struct fh_image_counters *counters)
{
#define FH_CLASS_COUNTER(name, kind, unit, help)                                                              \
    print_family("freehold_class_" #name, KIND_##kind, UNIT_##unit, help);                                    \
    for (uint32_t i = 1; i < counters->class_count; i++)                                                      \
        printf("freehold_class_" #name "%s{size_bytes=\"%u\"} %" PRIu64 "\n", suffix_of(KIND_##kind), i * 16, \
               counters->classes[i].name);
#include "counters.def"
}

static int metrics_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    static struct fh_counters_read read;
    int option;
    while ((option = fh_next_option("metrics", argc, argv, "+:h", options)) != -1) {
        if (option == 'j')
            return fh_say_usage("metrics", "this is OpenMetrics text; 'freehold stats --json' has the same as JSON");
        if (option != 'h')
            return FH_EXIT_USAGE;
        fh_help_verb(&fh_verb_metrics);
        return fh_finish_output("metrics");
    }
    if (optind == argc)
        return fh_say_usage("metrics", "a process ID, a snapshot or a core file is missing");
    if (argc - optind > 1)
        return fh_say_usage("metrics", "one process or file at a time, not '%s' as well", argv[optind + 1]);
    int status = fh_counters_read("metrics", argv[optind], &read);
    if (status != 0)
        return status;
    print_process(&read);
    print_heaps(&read.counters);
    print_classes(&read.counters);
    printf("# EOF\n");
    return fh_finish_output("metrics");
}

const struct fh_verb fh_verb_metrics = {
    .name = "metrics",
    .synopsis = "PID|SNAPSHOT|CORE",
    .summary = "every counter as OpenMetrics text, for Prometheus and others",
    .help = "Writes every counter of the heap of a process, read from outside, as OpenMetrics\n"
            "text: what fh_stats_openmetrics() writes from inside. freehold-counters(7)\n"
            "explains them. The process is not stopped and does not notice.\n"
            "\n"
            "Options:\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  written\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example, for the text file collector of Prometheus' node exporter:\n"
            "  freehold metrics $(pidof redis-server) >redis.prom\n",
    .run = metrics_run,
};
