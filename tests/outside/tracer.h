/*
 * tracer.h - runs a program under ptrace, logs the memory system calls of all its threads and children, and can make
 * chosen ones fail. Linux on x86-64 and aarch64.
 */
#ifndef OUTSIDE_TRACER_H
#define OUTSIDE_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One finished system call, or one mark (is_mark: args[0] is the value that came with it). */
struct trace_event {
    pid_t thread;
    int phase;         /* the last mark before the call was entered */
    bool is_mark;
    bool from_library; /* the instruction that made the call lies in the preloaded library */
    bool injected;     /* the tracer made it fail */
    long number;
    uint64_t args[6];
    int64_t result;    /* as the kernel returned it: -errno on failure */
};

/*
 * Which calls fail. Only calls of the preloaded library (and any brk) qualify; without a library, the memory calls of
 * everybody.
 */
struct trace_fault {
    unsigned nth;     /* the nth call that qualifies, from 1; 0: none fails, they are only counted */
    bool onward;      /* that one and every later one, until MARK_END */
    bool anyone;      /* everybody's memory calls qualify; brk is TRACE_REFUSED: libc takes an error for an address */
    bool from_start;  /* qualify from the first instruction of the library, not from MARK_BEGIN */
    int error;        /* errno to answer with; TRACE_REFUSED for a brk that leaves the break where it is */
    long only_number; /* only this system call qualifies, or -1 for all that memory comes and goes by */
};
#define TRACE_REFUSED 0x10000

enum trace_end { TRACE_EXITED, TRACE_KILLED_BY_SIGNAL, TRACE_HUNG, TRACE_NOT_RUN };

struct trace_request {
    char *const *argv;
    const char *library;       /* absolute path for LD_PRELOAD, or NULL for the system's malloc */
    const char *const *extra;  /* NAME=value strings to add to the environment, NULL at the end; may be NULL */
    int (*before_exec)(void *arg); /* runs in the child just before exec (limits, filters); 0 is success */
    void *before_exec_arg;
    struct trace_fault fault;
    unsigned limit_s;          /* seconds after which the program counts as hung and is killed */
    bool keep_events;          /* false: only count, which is all that fault injection needs */
    bool ignore_calls;         /* see no calls and no marks at all: the program runs at its full speed */
};

struct trace {
    enum trace_end end;
    int code;             /* exit status, or signal number */
    int phase;            /* the last phase that was marked */
    struct trace_event *events;
    size_t count;
    unsigned qualifying;  /* calls that could have been made to fail */
    unsigned given;       /* calls that were made to fail */
    long first_given;     /* number of the first of them, -1 for none */
    char output[4096];    /* what the program wrote on stderr: the beginning of it */
};

/* Runs the request to its end. Returns 0, or -1 where the machine does not let us trace (reason on stderr). */
int trace_run(const struct trace_request *request, struct trace *trace);
void trace_free(struct trace *trace);

/* "brk", "mmap", … of the calls that the tracer knows, "?" for others. */
const char *trace_call_name(long number);

/* True for brk, mmap, munmap, mremap, madvise and mprotect. */
bool trace_is_memory_call(long number);

/* One line for each event with from <= phase <= to, on stderr: what a failed test shows. */
void trace_print(const struct trace *trace, int from, int to);

#endif /* OUTSIDE_TRACER_H */
