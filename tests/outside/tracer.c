/*
 * tracer.c - the tracing loop: see tracer.h.
 *
 * One request is traced at a time. The program is seized before its exec; new threads and children are followed and
 * end with us (EXITKILL). Hangs are found by a timer that interrupts waitpid.
 */
#define _GNU_SOURCE
#include "tracer.h"

#include "mark.h"
#include "registers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <linux/ptrace.h>

enum { THREADS_MAX = 256, ENV_MAX = 32 };

/* A thread between the entry and the exit of a system call. */
struct tracee {
    pid_t thread;
    bool inside;
    bool skipped;            /* the call was replaced by nothing: write the error at its exit */
    struct trace_event call;
};

struct run {
    const struct trace_request *request;
    struct trace *trace;
    pid_t leader;
    char library[PATH_MAX];  /* as /proc/PID/maps names it; empty for none */
    uint64_t text_start, text_end; /* where the library's code lies, once it is mapped */
    size_t capacity;
    struct tracee tracees[THREADS_MAX];
    size_t tracee_count;
};

static volatile sig_atomic_t timer_fired;

static void on_timer(int signal_number)
{
    (void)signal_number;
    timer_fired = 1;
}

static const struct {
    long number;
    const char *name;
    bool memory; /* counts as a memory call of the tests */
} calls[] = {
    {SYS_brk, "brk", true},           {SYS_mmap, "mmap", true},         {SYS_munmap, "munmap", true},
    {SYS_mremap, "mremap", true},     {SYS_madvise, "madvise", true},   {SYS_mprotect, "mprotect", true},
    {SYS_getrandom, "getrandom", false}, {SYS_futex, "futex", false},   {SYS_openat, "openat", false},
    {SYS_read, "read", false},        {SYS_sched_getaffinity, "sched_getaffinity", false},
    {SYS_membarrier, "membarrier", false},
};

const char *trace_call_name(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].number == number) {
            return calls[i].name;
        }
    }
    return "?";
}

bool trace_is_memory_call(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].number == number) {
            return calls[i].memory;
        }
    }
    return false;
}

static bool is_known(long number)
{
    return trace_call_name(number)[0] != '?';
}

static struct tracee *tracee_of(struct run *run, pid_t thread)
{
    for (size_t i = 0; i < run->tracee_count; i++) {
        if (run->tracees[i].thread == thread) {
            return &run->tracees[i];
        }
    }
    if (run->tracee_count == THREADS_MAX) {
        fprintf(stderr, "tracer: more than %d threads\n", THREADS_MAX);
        abort();
    }
    struct tracee *tracee = &run->tracees[run->tracee_count++];
    memset(tracee, 0, sizeof *tracee);
    tracee->thread = thread;
    return tracee;
}

static void tracee_forget(struct run *run, pid_t thread)
{
    for (size_t i = 0; i < run->tracee_count; i++) {
        if (run->tracees[i].thread == thread) {
            run->tracees[i] = run->tracees[--run->tracee_count];
            return;
        }
    }
}

static void record(struct run *run, const struct trace_event *event)
{
    struct trace *trace = run->trace;

    if (!run->request->keep_events) {
        return;
    }
    if (trace->count == run->capacity) {
        run->capacity = run->capacity == 0 ? 256 : run->capacity * 2;
        trace->events = realloc(trace->events, run->capacity * sizeof *trace->events);
        if (trace->events == NULL) {
            perror("tracer");
            abort();
        }
    }
    trace->events[trace->count++] = *event;
}

/* Looks for the library's code in the maps of a thread, until it is there. */
static void find_library(struct run *run, pid_t thread)
{
    char line[PATH_MAX + 128];
    char name[64];

    if (run->library[0] == '\0' || run->text_end != 0) {
        return;
    }
    snprintf(name, sizeof name, "/proc/%d/maps", (int)thread);
    FILE *maps = fopen(name, "re");
    if (maps == NULL) {
        return;
    }
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char permissions[8];

        line[strcspn(line, "\n")] = '\0';
        const char *path = strchr(line, '/');
        if (path != NULL && strcmp(path, run->library) == 0 &&
            sscanf(line, "%lx-%lx %7s", &start, &end, permissions) == 3 && permissions[2] == 'x') {
            run->text_start = start;
            run->text_end = end;
        }
    }
    fclose(maps);
}

/* Waking and the calls that cannot be refused stay out: a lost wake-up is a broken kernel, not a refusal. */
static bool may_fail(const struct trace_event *call, int error)
{
    if (call->number == SYS_futex) {
        unsigned operation = (unsigned)call->args[1] & 0x7f;
        return error == EAGAIN && (operation == 0 || operation == 9); /* FUTEX_WAIT, FUTEX_WAIT_BITSET */
    }
    return error != TRACE_REFUSED || call->number == SYS_brk;
}

