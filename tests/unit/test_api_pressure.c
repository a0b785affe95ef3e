/*
 * test_api_pressure.c - limits and pressure as a program sets them, and what it hears.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "limit.h"
#include "options.h"
#include "state.h"

static struct {
    int calls;
    enum fh_pressure_level level;
    void *frees;
} heard;

static void hear(enum fh_pressure_level level, void *arg)
{
    assert_ptr_equal(arg, &heard);
    heard.calls++;
    heard.level = level;
    fh_test_free(heard.frees);
    heard.frees = NULL;
    fh_test_free(fh_test_malloc(300000)); /* what it does itself is not told */
    fh_pressure(level);
    errno = 99;
}

static void purge_says_how_much(void **state)
{
    (void)state;
    assert_int_equal(fh_purge(), 0);
    fh_options.give_back = 0;
    fh_options.trim_threshold = SIZE_MAX;
    static char *blocks[1000];
    for (int i = 0; i < 1000; i++) blocks[i] = memset(fh_test_malloc(5000), 1, 5000);
    for (int i = 0; i < 999; i++) fh_test_free(blocks[i]);
    assert_in_range(fh_purge(), 4800000, 5300000);
    assert_true(fh_purge() < 65536);
    assert_sound();
}

static void limits_are_checked(void **state)
{
    (void)state;
    assert_int_equal(fh_set_limit(2, 1), EINVAL);
    assert_int_equal(fh_set_limit(SIZE_MAX, 0), EINVAL);
    assert_int_equal(fh_set_limit(0, SIZE_MAX), EINVAL);
    assert_int_equal(fh_options.hard_limit, 0);
    assert_int_equal(fh_set_limit(8 * FH_MIB, 16 * FH_MIB), 0);
    errno = 0;
    assert_null(fh_test_malloc(17 * FH_MIB));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(fh_set_limit(0, 0), 0);
    fh_test_free(fh_test_malloc(17 * FH_MIB));
    assert_sound();
}

static void a_limit_that_is_passed_already(void **state)
{
    (void)state;
    fh_options.give_back = 0;
    static char *blocks[4000];
    for (int i = 0; i < 4000; i++) blocks[i] = fh_test_malloc(5000);
    for (int i = 0; i < 3999; i++) fh_test_free(blocks[i]);
    fh_on_pressure(hear, &heard);
    assert_int_equal(fh_set_limit(10 * FH_MIB, 0), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.level, FH_PRESSURE_SOME);
    assert_true(fh_heaps_get(0)->purged_bytes > 18000000);
    assert_sound();
}

static void pressure_is_told(void **state)
{
    (void)state;
    fh_on_pressure(hear, &heard);
    heard.frees = fh_test_malloc(5000);
    assert_int_equal(fh_pressure(FH_PRESSURE_FULL), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.level, FH_PRESSURE_FULL);
    assert_null(heard.frees);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_FULL);
    assert_int_equal(fh_pressure(FH_PRESSURE_NONE), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(fh_pressure((enum fh_pressure_level)3), EINVAL);
    fh_on_pressure(NULL, NULL);
    assert_int_equal(fh_pressure(FH_PRESSURE_SOME), 0);
    assert_int_equal(heard.calls, 1);
    assert_sound();
}

static void free_keeps_errno(void **state)
{
    (void)state;
    fh_on_pressure(hear, &heard);
    char *block = fh_test_malloc(50000);
    fh_limit_want();
    errno = 7;
    fh_test_free(block);
    assert_int_equal(errno, 7);
    assert_int_equal(heard.calls, 1);
    assert_sound();
}

static void fill_cache(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) fh_test_free(fh_test_malloc(2000 + (size_t)i * 100));
}
static void step(void *unused)
{
    (void)unused;
    fh_test_free(fh_test_malloc(50000));
}

static void other_threads_give_up_theirs(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(1));
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, fill_cache, NULL);
    assert_true(fh_state_by_id(2)->medium.blocks > 0);
    fh_pressure(FH_PRESSURE_SOME);
    unit_thread_do(thread, step, NULL);
    assert_int_equal(fh_state_by_id(2)->medium.blocks, 0);
    unit_thread_end(thread);
    assert_sound();
}

