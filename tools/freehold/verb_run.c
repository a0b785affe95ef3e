/*
 * verb_run.c - `freehold run`: starts a command on freehold.
 *
 * The command takes the place of this process (exec), so its exit status, its signals, its terminal and its process id
 * are its own, and nothing has to be passed on.
 */
#include "cli.h"
#include "library.h"
#include "program.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum report { REPORT_AS_BEFORE, REPORT_SELF, REPORT_ALL };

/*
 * The library goes first, so that its malloc is found before one that the user preloads; what the user preloads stays,
 * and a second mention of the library does not.
 */
static bool set_preload(const char *library)
{
    const char *before = getenv("LD_PRELOAD");
    size_t room = strlen(library) + (before ? strlen(before) : 0) + 2;
    char *value = malloc(room);

    if (!value)
        return false;
    size_t used = (size_t)snprintf(value, room, "%s", library);
    for (const char *word = before ? before : ""; *word;) {
        size_t length = strcspn(word, ": ");
        if (length > 0 && !(length == strlen(library) && strncmp(word, library, length) == 0))
            used += (size_t)snprintf(value + used, room - used, ":%.*s", (int)length, word);
        word += length + (word[length] != '\0');
    }
    bool set = setenv("LD_PRELOAD", value, 1) == 0;
    free(value);
    return set;
}

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

/* execv, and the shell for a file without #! line, as execvp does. Returns only when it fails. */
static int execute(const char *path, char **argv)
{
    execve(path, argv, environ);
    if (errno == ENOEXEC) {
        size_t count = 0;
        while (argv[count])
            count++;
        char **shell_argv = calloc(count + 2, sizeof(*shell_argv));
        if (shell_argv) {
            shell_argv[0] = (char *)"/bin/sh";
            shell_argv[1] = (char *)path;
            for (size_t i = 1; i < count; i++)
                shell_argv[i + 1] = argv[i];
            execve("/bin/sh", shell_argv, environ);
        }
        free(shell_argv);
    }
    int error = errno;
    fh_say("run", "%s: cannot be executed: %s", path, strerror(error));
    return error == ENOENT ? FH_EXIT_NOT_FOUND : FH_EXIT_NOT_EXECUTABLE;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"report", optional_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    enum report report = REPORT_AS_BEFORE;
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
    if (!set_preload(library.preload) || !set_report(report)) {
        fh_say("run", "cannot set the environment: %s", strerror(errno));
        return FH_EXIT_REFUSED;
    }
    return execute(path, argv + optind);
}

const struct fh_verb fh_verb_run = {
    .name = "run",
    .synopsis = "[--report[=all]] [--] COMMAND [ARGUMENT...]",
    .summary = "run a command on freehold",
    .help = "Runs COMMAND with freehold as its malloc, by LD_PRELOAD; programs that it\n"
            "starts run on freehold too. COMMAND takes the place of this program, so its\n"
            "exit status, signals, input and output are its own.\n"
            "\n"
            "Options:\n"
            "  --report      when COMMAND ends, write to stderr what its heap was: live,\n"
            "                rounding, cached, free, untouched, metadata, and their sum\n"
            "  --report=all  the same for every program that COMMAND starts\n"
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
