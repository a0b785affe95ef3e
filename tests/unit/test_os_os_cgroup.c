/*
 * test_os_os_cgroup.c - CPUs and memory by cgroup, from trees made for the purpose: version 1 and 2, groups within
 * groups, a container that sees its own as the root, and files that are missing or strange.
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"

static char root[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}
static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/fh_cgroup_XXXXXX");
    if (!mkdtemp(root)) return -1;
    fh_os_set_root(root);
    return 0;
}
static int remove_root(void **state)
{
    (void)state;
    fh_os_set_root(NULL);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define V2 "/sys/fs/cgroup"

static void nothing_there_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(fh_os_cgroup_cpus(), UINT32_MAX);
    assert_int_equal(fh_os_memory_limit(), SIZE_MAX);
    assert_int_equal(fh_os_memory_used(), 0);
}

static void version_2_in_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put(V2 "/cpu.max", "150000 100000\n");
    put(V2 "/memory.max", "1073741824\n");
    put(V2 "/memory.high", "max\n");
    put(V2 "/memory.current", "536870912\n");
    assert_int_equal(fh_os_cgroup_cpus(), 2);
    assert_int_equal(fh_os_memory_limit(), 1 << 30);
    assert_int_equal(fh_os_memory_used(), 1 << 29);
    put(V2 "/memory.stat", "anon 1\nfile 9\nactive_file 5\ninactive_file 100000000\n");
    assert_int_equal(fh_os_memory_used(), (1 << 29) - 100000000);
    put(V2 "/memory.high", "900000000\n");
    assert_int_equal(fh_os_memory_limit(), 900000000);
}

static void version_2_the_lowest_of_all_above(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "1:name=systemd:/x\n0::/a/b/c\n");
    put(V2 "/a/b/c/cpu.max", "max 100000\n");
    put(V2 "/a/cpu.max", "300000 100000\n");
    put(V2 "/a/b/c/memory.max", "max\n");
    put(V2 "/a/b/c/memory.current", "5\n");
    put(V2 "/a/b/memory.max", "4000000\n");
    put(V2 "/a/b/memory.current", "3000000\n");
    put(V2 "/a/memory.max", "8000000\n");
    put(V2 "/a/memory.current", "7000000\n");
    assert_int_equal(fh_os_cgroup_cpus(), 3);
    assert_int_equal(fh_os_memory_limit(), 4000000);
    assert_int_equal(fh_os_memory_used(), 3000000); /* of the group that binds */
}

static void version_1(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:memory:/box/one\n3:cpuset,cpu,cpuacct:/box\n2:pids:/\n0::/\n");
    put(V2 "/cpu/box/cpu.cfs_quota_us", "50000\n");
    put(V2 "/cpu/box/cpu.cfs_period_us", "100000\n");
    put(V2 "/cpu/cpu.cfs_quota_us", "-1\n");
    put(V2 "/cpu/cpu.cfs_period_us", "100000\n");
    put(V2 "/memory/box/one/memory.limit_in_bytes", "2000000\n");
    put(V2 "/memory/box/one/memory.usage_in_bytes", "1500000\n");
    put(V2 "/memory/box/one/memory.stat", "inactive_file 7\ntotal_inactive_file 400000\n");
    put(V2 "/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(fh_os_cgroup_cpus(), 1);
    assert_int_equal(fh_os_memory_limit(), 2000000);
    assert_int_equal(fh_os_memory_used(), 1100000);
}

/* Docker with version 1: the path is the host's, the group is mounted at the root. */
static void a_path_that_is_not_there(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:memory:/docker/0123\n3:cpu:/docker/0123\n");
    put(V2 "/memory/memory.limit_in_bytes", "5000000\n");
    put(V2 "/cpu/cpu.cfs_quota_us", "400000\n");
    put(V2 "/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(fh_os_memory_limit(), 5000000);
    assert_int_equal(fh_os_cgroup_cpus(), 4);
}

static void strange_files_bind_nobody(void **state)
{
    (void)state;
    static char huge[8192];
    memset(huge, 'x', sizeof huge - 1);
    const char *const texts[] = {"",         "\n",            "::::\n", "0::\n",                 "0:",
                                 "4:memory", "0::relative\n", huge,     "9:cpu:/\n0::/../..\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("/proc/self/cgroup", texts[i]);
        put(V2 "/cpu.max", i % 2 ? "0 0\n" : "abc\n");
        put(V2 "/memory.max", i % 2 ? "" : "-1\n");
        assert_int_equal(fh_os_cgroup_cpus(), UINT32_MAX);
        assert_int_equal(fh_os_memory_limit(), SIZE_MAX);
    }
    put("/proc/self/cgroup", "0::/\n");
    put(V2 "/cpu.max", "1 100000\n");
    assert_int_equal(fh_os_cgroup_cpus(), 1);
    put(V2 "/cpu.max", "99999999999999999999 1\n");
    assert_true(fh_os_cgroup_cpus() >= 1);
}

static void the_machines_own(void **state)
{
    (void)state;
    fh_os_set_root(NULL);
    size_t limit = fh_os_memory_limit();
    print_message("limit %zu, used %zu, CPUs %u\n", limit, fh_os_memory_used(), fh_os_cgroup_cpus());
    if (limit == SIZE_MAX) skip();
    assert_true(fh_os_memory_used() <= limit);
}

static void mappings_are_known(void **state)
{
    (void)state;
    assert_true(fh_os_mappings_most() >= 1000);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
static const struct CMUnitTest tests[] = {
    IN_TREE(nothing_there_is_no_limit),
    IN_TREE(version_2_in_a_container),
    IN_TREE(version_2_the_lowest_of_all_above),
    IN_TREE(version_1),
    IN_TREE(a_path_that_is_not_there),
    IN_TREE(strange_files_bind_nobody),
    cmocka_unit_test(the_machines_own),
    cmocka_unit_test(mappings_are_known),
};
UNIT_GROUP(os_cgroup);
