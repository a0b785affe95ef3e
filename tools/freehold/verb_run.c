/*
 * verb_run.c - `freehold run`: starts a command on freehold.
 *
 * The command takes the place of this process (exec), so its exit status, its signals, its terminal and its process id
 * are its own, and nothing has to be passed on.
 */
#include "cli.h"
#include "launch.h"
#include "library.h"
#include "program.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum report { REPORT_AS_BEFORE, REPORT_SELF, REPORT_ALL };

/*
 * FREEHOLD_REPORT holds the one process that is to report (exec keeps its number), or "all". "1" means all too, so
 * process 1, the first of a container, is written "01".
 */
static bool set_report(enum report report)
{
    char pid[32] = "all";
    if (report == REPORT_AS_BEFORE)
        return true;
    if (report == REPORT_SELF)
        snprintf(pid, sizeof(pid), "%02ld", (long)getpid());
    return setenv("FREEHOLD_REPORT", pid, 1) == 0;
}

/* Call stacks: of the command itself, which keeps this process's number, and of what it forks. */
static bool set_sampling(const char *profile, bool sites)
{
    char pid[32];
    if (!profile && !sites)
        return true;
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    return setenv("FREEHOLD_PROFILE_PID", pid, 1) == 0 && (!profile || setenv("FREEHOLD_PROFILE", profile, 1) == 0) &&
           (!sites || setenv("FREEHOLD_SITES", "1", 1) == 0);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"report", optional_argument, NULL, 'r'},
        {"profile", optional_argument, NULL, 'p'},
        {"sites", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    enum report report = REPORT_AS_BEFORE;
    const char *profile = NULL;
    bool sites = false;
    static struct fh_library library;
    char path[PATH_MAX];
    int option;

    while ((option = fh_next_option("run", argc, argv, "+:h", options)) != -1) {
        switch (option) {
        case 'r':
            if (optarg && strcmp(optarg, "all") != 0)
                return fh_say_usage("run", "--report takes no value or 'all', not '%s'", optarg);
            report = optarg ? REPORT_ALL : REPORT_SELF;
            break;
        case 'p':
            if (optarg && !*optarg)
                return fh_say_usage("run", "--profile= lacks the name of a file; --profile alone writes none");
            profile = optarg ? optarg : "-";
            break;
        case 's':
            sites = true;
            break;
        case 'h':
            fh_help_verb(&fh_verb_run);
            return fh_finish_output("run");
        default:
            return FH_EXIT_USAGE;
        }
    }
    if (optind == argc)
        return fh_say_usage("run", "a command to run is missing");

    int status = fh_program_find("run", argv[optind], path);
    if (status == 0)
        status = fh_library_find("run", &library);
    if (status == 0)
        status = fh_program_check("run", path, &library);
    if (status != 0)
        return status;
    if (!fh_launch_preload(library.preload) || !set_report(report) || !set_sampling(profile, sites)) {
        fh_say("run", "cannot set the environment: %s", strerror(errno));
        return FH_EXIT_REFUSED;
    }
    return fh_launch_execute("run", path, argv + optind);
}

const struct fh_verb fh_verb_run = {
    .name = "run",
    .synopsis = "[OPTION...] [--] COMMAND [ARGUMENT...]",
    .summary = "run a command on freehold",
    .help = "Runs COMMAND with freehold as its malloc, by LD_PRELOAD; programs that it\n"
            "starts run on freehold too. COMMAND takes the place of this program, so its\n"
            "exit status, signals, input and output are its own.\n"
            "\n"
            "Options:\n"
            "  --report      when COMMAND ends, write to stderr what its heap was: live,\n"
            "                rounding, cached, free, untouched, metadata, and their sum\n"
            "  --report=all  the same for every program that COMMAND starts\n"
            "  --profile     choose blocks at random, one in 512 KiB, and keep their call\n"
            "                stacks, for freehold top, profile, and fh_profile_dump()\n"
            "  --profile=FILE\n"
            "                and write them to FILE when COMMAND ends, in pprof's format;\n"
            "                %p in its name stands for the process id\n"
            "  --sites       keep the call stack of every block: freehold pins and top\n"
            "                then name the lines of source that blocks come from. Costs\n"
            "                4 bytes of memory for each 16, and time at each allocation\n"
            "  -h, --help    show this text\n"
            "\n"
            "A program that is killed by a signal writes no report, nor does one that ends\n"
            "by _exit, as dash does, which is sh on Debian.\n"
            "\n"
            "Environment:\n"
            "  LD_PRELOAD        kept; freehold goes in front of it\n"
            "  FREEHOLD_LIBRARY  the libfreehold.so to use; without it, the one beside this\n"
            "                    program, the installed one, or the one the loader finds\n"
            "\n"
            "Exit status: that of COMMAND, or\n"
            "    2  the command line is not understood\n"
            "  125  COMMAND cannot run on freehold; the message says why and what helps\n"
            "  126  COMMAND was found but cannot be executed\n"
            "  127  COMMAND was not found\n"
            "\n"
            "Examples:\n"
            "  freehold run -- make -j8\n"
            "  freehold run --report -- python3 script.py\n",
    .run = run,
};
