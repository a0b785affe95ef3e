/*
 * b11_options - options from the environment: known ones work, unknown and malformed ones are reported in one line each
 * and otherwise have no effect, whatever is in them; the program goes on.
 *
 * The program runs itself again with each environment, as "probe", and reads what that says.
 */
#include "bugs.h"

#include <regex.h>

extern char **environ;

/* In the child: what the options did. Printed in one line on standard output. */
static int probe(void)
{
    struct mallinfo2 before = mallinfo2();
    void *p = malloc(70000);
    struct mallinfo2 after = mallinfo2();
    unsigned char *bytes = malloc(3000);
    unsigned char *small = malloc(100);
    unsigned char *zero = calloc(1, 3000);
    void *large;

    if (p == NULL || bytes == NULL || small == NULL || zero == NULL || !bugs_kept(zero, 3000, 0))
        return 5;
    memset(p, 1, 70000);
    printf("middle=%zu bytes=%02x small=%02x", after.hblks - before.hblks, bytes[1500], small[50]);
    large = malloc(1 << 20);
    before = mallinfo2();
    printf(" large_mapped=%d\n", before.hblks > after.hblks);
    fflush(stdout);
    free(large);
    free(p);
    free(bytes);
    free(small);
    free(zero);
    return 0;
}

static char out_text[8192];
static char err_text[8192];

