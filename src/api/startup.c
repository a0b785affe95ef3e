/*
 * startup.c - the library's beginning and end: options, fork handlers, report and check at exit.
 *
 * Layer: api. Calls of malloc that come before the constructor work with the defaults; nothing here is needed for them.
 */
#include <pthread.h>
#include <unistd.h>

#include "core.h"
#include "freehold.h"
#include "insight.h"
#include "options.h"
#include "os.h"
#include "state.h"

extern char **environ;

FH_EXPORT const char *fh_version(void)
{
#define FH_TEXT_OF(n) #n
#define FH_TEXT(n) FH_TEXT_OF(n)
    return FH_TEXT(FH_VERSION_MAJOR) "." FH_TEXT(FH_VERSION_MINOR) "." FH_TEXT(FH_VERSION_PATCH);
}

static int report_fd = 2;

/* FREEHOLD_REPORT: 1 or all for every process, a number for the process of that id. */
static bool report_is_wanted(const char *report)
{
    if (!report || !report[0]) return false;
    if ((report[0] == '1' && !report[1]) || (report[0] == 'a' && report[1] == 'l' && report[2] == 'l' && !report[3]))
        return true;
    int pid = 0;
    for (; *report; report++) {
        if (*report < '0' || *report > '9' || pid > 100000000) return false;
        pid = pid * 10 + (*report - '0');
    }
    return pid == fh_os_pid();
}

/* Before other constructors, as far as the loader lets a library say so. */
__attribute__((constructor(101))) static void start(void)
{
    fh_core_ensure_init();
    fh_os_note_stderr();
    if (!fh_os_is_secure()) fh_options_read(environ); /* CVE-2023-4911: no environment in a setuid program */
    if (report_is_wanted(fh_options.report)) report_fd = fh_os_keep_stderr();
    fh_state_apply_options();
    fh_state_enable_thread_end();
    pthread_atfork(fh_fork_prepare, fh_fork_parent, fh_fork_child);
}

__attribute__((destructor(101))) static void end(void)
{
    if (fh_options.check) fh_check_or_abort();
    if (report_is_wanted(fh_options.report)) fh_account_print_to(report_fd, report_fd == 2);
}
