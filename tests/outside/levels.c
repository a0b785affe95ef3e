/*
 * levels.c - runs one test of the two levels, and proves that the tests can fail.
 *
 *   levels --library LIBRARY TEST     the test on a library ("system": the malloc of libc)
 *   levels --prove STANDIN [TEST]     each test on the stand-in must pass, and fail with each of its defects
 *   levels --list
 * Status: 0 passed, 1 failed, 77 cannot run here.
 */
#define _GNU_SOURCE
#include "levels.h"

#include "mark.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const struct level_test *const groups[] = {wholesale_tests, retail_tests, metadata_tests, thrift_tests};

#define FOR_TESTS(test)                                                          \
    for (size_t group_ = 0; group_ < sizeof groups / sizeof *groups; group_++)    \
        for (const struct level_test *test = groups[group_]; test->name != NULL; test++)

int judged(bool condition, const char *format, ...)
{
    va_list arguments;

    if (!condition) {
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
    return condition;
}

static bool in_phases(const struct trace_event *event, int from, int to)
{
    return !event->is_mark && event->phase >= from && event->phase <= to;
}

struct break_moves break_moves(const struct trace *trace, int from, int to)
{
    struct break_moves moves = {0};
    uint64_t at = 0;

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (event->is_mark || event->number != SYS_brk || event->result <= 0 || event->phase > to) {
            continue;
        }
        uint64_t now = (uint64_t)event->result;
        uint64_t step = now > at ? now - at : at - now;
        if (at != 0 && now != at && event->phase >= from) {
            if (now > at) {
                moves.smallest_up = moves.up == 0 || step < moves.smallest_up ? step : moves.smallest_up;
                moves.largest_up = step > moves.largest_up ? step : moves.largest_up;
                moves.up_bytes += step;
                moves.up++;
            } else {
                moves.down_bytes += step;
                moves.down++;
            }
        }
        at = now;
    }
    moves.end = at;
    return moves;
}

unsigned memory_calls(const struct trace *trace, int from, int to)
{
    unsigned count = 0;

    for (size_t i = 0; i < trace->count; i++) {
        count += in_phases(&trace->events[i], from, to) && trace_is_memory_call(trace->events[i].number);
    }
    return count;
}

unsigned calls_of(const struct trace *trace, int from, int to, long number)
{
    unsigned count = 0;

    for (size_t i = 0; i < trace->count; i++) {
        count += in_phases(&trace->events[i], from, to) && trace->events[i].number == number;
    }
    return count;
}

static bool is_mapping(const struct trace_event *event)
{
    return event->number == SYS_mmap && (event->args[3] & MAP_ANONYMOUS) != 0 &&
           event->result > 0;
}

uint64_t bytes_mapped(const struct trace *trace, int from, int to)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < trace->count; i++) {
        if (in_phases(&trace->events[i], from, to) && is_mapping(&trace->events[i])) {
            bytes += trace->events[i].args[1];
        }
    }
    return bytes;
}

const struct trace_event *mapping_of(const struct trace *trace, int from, int to, uint64_t address)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (in_phases(event, from, to) && is_mapping(event) && address >= (uint64_t)event->result &&
            address - (uint64_t)event->result < event->args[1]) {
            return event;
        }
    }
    return NULL;
}

uint64_t marked(const struct trace *trace, int phase)
{
    for (size_t i = 0; i < trace->count; i++) {
        if (trace->events[i].is_mark && trace->events[i].phase == phase) {
            return trace->events[i].args[0];
        }
    }
    return 0;
}

/* Runs the test's program and judges it. `defect` is an environment string for the stand-in, or NULL. */
static int run_test(const struct level_test *test, const char *library, const char *defect, bool show)
{
    static char self[] = "/proc/self/exe";
    static char option[] = "--program";
    char *argv[] = {self, option, (char *)(uintptr_t)test->name, NULL};
    const char *extra[] = {defect, NULL};
    struct trace_request request = {.argv = argv, .library = library, .extra = extra, .limit_s = 120,
                                    .keep_events = true, .fault = test->fault};
    struct trace trace;
    int status = 1;

    if (trace_run(&request, &trace) != 0) {
        return EXIT_SKIP;
    }
    fputs(trace.output, stderr);
    if (trace.end == TRACE_EXITED && trace.code == EXIT_SKIP) {
        status = EXIT_SKIP;
    } else if (trace.end != TRACE_EXITED || trace.code != 0) {
        fprintf(stderr, "the program %s %d in phase %d\n",
                trace.end == TRACE_HUNG ? "hung," : trace.end == TRACE_EXITED ? "ended with status" : "died of signal",
                trace.code, trace.phase);
    } else if (test->judge == NULL || test->judge(&trace)) {
        status = 0;
    }
    if (status == 1 && show) {
        size_t first = trace.count > 60 ? trace.count - 60 : 0;
        struct trace tail = {.events = trace.events + first, .count = trace.count - first};
        fprintf(stderr, "its last %zu calls and marks:\n", tail.count);
        trace_print(&tail, MARK_MAIN, MARK_END);
    }
    trace_free(&trace);
    return status;
}

static const struct level_test *find_test(const char *name)
{
    FOR_TESTS(test) {
        if (strcmp(test->name, name) == 0) {
            return test;
        }
    }
    fprintf(stderr, "no test \"%s\"\n", name);
    exit(2);
}

/* A test that cannot fail proves nothing: the stand-in is right without a defect, and wrong with each. */
static int prove(const char *stand_in, const char *only)
{
    int wrong = 0;

    FOR_TESTS(test) {
        if (only != NULL && strcmp(only, test->name) != 0) {
            continue;
        }
        int status = run_test(test, stand_in, NULL, true);
        printf("%s: %s\n", test->name, status == 0 ? "passes on the sound stand-in" : "DOES NOT PASS on the stand-in");
        wrong += status != 0;
        for (size_t i = 0; test->defects != NULL && test->defects[i] != NULL; i++) {
            char defect[64];
            snprintf(defect, sizeof defect, "STANDIN_DEFECT=%s", test->defects[i]);
            fflush(stdout);
            status = run_test(test, stand_in, defect, false);
            printf("%s: %s %s\n", test->name, status == 1 ? "sees" : "DOES NOT SEE", test->defects[i]);
            wrong += status != 1;
        }
    }
    return wrong != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--program") == 0) {
        const struct level_test *test = find_test(argv[2]);
        mark(MARK_MAIN);
        if (test->needs_walk && !can_walk()) {
            skip("skipped: this malloc has no fh_walk");
        }
        test->program();
        mark(MARK_END);
        expect_sound("at the end");
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "--library") == 0) {
        return run_test(find_test(argv[3]), strcmp(argv[2], "system") == 0 ? NULL : argv[2], NULL, true);
    }
    if (argc >= 3 && strcmp(argv[1], "--prove") == 0) {
        return prove(argv[2], argv[3]);
    }
    FOR_TESTS(test) {
        puts(test->name);
    }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
