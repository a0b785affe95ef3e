/*
 * trace_stat.c - what is in a trace: calls, threads, sizes, lifetimes, the most that was live.
 */
#include "trace_stat.h"

#include "cli.h"
#include "json.h"
#include "live.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIZE_BINS = 26, LIFE_BINS = 12, KINDS = FH_TRACE_THREAD_END + 1 };

static const char *const kind_names[KINDS] = {
    [FH_TRACE_MALLOC] = "malloc",
    [FH_TRACE_CALLOC] = "calloc",
    [FH_TRACE_ALIGNED] = "aligned",
    [FH_TRACE_REALLOC] = "realloc",
    [FH_TRACE_FREE] = "free",
    [FH_TRACE_TOUCHED] = "touched",
    [FH_TRACE_USABLE] = "malloc_usable_size",
    [FH_TRACE_FAILED] = "refused",
    [FH_TRACE_FOREIGN] = "unknown_block",
    [FH_TRACE_TRIM] = "malloc_trim",
};

struct bin {
    uint64_t count, bytes;
};

struct stat {
    uint64_t calls[KINDS], events, births, other_thread, peak_event;
    uint64_t requested; /* bytes, all births */
    uint32_t threads;
    struct fh_live live;
    struct bin size[SIZE_BINS]; /* bin 0: 0 bytes; bin n: up to 16 << (n - 1); the last: all above */
    struct bin life[LIFE_BINS]; /* bin n: freed within 4^n births after its own */
    bool out_of_memory;
};

static size_t size_bin(uint64_t size)
{
    size_t bin = size == 0 ? 0 : 1;
    for (uint64_t most = 16; bin > 0 && size > most && bin + 1 < SIZE_BINS; most *= 2)
        bin++;
    return bin;
}

static uint64_t size_bin_most(size_t bin)
{
    return bin == 0 ? 0 : (uint64_t)16 << (bin - 1);
}

static void died(struct stat *stat, uint32_t thread, const struct fh_trace_event *event)
{
    struct fh_live_block *block = fh_live_find(&stat->live, event->old);
    stat->other_thread += event->old.thread != thread;
    if (!block)
        return;
    size_t bin = 0;
    for (uint64_t most = 1; bin + 1 < LIFE_BINS && stat->births - block->born > most; most *= 4)
        bin++;
    stat->life[bin].count++;
    stat->life[bin].bytes += block->size;
    fh_live_remove(&stat->live, block);
}

static bool born(struct stat *stat, const struct fh_trace_event *event)
{
    size_t peak = stat->live.peak_bytes;
    struct fh_live_block *block = fh_live_add(&stat->live, event->id, event->size);
    if (!block) {
        stat->out_of_memory = true;
        return false;
    }
    block->born = ++stat->births;
    if (stat->live.peak_bytes > peak)
        stat->peak_event = stat->events;
    stat->requested += event->size;
    struct bin *bin = &stat->size[size_bin(event->size)];
    bin->count++;
    bin->bytes += event->size;
    return true;
}

static bool visit(void *arg, uint32_t thread, const struct fh_trace_event *event)
{
    struct stat *stat = arg;
    stat->events++;
    stat->calls[event->kind]++;
    if (thread >= stat->threads)
        stat->threads = thread + 1;
    if (event->kind == FH_TRACE_FREE || event->kind == FH_TRACE_REALLOC)
        died(stat, thread, event);
    if (event->kind <= FH_TRACE_REALLOC)
        return born(stat, event);
    return true;
}

static void print_bins(const char *title, const struct bin *bins, size_t count, bool of_sizes)
{
    char number[FH_UNIT_BYTES], bytes[FH_UNIT_BYTES], most[FH_UNIT_BYTES];
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += bins[i].count;
    printf("\n%s\n", title);
    for (size_t i = 0; i < count; i++) {
        if (bins[i].count == 0)
            continue;
        uint64_t limit = of_sizes ? size_bin_most(i) : (uint64_t)1 << (2 * i);
        bool is_last = i + 1 == count;
        fh_grouped(is_last ? (of_sizes ? size_bin_most(i - 1) : (uint64_t)1 << (2 * (i - 1))) : limit, most);
        printf("  %s %14s %16s %5.1f %% %18s bytes\n", is_last ? "above" : "up to", most,
               fh_grouped(bins[i].count, number), 100.0 * (double)bins[i].count / (double)all,
               fh_grouped(bins[i].bytes, bytes));
    }
}

static const char *end_of(const struct fh_trace_reader *reader)
{
    if (reader->is_complete)
        return "complete";
    return reader->is_cut ? "cut off within a block; what is before it is here"
                          : "without its end: the process was killed, or still runs";
}

