/*
 * verb_stats.c - `freehold stats PID|FILE`: the counters of a process as a table or as JSON, from outside. JSON is the
 * same as fh_stats_json() writes from inside.
 */
#include "cli.h"
#include "counters.h"
#include "json.h"
#include "units.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static void print_json(const struct fh_counters_read *read)
{
    const struct fh_image_about *about = &read->about;
    const struct fh_image_counters *counters = &read->counters;
    char version[FH_IMAGE_NAME_BYTES];
    printf("{\"version\": \"%s\", \"pid\": %ld, \"process\": ", fh_image_version(about, version), (long)about->pid);
    fh_json_string(about->name);
#define FH_COUNTER(name, kind, unit, label, remark, help) printf(", \"" #name "\": %" PRIu64, counters->name);
#include "counters.def"
    printf(", \"heap\": [");
    for (uint32_t i = 0; i < counters->heap_count; i++) {
        printf("%s{\"number\": %u", i ? ", " : "", i);
#define FH_HEAP_COUNTER(name, kind, unit, help) printf(", \"" #name "\": %" PRIu64, counters->heap[i].name);
#include "counters.def"
        putchar('}');
    }
    printf("], \"class\": [");
    for (uint32_t i = 1; i < counters->class_count; i++) {
        printf("%s{\"size_bytes\": %u", i > 1 ? ", " : "", i * 16);
#define FH_CLASS_COUNTER(name, kind, unit, help) printf(", \"" #name "\": %" PRIu64, counters->classes[i].name);
#include "counters.def"
        putchar('}');
    }
    printf("]}\n");
}

static void print_process(const struct fh_image_counters *counters)
{
    char number[FH_UNIT_BYTES];
    /* No process is without resident memory: a core does not say it. */
#define FH_COUNTER(name, kind, unit, label, remark, help)                                                       \
    printf("  %-20s %18s%s%s\n", #name,                                                                         \
           &counters->name != &counters->resident_bytes || counters->name ? fh_grouped(counters->name, number) : "-", \
           remark[0] ? "  " : "", remark);
#include "counters.def"
}

static void print_heaps(const struct fh_image_counters *counters)
{
    printf("\nheap            total          used          free           top     untouched\n");
    for (uint32_t i = 0; i < counters->heap_count; i++) {
        const struct fh_image_heap *heap = &counters->heap[i];
        char total[FH_UNIT_BYTES], used[FH_UNIT_BYTES], free[FH_UNIT_BYTES], top[FH_UNIT_BYTES], fresh[FH_UNIT_BYTES];
        printf("%4u %16s %13s %13s %13s %13s\n", i, fh_grouped(heap->total_bytes, total),
               fh_grouped(heap->used_bytes, used), fh_grouped(heap->free_bytes, free), fh_grouped(heap->top_bytes, top),
               fh_grouped(heap->untouched_bytes, fresh));
    }
}

static void print_classes(const struct fh_image_counters *counters)
{
    printf("\nclass   slabs    capacity      carved        live      cached      listed\n");
    for (uint32_t i = 1; i < counters->class_count; i++) {
        const struct fh_image_class *class = &counters->classes[i];
        char slabs[FH_UNIT_BYTES], capacity[FH_UNIT_BYTES], carved[FH_UNIT_BYTES], live[FH_UNIT_BYTES];
        char cached[FH_UNIT_BYTES], listed[FH_UNIT_BYTES];
        if (class->slabs == 0)
            continue;
        printf("%5u %7s %11s %11s %11s %11s %11s\n", i * 16, fh_grouped(class->slabs, slabs),
               fh_grouped(class->capacity, capacity), fh_grouped(class->carved, carved), fh_grouped(class->live, live),
               fh_grouped(class->cached, cached), fh_grouped(class->listed, listed));
    }
}

static void print_text(const struct fh_counters_read *read)
{
    const struct fh_image_about *about = &read->about;
    char name[FH_IMAGE_NAME_BYTES], version[FH_IMAGE_NAME_BYTES];
    printf("counters of %s, freehold %s\n\n", fh_image_name(about, name), fh_image_version(about, version));
    print_process(&read->counters);
    print_heaps(&read->counters);
    print_classes(&read->counters);
}

static int stats_run(int argc, char **argv)
{
    static struct fh_counters_read read;
    struct fh_verb_words words;
    int status;
    if (!fh_verb_read_words(&fh_verb_stats, argc, argv, 1, "one process or file at a time", &words, &status))
        return status;
    if (!words.each[0])
        return fh_say_usage("stats", "a process ID, a snapshot or a core file is missing");
    status = fh_counters_read("stats", words.each[0], &read);
    if (status != 0)
        return status;
    if (words.json)
        print_json(&read);
    else
        print_text(&read);
    return fh_finish_output("stats");
}

const struct fh_verb fh_verb_stats = {
    .name = "stats",
    .synopsis = "[--json] PID|SNAPSHOT|CORE",
    .summary = "every counter, as a table or as JSON",
    .help = "Prints every counter of the heap of a process, read from outside: its sums, what\n"
            "each heap has, and the slabs of each size class. freehold-counters(7) explains\n"
            "them. The process is not stopped and does not notice. This costs some reads for\n"
            "each heap and thread. Counters may lag by what is in threads' caches;\n"
            "'freehold explain' counts every block.\n"
            "\n"
            "Options:\n"
            "  --json      one JSON object, as fh_stats_json() writes it from inside\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  printed\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold stats --json $(pidof redis-server)\n",
    .run = stats_run,
};
