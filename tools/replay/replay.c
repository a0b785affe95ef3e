/*
 * replay.c - freehold-replay: makes the calls of a plan (tools/freehold/plan.h) on whichever malloc is preloaded, and
 * says what that took. `freehold replay` starts it, once for the time and memory and once for the latencies.
 *
 *     freehold-replay [--latency] PLAN        one figure a line: NAME VALUE; samples: sample NS OPS RSS LIVE
 *     freehold-replay --bench PLAN            the figures of a workload of the bench
 *     freehold-replay --which                 the file whose malloc this program has
 *
 * Its own memory is mapped, not allocated, before it begins, and is left out of the figures.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "plan.h"

enum { SAMPLES = 400, SAMPLES_MORE = 2, CACHE_LINE = 64, BATCH_MOST = 256, STACK_BYTES = 256 * 1024 };

/* What others may see of a thread. */
struct progress {
    _Alignas(CACHE_LINE) uint64_t ops; /* done; atomic */
};

/* What a running thread needs; used again after its end. */
struct context {
    struct fh_plan_chunk chunk;
    struct fh_histogram histogram[FH_HISTOGRAMS];
    struct context *next; /* of all */
    pthread_t handle;
    uint32_t thread;
    uint32_t is_running, has_handle; /* the first is atomic */
    int64_t live_bytes;              /* change since it was last added to the sum */
    uint64_t aside_ns, aside_cpu_ns; /* spent on reading the plan and on samples */
    uint64_t failures;
};

struct sample {
    uint64_t ns, ops, rss, live;
};

static struct {
    int fd, statm;
    bool latency, bench;
    struct fh_plan_header header;
    struct fh_plan_chunk *unused;
    void **slots;
    struct progress *progress;
    uint64_t *sizes; /* of the blocks in the slots */
    struct context *contexts;
    uint64_t own_bytes, start_ns, page_bytes;
    uint64_t done_ops, next_sample; /* atomic */
    int64_t live_bytes;             /* atomic */
    struct sample samples[SAMPLES + SAMPLES_MORE];
    uint64_t sample_count; /* atomic */
} run;