static void print_text(const struct fh_trace_reader *reader, const struct stat *stat)
{
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES], c[FH_UNIT_BYTES];
    printf("command   %.68s\n", reader->command);
    printf("trace     %s bytes, %s events, %.2f bytes each, %.3f s\n", fh_grouped(reader->file_bytes, a),
           fh_grouped(stat->events, b), stat->events ? (double)reader->file_bytes / (double)stat->events : 0,
           (double)reader->last_time_ns / 1e9);
    printf("          %s\n", end_of(reader));
    printf("threads   %u\n", stat->threads);
    printf("peak live %s bytes at event %s\n", fh_grouped(stat->live.peak_bytes, a), fh_grouped(stat->peak_event, b));
    printf("          at most %s blocks at once\n", fh_grouped(stat->live.peak_count, a));
    printf("at end    %s bytes in %s blocks were not freed\n", fh_grouped(stat->live.bytes, a),
           fh_grouped(stat->live.count, b));
    printf("\ncalls\n");
    for (int kind = FH_TRACE_MALLOC; kind < KINDS; kind++) {
        if (kind_names[kind] && stat->calls[kind] && kind != FH_TRACE_TOUCHED)
            printf("  %-18s %16s\n", kind_names[kind], fh_grouped(stat->calls[kind], a));
    }
    printf("  of another thread's block: %s; requested in all: %s bytes\n", fh_grouped(stat->other_thread, a),
           fh_grouped(stat->requested, b));
    if (reader->unresolved)
        printf("  blocks of events that were cut off from what they refer to: %s\n", fh_grouped(reader->unresolved, c));
    print_bins("sizes, in bytes", stat->size, SIZE_BINS, true);
    print_bins("lifetimes, in allocations that came meanwhile", stat->life, LIFE_BINS, false);
}

static void print_json_bins(const char *name, const struct bin *bins, size_t count, bool of_sizes)
{
    const char *comma = "";
    printf(",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (bins[i].count == 0)
            continue;
        printf("%s{\"at_most\":", comma);
        if (i + 1 == count)
            printf("null");
        else
            printf("%llu", (unsigned long long)(of_sizes ? size_bin_most(i) : (uint64_t)1 << (2 * i)));
        printf(",\"count\":%llu,\"bytes\":%llu}", (unsigned long long)bins[i].count,
               (unsigned long long)bins[i].bytes);
        comma = ",";
    }
    printf("]");
}

static void print_json(const struct fh_trace_reader *reader, const struct stat *stat, const char *path)
{
    printf("{\"trace\":");
    fh_json_string(path);
    printf(",\"command\":");
    fh_json_string(reader->command);
    printf(",\"file_bytes\":%llu,\"complete\":%s,\"events\":%llu,\"blocks\":%llu,\"threads\":%u,\"duration_ns\":%llu",
           (unsigned long long)reader->file_bytes, reader->is_complete ? "true" : "false",
           (unsigned long long)stat->events, (unsigned long long)reader->blocks, stat->threads,
           (unsigned long long)reader->last_time_ns);
    printf(",\"peak_live_bytes\":%zu,\"peak_live_blocks\":%zu,\"peak_event\":%llu,\"end_live_bytes\":%zu,"
           "\"end_live_blocks\":%zu,\"requested_bytes\":%llu,\"other_thread\":%llu,\"unresolved\":%llu,\"calls\":{",
           stat->live.peak_bytes, stat->live.peak_count, (unsigned long long)stat->peak_event, stat->live.bytes,
           stat->live.count, (unsigned long long)stat->requested, (unsigned long long)stat->other_thread,
           (unsigned long long)reader->unresolved);
    const char *comma = "";
    for (int kind = FH_TRACE_MALLOC; kind < KINDS; kind++) {
        if (!kind_names[kind])
            continue;
        printf("%s\"%s\":%llu", comma, kind_names[kind], (unsigned long long)stat->calls[kind]);
        comma = ",";
    }
    printf("}");
    print_json_bins("sizes", stat->size, SIZE_BINS, true);
    print_json_bins("lifetimes", stat->life, LIFE_BINS, false);
    printf("}\n");
}

int fh_trace_stat(struct fh_trace_reader *reader, const char *path, bool json)
{
    static struct stat stat;
    if (!fh_trace_read(reader, visit, &stat)) {
        fh_say("replay", "%s: %s", path,
               stat.out_of_memory ? "damaged: a block is born twice; or not enough memory" : reader->error);
        fh_live_clear(&stat.live);
        return FH_EXIT_FAILED;
    }
    if (json)
        print_json(reader, &stat, path);
    else
        print_text(reader, &stat);
    fh_live_clear(&stat.live);
    return fh_finish_output("replay");
}
