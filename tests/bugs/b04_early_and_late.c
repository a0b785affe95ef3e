/*
 * b04_early_and_late - allocation in preinit_array, init_array and constructors, and in atexit handlers, destructors
 * and fini_array at the other end. Each moment frees what the one before allocated.
 *
 * The same source is built three times: for the preload, linked with -lfreehold, and as a fully static program.
 */
#include "bugs.h"

#define BLOCKS 100

static void *chain[BLOCKS];
static int moments;

/* Frees the chain of the moment before and makes a new one. */
static void moment(int expected)
{
    CHECK_NUMBERS(moments == expected, moments, expected);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t n = i * i * 20;

        if (moments > 0) {
            CHECK(bugs_kept(chain[i], n, (unsigned)moments));
            chain[i] = realloc(chain[i], n + 64);
            CHECK(chain[i] != NULL && bugs_kept(chain[i], n, (unsigned)moments));
            free(chain[i]);
        }
        chain[i] = i % 2 == 0 ? malloc(n) : memalign(64, n);
        CHECK(chain[i] != NULL);
        bugs_mark(chain[i], n, (unsigned)moments + 1);
    }
    moments++;
}

static void at_preinit(void)
{
    moment(0);
}

static void at_init(void)
{
    moment(2);
}

__attribute__((constructor(101))) static void at_early_constructor(void)
{
    moment(1);
}

static void at_exit_handler(void)
{
    moment(4);
}

__attribute__((destructor(102))) static void at_destructor(void)
{
    moment(5);
}

__attribute__((destructor(101))) static void at_late_destructor(void)
{
    moment(6);
    for (size_t i = 0; i < BLOCKS; i++)
        free(chain[i]);
    (void)!write(1, "end\n", 4);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = at_preinit;
__attribute__((section(".init_array"), used)) static void (*init)(void) = at_init;

int main(void)
{
#ifdef BUGS_STATIC
    CHECK(fh_version() != NULL);
    CHECK(fh_check(bugs_violation, NULL) == 0);
#else
    bugs_start();
    bugs_sound();
#endif
    moment(3);
    CHECK(atexit(at_exit_handler) == 0);
    return 0;
}
