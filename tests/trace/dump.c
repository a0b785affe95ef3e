/*
 * dump.c - a trace as text, one event a line, and whether it is consistent.
 *
 *     dump TRACE          all events: THREAD WHAT ...
 *     dump --marked TRACE those of thread 0 between two malloc(77777), block numbers counted from the first of these
 *     dump --check TRACE  no event refers to a block that is not live; prints how many events there are
 */
#include "trace_read.h"

#include <stdio.h>
#include <stdlib.h>

enum { MARK_BYTES = 77777, BLOCKS_MOST = 4 << 20 };

static bool marked, check, between;
static uint64_t mark, events, bad;
static unsigned char *live[64]; /* by thread and number */

static unsigned char *live_at(struct fh_trace_id id)
{
    static unsigned char none;
    if (id.thread >= 64 || id.number >= BLOCKS_MOST)
        return &none;
    if (!live[id.thread])
        live[id.thread] = calloc(BLOCKS_MOST, 1);
    return live[id.thread] ? live[id.thread] + id.number : &none;
}

static void verify(const struct fh_trace_event *event)
{
    bool refers = event->kind >= FH_TRACE_REALLOC && event->kind <= FH_TRACE_USABLE;
    if (refers && !*live_at(event->old))
        bad++;
    if (event->kind == FH_TRACE_FREE || event->kind == FH_TRACE_REALLOC)
        *live_at(event->old) = 0;
    if (event->kind <= FH_TRACE_REALLOC) {
        if (*live_at(event->id))
            bad++;
        *live_at(event->id) = 1;
    }
}

static void print_id(uint32_t thread, struct fh_trace_id id)
{
    if (id.thread != thread)
        printf(" %u/%lld", id.thread, (long long)id.number);
    else
        printf(" %lld", (long long)(id.number - mark));
}

static void print(uint32_t thread, const struct fh_trace_event *event)
{
    static const char *const names[] = {"?",       "malloc", "calloc",  "aligned", "realloc", "free",
                                        "touched", "usable", "refused", "foreign", "trim",    "end"};
    if (!marked)
        printf("%u ", thread);
    printf("%s", names[event->kind]);
    if (event->kind >= FH_TRACE_REALLOC && event->kind <= FH_TRACE_USABLE)
        print_id(thread, event->old);
    if (event->kind <= FH_TRACE_REALLOC)
        print_id(thread, event->id);
    if (event->kind <= FH_TRACE_REALLOC || event->kind == FH_TRACE_TOUCHED || event->kind == FH_TRACE_FAILED)
        printf(" %llu", (unsigned long long)event->size);
    if (event->kind == FH_TRACE_ALIGNED)
        printf(" %llu", 1ull << event->align_log2);
    printf("\n");
}

static bool visit(void *arg, uint32_t thread, const struct fh_trace_event *event)
{
    (void)arg;
    events++;
    if (check) {
        verify(event);
        return true;
    }
    if (marked && thread == 0 && event->kind == FH_TRACE_MALLOC && event->size == MARK_BYTES) {
        between = !between;
        mark = event->id.number;
    } else if (!marked || (between && thread == 0)) {
        print(thread, event);
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct fh_trace_reader reader;
    marked = argc > 2 && strcmp(argv[1], "--marked") == 0;
    check = argc > 2 && strcmp(argv[1], "--check") == 0;
    if (argc < 2 || !fh_trace_open(&reader, argv[argc - 1]) || !fh_trace_read(&reader, visit, NULL)) {
        printf("dump: %s\n", reader.error);
        return 1;
    }
    if (check)
        printf("%llu events, %llu bad, %llu unresolved\n", (unsigned long long)events, (unsigned long long)bad,
               (unsigned long long)reader.unresolved);
    fh_trace_close(&reader);
    return bad > 0;
}
