/*
 * verb_which.c - `freehold which PID`: which malloc a process uses, and how it came there.
 */
#include "cli.h"
#include "file.h"
#include "json.h"
#include "process.h"
#include "resolution.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *arrival_id(enum fh_arrival arrival)
{
    switch (arrival) {
    case FH_ARRIVAL_STATIC:
        return "static";
    case FH_ARRIVAL_BUILT_IN:
        return "built-in";
    case FH_ARRIVAL_LD_PRELOAD:
        return "LD_PRELOAD";
    case FH_ARRIVAL_PRELOAD_FILE:
        return "ld.so.preload";
    case FH_ARRIVAL_EARLY:
        return "early";
    case FH_ARRIVAL_LINKED:
        return "linked";
    case FH_ARRIVAL_LIBC:
        return "libc";
    case FH_ARRIVAL_LATE:
        return "dlopen";
    case FH_ARRIVAL_NONE:
        break;
    }
    return NULL;
}

/* Names come from strangers: what a terminal would obey becomes '?'. */
static void print_text(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_name(const struct fh_module *module)
{
    fputs(module->allocator ? module->allocator->name : "an unknown malloc", stdout);
    if (module->version[0])
        printf(" %s", module->version);
}

static void print_arrival(const struct fh_resolution *resolution)
{
    const struct fh_module *module = resolution->used;
    const char *through = module->through ? fh_base_name(module->through) : "";

    switch (module->arrival) {
    case FH_ARRIVAL_STATIC:
        fputs("linked into the program, which is static", stdout);
        break;
    case FH_ARRIVAL_BUILT_IN:
        fputs("linked into the program, which comes before all libraries", stdout);
        break;
    case FH_ARRIVAL_LD_PRELOAD:
        fputs("preloaded: LD_PRELOAD has ", stdout);
        print_text(through);
        break;
    case FH_ARRIVAL_PRELOAD_FILE:
        fputs("preloaded: /etc/ld.so.preload has ", stdout);
        print_text(through);
        break;
    case FH_ARRIVAL_EARLY:
        fputs("preloaded, as it seems: it came before the C library", stdout);
        break;
    case FH_ARRIVAL_LINKED:
        fputs("linked: ", stdout);
        print_text(through);
        fputs(" needs it", stdout);
        break;
    case FH_ARRIVAL_LIBC:
        fputs("part of the C library; nothing replaces it", stdout);
        break;
    case FH_ARRIVAL_LATE:
    case FH_ARRIVAL_NONE:
        fputs("not known", stdout);
        break;
    }
    putchar('\n');
}

/* Worth a word beside the one in use: another one than the C library's, which is always there. */
static bool is_also_there(const struct fh_resolution *resolution, const struct fh_module *module)
{
    const struct fh_module *used = resolution->used;
    if (module == used || (!module->has_malloc && !module->allocator))
        return false;
    if (!module->has_malloc && used && module->allocator == used->allocator)
        return false; /* a second library of the same one */
    return !module->allocator || !module->allocator->is_libc;
}

static const char *why_not_used(const struct fh_module *module)
{
    if (!module->has_malloc)
        return "does not replace malloc";
    return module->arrival == FH_ARRIVAL_LATE ? "came by dlopen, too late to be used" : "not used, it comes later";
}

static void print_result(const struct fh_process *process, const struct fh_resolution *resolution)
{
    printf("process %ld (", (long)process->pid);
    print_text(process->name);
    fputs("): ", stdout);
    if (resolution->used) {
        print_name(resolution->used);
        fputs("\n  file  ", stdout);
        print_text(resolution->used->path);
        fputs("\n  how   ", stdout);
        print_arrival(resolution);
    } else {
        fputs("no malloc found\n"
              "  note  it may manage memory by itself, as Go programs do\n",
              stdout);
    }
    for (size_t i = 0; i < resolution->module_count; i++) {
        const struct fh_module *module = &resolution->modules[i];
        if (!is_also_there(resolution, module))
            continue;
        fputs("  also  ", stdout);
        print_name(module);
        printf(" (%s)\n        ", why_not_used(module));
        print_text(module->path);
        putchar('\n');
    }
    if (resolution->missing) {
        fputs("  note  LD_PRELOAD has ", stdout);
        print_text(resolution->missing);
        fputs(",\n        which the loader did not take\n", stdout);
    }
}

static void print_member(const char *name, const char *value)
{
    printf("\"%s\": ", name);
    fh_json_string(value);
}

static void print_module_json(const struct fh_module *module)
{
    print_member("malloc", module->allocator ? module->allocator->name : NULL);
    printf(", ");
    print_member("version", module->version[0] ? module->version : NULL);
    printf(", ");
    print_member("file", module->path);
    printf(", ");
    print_member("arrival", arrival_id(module->arrival));
    printf(", ");
    print_member("through", module->through);
}

/* One object a line. "used" is null when no malloc was found, its "malloc" null when it is none of the known ones. */
static void print_result_json(const struct fh_process *process, const struct fh_resolution *resolution)
{
    printf("{\"pid\": %ld, ", (long)process->pid);
    print_member("process", process->name);
    printf(", ");
    print_member("executable", process->executable);
    printf(", \"used\": ");
    if (resolution->used) {
        putchar('{');
        print_module_json(resolution->used);
        putchar('}');
    } else {
        printf("null");
    }
    printf(", \"also\": [");
    const char *separator = "";
    for (size_t i = 0; i < resolution->module_count; i++) {
        const struct fh_module *module = &resolution->modules[i];
        if (!is_also_there(resolution, module))
            continue;
        printf("%s{", separator);
        print_module_json(module);
        printf(", \"replaces_malloc\": %s}", module->has_malloc ? "true" : "false");
        separator = ", ";
    }
    printf("], ");
    print_member("missing_preload", resolution->missing);
    printf("}\n");
}

static int which_one(pid_t pid, bool json)
{
    struct fh_process process;
    struct fh_resolution resolution;

    int status = fh_process_open("which", pid, &process);
    if (status != 0)
        return status;
    status = fh_resolution_find("which", &process, &resolution);
    if (status == 0) {
        if (json)
            print_result_json(&process, &resolution);
        else
            print_result(&process, &resolution);
    }
    fh_resolution_free(&resolution);
    fh_process_close(&process);
    return status;
}

static int which_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    pid_t *pids = calloc((size_t)argc, sizeof(*pids));
    size_t count = 0;
    bool json = false;
    int option, status = FH_EXIT_OK;

    if (!pids)
        return FH_EXIT_FAILED;
    do { /* options may also follow a PID */
        while ((option = fh_next_option("which", argc, argv, "+:h", options)) != -1) {
            if (option == 'h') {
                fh_help_verb(&fh_verb_which);
                status = fh_finish_output("which");
            } else if (option != 'j') {
                status = FH_EXIT_USAGE;
            }
            if (option != 'j')
                goto out;
            json = true;
        }
        if (optind < argc) {
            if (!fh_process_id(argv[optind], &pids[count++])) {
                status = fh_say_usage("which", "'%s' is not a process ID (pidof finds one by name)", argv[optind]);
                goto out;
            }
            optind++;
        }
    } while (optind < argc);

    if (count == 0)
        status = fh_say_usage("which", "a process ID is missing");
    for (size_t i = 0; i < count; i++) {
        int one = which_one(pids[i], json);
        if (one != 0)
            status = one;
    }
    if (fh_finish_output("which") != 0 && status == FH_EXIT_OK)
        status = FH_EXIT_FAILED;
out:
    free(pids);
    return status;
}

const struct fh_verb fh_verb_which = {
    .name = "which",
    .synopsis = "[--json] PID...",
    .summary = "which malloc a process uses, and how it came there",
    .help = "Says which malloc the process PID uses: freehold, the C library's (glibc,\n"
            "musl), jemalloc, mimalloc, tcmalloc, snmalloc, rpmalloc, Scudo,\n"
            "hardened_malloc, tbbmalloc and others; from which file it is; and whether it\n"
            "was preloaded, linked or is part of the program. Only /proc is read; the\n"
            "process does not notice.\n"
            "\n"
            "Options:\n"
            "  --json      one JSON object a line\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  every process was looked at\n"
            "    1  one could not be; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold which $(pidof redis-server)\n",
    .run = which_run,
};
