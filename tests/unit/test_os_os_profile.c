/*
 * test_os_os_profile.c - the part of os.h for profiles, against the real kernel.
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os.h"

static void reading_is_asked_for_first(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + page, page, PROT_NONE);
    assert_true(fh_os_is_readable(pages));
    assert_true(fh_os_is_readable(pages + page - 8));
    assert_false(fh_os_is_readable(pages + page));
    munmap(pages, 2 * page);
    assert_false(fh_os_is_readable(pages));
    assert_false(fh_os_is_readable(NULL));
    assert_false(fh_os_is_readable((void *)(UINT64_C(1) << 60)));
}

static void clocks_go_on(void **state)
{
    (void)state;
    uint64_t before = fh_os_coarse_ms();
    usleep(30000);
    assert_true(fh_os_coarse_ms() >= before + 20);
    assert_true(fh_os_unix_ns() / 1000000000 > 1600000000);
    assert_int_equal(fh_os_tid(), syscall(SYS_gettid));
}

static void files_are_written(void **state)
{
    (void)state;
    char path[] = "/tmp/fh_unit_XXXXXX", text[64], folder[4096];
    close(mkstemp(path));
    long fd = fh_os_create_file(path);
    assert_true(fd >= 0);
    assert_true(fh_os_write_all((int)fd, "abc", 3));
    fh_os_close((int)fd);
    assert_false(fh_os_write_all((int)fd, "abc", 3)); /* closed */
    assert_int_equal(fh_os_read_file(path, text, sizeof text), 3);
    unlink(path);
    assert_int_equal(fh_os_create_file("/no/such/folder/file"), -ENOENT);
    assert_int_equal(fh_os_working_folder(folder, sizeof folder), strlen(getcwd(NULL, 0)));
    assert_int_equal(fh_os_working_folder(folder, 1), -1);
    assert_true(fh_os_program_file(folder, sizeof folder) > 0);
    assert_non_null(strstr(folder, "unit_tests_os"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reading_is_asked_for_first),
    cmocka_unit_test(clocks_go_on),
    cmocka_unit_test(files_are_written),
};
UNIT_GROUP(os_profile);
