/*
 * test_insight_stats.c - the counters as JSON and as OpenMetrics text: what is written is whole, well formed, and has
 * every counter once; and nothing is allocated. (What others' readers make of it: tests/tool/metrics.sh.)
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core.h"
#include "counters.h"
#include "freehold.h"

static char text[1 << 16];

static void write_to_text(int (*writer)(int fd))
{
    char path[] = "/tmp/fh_unit_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    struct fh_counters before, after;
    fh_counters_read(&before);
    assert_int_equal(writer(fd), 0);
    fh_counters_read(&after);
    assert_memory_equal(&before, &after, sizeof before);
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    assert_true(got > 0 && (size_t)got < sizeof text - 1);
    text[got] = 0;
    close(fd);
}

static unsigned times(const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++) count++;
    return count;
}

static void json_has_every_counter_once(void **state)
{
    (void)state;
    char member[128];
    for (size_t i = 0; i < 500; i++) fh_test_malloc(i);
    write_to_text(fh_stats_json);
    assert_memory_equal(text, "{\"version\": \"", 13);
    assert_string_equal(text + strlen(text) - 4, "}]}\n");
    assert_int_equal(times("{") + times("["), times("}") + times("]"));
    assert_int_equal(times("\"pid\": 4711"), 1);
    assert_int_equal(times("\"process\": \"fake_process\""), 1);
    struct fh_counters_detailed now;
    fh_counters_read_detailed(&now);
#define FH_COUNTER(name, kind, unit, label, remark, help)                                           \
    snprintf(member, sizeof member, ", \"" #name "\": %llu", (unsigned long long)now.process.name); \
    assert_true(times(member) >= 1);
#include "counters.def"
    assert_int_equal(times("\"number\": "), now.heap_count);
    assert_int_equal(times("\"carved\": "), FH_CLASS_COUNT - 1);
}

static void openmetrics_has_every_family_once(void **state)
{
    (void)state;
    char line[512];
    for (size_t i = 0; i < 500; i++) fh_test_malloc(i);
    write_to_text(fh_stats_openmetrics);
    assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
    assert_int_equal(times("\n\n"), 0);
    struct fh_counters_detailed now;
    fh_counters_read_detailed(&now);
    enum { GAUGE, COUNTER };
#define FH_COUNTER(name, kind, unit, label, remark, help)                                          \
    snprintf(line, sizeof line, "# HELP freehold_" #name " " help "\nfreehold_" #name "%s %llu\n", \
             kind == COUNTER ? "_total" : "", (unsigned long long)now.process.name);               \
    assert_int_equal(times(line), 1);                                                              \
    assert_int_equal(times("# TYPE freehold_" #name " "), 1);
#include "counters.def"
#define FH_CLASS_COUNTER(name, kind, unit, help) \
    assert_int_equal(times("\nfreehold_class_" #name "{size_bytes=\""), FH_CLASS_COUNT - 1);
#include "counters.def"
    snprintf(line, sizeof line, "\nfreehold_class_live{size_bytes=\"48\"} %llu\n",
             (unsigned long long)now.classes[3].live);
    assert_int_equal(times(line), 1);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) skip();
    assert_int_equal(fh_stats_json(full), ENOSPC);
    assert_int_equal(fh_stats_openmetrics(full), ENOSPC);
    close(full);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(json_has_every_counter_once),
    cmocka_unit_test(openmetrics_has_every_family_once),
    cmocka_unit_test(a_full_disk_is_an_error),
};
UNIT_GROUP(stats);
