/*
 * profile.c - what happens to the blocks that sampling reports: their stacks are walked, counted, and kept while they
 * live; and when profiles are written.
 *
 * Layer: insight. The hooks run on the allocating thread without any lock, and take none.
 */
#include "profile.h"

#include "atomics.h"
#include "format.h"
#include "freehold.h"
#include "options.h"
#include "os.h"
#include "probes.h"
#include "samples.h"
#include "sampling.h"
#include "unwind.h"

enum { PATH_MOST = 4096, ERROR_NOT_SUPPORTED = 95, ERROR_NO_SPACE = 28 };
static char file_path[PATH_MOST]; /* absolute, with %p in place of the process id; empty: no file */
static bool is_forked;

/* What a chosen block stands for. The same at its free as at its allocation, so that what is in use adds up to zero. */
static void weigh(size_t size_bytes, uint64_t *objects, uint64_t *bytes)
{
    double weight = fh_sampling_weight(size_bytes);
    *objects = (uint64_t)(weight * 65536 + 0.5);
    *bytes = (uint64_t)(weight * (double)size_bytes + 0.5);
}

/* The kernel is asked once: a sample takes less time than a system call. */
static __thread uint32_t own_tid __attribute__((tls_model("initial-exec")));

static void keep_sample(void *pointer, size_t usable_bytes, uint32_t stack_number)
{
    uint64_t objects, bytes;
    weigh(usable_bytes, &objects, &bytes);
    if (FH_UNLIKELY(!own_tid)) own_tid = (uint32_t)fh_os_tid();
    struct fh_sample sample = {
        .address = (uintptr_t)pointer,
        .size_bytes = usable_bytes,
        .stack = stack_number,
        .thread = own_tid,
        .born_ms = fh_os_coarse_ms() - fh_samples.started_ms,
    };
    if (!fh_samples_put(&sample)) return;
    struct fh_stack *stack = fh_stack_at(stack_number);
    fh_fetch_add_relaxed(&stack->allocated_objects, objects);
    fh_fetch_add_relaxed(&stack->allocated_bytes, bytes);
    FH_PROBE_3("otel_memory", "alloc", (uintptr_t)pointer, usable_bytes, bytes);
}

static void note_taken(void *pointer, size_t usable_bytes, bool chosen)
{
    uint64_t frames[FH_SAMPLES_STACK_MOST];
    bool truncated;
    unsigned depth = fh_unwind(frames, FH_SAMPLES_STACK_MOST, &truncated);
    uint32_t stack = fh_stack_find(frames, depth, truncated);
    if (fh_samples.sites_root) fh_site_note(pointer, stack);
    if (chosen && stack) keep_sample(pointer, usable_bytes, stack);
}

static bool note_freed(void *pointer)
{
    struct fh_sample sample;
    uint64_t objects, bytes;
    if (!fh_samples_take(pointer, &sample)) return false;
    weigh(sample.size_bytes, &objects, &bytes);
    struct fh_stack *stack = fh_stack_at(sample.stack);
    fh_fetch_add_relaxed(&stack->freed_objects, objects);
    fh_fetch_add_relaxed(&stack->freed_bytes, bytes);
    FH_PROBE_1("otel_memory", "free", (uintptr_t)pointer);
    return true;
}

/* --- Where profiles go. --- */

static void complain(const char *what, const char *path, const char *remedy)
{
    char line[PATH_MOST + 256];
    struct fh_text text;
    fh_text_init(&text, line, sizeof line);
    fh_text_add(&text, "freehold: ");
    fh_text_add(&text, what);
    fh_text_add(&text, path);
    fh_text_add(&text, remedy);
    fh_text_end_line(&text);
    fh_os_complain(line, text.length);
}

/* The program may go to another folder before its profile is written. */
static void note_path(const char *path)
{
    struct fh_text text;
    fh_text_init(&text, file_path, sizeof file_path);
    if (path[0] == '-' && !path[1]) return;
    if (path[0] != '/') {
        char folder[PATH_MOST];
        if (fh_os_working_folder(folder, sizeof folder) > 0) {
            fh_text_add(&text, folder);
            fh_text_add(&text, "/");
        }
    }
    fh_text_add(&text, path);
}

/* %p becomes the process id; a forked child's file has it at its end in any case. */
static void make_path(char out[PATH_MOST])
{
    struct fh_text text;
    bool has_pid = false;
    fh_text_init(&text, out, PATH_MOST);
    for (const char *at = file_path; *at; at++) {
        bool is_pid = at[0] == '%' && at[1] == 'p';
        if (is_pid) fh_text_add_decimal(&text, (uint64_t)fh_os_pid());
        else fh_text_add_span(&text, at, 1);
        at += is_pid;
        has_pid |= is_pid;
    }
    if (!is_forked || has_pid) return;
    fh_text_add(&text, ".");
    fh_text_add_decimal(&text, (uint64_t)fh_os_pid());
}

FH_EXPORT int fh_profile_write(int fd)
{
    if (!(fh_load_acquire(&fh_samples.mode) & FH_SAMPLES_PROFILE)) return ERROR_NOT_SUPPORTED;
    return fh_pprof_write(fd) ? 0 : ERROR_NO_SPACE;
}

FH_EXPORT int fh_profile_dump(const char *path)
{
    if (!(fh_load_acquire(&fh_samples.mode) & FH_SAMPLES_PROFILE)) return ERROR_NOT_SUPPORTED;
    long fd = fh_os_create_file(path);
    if (fd < 0) return (int)-fd;
    int result = fh_profile_write((int)fd);
    fh_os_close((int)fd);
    return result;
}

void fh_profile_end(void)
{
    if (!file_path[0] || !(fh_load_acquire(&fh_samples.mode) & FH_SAMPLES_PROFILE)) return;
    char path[PATH_MOST];
    make_path(path);
    if (fh_profile_dump(path) != 0)
        complain("the profile cannot be written to ", path, "; see that the folder exists, is writable and has room");
}

void fh_profile_after_fork(void)
{
    is_forked = true;
    own_tid = 0;
    fh_samples.pid = (uint32_t)fh_os_pid();
}

static bool is_this_process(void)
{
    size_t wanted = fh_options.profile_pid;
    return wanted == 0 || wanted == (size_t)fh_os_pid();
}

void fh_profile_start(void)
{
    uint32_t mode = (fh_options.profile && fh_options.profile[0] ? FH_SAMPLES_PROFILE : 0) |
                    (fh_options.sites ? FH_SAMPLES_SITES : 0);
    if (!mode || !is_this_process()) return;
    if (fh_options.perturb) {
        complain("FREEHOLD_PROFILE and FREEHOLD_SITES", "", " have no effect with FREEHOLD_PERTURB; unset one of them");
        return;
    }
    if (mode & FH_SAMPLES_PROFILE) note_path(fh_options.profile);
    uint64_t interval = mode & FH_SAMPLES_PROFILE ? fh_options.profile_interval : 0;
    fh_unwind_init();
    if (!fh_samples_init(mode, interval)) {
        complain("no memory for the tables of a profile", "", "; raise the limit on address space (ulimit -v)");
        return;
    }
    fh_sampling_mode.interval_bytes = interval;
    fh_sampling_mode.seed = fh_options.profile_seed;
    fh_sampling_mode.all = mode & FH_SAMPLES_SITES;
    fh_sampling_mode.taken = note_taken;
    fh_sampling_mode.freed = note_freed;
    fh_sampling_start();
}
