/*
 * test_os_os_process.c - the process half of os.h against the real kernel: messages and where they may go, abort,
 * files.
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"

/* What ends up in the file that is descriptor 2 after one complaint. */
static const char *said_into(int flags, bool note_before)
{
    static char text[100];
    char path[] = "/tmp/fh_unit_XXXXXX";
    int saved = dup(2), fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fd = open(path, O_RDWR | flags);
    unlink(path);
    dup2(fd, 2);
    if (note_before) fh_os_note_stderr();
    fh_os_complain("word\n", 5);
    dup2(saved, 2);
    close(saved);
    memset(text, 0, sizeof text);
    assert_true(pread(fd, text, sizeof text - 1, 0) >= 0);
    /* The file stays open: another one could get its inode. */
    return text;
}

static void a_data_file_is_not_written_into(void **state)
{
    (void)state;
    assert_string_equal(said_into(0, false), "");         /* standard error was never noted, and is a regular file */
    assert_string_equal(said_into(O_APPEND, false), "word\n"); /* a log */
    assert_string_equal(said_into(0, true), "word\n");    /* it was that file from the start */
    assert_string_equal(said_into(0, false), "");         /* now it is another one */
}

static void a_pipe_is_fine_and_a_closed_descriptor_too(void **state)
{
    (void)state;
    int ends[2], saved = dup(2);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], 2);
    fh_os_complain("word\n", 5);
    close(2);
    fh_os_complain("lost\n", 5);
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    char text[100] = "";
    assert_int_equal(read(ends[0], text, sizeof text), 5);
    assert_string_equal(text, "word\n");
}

static void long_texts_are_written_whole(void **state)
{
    (void)state;
    enum { LONG = 300000 };
    char path[] = "/tmp/fh_unit_XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    char *text = malloc(LONG);
    memset(text, 'x', LONG);
    fh_os_write(fd, text, LONG);
    assert_int_equal(lseek(fd, 0, SEEK_END), LONG);
    fh_os_write(-1, text, LONG); /* gives up, does not hang */
    free(text);
    close(fd);
}

static void a_kept_stderr_is_out_of_the_way(void **state)
{
    (void)state;
    int kept = fh_os_keep_stderr();
    assert_true(kept >= 200);
    assert_int_equal(fcntl(kept, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(kept);
    int saved = dup(2);
    close(2);
    assert_int_equal(fh_os_keep_stderr(), 2);
    dup2(saved, 2);
}

static void files_are_read_up_to_the_buffer(void **state)
{
    (void)state;
    char path[] = "/tmp/fh_unit_XXXXXX", text[16];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    close(fd);
    assert_int_equal(fh_os_read_file(path, text, sizeof text), 10);
    assert_string_equal(text, "0123456789");
    memset(text, '#', sizeof text);
    assert_int_equal(fh_os_read_file(path, text, 5), 4);
    assert_string_equal(text, "0123");
    assert_int_equal(text[5], '#');
    unlink(path);
    assert_int_equal(fh_os_read_file(path, text, sizeof text), -1);
    int next = dup(0); /* no descriptor was left open */
    close(next);
    for (int i = 0; i < 50; i++) fh_os_read_file("/proc/self/statm", text, sizeof text);
    int again = dup(0);
    assert_int_equal(again, next);
    close(again);
}

static int status_of_abort(void (*prepare)(void))
{
    pid_t child = fork();
    if (child == 0) {
        prepare();
        fh_os_abort();
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

static void nothing(void) {}
static void returning_handler(int signal) { (void)signal; }
static void exiting_handler(int signal) { _exit(signal == SIGABRT ? 42 : 43); }
static void ignore(void) { signal(SIGABRT, SIG_IGN); }
static void return_from_it(void) { signal(SIGABRT, returning_handler); }
static void exit_from_it(void) { signal(SIGABRT, exiting_handler); }
static void block_it(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGABRT);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void abort_always_ends(void **state)
{
    (void)state;
    void (*const ways[])(void) = {nothing, ignore, return_from_it, block_it};
    for (size_t i = 0; i < 4; i++) {
        int status = status_of_abort(ways[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
    int status = status_of_abort(exit_from_it);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void cpus_follow_the_affinity(void **state)
{
    (void)state;
    unsigned cpus = fh_os_usable_cpus();
    assert_true(cpus >= 1 && cpus <= 4096);
    cpu_set_t set, one;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_true(cpus <= (unsigned)CPU_COUNT(&set));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) {
            CPU_SET(cpu, &one);
            break;
        }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(fh_os_usable_cpus(), 1);
}

static void the_process_knows_itself(void **state)
{
    (void)state;
    assert_int_equal(fh_os_pid(), getpid());
    assert_false(fh_os_is_secure());
    char name[16] = "###############";
    prctl(PR_SET_NAME, "a-name-of-15-ch");
    fh_os_process_name(name);
    assert_string_equal(name, "a-name-of-15-ch");
    prctl(PR_SET_NAME, "x");
    fh_os_process_name(name);
    assert_string_equal(name, "x");
}

static void resident_bytes_grow_with_touched_memory(void **state)
{
    (void)state;
    size_t before = fh_os_resident_bytes();
    assert_true(before > 100000 && before % fh_os_page_size() == 0);
    char *p = fh_os_map(NULL, 32 * FH_MIB);
    assert_true(fh_os_resident_bytes() < before + 16 * FH_MIB);
    memset(p, 1, 32 * FH_MIB);
    assert_true(fh_os_resident_bytes() >= before + 24 * FH_MIB);
    fh_os_unmap(p, 32 * FH_MIB);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_data_file_is_not_written_into),
    cmocka_unit_test(a_pipe_is_fine_and_a_closed_descriptor_too),
    cmocka_unit_test(long_texts_are_written_whole),
    cmocka_unit_test(a_kept_stderr_is_out_of_the_way),
    cmocka_unit_test(files_are_read_up_to_the_buffer),
    cmocka_unit_test(abort_always_ends),
    cmocka_unit_test(cpus_follow_the_affinity),
    cmocka_unit_test(the_process_knows_itself),
    cmocka_unit_test(resident_bytes_grow_with_touched_memory),
};
UNIT_GROUP(os_process);
