/*
 * b03_fork_in_signal_handler - fork inside a handler that interrupts malloc or free.
 *
 * The thread may be interrupted with a lock held or with a list half moved. The parent must go on; the child returns
 * from the handler, finishes the call that was interrupted, goes on allocating, and finds a sound heap.
 * Arguments: number of forks (100; long 20,000); "threads" as second argument lets two threads allocate meanwhile.
 */
#include "b03_fork_load.h"

#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t forks_done;
static volatile sig_atomic_t is_child;
static volatile sig_atomic_t failed_status;
static long forks_wanted;
static uint64_t timer_seed = 7;

/* The next interruption: 50 to 1,073 microseconds from now. One shot, so that a slow fork cannot starve the work. */
static void arm(void)
{
    struct itimerval timer = {{0, 0}, {0, 50 + (long)(bugs_random(&timer_seed) % 1024)}};

    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void on_timer(int signal_number)
{
    int saved_errno = errno;
    pid_t pid;
    int status;

    (void)signal_number;
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        is_child = 1;
        signal(SIGALRM, load_hung);
        load_hang_text = "a child hangs that was forked in a signal handler\n";
        alarm(LOAD_PATIENCE_S);
    } else {
        status = bugs_wait(pid);
        if (status != 0)
            failed_status = status;
        if (++forks_done < forks_wanted)
            arm();
    }
    errno = saved_errno;
}

/* The work that is interrupted: nothing but the allocator. */
static void work(uint64_t *seed, void **blocks, size_t count)
{
    size_t i = bugs_random(seed) % count;

    free(blocks[i]);
    blocks[i] = malloc(bugs_random_size(seed));
    CHECK(blocks[i] != NULL);
}

/* SIGALRM is taken: another signal says that nothing goes on. */
static timer_t parent_timer;

static void watch_parent(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};

    load_hang_text = "the parent hangs in a fork in a signal handler\n";
    signal(SIGUSR2, load_hung);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &parent_timer) == 0);
}

static void parent_goes_on(void)
{
    struct itimerspec time = {.it_value = {LOAD_PATIENCE_S, 0}};

    CHECK(timer_settime(parent_timer, 0, &time, NULL) == 0 || is_child); /* a child has no timers of its parent's */
}

int main(int argc, char **argv)
{
    static void *blocks[500];
    uint64_t seed = 11;
    bugs_check_fn *check;
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};

    bugs_start();
    check = bugs_find_check();
    forks_wanted = bugs_count(argc, argv, 100);
    /* The signal is for this thread: a child forked by a thread of the load would go on with the load for ever. */
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    CHECK(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL) == 0);
    if (argc > 2 && strcmp(argv[2], "threads") == 0)
        load_begin(2, 0, 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL) == 0);
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    watch_parent();
    parent_goes_on();
    arm();
    for (long seen = 0; forks_done < forks_wanted && !is_child;) {
        work(&seed, blocks, 500);
        if (forks_done != seen)
            parent_goes_on();
        seen = forks_done;
        CHECK_NUMBERS(failed_status == 0, failed_status, forks_done);
    }
    if (is_child) {
        for (int i = 0; i < 500; i++)
            work(&seed, blocks, 500);
        _exit(check != NULL && check(bugs_violation, NULL) != 0);
    }
    CHECK_NUMBERS(failed_status == 0, failed_status, forks_done);
    if (load_count > 0)
        load_end();
    for (size_t i = 0; i < 500; i++)
        free(blocks[i]);
    bugs_sound();
    return 0;
}
