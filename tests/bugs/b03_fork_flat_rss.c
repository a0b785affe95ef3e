/*
 * b03_fork_flat_rss - what a fork makes threads take elsewhere must come back: the parent's RSS stays flat.
 *
 * While a fork is prepared threads allocate from memory of their own. If that is not taken up again, every fork leaks.
 * Also follows a line of descent: each child forks the next, and the last must not be larger than the first.
 * Arguments: number of forks (60, after a third as many that do not count; long 10,000).
 */
#include "b03_fork_load.h"

/* The churn leaves some noise of its own: 128 slots of up to 192 KiB change all the time. */
#define ALLOWED_KIB 12288
#define DESCENDANTS 100

/* Each turn of the loop is run by the child of the process that ran the one before. */
static void descend(size_t first_rss_kib)
{
    for (uint64_t generation = 0; generation < DESCENDANTS; generation++) {
        pid_t pid;

        load_watch("a descendant hangs\n");
        pid = fork();
        CHECK(pid >= 0);
        if (pid != 0) {
            alarm(0); /* all later generations are waited for, and each watches itself */
            _exit(bugs_wait(pid));
        }
        load_watch("a descendant hangs\n");
        load_child_allocates(generation);
    }
    CHECK_NUMBERS(bugs_rss_kib() <= first_rss_kib + 4096, bugs_rss_kib(), first_rss_kib);
    bugs_sound();
    _exit(0);
}

static void fork_once(long i)
{
    pid_t pid;

    load_watch("fork hangs\n");
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        load_child_allocates((uint64_t)i);
        _exit(0);
    }
    CHECK(bugs_wait(pid) == 0);
}

int main(int argc, char **argv)
{
    long forks = bugs_count(argc, argv, 60);
    size_t before_kib;
    size_t after_kib;
    pid_t pid;

    bugs_start();
    load_begin(2, 1, 0);
    for (long i = 0; i < forks / 3; i++)
        fork_once(i);
    before_kib = bugs_rss_kib();
    for (long i = 0; i < forks; i++)
        fork_once(i);
    after_kib = bugs_rss_kib();
    load_end();
    alarm(0);
    CHECK_NUMBERS(after_kib <= before_kib + ALLOWED_KIB, after_kib, before_kib);

    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        load_child_allocates(1);
        descend(bugs_rss_kib());
    }
    CHECK(bugs_wait(pid) == 0);
    bugs_sound();
    return 0;
}
