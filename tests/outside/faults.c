/*
 * faults.c - fault injection: makes each call to the kernel that a workload's malloc makes fail, one at a time and from
 * one on, with each of several errors, and sees that nothing but NULL and ENOMEM comes of it.
 *
 *   faults LIBRARY WORK quick                 some workloads, the first calls, one of three errors for each
 *   faults LIBRARY WORK all WORKLOAD          every call, every error, in all four modes
 *   faults LIBRARY WORK some WORKLOAD         the same with steps between the calls that grow
 *   faults LIBRARY WORK one WORKLOAD MODE ERROR N   one run, with its calls shown
 *   faults STANDIN WORK prove                 this test sees the defects of the stand-in
 * LIBRARY "system" is libc's malloc. MODE: single, onward (that call and all later ones), start, start-onward (counted
 * from the library's first instruction). Status: 0 passed, 1 failed, 77 cannot run here.
 */
#define _GNU_SOURCE
#include "tracer.h"

#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSED = 0, FAILED = 1, SKIPPED = 77, LIMIT_S = 30, SHOWN_MAX = 12, EVERY = 1000000 };

static const struct {
    const char *name;
    int error;
} errors[] = {
    {"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}, {"EINVAL", EINVAL},
    {"EPERM", EPERM},   {"ENOSYS", ENOSYS}, {"REFUSED", TRACE_REFUSED},
};
enum { ERRORS = sizeof errors / sizeof *errors };

static const struct {
    const char *name;
    bool onward, from_start;
} modes[] = {
    {"single", false, false}, {"onward", true, false}, {"start", false, true}, {"start-onward", true, true}};
enum { MODES = sizeof modes / sizeof *modes };

struct session {
    const char *library; /* NULL for the system's */
    const char *work;
    const char *defect;  /* STANDIN_DEFECT=… or NULL */
    bool anyone;
    bool quiet;
    unsigned limit_s;
    unsigned runs, failures, given;
};

/* Without any memory the loader may give up before main, and says so; that is not the library's failure. */
static bool loader_gave_up(const struct trace *trace, bool from_start)
{
    return from_start && trace->phase < MARK_MAIN && trace->end == TRACE_EXITED && trace->code == 127 &&
           trace->output[0] != '\0';
}

static void describe(const struct session *session, const struct trace *trace, const char *workload, int mode,
                     int error, unsigned nth)
{
    if (session->quiet || session->failures > SHOWN_MAX) {
        return;
    }
    fprintf(stderr, "FAILED: %s %s %s %u (first failed: %s; %u failed): %s %d in phase %d\n", workload,
            modes[mode].name, errors[error].name, nth, trace_call_name(trace->first_given), trace->given,
            trace->end == TRACE_HUNG     ? "hung,"
            : trace->end == TRACE_EXITED ? "ended with status"
                                         : "died of signal",
            trace->code, trace->phase);
    fprintf(stderr, "%s", trace->output);
}

/* One run; true when there was a call to fail, so that a further one may exist. */
static bool run_one(struct session *session, const char *workload, int mode, int error, unsigned nth, bool show)
{
    char *argv[] = {(char *)(uintptr_t)session->work, (char *)(uintptr_t)workload, NULL};
    const char *extra[] = {session->defect, NULL};
    struct trace_request request = {
        .argv = argv, .library = session->library, .extra = extra, .limit_s = session->limit_s, .keep_events = show,
        .fault = {.nth = nth, .onward = modes[mode].onward, .from_start = modes[mode].from_start,
                  .anyone = session->anyone, .error = errors[error].error, .only_number = -1}};
    struct trace trace;

    if (trace_run(&request, &trace) != 0) {
        exit(SKIPPED);
    }
    session->runs++;
    session->given += trace.given;
    bool good = (trace.end == TRACE_EXITED && trace.code == 0) || loader_gave_up(&trace, modes[mode].from_start);
    if (!good) {
        session->failures++;
        describe(session, &trace, workload, mode, error, nth);
    }
    if (show) {
        trace_print(&trace, MARK_START, MARK_END);
        fprintf(stderr, "%s: %u of %u calls failed; end %d, code %d\n", good ? "passed" : "FAILED", trace.given,
                trace.qualifying, (int)trace.end, trace.code);
    }
    bool more = trace.given > 0;
    trace_free(&trace);
    return more;
}

static int index_of_error(const char *name)
{
    for (int i = 0; i < ERRORS; i++) {
        if (strcmp(errors[i].name, name) == 0) {
            return i;
        }
    }
    fprintf(stderr, "no error \"%s\"\n", name);
    exit(2);
}

static int index_of_mode(const char *name)
{
    for (int i = 0; i < MODES; i++) {
        if (strcmp(modes[i].name, name) == 0) {
            return i;
        }
    }
    fprintf(stderr, "no mode \"%s\"\n", name);
    exit(2);
}

/* By steps that grow, where not all calls are tried. */
static unsigned next_nth(unsigned nth, bool thin)
{
    return nth + (thin && nth > 4 ? nth / 3 : 1);
}

/* Every call of the workload in turn, up to `most`, by way of steps that grow when `thin` is set. */
static void run_series(struct session *session, const char *workload, int mode, int error, unsigned most, bool thin)
{
    unsigned failures = session->failures;

    for (unsigned nth = 1; nth <= most; nth = next_nth(nth, thin)) {
        if (!run_one(session, workload, mode, error, nth, false) || session->failures > failures + 5) {
            break; /* no such call any more, or the same failure again and again */
        }
    }
}

/* The same with one error for each call: the three in turn, the first of them another for each `turn`. */
static void run_in_turn(struct session *session, const char *workload, int mode, size_t turn, unsigned most)
{
    static const char *const tried[] = {"ENOMEM", "EPERM", "REFUSED"};
    unsigned failures = session->failures;

    for (unsigned nth = 1; nth <= most; nth = next_nth(nth, true), turn++) {
        int error = index_of_error(tried[turn % (sizeof tried / sizeof *tried)]);
        if (!run_one(session, workload, mode, error, nth, false) || session->failures > failures + 5) {
            break;
        }
    }
}

static int summary(const struct session *session, const char *what)
{
    printf("%s: %u runs, %u calls made to fail, %u failures\n", what, session->runs, session->given, session->failures);
    if (session->given == 0) {
        printf("no call was made to fail: nothing was tested\n");
        return FAILED;
    }
    return session->failures == 0 ? PASSED : FAILED;
}

static int run_quick(struct session *session)
{
    static const char *const workloads[] = {"small_churn",   "medium_churn", "large_churn",   "realloc_large_growth",
                                            "aligned_large", "trimming",     "threads_large", "forks",
                                            "moving"};

    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        run_in_turn(session, workloads[i], index_of_mode("single"), i, 60);
        run_in_turn(session, workloads[i], index_of_mode("onward"), i, 20);
        run_series(session, workloads[i], index_of_mode("start-onward"), index_of_error("ENOMEM"), 6, true);
    }
    for (int error = 0; error < ERRORS; error++) {
        run_series(session, "small_churn", index_of_mode("start"), error, 40, true);
    }
    return summary(session, "quick");
}

