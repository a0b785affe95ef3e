/*
 * helpers.c - faults, soundness and threads for tests over the fake kernel: see unit.h.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "atomics.h"
#include "wholesale.h"

bool unit_aborts(unit_action *action, void *arg)
{
    fake_forget_text();
    fake_os.abort_jumps = true;
    bool aborted = sigsetjmp(fake_os.abort_to, 0) != 0;
    if (!aborted) action(arg);
    fake_os.abort_jumps = false;
    return aborted;
}

void unit_expect_fault(unit_action *action, void *arg, const char *format, ...)
{
    char expected[512] = "freehold: ";
    size_t prefix = strlen(expected);
    va_list args;
    va_start(args, format);
    vsnprintf(expected + prefix, sizeof expected - prefix - 2, format, args);
    va_end(args);
    strcat(expected, "\n");
    if (!unit_aborts(action, arg)) fail_msg("no fault; expected: %s", expected);
    assert_string_equal(fake_text(), expected);
    assert_int_equal(fake_text_pieces(), 1);
}

void unit_free(void *pointer) { fh_test_free(pointer); }

struct ids {
    char text[256];
    bool print;
};

static void note_violation(const char *invariant, uintptr_t address, const char *text, void *arg)
{
    struct ids *ids = arg;
    if (ids->print) print_error("%s at %#zx: %s\n", invariant, (size_t)address, text);
    if (strstr(ids->text, invariant)) return;
    if (ids->text[0]) strcat(ids->text, " ");
    strcat(ids->text, invariant);
}

const char *unit_violations(void)
{
    static struct ids ids;
    ids = (struct ids){0};
    size_t count = fh_check(note_violation, &ids);
    assert_int_equal(count == 0, ids.text[0] == 0);
    assert_int_equal(fh_check(NULL, NULL), count);
    return ids.text;
}

void unit_assert_sound(const char *file, int line)
{
    struct ids ids = {.print = true};
    size_t violations = fh_check(note_violation, &ids);
    struct fh_account account;
    fh_account_read(&account);
    size_t sum = account.live_bytes + account.rounding_bytes + account.cached_bytes + account.free_bytes +
                 account.untouched_bytes + account.metadata_bytes;
    size_t held = account.obtained_bytes - account.returned_bytes;
    if (violations) _fail(file, line);
    _assert_int_equal(sum, held, file, line);
    _assert_int_equal(fh_wholesale.mappings, fake_mappings(), file, line);
    _assert_int_equal(fake_contract_errors(), 0, file, line);
    /* What others moved the break by is theirs, and so is less than a page of alignment beside it. */
    if (held > fake_break_bytes() + fake_mapped_bytes()) {
        print_error("the ledger has more than the kernel gave\n");
        _fail(file, line);
    }
}

void unit_assert_said(const char *part, const char *file, int line)
{
    if (strstr(fake_text(), part)) return;
    print_error("'%s' is not in: %s\n", part, fake_text());
    _fail(file, line);
}

void unit_fill(void *pointer, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) ((unsigned char *)pointer)[i] = (unsigned char)(seed * 31 + i * 7 + (i >> 8) + 1);
}

void unit_assert_filled(const void *pointer, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)pointer)[i] != (unsigned char)(seed * 31 + i * 7 + (i >> 8) + 1))
            fail_msg("byte %zu of %zu at %p has changed", i, size, pointer);
}

bool unit_is_zero(const void *pointer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)pointer)[i]) return false;
    return true;
}

struct unit_thread {
    pthread_t id;
    sem_t told, done;
    unit_action *action; /* NULL: end */
    void *arg;
};

static void *thread_main(void *arg)
{
    struct unit_thread *thread = arg;
    for (;;) {
        while (sem_wait(&thread->told) != 0) {}
        if (!thread->action) return NULL;
        thread->action(thread->arg);
        sem_post(&thread->done);
    }
}

struct unit_thread *unit_thread_start(void)
{
    struct unit_thread *thread = calloc(1, sizeof *thread);
    assert_non_null(thread);
    sem_init(&thread->told, 0, 0);
    sem_init(&thread->done, 0, 0);
    assert_int_equal(pthread_create(&thread->id, NULL, thread_main, thread), 0);
    return thread;
}

void unit_thread_do(struct unit_thread *thread, unit_action *action, void *arg)
{
    thread->action = action;
    thread->arg = arg;
    sem_post(&thread->told);
    while (sem_wait(&thread->done) != 0) {}
}

void unit_thread_end(struct unit_thread *thread)
{
    thread->action = NULL;
    sem_post(&thread->told);
    pthread_join(thread->id, NULL);
    free(thread);
}

void unit_in_thread(unit_action *action, void *arg)
{
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, action, arg);
    unit_thread_end(thread);
}
