/*
 * test_core_hoard.c - a thread that has freed all that it had does not keep it, unless it is the only one.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "os.h"
#include "state.h"

enum { BLOCKS = 64, ROUNDS = 4000, KEPT_MOST = 32 << 10 };

/* Random blocks of 16 bytes to 4 KiB come and go, and in the end all but `live` of them have gone. */
static void work(void **live, int kept)
{
    uint64_t dice = 7;
    for (int i = 0; i < ROUNDS; i++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t at = (size_t)(dice >> 33) % BLOCKS, base = (size_t)16 << (dice >> 40 & 7);
        fh_test_free(live[at]);
        live[at] = fh_test_malloc(base + (size_t)(dice >> 44) % base);
        assert_non_null(live[at]);
    }
    for (int i = kept; i < BLOCKS; i++) fh_test_free(live[i]);
}

static void free_all(void **live, int count)
{
    for (int i = 0; i < count; i++) fh_test_free(live[i]);
}

/* What the thread keeps of slabs and chunks. */
static size_t kept_by(struct fh_state *self)
{
    fh_core_settle();
    return self->slabs.counts.slab_bytes + self->medium.bytes;
}

static void gives_up_when_all_is_free(void **state)
{
    (void)state;
    fh_store_relaxed(&fh_heap_threads, 1);
    void *live[BLOCKS] = {0};
    struct fh_state *self = fh_state_self();
    size_t cache_bytes = self->cache_bytes, medium_bytes = self->medium.most_bytes;
    work(live, 0);
    print_message("%zu kept\n", kept_by(self));
    assert_true(kept_by(self) < KEPT_MOST);
    assert_true(self->draining);
    assert_sound();
    /* Whoever asks again has caches as before, and does not lose them at the end of each round. */
    for (int i = 0; i < BLOCKS; i++) live[i] = fh_test_malloc(1000);
    assert_false(self->draining);
    assert_int_equal(self->cache_bytes, cache_bytes);
    assert_int_equal(self->medium.most_bytes, medium_bytes);
    self->hoarding_until_ms = fh_os_now_ms() + 100000;
    free_all(live, BLOCKS);
    assert_false(self->draining);
    assert_sound();
}

static void keeps_what_it_works_with(void **state)
{
    (void)state;
    fh_store_relaxed(&fh_heap_threads, 1);
    void *live[BLOCKS] = {0};
    struct fh_state *self = fh_state_self();
    work(live, BLOCKS / 2);
    assert_false(self->draining);
    free_all(live, BLOCKS / 2);
    assert_true(self->draining);
    assert_sound();
}

static void the_only_thread_keeps_all(void **state)
{
    (void)state;
    void *live[BLOCKS] = {0};
    work(live, 0);
    assert_false(fh_state_self()->draining);
    assert_true(kept_by(fh_state_self()) > KEPT_MOST);
    assert_sound();
}

/* What is freed here and came from elsewhere, or has changed its size, does not make a thread that works look idle. */
static void others_blocks_count_for_nothing(void **state)
{
    (void)state;
    fh_store_relaxed(&fh_heap_threads, 1);
    struct fh_state *self = fh_state_self();
    void *foreign[200], *own[200];
    for (int i = 0; i < 200; i++) foreign[i] = fh_test_malloc(4000);
    self->chunk_bytes = 0; /* as if another thread had got them */
    self->hoarding_until_ms = fh_os_now_ms() + 100000;
    for (int i = 0; i < 200; i++) fh_test_free(foreign[i]);
    fh_hoard_look(self);
    assert_true((ptrdiff_t)self->chunk_bytes >= 0);
    self->hoarding_until_ms = 0;
    for (int i = 0; i < 200; i++) own[i] = fh_test_realloc(fh_test_malloc(1500), 3000);
    for (int i = 0; i < 100; i++) fh_test_free(own[i]);
    assert_false(self->draining);
    for (int i = 100; i < 200; i++) fh_test_free(own[i]);
    assert_true(self->draining);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gives_up_when_all_is_free),
    cmocka_unit_test(keeps_what_it_works_with),
    cmocka_unit_test(the_only_thread_keeps_all),
    cmocka_unit_test(others_blocks_count_for_nothing),
};
UNIT_GROUP(hoard);
