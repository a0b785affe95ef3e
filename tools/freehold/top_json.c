/*
 * top_json.c - `freehold top --once --json`: everything that the views show, as one JSON object.
 */
#include "json.h"
#include "top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STRIP_CELLS = 64 };

static void print_sizes(const struct fh_image_counters *counters)
{
    const char *separator = "";
    printf(", \"sizes\": [");
    for (uint32_t i = 1; i < FH_CLASSES_MOST; i++) {
        const struct fh_image_class *class = &counters->classes[i];
        uint64_t away = class->listed + class->cached;
        if (class->slabs == 0)
            continue;
        printf("%s{\"size_bytes\": %u, \"slabs\": %" PRIu64 ", \"live\": %" PRIu64 ", \"cached\": %" PRIu64
               ", \"free\": %" PRIu64 "}",
               separator, i * 16, class->slabs, class->carved > away ? class->carved - away : 0, class->cached,
               class->listed + class->capacity - class->carved);
        separator = ", ";
    }
    printf("], \"heaps\": [");
    separator = "";
    for (int i = 0; i < FH_HEAPS_SHOWN; i++) {
        const struct fh_image_heap *heap = &counters->heap[i];
        if (heap->total_bytes == 0)
            continue;
        printf("%s{\"heap\": %d, \"total_bytes\": %" PRIu64 ", \"used_bytes\": %" PRIu64 ", \"slab_bytes\": %" PRIu64
               ", \"free_bytes\": %" PRIu64 ", \"top_bytes\": %" PRIu64 ", \"untouched_bytes\": %" PRIu64 "}",
               separator, i, heap->total_bytes, heap->used_bytes, heap->slab_bytes, heap->free_bytes, heap->top_bytes,
               heap->untouched_bytes);
        separator = ", ";
    }
    putchar(']');
}

static void print_threads(struct fh_top *top)
{
    char name[FH_THREAD_NAME_BYTES];
    printf(", \"threads\": [");
    for (size_t i = 0; i < top->threads.count; i++) {
        const struct fh_image_thread *thread = &top->threads.threads[i];
        printf("%s{\"thread\": ", i ? ", " : "");
        fh_json_string(fh_thread_name(&top->threads, thread->id, name));
        printf(", \"tid\": %ld, \"heap\": %u, \"slab_bytes\": %" PRIu64 ", \"cached_bytes\": %" PRIu64
               ", \"outgoing_bytes\": %" PRIu64 "}",
               (long)fh_thread_id(&top->threads, thread->id), thread->heap, thread->slab_bytes, thread->cached_bytes,
               thread->outgoing_bytes);
    }
    putchar(']');
}

/* Fewer cells than there are: sums of neighbours. */
static void print_map(const struct fh_top *top)
{
    size_t count = top->cell_count < STRIP_CELLS ? top->cell_count : STRIP_CELLS;
    printf(", \"map\": [");
    for (size_t i = 0; i < count; i++) {
        size_t from = i * top->cell_count / count, to = (i + 1) * top->cell_count / count;
        uint64_t sum[FH_CELL_ITEMS] = {0};
        for (size_t cell = from; cell < to; cell++) {
            for (int item = 0; item < FH_CELL_ITEMS; item++)
                sum[item] += top->cells[cell].bytes[item];
        }
        printf("%s{\"start\": \"0x%" PRIx64 "\", \"bytes\": %" PRIu64, i ? ", " : "", top->cells[from].start,
               (to - from) * top->cell_bytes);
        if (top->cells_know_blocks)
            printf(", \"live_bytes\": %" PRIu64 ", \"cached_bytes\": %" PRIu64 ", \"free_bytes\": %" PRIu64 "}",
                   sum[FH_CELL_LIVE], sum[FH_CELL_CACHED], sum[FH_CELL_FREE]);
        else
            printf(", \"resident_bytes\": %" PRIu64 "}", sum[FH_CELL_LIVE]);
    }
    putchar(']');
}

static void print_sites(struct fh_top *top)
{
    struct fh_screen names = {0}; /* showing finds the names */
    fh_screen_clear(&names, 1, false);
    fh_top_show_sites(top, &names, 0, 0);
    fh_screen_free(&names);
    printf(", \"sites\": [");
    for (size_t i = 0; i < top->site_count && top->sites[i].is_named; i++) {
        const struct fh_top_site *site = &top->sites[i];
        printf("%s{\"live_bytes\": %" PRIu64 ", \"live_blocks\": %" PRIu64 ", \"held_bytes\": %" PRIu64
               ", \"estimated\": %s, \"place\": ",
               i ? ", " : "", site->holding.live_bytes, site->holding.live_blocks, site->holding.held_bytes,
               top->sites_mode & FH_SAMPLES_SITES ? "false" : "true");
        fh_json_string(site->place);
        printf(", \"caller\": ");
        fh_json_string(site->caller[0] ? site->caller : NULL);
        putchar('}');
    }
    putchar(']');
}

void fh_top_print_json(struct fh_top *top)
{
    const struct fh_image_counters *counters = &top->counters;
    printf("{\"pid\": %ld, \"process\": ", (long)top->about->pid);
    fh_json_string(top->about->name);
    printf(", \"rss_bytes\": %" PRIu64 ", \"account\": {", top->rss_bytes);
    for (int i = 0; i < FH_ITEMS; i++)
        printf("\"%s_bytes\": %" PRIu64 ", ", fh_item_names[i], counters->bytes[i]);
    printf("\"obtained_bytes\": %" PRIu64 ", \"returned_bytes\": %" PRIu64 "}, \"blocks\": {\"live\": %" PRIu64
           ", \"large\": %" PRIu64 "}",
           counters->obtained_bytes, counters->returned_bytes, counters->live_blocks, counters->large_blocks);
    print_sizes(counters);
    print_threads(top);
    print_map(top);
    print_sites(top);
    printf("}\n");
}