static bool qualifies(const struct run *run, const struct trace_event *call)
{
    const struct trace_fault *fault = &run->request->fault;

    if (call->phase >= MARK_END || (call->phase < MARK_BEGIN && !fault->from_start)) {
        return false;
    }
    if (fault->only_number >= 0 && call->number != fault->only_number) {
        return false;
    }
    if (fault->anyone || run->library[0] == '\0') {
        return trace_is_memory_call(call->number) && may_fail(call, fault->error);
    }
    if (!call->from_library && !(call->number == SYS_brk && run->text_end != 0)) {
        return false;
    }
    return may_fail(call, fault->error);
}

static void inject(struct run *run, struct tracee *tracee)
{
    const struct trace_fault *fault = &run->request->fault;
    struct trace *trace = run->trace;

    if (!qualifies(run, &tracee->call)) {
        return;
    }
    trace->qualifying++;
    if (fault->nth == 0 || trace->qualifying < fault->nth || (trace->qualifying > fault->nth && !fault->onward)) {
        return;
    }
    if (fault->error == TRACE_REFUSED || (fault->anyone && tracee->call.number == SYS_brk)) {
        registers_set_first_argument(tracee->thread, 0);
    } else {
        registers_skip_call(tracee->thread);
        tracee->skipped = true;
    }
    tracee->call.injected = true;
    if (trace->given++ == 0) {
        trace->first_given = tracee->call.number;
    }
}

static void on_entry(struct run *run, struct tracee *tracee, const struct ptrace_syscall_info *info)
{
    struct trace_event *call = &tracee->call;

    memset(call, 0, sizeof *call);
    call->thread = tracee->thread;
    call->number = (long)info->entry.nr;
    memcpy(call->args, info->entry.args, sizeof call->args);
    call->phase = run->trace->phase;
    tracee->inside = true;
    tracee->skipped = false;
    if (call->number == SYS_prctl && call->args[0] == MARK_OPTION) {
        call->is_mark = true;
        run->trace->phase = call->phase = (int)call->args[1];
        call->args[0] = call->args[2];
        record(run, call);
        tracee->inside = false;
        return;
    }
    if (!is_known(call->number)) {
        tracee->inside = false;
        return;
    }
    find_library(run, tracee->thread);
    call->from_library = info->instruction_pointer >= run->text_start && info->instruction_pointer < run->text_end;
    inject(run, tracee);
}

static void on_exit_of_call(struct run *run, struct tracee *tracee, const struct ptrace_syscall_info *info)
{
    if (!tracee->inside) {
        return;
    }
    tracee->inside = false;
    tracee->call.result = info->exit.rval;
    if (tracee->call.injected && !tracee->skipped) {
        registers_restore_first_argument(tracee->thread, tracee->call.args[0]);
    }
    if (tracee->skipped) {
        tracee->call.result = -run->request->fault.error;
        registers_set_result(tracee->thread, tracee->call.result);
    }
    record(run, &tracee->call);
}

static void on_system_call(struct run *run, pid_t thread)
{
    struct ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) <= 0) {
        return;
    }
    struct tracee *tracee = tracee_of(run, thread);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        on_entry(run, tracee, &info);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        on_exit_of_call(run, tracee, &info);
    }
}

/* Deals with one stop and lets the thread go on. */
static void on_stop(struct run *run, pid_t thread, int status)
{
    int delivered = 0;
    int signal_number = WSTOPSIG(status);
    int event = status >> 16;

    tracee_of(run, thread); /* from its first stop on, so that a hang can be ended whole */
    if (signal_number == (SIGTRAP | 0x80)) {
        on_system_call(run, thread);
    } else if (event == PTRACE_EVENT_EXEC) {
        run->text_start = run->text_end = 0;
    } else if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP) {
        ptrace(PTRACE_LISTEN, thread, NULL, NULL);
        return;
    } else if (event == 0) {
        delivered = signal_number;
    }
    ptrace(run->request->ignore_calls ? PTRACE_CONT : PTRACE_SYSCALL, thread, NULL, (void *)(uintptr_t)delivered);
}

static void kill_all(struct run *run)
{
    kill(run->leader, SIGKILL);
    for (size_t i = 0; i < run->tracee_count; i++) {
        kill(run->tracees[i].thread, SIGKILL);
    }
}

/* Waits for everything that the request started; the leader's end is the trace's end. */
static void follow(struct run *run)
{
    struct trace *trace = run->trace;
    bool hung = false;

    for (;;) {
        int status;
        pid_t thread = waitpid(-1, &status, __WALL);

        if (timer_fired) {
            timer_fired = 0;
            hung = true;
            kill_all(run);
        }
        if (thread < 0 && errno == EINTR) {
            continue;
        }
        if (thread < 0) {
            break;
        }
        if (WIFSTOPPED(status)) {
            on_stop(run, thread, status);
            continue;
        }
        tracee_forget(run, thread);
        if (thread == run->leader) {
            trace->end = WIFEXITED(status) ? TRACE_EXITED : TRACE_KILLED_BY_SIGNAL;
            trace->code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        }
    }
    if (hung) {
        trace->end = TRACE_HUNG;
    }
}

