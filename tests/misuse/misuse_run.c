/*
 * misuse_run.c - the driver of the catalogue: runs a program under the preload and judges how it ended.
 *
 *     misuse_run LIBRARY CATALOGUE NAME     must be killed by SIGABRT after exactly one line on standard error, the one
 *                                           that the program announced; in the main thread and in another one, with
 *                                           thread caches and without
 *     misuse_run --benign LIBRARY PROGRAM [ARGUMENT...]
 *                                           must end with status 0 and say nothing
 *
 * A program is given 60 seconds. The driver itself is not preloaded.
 */
#define _GNU_SOURCE
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_CAUGHT 44

static char out_text[65536];
static char err_text[65536];

static void slurp(FILE *file, char *text, size_t size)
{
    size_t length;

    rewind(file);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
}

/* Runs the program to its end and answers the status of wait. */
static int run(const char *library, char **command, const char *const *settings)
{
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    int status = -1;
    pid_t pid;

    if (out == NULL || err == NULL || (pid = fork()) < 0) {
        perror("misuse_run");
        exit(1);
    }
    if (pid == 0) {
        struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        dup2(fileno(out), 1);
        dup2(fileno(err), 2);
        setenv("LD_PRELOAD", library, 1);
        for (; settings != NULL && *settings != NULL; settings += 2)
            setenv(settings[0], settings[1], 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* one that hangs ends with us, when ctest's limit has passed */
        execv(command[0], command);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    slurp(out, out_text, sizeof out_text);
    slurp(err, err_text, sizeof err_text);
    return status;
}

static int complain(const char *program, const char *variant, const char *what, int status)
{
    printf("%s (%s): %s\n  status: %s %d\n  announced: %s  said: %s\n", program, variant, what,
           WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
           out_text[0] != '\0' ? out_text : "(nothing)\n", err_text[0] != '\0' ? err_text : "(nothing)\n");
    return 1;
}

static int judge(const char *program, const char *variant, int status)
{
    regex_t expected;
    char *end = strchr(out_text, '\n');
    int matches;

    if (end == NULL || end[1] != '\0')
        return complain(program, variant, "did not announce one line, so the mistake was not reached", status);
    *end = '\0';
    if (regcomp(&expected, out_text, REG_EXTENDED | REG_NOSUB) != 0)
        return complain(program, variant, "announced something that is no regular expression", status);
    *end = '\n';
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_CAUGHT)
        return complain(program, variant, "NOT CAUGHT", status);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        return complain(program, variant, "not killed by SIGABRT", status);
    end = strchr(err_text, '\n');
    if (end == NULL || end[1] != '\0')
        return complain(program, variant, "not exactly one line", status);
    *end = '\0';
    matches = regexec(&expected, err_text, 0, NULL, 0) == 0;
    *end = '\n';
    regfree(&expected);
    return matches ? 0 : complain(program, variant, "another line than announced", status);
}

static int caught(const char *library, char *catalogue, char *name)
{
    static const char *const no_caches[] = {"FREEHOLD_CACHE_BYTES", "0", "FREEHOLD_MEDIUM_CACHE_BYTES", "0", NULL};
    char *in_main[] = {catalogue, name, NULL};
    char *in_thread[] = {catalogue, name, (char *)"thread", NULL};
    int failed = 0;

    failed |= judge(name, "main thread", run(library, in_main, NULL));
    failed |= judge(name, "another thread", run(library, in_thread, NULL));
    failed |= judge(name, "without caches", run(library, in_main, no_caches));
    return failed;
}

int main(int argc, char **argv)
{
    int status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && strcmp(argv[1], "--benign") != 0)
        return caught(argv[1], argv[2], argv[3]);
    if (argc < 4 || strcmp(argv[1], "--benign") != 0) {
        fprintf(stderr, "usage: misuse_run LIBRARY CATALOGUE NAME | --benign LIBRARY PROGRAM [ARGUMENT...]\n");
        return 1;
    }
    status = run(argv[2], argv + 3, NULL);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return complain(argv[3], "benign", "did not end with status 0", status);
    return err_text[0] == '\0' ? 0 : complain(argv[3], "benign", "something was said", status);
}