static int run_all(struct session *session, const char *workload, bool thin)
{
    for (int mode = 0; mode < MODES; mode++) {
        for (int error = 0; error < ERRORS; error++) {
            run_series(session, workload, mode, error, EVERY, thin);
        }
    }
    return summary(session, workload);
}

/* The stand-in passes as it is, and each of its defects is seen by some workload. */
static int prove(struct session *session)
{
    static const struct {
        const char *defect, *workload, *mode;
    } cases[] = {
        {NULL, "large_churn", "single"},
        {NULL, "medium_growth", "onward"},
        {"trusting", "large_churn", "single"},      /* takes MAP_FAILED for an address */
        {"silent", "large_churn", "onward"},        /* NULL without ENOMEM */
        {"dirty_errno", "large_churn", "single"},   /* free lets munmap's errno out */
        {"no_fallback_ever", "small_growth", "single"}, /* never asks again once refused */
        {"keeps_lock", "medium_growth", "onward"},  /* forgets to unlock on the way out: hangs */
    };
    int wrong = 0;

    session->anyone = true;
    session->limit_s = 4; /* one of them hangs */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char defect[64];
        snprintf(defect, sizeof defect, "STANDIN_DEFECT=%s", cases[i].defect == NULL ? "" : cases[i].defect);
        session->defect = defect;
        session->quiet = cases[i].defect != NULL;
        session->failures = 0;
        for (unsigned nth = 1; nth <= 12 && session->failures == 0; nth++) {
            run_one(session, cases[i].workload, index_of_mode(cases[i].mode), index_of_error("ENOMEM"), nth, false);
        }
        bool right = (session->failures != 0) == (cases[i].defect != NULL);
        printf("%s: %s\n", cases[i].defect == NULL ? "the sound stand-in" : cases[i].defect,
               right ? "as it should be" : cases[i].defect == NULL ? "DOES NOT PASS" : "IS NOT SEEN");
        wrong += !right;
    }
    return wrong == 0 ? PASSED : FAILED;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: faults LIBRARY WORK quick|all|some|one|prove …\n");
        return 2;
    }
    struct session session = {.work = argv[2], .limit_s = LIMIT_S};

    session.library = strcmp(argv[1], "system") == 0 ? NULL : argv[1];
    session.anyone = session.library == NULL;
    if (strcmp(argv[3], "quick") == 0) {
        return run_quick(&session);
    }
    if ((strcmp(argv[3], "all") == 0 || strcmp(argv[3], "some") == 0) && argc == 5) {
        return run_all(&session, argv[4], strcmp(argv[3], "some") == 0);
    }
    if (strcmp(argv[3], "prove") == 0) {
        return prove(&session);
    }
    if (strcmp(argv[3], "one") == 0 && argc == 8) {
        run_one(&session, argv[4], index_of_mode(argv[5]), index_of_error(argv[6]), (unsigned)atoi(argv[7]), true);
        return session.failures != 0;
    }
    return 2;
}