/* In the child: wait until the tracer holds us, then become the program. Exits with 126 where that fails. */
static _Noreturn void become(const struct trace_request *request, int gate, int errors, char *const *environment)
{
    char go;

    if (read(gate, &go, 1) != 1 || dup2(errors, STDERR_FILENO) < 0) {
        _exit(126);
    }
    /* Addresses that repeat from run to run: whether a mapping is the first in its 4 GiB, and so brings a leaf of the
     * page map with it, must not be left to chance. Where this is refused, a test may fail once in a hundred runs. */
    personality(ADDR_NO_RANDOMIZE);
    if (request->before_exec != NULL && request->before_exec(request->before_exec_arg) != 0) {
        _exit(126);
    }
    execve(request->argv[0], request->argv, environment);
    _exit(126);
}

/* Options of the malloc under test must not leak in from the caller's environment: only what the request names. */
static void build_environment(const struct trace_request *request, char *preload, size_t size, char **environment)
{
    size_t count = 0;
    static char path[] = "PATH=/usr/bin:/bin";
    static char language[] = "LC_ALL=C";

    environment[count++] = path;
    environment[count++] = language;
    if (request->library != NULL) {
        snprintf(preload, size, "LD_PRELOAD=%s", request->library);
        environment[count++] = preload;
    }
    for (size_t i = 0; request->extra != NULL && request->extra[i] != NULL && count < ENV_MAX - 1; i++) {
        environment[count++] = (char *)(uintptr_t)request->extra[i];
    }
    environment[count] = NULL;
}

static pid_t start(const struct trace_request *request, int errors)
{
    char preload[PATH_MAX + 32];
    char *environment[ENV_MAX];
    int gate[2];
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

    build_environment(request, preload, sizeof preload, environment);
    if (pipe2(gate, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        become(request, gate[0], errors, environment);
    }
    if (child > 0 && ptrace(PTRACE_SEIZE, child, NULL, (void *)options) != 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = -1;
    }
    /* A seized thread runs on until its first event: interrupt it, so that calls are seen from the gate on. */
    if (child > 0) {
        ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
        ssize_t written = write(gate[1], "g", 1);
        (void)written;
    }
    close(gate[0]);
    close(gate[1]);
    return child;
}

static void set_timer(unsigned seconds)
{
    /* It repeats: a timer that fires just before waitpid is entered would otherwise be lost. */
    struct itimerval timer = {{1, 0}, {(time_t)seconds, 0}};

    if (seconds == 0) {
        timer.it_interval.tv_sec = 0;
    }
    setitimer(ITIMER_REAL, &timer, NULL);
}

int trace_run(const struct trace_request *request, struct trace *trace)
{
    static struct run run;
    struct sigaction action = {.sa_handler = on_timer};

    memset(&run, 0, sizeof run);
    memset(trace, 0, sizeof *trace);
    trace->end = TRACE_NOT_RUN;
    trace->first_given = -1;
    run.request = request;
    run.trace = trace;
    if (request->library != NULL && realpath(request->library, run.library) == NULL) {
        fprintf(stderr, "tracer: %s: %s\n", request->library, strerror(errno));
        return -1;
    }
    int errors = memfd_create("stderr", MFD_CLOEXEC);
    sigaction(SIGALRM, &action, NULL);
    timer_fired = 0;
    run.leader = start(request, errors);
    if (run.leader < 0) {
        fprintf(stderr, "tracer: cannot trace here: %s\n", strerror(errno));
        close(errors);
        return -1;
    }
    set_timer(request->limit_s == 0 ? 60 : request->limit_s);
    follow(&run);
    set_timer(0);
    ssize_t length = pread(errors, trace->output, sizeof trace->output - 1, 0);
    trace->output[length > 0 ? length : 0] = '\0';
    close(errors);
    return 0;
}

void trace_free(struct trace *trace)
{
    free(trace->events);
    trace->events = NULL;
    trace->count = 0;
}

void trace_print(const struct trace *trace, int from, int to)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];

        if (event->phase < from || event->phase > to) {
            continue;
        }
        if (event->is_mark) {
            fprintf(stderr, "  [%d] -- mark, value 0x%lx\n", event->phase, (unsigned long)event->args[0]);
            continue;
        }
        fprintf(stderr, "  [%d] %s(0x%lx, 0x%lx, 0x%lx, 0x%lx) = 0x%lx%s%s\n", event->phase,
                trace_call_name(event->number), (unsigned long)event->args[0], (unsigned long)event->args[1],
                (unsigned long)event->args[2], (unsigned long)event->args[3], (unsigned long)event->result,
                event->from_library ? "" : " (not from the library)", event->injected ? " (made to fail)" : "");
    }
}