static sem_t in_function, go_on;
static void wait_in_function(enum fh_pressure_level level, void *arg)
{
    (void)level, (void)arg;
    sem_post(&in_function);
    while (sem_wait(&go_on) != 0) {}
}
static void *press(void *unused)
{
    fh_pressure(FH_PRESSURE_SOME);
    return unused;
}

static volatile bool has_set;
static void *set_hear(void *unused)
{
    fh_on_pressure(hear, &heard);
    has_set = true;
    return unused;
}

static void whoever_sets_another_waits_for_the_first(void **state)
{
    (void)state;
    pthread_t in, sets;
    sem_init(&in_function, 0, 0), sem_init(&go_on, 0, 0);
    fh_on_pressure(wait_in_function, NULL);
    assert_int_equal(pthread_create(&in, NULL, press, NULL), 0);
    while (sem_wait(&in_function) != 0) {}
    assert_int_equal(pthread_create(&sets, NULL, set_hear, NULL), 0);
    usleep(2000);
    assert_false(has_set);
    sem_post(&go_on);
    pthread_join(in, NULL), pthread_join(sets, NULL);
    fh_pressure(FH_PRESSURE_SOME);
    assert_int_equal(heard.calls, 1);
}

static void set_another(enum fh_pressure_level level, void *arg)
{
    (void)level, (void)arg;
    fh_on_pressure(hear, &heard);
}

static void the_function_sets_another(void **state)
{
    (void)state;
    fh_on_pressure(set_another, NULL);
    fh_pressure(FH_PRESSURE_SOME);
    assert_int_equal(heard.calls, 0);
    fh_pressure(FH_PRESSURE_SOME);
    assert_int_equal(heard.calls, 1);
}

/* While another thread is in the function: the child has no such thread. */
static void a_child_hears_of_its_own(void **state)
{
    (void)state;
    pthread_t in;
    sem_init(&in_function, 0, 0), sem_init(&go_on, 0, 0);
    fh_on_pressure(wait_in_function, NULL);
    assert_int_equal(pthread_create(&in, NULL, press, NULL), 0);
    while (sem_wait(&in_function) != 0) {}
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        fh_on_pressure(hear, &heard);
        fh_pressure(FH_PRESSURE_SOME);
        _exit(heard.calls == 1 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    sem_post(&go_on);
    pthread_join(in, NULL);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What is due waits for an allocation: neither a fork, with the locks of the program's own handlers taken, nor looking
 * at the heap has it done. */
static void fork_and_looking_do_not_tell(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(100));
    fh_on_pressure(hear, &heard);
    fh_limit_want();
    fh_fork_prepare();
    fh_fork_parent();
    assert_int_equal(heard.calls, 0);
    struct fh_account account;
    fh_account_read(&account);
    assert_int_equal(fh_check(NULL, NULL), 0);
    assert_int_equal(heard.calls, 0);
    fh_test_free(fh_test_malloc(100000));
    assert_int_equal(heard.calls, 1);
}

static void refusals_change_nothing(void **state)
{
    (void)state;
    fill_cache(NULL);
    fake_refuse(FAKE_BREAK_DOWN), fake_refuse(FAKE_UNMAP), fake_refuse(FAKE_DISCARD);
    fh_pressure(FH_PRESSURE_FULL);
    fh_purge();
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(purge_says_how_much),
    cmocka_unit_test(limits_are_checked),
    cmocka_unit_test(a_limit_that_is_passed_already),
    cmocka_unit_test(pressure_is_told),
    cmocka_unit_test(free_keeps_errno),
    cmocka_unit_test(other_threads_give_up_theirs),
    cmocka_unit_test(whoever_sets_another_waits_for_the_first),
    cmocka_unit_test(the_function_sets_another),
    cmocka_unit_test(a_child_hears_of_its_own),
    cmocka_unit_test(fork_and_looking_do_not_tell),
    cmocka_unit_test(refusals_change_nothing),
};
UNIT_GROUP(pressure);
