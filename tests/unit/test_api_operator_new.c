/*
 * test_api_operator_new.c - operator new and delete in all forms, with a C++ runtime that this file plays: a
 * new-handler and a function that throws.
 */
#include "unit.h"

#include "core.h"

void *_Znwm(size_t size);
void *_Znam(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag);
void *_ZnamRKSt9nothrow_t(size_t size, const void *tag);
void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
void *_ZnamSt11align_val_t(size_t size, size_t alignment);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *tag);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *tag);
void _ZdlPv(void *p);
void _ZdaPv(void *p);
void _ZdlPvm(void *p, size_t size);
void _ZdaPvm(void *p, size_t size);
void _ZdlPvRKSt9nothrow_t(void *p, const void *tag);
void _ZdaPvRKSt9nothrow_t(void *p, const void *tag);
void _ZdlPvSt11align_val_t(void *p, size_t alignment);
void _ZdaPvSt11align_val_t(void *p, size_t alignment);
void _ZdlPvmSt11align_val_t(void *p, size_t size, size_t alignment);
void _ZdaPvmSt11align_val_t(void *p, size_t size, size_t alignment);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *tag);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *tag);

typedef void new_handler(void);
new_handler *_ZSt15get_new_handlerv(void);
void _ZSt17__throw_bad_allocv(void) __attribute__((noreturn));

static new_handler *handler;
static int handled, thrown;
static jmp_buf thrown_to;

new_handler *_ZSt15get_new_handlerv(void) { return handler; }
void _ZSt17__throw_bad_allocv(void)
{
    thrown++;
    longjmp(thrown_to, 1);
}

static void assert_all_free(void)
{
    struct fh_account account;
    fh_account_read(&account);
    assert_int_equal(account.live_blocks, 0);
    assert_sound();
}

static void every_form_of_delete_frees_every_form_of_new(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300000; size = size * 5 + 1) {
        _ZdlPv(_Znwm(size));
        _ZdaPv(_Znam(size));
        _ZdlPvm(_Znwm(size), size);
        _ZdaPvm(_Znam(size), size);
        _ZdlPvRKSt9nothrow_t(_ZnwmRKSt9nothrow_t(size, NULL), NULL);
        _ZdaPvRKSt9nothrow_t(_ZnamRKSt9nothrow_t(size, NULL), NULL);
        for (size_t alignment = 1; alignment <= 8192; alignment *= 4) {
            void *p = _ZnwmSt11align_val_t(size, alignment), *q = _ZnamSt11align_val_t(size, alignment);
            assert_true(p && q && p != q);
            assert_aligned(p, alignment);
            assert_aligned(q, alignment);
            _ZdlPvSt11align_val_t(p, alignment);
            _ZdaPvSt11align_val_t(q, alignment);
            p = _ZnwmSt11align_val_tRKSt9nothrow_t(size, alignment, NULL);
            q = _ZnamSt11align_val_tRKSt9nothrow_t(size, alignment, NULL);
            assert_aligned(p, alignment);
            assert_aligned(q, alignment);
            _ZdlPvmSt11align_val_t(p, size, alignment);
            _ZdaPvmSt11align_val_t(q, size, alignment);
            _ZdlPvSt11align_val_tRKSt9nothrow_t(_ZnwmSt11align_val_t(size, alignment), alignment, NULL);
            _ZdaPvSt11align_val_tRKSt9nothrow_t(_ZnamSt11align_val_t(size, alignment), alignment, NULL);
        }
    }
    _ZdlPv(NULL);
    _ZdaPvm(NULL, 7);
    assert_all_free();
}

static void nothrow_forms_answer_null(void **state)
{
    (void)state;
    assert_null(_ZnwmRKSt9nothrow_t(SIZE_MAX, NULL));
    assert_null(_ZnamRKSt9nothrow_t(PTRDIFF_MAX, NULL));
    assert_null(_ZnwmSt11align_val_tRKSt9nothrow_t(SIZE_MAX, 64, NULL));
    assert_null(_ZnamSt11align_val_tRKSt9nothrow_t(SIZE_MAX - 64, 4096, NULL));
    fake_refuse_memory();
    assert_null(_ZnwmRKSt9nothrow_t(100, NULL));
    assert_int_equal(thrown, 0);
    assert_all_free();
}

static void plain_forms_throw(void **state)
{
    (void)state;
    static void *p;
    for (volatile int form = 0; form < 4; form++)
        if (setjmp(thrown_to) == 0) {
            if (form == 0) p = _Znwm(SIZE_MAX);
            if (form == 1) p = _Znam(SIZE_MAX - 100);
            if (form == 2) p = _ZnwmSt11align_val_t(SIZE_MAX, 64);
            if (form == 3) p = _ZnamSt11align_val_t(SIZE_MAX, 64);
            fail_msg("form %d returned %p", form, p);
        }
    assert_int_equal(thrown, 4);
}

static void make_room(void)
{
    if (++handled == 3) fake_allow_all();
}
static void give_up(void)
{
    handled++;
    handler = NULL;
}

static void the_handler_is_called_until_memory_comes(void **state)
{
    (void)state;
    handler = make_room;
    fake_refuse_memory();
    void *p = _Znwm(100);
    assert_non_null(p);
    assert_int_equal(handled, 3);
    handled = 0;
    fake_refuse_memory();
    void *q = _ZnwmSt11align_val_tRKSt9nothrow_t(9000000, 4096, NULL);
    assert_non_null(q);
    assert_aligned(q, 4096);
    assert_int_equal(handled, 3);
    _ZdlPv(p), _ZdlPv(q);
    handled = 0;
    handler = give_up;
    fake_refuse_memory();
    assert_null(_ZnwmRKSt9nothrow_t(30000000, NULL));
    assert_int_equal(handled, 1);
    assert_int_equal(thrown, 0);
    assert_all_free();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_form_of_delete_frees_every_form_of_new),
    cmocka_unit_test(nothrow_forms_answer_null),
    cmocka_unit_test(plain_forms_throw),
    cmocka_unit_test(the_handler_is_called_until_memory_comes),
};
UNIT_GROUP(operator_new);
