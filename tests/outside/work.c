/*
 * work.c - runs one workload between MARK_BEGIN and MARK_END, then sees that nothing was harmed and all works again.
 *
 *   work NAME     one workload; `work --list` names them
 *
 * The ballast is taken before anything can fail and verified at the end. After MARK_END no call fails any more, so
 * every request must be served, fh_check must find nothing and the account must add up.
 */
#include "work.h"

#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BALLAST = 24, RECOVERY = 24, PATIENCE = 100 };

static const struct workload *const groups[] = {small_workloads, large_workloads, many_workloads, library_workloads};
static struct held ballast[BALLAST], recovered[RECOVERY];

void drop_held(struct held *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].address != NULL) {
            drop(&blocks[i]);
        }
    }
}

void churn(struct held *blocks, size_t count, size_t operations, size_t from, size_t to, uint64_t random)
{
    for (size_t i = 0; i < operations; i++) {
        struct held *block = &blocks[next_random(&random) % count];
        if (block->address != NULL) {
            drop(block);
        }
        hold(block, from + next_random(&random) % (to - from + 1));
    }
}

/* Some of every kind; where the kernel refuses from the start on, less. */
static void take_ballast(void)
{
    static const size_t sizes[] = {1, 16, 100, 256, 257, 1000, 5000, 33000, 130000, 131072, 300000, 700000};

    for (size_t i = 0; i < BALLAST; i++) {
        hold(&ballast[i], sizes[i % (sizeof sizes / sizeof *sizes)]);
    }
    for (size_t i = 1; i < BALLAST; i += 4) { /* some holes among them */
        if (ballast[i].address != NULL) {
            drop(&ballast[i]);
        }
    }
}

static void recover(void)
{
    static const size_t sizes[] = {1, 24, 100, 256, 300, 2000, 20000, 40000, 131071, 131072, 400000, 1000000};

    for (size_t i = 0; i < RECOVERY; i++) {
        size_t size = sizes[i % (sizeof sizes / sizeof *sizes)];
        EXPECT(hold(&recovered[i], size), "recovery: malloc of %zu still gives NULL", size);
        if (i % 3 == 0) {
            EXPECT(resize(&recovered[i], size * 2), "recovery: realloc to %zu still gives NULL", size * 2);
        }
    }
    struct held extra;
    EXPECT(hold_aligned(&extra, 65536, 100000), "recovery: posix_memalign still gives NULL");
    drop(&extra);
    EXPECT(hold_zeroed(&extra, 500000), "recovery: calloc still gives NULL");
    drop(&extra);
    drop_held(recovered, RECOVERY);
}

int main(int argc, char **argv)
{
    mark(MARK_MAIN);
    for (size_t group = 0; group < sizeof groups / sizeof *groups; group++) {
        for (const struct workload *work = groups[group]; work->name != NULL; work++) {
            if (argc == 2 && strcmp(argv[1], "--list") == 0) {
                puts(work->name);
            } else if (argc == 2 && strcmp(argv[1], work->name) == 0) {
                give_up_after(PATIENCE);
                take_ballast();
                mark(MARK_BEGIN);
                work->run();
                mark(MARK_END);
                give_up_after(0);
                expect_sound("after the workload");
                recover();
                drop_held(ballast, BALLAST);
                expect_sound("after recovery");
                return 0;
            }
        }
    }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