static void die(const char *what)
{
    fprintf(stderr, "freehold-replay: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *map(uint64_t bytes)
{
    bytes = (bytes + run.page_bytes) & ~(run.page_bytes - 1);
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (mapped == MAP_FAILED)
        die("no memory for the replay's own tables");
    run.own_bytes += bytes;
    return mapped;
}

static void read_at(void *out, size_t bytes, uint64_t offset)
{
    if (pread(run.fd, out, bytes, (off_t)offset) != (ssize_t)bytes)
        die("the plan cannot be read");
}

/* --- Samples --- */

static uint64_t resident_bytes(void)
{
    char text[128];
    ssize_t length = pread(run.statm, text, sizeof(text) - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    char *at = strchr(text, ' ');
    return at ? strtoull(at, NULL, 10) * run.page_bytes : 0;
}

static void sample(uint64_t ops)
{
    uint64_t index = __atomic_fetch_add(&run.sample_count, 1, __ATOMIC_RELAXED);
    if (index >= SAMPLES + SAMPLES_MORE)
        return;
    uint64_t rss = resident_bytes();
    run.samples[index] = (struct sample){.ns = now_ns() - run.start_ns,
                                         .ops = ops,
                                         .rss = rss > run.own_bytes ? rss - run.own_bytes : 0,
                                         .live = (uint64_t)__atomic_load_n(&run.live_bytes, __ATOMIC_RELAXED)};
}

/* After each batch of operations. */
static void batch_done(struct context *context, uint64_t ops)
{
    uint64_t done = __atomic_add_fetch(&run.done_ops, ops, __ATOMIC_RELAXED);
    __atomic_add_fetch(&run.live_bytes, context->live_bytes, __ATOMIC_RELAXED);
    context->live_bytes = 0;
    uint64_t next = __atomic_load_n(&run.next_sample, __ATOMIC_RELAXED);
    if (run.latency || run.bench || done < next)
        return;
    uint64_t after = done + run.header.ops / SAMPLES + 1;
    if (!__atomic_compare_exchange_n(&run.next_sample, &next, after, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    uint64_t start = now_ns(), start_cpu = cpu_ns();
    sample(done);
    context->aside_cpu_ns += cpu_ns() - start_cpu;
    context->aside_ns += now_ns() - start;
}

/* --- Operations --- */

static void touch(unsigned char *block, uint64_t size, uint32_t pages)
{
    uint64_t page = run.header.page_bytes, end = size;
    if (pages != FH_PLAN_TOUCH_ALL && pages * page < end)
        end = pages * page;
    if (end == 0)
        return;
    for (uint64_t at = 0; at < end; at += page)
        block[at] = 1;
    block[end - 1] = 1;
}

/* The allocator's part of an operation, and nothing else: this is what the latencies are of. */
static inline void *call(const struct fh_plan_op *op, void *old)
{
    switch (op->kind) {
    case FH_PLAN_MALLOC: return malloc(op->size);
    case FH_PLAN_CALLOC: return calloc(1, op->size);
    case FH_PLAN_REALLOC: return realloc(old, op->size);
    case FH_PLAN_FREE: free(old); return NULL;
    default: return memalign((size_t)1 << op->align_log2, op->size);
    }
}

static void *timed_call(struct context *context, const struct fh_plan_op *op, void *old)
{
    static const uint8_t which[] = {[FH_PLAN_MALLOC] = FH_HISTOGRAM_MALLOC,
                                    [FH_PLAN_CALLOC] = FH_HISTOGRAM_MALLOC,
                                    [FH_PLAN_ALIGNED] = FH_HISTOGRAM_MALLOC,
                                    [FH_PLAN_REALLOC] = FH_HISTOGRAM_REALLOC,
                                    [FH_PLAN_FREE] = FH_HISTOGRAM_FREE};
    uint64_t start = fh_ticks();
    void *block = call(op, old);
    uint64_t ticks = fh_ticks() - start;
    fh_histogram_add(&context->histogram[which[op->kind]], ticks);
    return block;
}

static void allocate_or_free(struct context *context, const struct fh_plan_op *op)
{
    void **slot = &run.slots[op->slot];
    void *block = run.latency ? timed_call(context, op, *slot) : call(op, *slot);
    if (op->kind == FH_PLAN_FREE || op->kind == FH_PLAN_REALLOC)
        context->live_bytes -= (int64_t)run.sizes[op->slot];
    if (op->kind != FH_PLAN_FREE) {
        if (!block && op->size) {
            context->failures++;
            if (op->kind == FH_PLAN_REALLOC)
                free(*slot); /* the trace goes on without it */
        }
        run.sizes[op->slot] = block ? op->size : 0;
        context->live_bytes += (int64_t)run.sizes[op->slot];
        if (block)
            touch(block, op->size, op->touch);
    }
    *slot = block;
}

static void wait_until(uint32_t thread, uint64_t ops)
{
    enum { SPINS = 2000, YIELDS = 200 };
    const uint64_t *word = &run.progress[thread].ops;
    for (uint64_t i = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) < ops; i++) {
        if (i < SPINS) {
            __asm__ volatile("" ::: "memory");
        } else if (i < SPINS + YIELDS) {
            sched_yield();
        } else {
            struct timespec moment = {0, 50000};
            nanosleep(&moment, NULL);
        }
    }
}

static void spawn(uint32_t thread);

static void operation(struct context *context, const struct fh_plan_op *op)
{
    switch (op->kind) {
    case FH_PLAN_WAIT: wait_until(op->slot, op->size); break;
    case FH_PLAN_SPAWN: spawn(op->slot); break;
    case FH_PLAN_USABLE: malloc_usable_size(run.slots[op->slot]); break;
    case FH_PLAN_TRIM: malloc_trim(0); break;
    case FH_PLAN_END: break;
    default: allocate_or_free(context, op);
    }
}

static void read_chunk(struct context *context, uint64_t number)
{
    uint64_t start = now_ns(), start_cpu = cpu_ns();
    read_at(&context->chunk, sizeof(context->chunk),
            sizeof(struct fh_plan_header) + (number - 1) * sizeof(struct fh_plan_chunk));
    context->aside_cpu_ns += cpu_ns() - start_cpu;
    context->aside_ns += now_ns() - start;
}

static void replay_thread(struct context *context)
{
    uint64_t number, done = 0;
    uint64_t *progress = &run.progress[context->thread].ops;
    read_at(&number, sizeof(number), run.header.threads_offset + context->thread * sizeof(number));
    for (; number; number = context->chunk.next) {
        read_chunk(context, number);
        uint32_t ops = context->chunk.ops, in_batch = 0;
        for (uint32_t i = 0; i < ops; i++) {
            operation(context, &context->chunk.op[i]);
            __atomic_store_n(progress, ++done, __ATOMIC_RELEASE);
            if (++in_batch == BATCH_MOST || i + 1 == ops) {
                batch_done(context, in_batch);
                in_batch = 0;
            }
        }
    }
}

/* --- Threads --- */

static void *thread_main(void *argument)
{
    struct context *context = argument;
    replay_thread(context);
    __atomic_store_n(&context->is_running, 0, __ATOMIC_RELEASE);
    return NULL;
}

/* One whose thread has ended; that thread is joined, so that it is really gone. */
static struct context *free_context(void)
{
    for (;;) {
        for (struct context *context = run.contexts; context; context = context->next) {
            if (__atomic_load_n(&context->is_running, __ATOMIC_ACQUIRE))
                continue;
            if (context->has_handle)
                pthread_join(context->handle, NULL);
            context->has_handle = 0;
            return context;
        }
        sched_yield(); /* it has done its last operation, and is about to say so */
    }
}

/* Threads are started by one thread at a time: the first, or the last that was active after its end. */
static void spawn(uint32_t thread)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_attr_t attributes;
    pthread_mutex_lock(&one_at_a_time);
    struct context *context = free_context();
    context->thread = thread;
    context->is_running = 1;
    context->has_handle = 1;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(&context->handle, &attributes, thread_main, context);
    pthread_attr_destroy(&attributes);
    pthread_mutex_unlock(&one_at_a_time);
    if (error) {
        errno = error;
        die("a thread cannot be started");
    }
}

/* --- The report --- */

static uint64_t peak_rss(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        sscanf(line, "VmHWM: %llu", &kib);
    if (status)
        fclose(status);
    return kib * 1024 > run.own_bytes ? kib * 1024 - run.own_bytes : 0;
}

static void print_latencies(double ns_per_tick)
{
    static const char *const names[FH_HISTOGRAMS] = {"malloc", "free", "realloc"};
    static const double parts[] = {0.5, 0.99, 0.999, 0.9999, 1};
    static const char *const titles[] = {"p50", "p99", "p999", "p9999", "max"};
    uint64_t overhead = fh_ticks_overhead();
    for (int i = 0; i < FH_HISTOGRAMS; i++) {
        static struct fh_histogram sum;
        memset(&sum, 0, sizeof(sum));
        for (struct context *context = run.contexts; context; context = context->next)
            fh_histogram_merge(&sum, &context->histogram[i]);
        printf("%s_count %llu\n", names[i], (unsigned long long)sum.count);
        for (size_t j = 0; sum.count && j < sizeof(parts) / sizeof(parts[0]); j++) {
            uint64_t ticks = fh_histogram_at(&sum, parts[j]);
            printf("%s_%s_ns %.1f\n", names[i], titles[j],
                   (double)(ticks > overhead ? ticks - overhead : 0) * ns_per_tick);
        }
    }
}

/* What the bench wants to know; the rest it measures itself. */
static void report_to_bench(uint64_t wall_ns)
{
    uint64_t aside = 0;
    for (struct context *context = run.contexts; context; context = context->next)
        aside = context->aside_ns > aside ? context->aside_ns : aside;
    printf("operations %llu ns_per_operation %.3f rss_end_kib %llu\n", (unsigned long long)run.header.calls,
           (double)(wall_ns > aside ? wall_ns - aside : 0) / (double)run.header.calls,
           (unsigned long long)(resident_bytes() / 1024));
}

static void report(uint64_t wall_ns, double ns_per_tick, uint64_t peak, const struct rusage *usage)
{
    uint64_t aside = 0, most_aside = 0, failures = 0;
    for (struct context *context = run.contexts; context; context = context->next) {
        aside += context->aside_cpu_ns;
        most_aside = context->aside_ns > most_aside ? context->aside_ns : most_aside;
        failures += context->failures;
    }
    double cpu = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e9 +
                 (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e3 - (double)aside;
    printf("operations %llu\n", (unsigned long long)run.header.calls);
    printf("wall_ns %llu\n", (unsigned long long)(wall_ns > most_aside ? wall_ns - most_aside : 0));
    printf("cpu_ns %.0f\n", cpu > 0 ? cpu : 0);
    printf("ns_per_operation %.3f\n", (double)wall_ns / (double)run.header.calls);
    printf("failures %llu\n", (unsigned long long)failures);
    printf("own_bytes %llu\n", (unsigned long long)run.own_bytes);
    if (run.latency) {
        print_latencies(ns_per_tick);
        return;
    }
    uint64_t count = run.sample_count < SAMPLES + SAMPLES_MORE ? run.sample_count : SAMPLES + SAMPLES_MORE;
    for (uint64_t i = 0; i < count; i++) {
        const struct sample *s = &run.samples[i];
        printf("sample %llu %llu %llu %llu\n", (unsigned long long)s->ns, (unsigned long long)s->ops,
               (unsigned long long)s->rss, (unsigned long long)s->live);
        peak = s->rss > peak ? s->rss : peak;
    }
    printf("peak_rss_bytes %llu\nfinal_rss_bytes %llu\n", (unsigned long long)peak,
           (unsigned long long)(count ? run.samples[count - 1].rss : 0));
}

static void prepare(const char *path)
{
    run.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    run.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (run.fd < 0)
        die(path);
    run.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (pread(run.fd, &run.header, sizeof(run.header), 0) != (ssize_t)sizeof(run.header) ||
        run.header.magic != FH_PLAN_MAGIC || run.header.page_bytes == 0) {
        fprintf(stderr, "freehold-replay: %s: not a plan of freehold replay\n", path);
        _exit(1);
    }
    run.slots = map(run.header.slots * sizeof(*run.slots));
    run.sizes = map(run.header.slots * sizeof(*run.sizes));
    run.progress = map(run.header.threads * sizeof(*run.progress));
    for (uint64_t i = 0; i < run.header.threads_at_once + 1; i++) {
        struct context *context = map(sizeof(*context));
        context->next = run.contexts;
        run.contexts = context;
    }
    int peak_reset = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC); /* where the kernel has it (proc(5)) */
    if (peak_reset >= 0 && write(peak_reset, "5", 1) == 1)
        close(peak_reset);
}

static int print_provider(void)
{
    Dl_info info;
    void *function = dlsym(RTLD_DEFAULT, "malloc");
    char real[4096];
    if (!function || !dladdr(function, &info) || !realpath(info.dli_fname, real))
        return 1;
    return puts(real) < 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--which") == 0)
        return print_provider();
    run.latency = argc == 3 && strcmp(argv[1], "--latency") == 0;
    run.bench = argc == 3 && strcmp(argv[1], "--bench") == 0;
    if (argc != 2 + (run.latency || run.bench)) {
        fprintf(stderr, "usage: freehold-replay [--latency | --bench] PLAN | --which\n");
        return 2;
    }
    prepare(argv[argc - 1]);

    struct rusage before, usage;
    struct context *main_context = run.contexts;
    main_context->is_running = 1;
    uint64_t start_ticks = fh_ticks();
    getrusage(RUSAGE_SELF, &before);
    run.start_ns = now_ns();
    sample(0);
    replay_thread(main_context);
    for (struct context *context = run.contexts; context; context = context->next) {
        if (context->has_handle)
            pthread_join(context->handle, NULL);
    }
    uint64_t wall_ns = now_ns() - run.start_ns;
    if (run.bench) {
        report_to_bench(wall_ns);
        return fflush(stdout) != 0;
    }
    getrusage(RUSAGE_SELF, &usage);
    uint64_t peak = peak_rss();
    sample(run.header.ops);
    timersub(&usage.ru_utime, &before.ru_utime, &usage.ru_utime);
    timersub(&usage.ru_stime, &before.ru_stime, &usage.ru_stime);
    report(wall_ns, (double)(now_ns() - run.start_ns) / (double)(fh_ticks() - start_ticks), peak, &usage);
    return fflush(stdout) != 0;
}
