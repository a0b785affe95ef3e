/*
 * startup.c - the library's beginning and end: options, fork handlers, report and check at exit.
 *
 * Layer: api. Calls of malloc that come before the constructor work with the defaults; nothing here is needed for them.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "core.h"
#include "freehold.h"
#include "insight.h"
#include "options.h"
#include "os.h"
#include "profile.h"
#include "state.h"

extern char **environ;

FH_EXPORT const char *fh_version(void)
{
#define FH_TEXT_OF(n) #n
#define FH_TEXT(n) FH_TEXT_OF(n)
    return FH_TEXT(FH_VERSION_MAJOR) "." FH_TEXT(FH_VERSION_MINOR) "." FH_TEXT(FH_VERSION_PATCH);
}

enum { REPORT_NEVER = 0, REPORT_ALWAYS = -1 };
static FH_BESIDE_DATA long report_pid = REPORT_NEVER; /* the process to report on */
static int report_fd = 2;

/* FREEHOLD_REPORT: 1 or all for every process, another number for the process of that id, 0 for none. */
static long parse_report(const char *text)
{
    if (!text) return REPORT_NEVER;
    if (strcmp(text, "1") == 0 || strcmp(text, "all") == 0) return REPORT_ALWAYS;
    char *end;
    long pid = strtol(text, &end, 10);
    if (end != text && !*end && pid >= 0) return pid;
    static const char line[] = "freehold: FREEHOLD_REPORT is neither 1, all, 0 nor a process id; ignored\n";
    fh_os_complain(line, sizeof line - 1);
    return REPORT_NEVER;
}

static bool report_is_wanted(void) { return report_pid == REPORT_ALWAYS || report_pid == fh_os_pid(); }

static void after_fork_in_child(void)
{
    fh_fork_child();
    fh_pressure_after_fork();
    fh_profile_after_fork();
    fh_helper_start();
}

/* Before other constructors, as far as the loader lets a library say so. */
__attribute__((constructor(101))) static void start(void)
{
    fh_core_ensure_init();
    fh_os_note_stderr();
    if (!fh_os_is_secure()) fh_options_read(environ); /* CVE-2023-4911: no environment in a setuid program */
    fh_os_set_root(fh_options.cgroup_root);
    report_pid = parse_report(fh_options.report);
    if (report_pid != REPORT_NEVER && report_is_wanted()) report_fd = fh_os_keep_stderr();
    fh_state_apply_options();
    fh_state_enable_thread_end();
    pthread_atfork(fh_fork_prepare, fh_fork_parent, after_fork_in_child);
    fh_profile_start();
    fh_helper_start();
}

__attribute__((destructor(101))) static void end(void)
{
    fh_profile_end();
    if (fh_options.check) fh_check_or_abort();
    if (report_pid != REPORT_NEVER && report_is_wanted()) fh_account_report(report_fd);
}
