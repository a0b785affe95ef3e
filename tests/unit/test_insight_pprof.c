/*
 * test_insight_pprof.c - the bytes of a profile: a protobuf message that can be taken apart again, whose parts refer to
 * each other rightly. (What others' readers make of it: tests/profile.)
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "profile.h"
#include "samples.h"

static uint8_t bytes[1 << 20];
static size_t length;

static void write_profile(void)
{
    char path[] = "/tmp/fh_unit_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_true(fh_pprof_write(fd));
    ssize_t got = pread(fd, bytes, sizeof bytes, 0);
    assert_true(got > 0 && (size_t)got < sizeof bytes);
    length = (size_t)got;
    close(fd);
}

static uint64_t varint(const uint8_t **at)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
}

static void profiles_can_be_taken_apart(void **state)
{
    (void)state;
    assert_true(fh_samples_init(FH_SAMPLES_PROFILE, 1000));
    enum { STACKS = 1000, DEPTH = 60 };
    uint64_t expected_bytes = 0, addresses = STACKS + DEPTH - 1;
    for (uint64_t s = 0; s < STACKS; s++) { /* each one address on from the last */
        uint64_t frames[DEPTH];
        for (uint64_t i = 0; i < DEPTH; i++) frames[i] = 0x400000 + s + i;
        struct fh_stack *stack = fh_stack_at(fh_stack_find(frames, DEPTH, false));
        stack->allocated_objects = (s + 1) << 16;
        stack->allocated_bytes = s * 100;
        stack->freed_bytes = s * 40;
        expected_bytes += s * 60;
    }
    uint64_t unused[1] = {1};
    fh_stack_find(unused, 1, false); /* without samples: not in the profile */
    write_profile();

    size_t fields[16] = {0};
    uint64_t in_use = 0, last_location = 0;
    for (const uint8_t *at = bytes; at < bytes + length;) {
        uint64_t key = varint(&at), value = varint(&at);
        assert_true(key >> 3 < 16);
        fields[key >> 3]++;
        if ((key & 7) == 0) continue;
        assert_int_equal(key & 7, 2);
        const uint8_t *end = at + value;
        assert_true(end <= bytes + length);
        if (key >> 3 == 2) { /* Sample: locations, values */
            assert_int_equal(varint(&at), 1 << 3 | 2);
            uint64_t size = varint(&at), n = 0, values[4];
            const uint8_t *locations_end = at + size;
            for (; at < locations_end; n++) assert_true(varint(&at) >= 0x400000);
            assert_int_equal(n, DEPTH);
            assert_int_equal(varint(&at), 2 << 3 | 2);
            varint(&at);
            for (int i = 0; i < 4; i++) values[i] = varint(&at);
            assert_int_equal(values[1] / 100 + 1, values[0]);
            in_use += values[3];
        } else if (key >> 3 == 4) { /* Location: id, address */
            assert_int_equal(varint(&at), 1 << 3);
            uint64_t id = varint(&at);
            assert_true(id > last_location);
            last_location = id;
        }
        at = end;
    }
    assert_int_equal(in_use, expected_bytes);
    assert_int_equal(fields[1], 4); /* sample types */
    assert_int_equal(fields[2], STACKS);
    assert_int_equal(fields[4], addresses);
    assert_true(fields[3] >= 2); /* the program, libc ... */
    assert_int_equal(fields[12], 1);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(profiles_can_be_taken_apart)};
UNIT_GROUP(pprof);
