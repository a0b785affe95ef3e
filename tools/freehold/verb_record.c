/*
 * verb_record.c - `freehold record`: starts a command on the library that notes every call in a trace.
 *
 * As with `freehold run`, the command takes the place of this process; the library finds in FREEHOLD_RECORD which
 * process is to be recorded, and where to.
 */
#include "cli.h"
#include "launch.h"
#include "library.h"
#include "program.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file must be one that can be written; its absolute name, since the command may go elsewhere. */
static int prepare_file(const char *name, char path[PATH_MAX])
{
    struct stat info;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);

    if (fd < 0) {
        fh_say("record", "%s: cannot be written: %s", name, strerror(errno));
        return FH_EXIT_REFUSED;
    }
    bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    close(fd);
    if (!is_file) {
        fh_say("record", "%s: not a regular file; a trace is written in more than one place of it", name);
        return FH_EXIT_REFUSED;
    }
    if (!realpath(name, path)) {
        fh_say("record", "%s: %s", name, strerror(errno));
        return FH_EXIT_REFUSED;
    }
    return 0;
}

/* libfreehold-record.so stands beside libfreehold.so, or where the loader finds both. */
static int recording_library(struct fh_library *library)
{
    static const char from[] = "libfreehold", to[] = "libfreehold-record";
    char *slash = strrchr(library->preload, '/');
    char *name = slash ? slash + 1 : library->preload;
    char suffix[PATH_MAX];

    if (strncmp(name, from, strlen(from)) != 0 || strlen(library->preload) + sizeof(to) > sizeof(library->preload)) {
        fh_say("record", "%s: not named libfreehold.so..., so that libfreehold-record.so is not found beside it",
               library->preload);
        return FH_EXIT_REFUSED;
    }
    snprintf(suffix, sizeof(suffix), "%s", name + strlen(from));
    snprintf(name, sizeof(library->preload) - (size_t)(name - library->preload), "%s%s", to, suffix);
    if (slash && access(library->preload, R_OK) != 0) {
        fh_say("record", "%s: %s; it belongs beside libfreehold.so", library->preload, strerror(errno));
        return FH_EXIT_REFUSED;
    }
    return 0;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"children", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct fh_library library;
    char path[PATH_MAX], file[PATH_MAX], setting[PATH_MAX + 32];
    const char *output = NULL;
    bool children = false;
    int option;

    while ((option = fh_next_option("record", argc, argv, "+:ho:", options)) != -1) {
        switch (option) {
        case 'o':
            output = optarg;
            break;
        case 'c':
            children = true;
            break;
        case 'h':
            fh_help_verb(&fh_verb_record);
            return fh_finish_output("record");
        default:
            return FH_EXIT_USAGE;
        }
    }
    if (!output)
        return fh_say_usage("record", "-o FILE is missing: where the trace goes");
    if (optind == argc)
        return fh_say_usage("record", "a command to record is missing");

    int status = fh_program_find("record", argv[optind], path);
    if (status == 0)
        status = fh_library_find("record", &library);
    if (status == 0)
        status = recording_library(&library);
    if (status == 0)
        status = fh_program_check("record", path, &library);
    if (status == 0)
        status = prepare_file(output, file);
    if (status != 0)
        return status;
    snprintf(setting, sizeof(setting), "%ld%s:%s", (long)getpid(), children ? "+" : "", file);
    if (!fh_launch_preload(library.preload) || setenv("FREEHOLD_RECORD", setting, 1) != 0) {
        fh_say("record", "cannot set the environment: %s", strerror(errno));
        return FH_EXIT_REFUSED;
    }
    return fh_launch_execute("record", path, argv + optind);
}

const struct fh_verb fh_verb_record = {
    .name = "record",
    .synopsis = "-o FILE [--children] [--] COMMAND [ARGUMENT...]",
    .summary = "record every call of malloc and free of a command",
    .help = "Runs COMMAND on freehold and writes every call of the allocator to FILE, a\n"
            "trace: threads apart, which block each free and realloc is of, alignment, and\n"
            "how much of large blocks was touched. 'freehold replay' makes the same calls on\n"
            "any allocator. COMMAND takes the place of this program; it runs 1.1 to 3 times\n"
            "as long, and the trace takes 1 to 4 bytes a call.\n"
            "\n"
            "Options:\n"
            "  -o, --output FILE  where the trace goes; what was there is lost\n"
            "  --children         record the processes that COMMAND starts, too: each in\n"
            "                     FILE.PID\n"
            "  -h, --help         show this text\n"
            "\n"
            "Only the process that is started is recorded, or the program that it puts in\n"
            "its place by exec. When it is killed, FILE ends with what was written last, up\n"
            "to 64 KiB a thread before. When the disk is full, recording stops with a\n"
            "message and COMMAND goes on. FILE may be long: 'freehold replay --stat FILE'\n"
            "says what is in it.\n"
            "\n"
            "Environment: as for 'freehold run'.\n"
            "\n"
            "Exit status: that of COMMAND, or\n"
            "    2  the command line is not understood\n"
            "  125  COMMAND cannot be recorded; the message says why and what helps\n"
            "  126  COMMAND was found but cannot be executed\n"
            "  127  COMMAND was not found\n"
            "\n"
            "Examples:\n"
            "  freehold record -o t -- python3 script.py\n"
            "  freehold replay t --with freehold,glibc,libjemalloc.so.2\n",
    .run = run,
};
