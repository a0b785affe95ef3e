/*
 * b07_reused_stderr - the line about a misuse goes to the standard error that the process was started with, and never
 * into a data file that has got descriptor 2 since. The process aborts all the same.
 */
#include "bugs.h"

#include <sys/stat.h>

static void misuse(void)
{
    void *p = malloc(40);
    void *q = malloc(40);

    free(p);
    free(bugs_hide(p));
    free(q);
    _exit(44);
}

enum way { STARTED_WITH_FILE, REUSED, CLOSED, CLOSED_BEFORE_EXEC };

/* What the process is after its exec: descriptor 2 is what the parent left. */
static void run_again(enum way way, const char *data_path)
{
    if (way == REUSED || way == CLOSED) {
        free(malloc(1));
        close(2);
    }
    if (way == REUSED || way == CLOSED_BEFORE_EXEC) {
        int fd = open(data_path, O_RDWR | O_CREAT | O_TRUNC, 0600);

        if (fd != 2)
            _exit(45);
    }
    misuse();
}

/* Runs this program again, and answers how many bytes are in the file afterwards. */
static long run(const char *program, enum way way, const char *data_path)
{
    char digit[2] = {(char)('0' + (int)way), '\0'};
    struct stat file;
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        if (way == CLOSED_BEFORE_EXEC)
            close(2);
        else {
            int fd = open(way == STARTED_WITH_FILE ? data_path : "/dev/null", O_RDWR | O_CREAT | O_TRUNC, 0600);

            dup2(fd, 2);
            if (fd > 2)
                close(fd);
        }
        execl("/proc/self/exe", program, "again", digit, data_path, (char *)NULL);
        _exit(46);
    }
    status = bugs_wait(pid);
    CHECK_NUMBERS(status == 1000 + SIGABRT, status, way);
    if (stat(data_path, &file) != 0)
        return -1;
    return (long)file.st_size;
}

int main(int argc, char **argv)
{
    char data_path[] = "/tmp/freehold-b07-XXXXXX";
    int fd;
    long bytes;

    if (argc == 4)
        run_again((enum way)(argv[2][0] - '0'), argv[3]);
    bugs_start();
    fd = mkstemp(data_path);
    CHECK(fd >= 0);
    close(fd);
    bytes = run(argv[0], STARTED_WITH_FILE, data_path);
    CHECK_NUMBERS(bytes > 0, bytes, 0);
    CHECK(unlink(data_path) == 0);
    bytes = run(argv[0], REUSED, data_path);
    CHECK_NUMBERS(bytes == 0, bytes, 0);
    CHECK(unlink(data_path) == 0);
    bytes = run(argv[0], CLOSED, data_path);
    CHECK_NUMBERS(bytes == -1, bytes, 0);
    bytes = run(argv[0], CLOSED_BEFORE_EXEC, data_path);
    CHECK_NUMBERS(bytes == 0, bytes, 0);
    unlink(data_path);
    return 0;
}