static void slurp(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;

    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    while (length < size - 1 && (n = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
}

/* Runs the probe with these settings (up to two) added to the environment. Answers its exit status. */
static int run(const char *setting, const char *other)
{
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    pid_t pid;
    int status;

    CHECK(out != NULL && err != NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        dup2(fileno(out), 1);
        dup2(fileno(err), 2);
        if (setting != NULL)
            putenv(strdup(setting));
        if (other != NULL)
            putenv(strdup(other));
        alarm(60);
        execl("/proc/self/exe", "b11_options", "probe", (char *)NULL);
        _exit(127);
    }
    status = bugs_wait(pid);
    slurp(fileno(out), out_text, sizeof out_text);
    slurp(fileno(err), err_text, sizeof err_text);
    fclose(out);
    fclose(err);
    return status;
}

static int failures;

static void complain(const char *setting, const char *what, const char *wanted)
{
    fprintf(stderr, "%.60s: %s; wanted '%s'\n  standard output: %s  standard error: %s\n", setting, what, wanted,
            out_text, err_text);
    failures++;
}

/* The setting is accepted without a word, and the probe's line contains `effect`. */
static void works(const char *setting, const char *effect)
{
    if (run(setting, NULL) != 0)
        complain(setting, "the program does not end well", effect);
    else if (strstr(out_text, effect) == NULL)
        complain(setting, "has not the effect", effect);
    if (err_text[0] != '\0')
        complain(setting, "something was said", "");
}

/* Exactly one line on standard error, that matches; and the program runs as if the setting were not there. */
static void reported(const char *setting, const char *pattern)
{
    regex_t expression;

    CHECK(regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    if (run(setting, NULL) != 0)
        complain(setting, "the program does not end well", pattern);
    else if (strstr(out_text, "middle=0 bytes=00 small=00 large_mapped=1") == NULL)
        complain(setting, "has an effect", pattern);
    if (regexec(&expression, err_text, 0, NULL, 0) != 0)
        complain(setting, "not reported in the words", pattern);
    else if (strchr(err_text, '\n') == NULL || strchr(err_text, '\n')[1] != '\0')
        complain(setting, "not exactly one line", pattern);
    regfree(&expression);
}

/* Whatever it says, the program runs. */
static void survives(const char *setting)
{
    if (run(setting, NULL) != 0)
        complain(setting, "the program does not end well", "");
}

static void accepted_ones(void)
{
    works("BUGS_NOTHING=1", "middle=0 bytes=00 small=00 large_mapped=1");
    works("FREEHOLD_MMAP_THRESHOLD=65536", "middle=1");
    works("MALLOC_MMAP_THRESHOLD_=65536", "middle=1");
    works("GLIBC_TUNABLES=glibc.malloc.mmap_threshold=65536", "middle=1");
    works("GLIBC_TUNABLES=glibc.malloc.mmap_threshold=0x10000:glibc.malloc.arena_max=2", "middle=1");
    works("GLIBC_TUNABLES=glibc.elision.enable=0:glibc.malloc.mmap_threshold=65536", "middle=1");
    works("FREEHOLD_MMAP_MAX=0", "large_mapped=0");
    works("MALLOC_MMAP_MAX_=0", "large_mapped=0");
    works("FREEHOLD_PERTURB=165", "bytes=5a small=5a");
    works("MALLOC_PERTURB_=165", "bytes=5a small=5a");
    works("GLIBC_TUNABLES=glibc.malloc.perturb=165", "bytes=5a small=5a");
    works("MALLOC_CHECK_=3", "middle=0");
    works("MALLOC_ARENA_MAX=1", "middle=0");
    if (run("MALLOC_ARENA_TEST=4", NULL) != 0 ||
        (err_text[0] != '\0' && strncmp(err_text, "freehold: MALLOC_ARENA_TEST has no effect", 41) != 0))
        complain("MALLOC_ARENA_TEST=4", "is not taken", "silence, or that it has no effect");
    works("MALLOC_TOP_PAD_=1000000", "middle=0");
    works("MALLOC_TRIM_THRESHOLD_=1000000", "middle=0");
    works("FREEHOLD_TRIM_THRESHOLD=1000000", "middle=0");
    works("FREEHOLD_TOP_PAD=1000000", "middle=0");
    works("FREEHOLD_ARENA_MAX=1", "middle=0");
    works("FREEHOLD_CHECK=1", "middle=0");
    works("FREEHOLD_REPORT=0", "middle=0");
    /* Ours is the one that says more, and wins. */
    if (run("FREEHOLD_MMAP_THRESHOLD=65536", "MALLOC_MMAP_THRESHOLD_=100000") != 0 ||
        strstr(out_text, "middle=1") == NULL)
        complain("FREEHOLD_MMAP_THRESHOLD with MALLOC_MMAP_THRESHOLD_", "ours does not win", "middle=1");
    if (run("FREEHOLD_REPORT=1", NULL) != 0 || strncmp(err_text, "freehold: account of pid ", 25) != 0)
        complain("FREEHOLD_REPORT=1", "no account at exit", "freehold: account of pid ");
}

static void reported_ones(void)
{
    reported("FREEHOLD_FOO=1", "^freehold: unknown option FREEHOLD_FOO");
    reported("FREEHOLD_=1", "^freehold: unknown option FREEHOLD_");
    reported("FREEHOLD_MMAP_TRESHOLD=65536",
             "^freehold: unknown option FREEHOLD_MMAP_TRESHOLD .*FREEHOLD_MMAP_THRESHOLD");
    reported("FREEHOLD_PERTUB=165", "^freehold: unknown option FREEHOLD_PERTUB .*FREEHOLD_PERTURB");
    reported("FREEHOLD_perturb=165", "^freehold: unknown option FREEHOLD_perturb");
    reported("FREEHOLD_MMAP_THRESHOLD=abc", "^freehold: FREEHOLD_MMAP_THRESHOLD: 'abc' is not ");
    reported("FREEHOLD_MMAP_THRESHOLD=65536x", "^freehold: FREEHOLD_MMAP_THRESHOLD: '65536x' is not ");
    reported("FREEHOLD_MMAP_THRESHOLD=-1", "^freehold: FREEHOLD_MMAP_THRESHOLD: '-1' is not ");
    reported("FREEHOLD_MMAP_THRESHOLD=99999999999999999999999", "^freehold: FREEHOLD_MMAP_THRESHOLD: '9+' is not ");
    reported("FREEHOLD_MMAP_THRESHOLD=", "^freehold: FREEHOLD_MMAP_THRESHOLD: '' is not ");
    reported("FREEHOLD_CHECK=maybe", "^freehold: FREEHOLD_CHECK: 'maybe' is not ");
}

static void hostile_ones(void)
{
    static char text[120000];
    const char *names[] = {"FREEHOLD_MMAP_THRESHOLD=", "FREEHOLD_", "GLIBC_TUNABLES=glibc.malloc.perturb=",
                           "GLIBC_TUNABLES=", "MALLOC_PERTURB_="};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int digit = 0; digit < 2; digit++) {
            memset(text, digit ? '9' : 'A', sizeof text - 1);
            memcpy(text, names[i], strlen(names[i]));
            if (strchr(names[i], '=') == NULL)
                text[sizeof text - 2] = '=';
            survives(text);
        }
    survives("GLIBC_TUNABLES=glibc.malloc.mmap_threshold=glibc.malloc.mmap_threshold=AAAAAAAAAAAAAAAA");
    survives("GLIBC_TUNABLES=::::glibc.malloc.perturb=:glibc.malloc.perturb:=:=");
    survives("GLIBC_TUNABLES=glibc.malloc.perturb");
    survives("FREEHOLD_FOO");
    survives("FREEHOLD_PERTURB=%s%n%s%n");
    survives("FREEHOLD_MMAP_THRESHOLD=18446744073709551615");
    survives("FREEHOLD_TOP_PAD=18446744073709551615");
    survives("FREEHOLD_TOP_PAD=9223372036854775807");
    survives("FREEHOLD_TRIM_THRESHOLD=18446744073709551615");
    survives("FREEHOLD_MMAP_THRESHOLD=0");
    survives("FREEHOLD_ARENA_MAX=0");
    survives("FREEHOLD_ARENA_MAX=1000000000");
    survives("MALLOC_TOP_PAD_=18446744073709551615");
}

static void without_environment(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        char *const arguments[] = {(char *)"b11_options", (char *)"probe", NULL};

        dup2(open("/dev/null", O_WRONLY), 1);
        execve("/proc/self/exe", arguments, NULL);
        _exit(127);
    }
    CHECK(bugs_wait(pid) == 0); /* another malloc then, unless the library is linked in; it must start all the same */
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "probe") == 0)
        return probe();
    bugs_start();
    accepted_ones();
    reported_ones();
    hostile_ones();
    without_environment();
    return failures != 0;
}
