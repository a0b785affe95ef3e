/*
 * limits - soft and hard limits, pressure and cgroups in a real process.
 *
 *   limits hard|soft|pressure|group|real_group|mappings
 */
#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* volatile: malloc is declared as what never calls back. */
static volatile enum fh_pressure_level heard;
static volatile int times;

static void hear(enum fh_pressure_level level, void *arg)
{
    (void)arg;
    heard = level;
    times++;
}

static size_t held(void)
{
    struct fh_account now = account();
    return now.obtained_bytes - now.returned_bytes;
}

/* FREEHOLD_HARD_LIMIT=32m: requests fail before that much is held, and what there is goes on. */
static void hard(void)
{
    static void *blocks[100000];
    size_t count = 0, bytes = 0;

    for (; count < 100000 && (blocks[count] = malloc(1000)) != NULL; count++)
        bytes += 1000;
    CHECK(count < 100000 && errno == ENOMEM, "%zu blocks", count);
    CHECK(bytes > 24u << 20, "only %zu bytes", bytes);
    CHECK(held() <= (32u << 20) + (16u << 20), "held %zu", held()); /* with the page map's leaves */
    CHECK(malloc(40u << 20) == NULL, "beyond the limit");
    while (count > 0)
        free(blocks[--count]);
    CHECK_SOUND();
    CHECK(fh_set_limit(0, 0) == 0 && (blocks[0] = malloc(40u << 20)) != NULL, "no limit any more");
    free(blocks[0]);
}

static void make_garbage(void)
{
    enum { COUNT = 12000 };
    static char *blocks[COUNT];

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = malloc(5000);
        memset(blocks[i], 1, 5000);
    }
    for (int i = 0; i < COUNT; i++)
        if (i % 3)
            free(blocks[i]);
}

/* FREEHOLD_SOFT_LIMIT=80m FREEHOLD_RETURN=0: passing it gives back what is free. */
static void soft(void)
{
    make_garbage();
    size_t before = resident_bytes();
    void *large = calloc(1, 90u << 20);
    free(malloc(50000));
    CHECK(resident_bytes() < before - (15u << 20), "%zu, was %zu", resident_bytes(), before);
    free(large);
    CHECK_SOUND();
}

static void pressure(void)
{
    make_garbage();
    size_t before = resident_bytes();
    fh_on_pressure(hear, NULL);
    CHECK(fh_pressure(FH_PRESSURE_FULL) == 0 && times == 1 && heard == FH_PRESSURE_FULL, "%d times", times);
    CHECK(resident_bytes() < before - (15u << 20), "%zu, was %zu", resident_bytes(), before);
    CHECK_SOUND();
}

static void put(const char *folder, const char *path, const char *text)
{
    char whole[600];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    FILE *file = fopen(whole, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", whole);
}

/* A tree that limits to 256 MiB of which 250 are used, in FREEHOLD_CGROUP_ROOT; the program starts itself there. */
static void group(char **argv)
{
    char folder[600] = "/tmp/fh_group_XXXXXX", command[700];

    if (getenv("FREEHOLD_CGROUP_ROOT") == NULL) {
        static const char *const made[] = {"proc", "proc/self", "sys", "sys/fs", "sys/fs/cgroup"};
        CHECK(mkdtemp(folder) != NULL, "no folder");
        for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
            char whole[600];
            snprintf(whole, sizeof whole, "%s/%s", folder, made[i]);
            CHECK(mkdir(whole, 0700) == 0, "%s", whole);
        }
        put(folder, "proc/self/cgroup", "0::/\n");
        put(folder, "sys/fs/cgroup/memory.max", "268435456\n");
        put(folder, "sys/fs/cgroup/memory.current", "262144000\n");
        put(folder, "sys/fs/cgroup/cpu.max", "100000 100000\n");
        setenv("FREEHOLD_CGROUP_ROOT", folder, 1);
        execv("/proc/self/exe", argv);
        CHECK(0, "exec");
    }
    fh_on_pressure(hear, NULL);
    for (int i = 0; i < 200 && times == 0; i++) {
        CHECK(malloc(1 << 20) != NULL, "no memory");
        free(malloc(50000));
    }
    snprintf(folder, sizeof folder, "%s", getenv("FREEHOLD_CGROUP_ROOT"));
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    CHECK(system(command) == 0, "%s", command);
    CHECK(times == 1 && heard == FH_PRESSURE_FULL, "%d times, level %d", times, (int)heard);
    CHECK_SOUND();
}

/* In a group of the machine's own that holds 96 MiB: near it the library gives back by itself. */
static void real_group(void)
{
    char path[600], text[64];
    int is_version_2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    const char *top = is_version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char *file = is_version_2 ? "memory.max" : "memory.limit_in_bytes";

    snprintf(path, sizeof path, "%s/fh_test_%d", top, (int)getpid());
    if (mkdir(path, 0755) != 0) {
        printf("skipped: no cgroup can be made in %s: %s\n", top, strerror(errno));
        exit(SKIPPED);
    }
    char limit[700], processes[700];
    snprintf(limit, sizeof limit, "%s/%s", path, file);
    snprintf(processes, sizeof processes, "%s/cgroup.procs", path);
    int fd = open(limit, O_WRONLY), into = open(processes, O_WRONLY);
    if (fd < 0 || write(fd, "100663296", 9) != 9 || into < 0) {
        rmdir(path);
        printf("skipped: %s has no memory controller to set\n", top);
        exit(SKIPPED);
    }
    pid_t child = fork();
    if (child == 0) {
        snprintf(text, sizeof text, "%d", (int)getpid());
        CHECK(write(into, text, strlen(text)) > 0, "can't enter %s", processes);
        fh_on_pressure(hear, NULL);
        for (int i = 0; i < 92 && times == 0; i++) {
            char *block = malloc(1 << 20);
            CHECK(block != NULL, "no memory");
            memset(block, 1, 1 << 20);
            free(malloc(50000));
        }
        CHECK(times > 0, "nothing was heard");
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child, "no child");
    rmdir(path);
    CHECK(status == 0, "status %d", status);
}

static void *in_thread(void *unused)
{
    free(malloc(100));
    return unused;
}

/* More large blocks than a tenth of vm.max_map_count. */
static void mappings(void)
{
    enum { COUNT = 9000 };
    static void *blocks[COUNT];
    long most = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");

    CHECK(file != NULL && fscanf(file, "%ld", &most) == 1, "max_map_count");
    fclose(file);
    for (int i = 0; i < COUNT; i++)
        CHECK((blocks[i] = malloc(140000)) != NULL, "block %d", i);
    CHECK(account().large_blocks < (size_t)most / 10, "%zu mappings of %ld", account().large_blocks, most);
    for (int i = 0; i < COUNT; i++)
        free(blocks[i]);
    CHECK_SOUND();
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0, "thread");
    if (strcmp(what, "hard") == 0)
        hard();
    else if (strcmp(what, "soft") == 0)
        soft();
    else if (strcmp(what, "pressure") == 0)
        pressure();
    else if (strcmp(what, "group") == 0)
        group(argv);
    else if (strcmp(what, "real_group") == 0)
        real_group();
    else if (strcmp(what, "mappings") == 0)
        mappings();
    else
        return 2;
    return 0;
}
