/*
 * replay_print.c - the results of replays side by side, as text of 80 columns and as JSON.
 */
#include "replay_print.h"

#include "json.h"
#include "units.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMNS = 26 };

double fh_replay_fragmentation(const struct fh_replay_result *result)
{
    if (result->live_at_peak_bytes == 0)
        return 0;
    return (double)result->peak_rss_bytes / (double)result->live_at_peak_bytes;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_latencies(const struct fh_replay *replay, enum fh_replay_call call)
{
    char text[FH_REPLAY_PERCENTILES][FH_UNIT_BYTES], count[FH_UNIT_BYTES];
    char title[64];
    if (replay->results[0].latency[call].count == 0)
        return;
    snprintf(title, sizeof(title), "%s, %s calls", fh_replay_call_names[call],
             fh_grouped(replay->results[0].latency[call].count, count));
    printf("\n%-*s %9s %9s %9s %9s %9s\n", NAME_COLUMNS,
           strlen(title) <= NAME_COLUMNS ? title : fh_replay_call_names[call], "p50", "p99", "p99.9", "p99.99", "max");
    for (size_t i = 0; i < replay->count; i++) {
        const double *ns = replay->results[i].latency[call].ns;
        for (int j = 0; j < FH_REPLAY_PERCENTILES; j++)
            fh_duration(ns[j], text[j]);
        printf("  %-*.*s %9s %9s %9s %9s %9s\n", NAME_COLUMNS - 2, NAME_COLUMNS - 2, replay->allocators[i].name,
               text[0], text[1], text[2], text[3], text[4]);
    }
}

void fh_replay_print_text(const struct fh_replay *replay)
{
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    printf("%.71s\n", replay->reader->command);
    printf("%s calls, %llu %s, at most %.1f MiB live\n\n", fh_grouped(replay->plan->calls, a),
           (unsigned long long)replay->plan->threads, replay->plan->threads == 1 ? "thread" : "threads",
           mib(replay->plan->peak_live_bytes));
    printf("%-*s %9s %9s %9s %9s %9s\n", NAME_COLUMNS, "", "time", "CPU", "peak MiB", "final MiB", "peak/live");
    for (size_t i = 0; i < replay->count; i++) {
        const struct fh_replay_result *result = &replay->results[i];
        printf("  %-*.*s %9s %9s %9.1f %9.1f %9.3f\n", NAME_COLUMNS - 2, NAME_COLUMNS - 2,
               replay->allocators[i].name, fh_duration(result->wall_ns, a), fh_duration(result->cpu_ns, b),
               mib(result->peak_rss_bytes), mib(result->final_rss_bytes), fh_replay_fragmentation(result));
    }
    for (int call = 0; call < FH_REPLAY_CALLS; call++)
        print_latencies(replay, call);
    for (size_t i = 0; i < replay->count; i++) {
        if (replay->results[i].failures)
            printf("\n%s refused %s requests that the recorded program was granted\n", replay->allocators[i].name,
                   fh_grouped(replay->results[i].failures, a));
    }
}

static void print_json_result(const struct fh_replay_allocator *allocator, const struct fh_replay_result *result)
{
    printf("{\"allocator\":");
    fh_json_string(allocator->name);
    printf(",\"library\":");
    fh_json_string(allocator->provider);
    printf(",\"wall_ns\":%.0f,\"cpu_ns\":%.0f,\"operations\":%llu,\"failures\":%llu,\"peak_rss_bytes\":%llu,"
           "\"final_rss_bytes\":%llu,\"live_at_peak_bytes\":%llu,\"fragmentation\":%.4f,\"latency_ns\":{",
           result->wall_ns, result->cpu_ns, (unsigned long long)result->operations,
           (unsigned long long)result->failures, (unsigned long long)result->peak_rss_bytes,
           (unsigned long long)result->final_rss_bytes, (unsigned long long)result->live_at_peak_bytes,
           fh_replay_fragmentation(result));
    for (int call = 0; call < FH_REPLAY_CALLS; call++) {
        printf("%s\"%s\":{\"count\":%llu", call ? "," : "", fh_replay_call_names[call],
               (unsigned long long)result->latency[call].count);
        for (int i = 0; result->latency[call].count && i < FH_REPLAY_PERCENTILES; i++)
            printf(",\"%s\":%.1f", fh_replay_percentile_names[i], result->latency[call].ns[i]);
        printf("}");
    }
    printf("},\"samples\":[");
    for (size_t i = 0; i < result->sample_count; i++) {
        const struct fh_replay_sample *sample = &result->samples[i];
        printf("%s[%llu,%llu,%llu,%llu]", i ? "," : "", (unsigned long long)sample->ns,
               (unsigned long long)sample->ops, (unsigned long long)sample->rss_bytes,
               (unsigned long long)sample->live_bytes);
    }
    printf("]}");
}

void fh_replay_print_json(const struct fh_replay *replay)
{
    printf("{\"trace\":");
    fh_json_string(replay->path);
    printf(",\"command\":");
    fh_json_string(replay->reader->command);
    printf(",\"complete\":%s,\"calls\":%llu,\"threads\":%llu,\"peak_live_bytes\":%llu,\"results\":[",
           replay->reader->is_complete ? "true" : "false", (unsigned long long)replay->plan->calls,
           (unsigned long long)replay->plan->threads, (unsigned long long)replay->plan->peak_live_bytes);
    for (size_t i = 0; i < replay->count; i++) {
        if (i)
            printf(",");
        print_json_result(&replay->allocators[i], &replay->results[i]);
    }
    printf("]}\n");
}
