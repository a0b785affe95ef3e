/*
 * test_api_helper.c - the thread that gives back what was left lying is there when it is asked for.
 */
#include "unit.h"

#include <dirent.h>
#include <unistd.h>

#include "core.h"
#include "options.h"

static int threads(void)
{
    int count = -2; /* . and .. */
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while (readdir(tasks)) count++;
    closedir(tasks);
    return count;
}

static void none_unless_it_is_wanted(void **state)
{
    (void)state;
    int before = threads();
    fh_helper_start();
    assert_int_equal(threads(), before);
}

static void it_gives_back(void **state)
{
    (void)state;
    enum { MANY = 2000, SIZE = 5000 };
    static char *blocks[MANY];
    fh_options.helper = 1;
    int before = threads();
    fh_helper_start();
    assert_int_equal(threads(), before + 1);
    struct fh_heap *heap = fh_heaps_get(0);
    for (int i = 0; i < MANY; i++) blocks[i] = memset(fh_test_malloc(SIZE), 1, SIZE);
    fh_gate_regret(&heap->gate, 4096);
    for (int i = 0; i < MANY; i++)
        if (i % 3) fh_test_free(blocks[i]);
    fake_os.now_ms += 60 * 1000;
    while (!fh_load_relaxed(&heap->purged_bytes)) usleep(10000); /* no limit of its own: the test's is for what hangs */
    for (int i = 0; i < MANY; i += 3) /* not assert_sound: the thread goes on */
        for (int k = 0; k < SIZE; k++) assert_int_equal(blocks[i][k], 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(none_unless_it_is_wanted),
    cmocka_unit_test(it_gives_back),
};
UNIT_GROUP(helper);
