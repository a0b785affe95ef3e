/*
 * test_insight_cfi.c - rows of call frame information, of this program's own functions and of hand-made sections.
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <link.h>

#include "unwind.h"

static const uint8_t *own_hdr;

static int note_first(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            own_hdr = (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    return 1; /* the program itself comes first */
}

static void own_functions_have_rows(void **state)
{
    (void)state;
    struct fh_unwind_rule rule;
    dl_iterate_phdr(note_first, NULL);
    assert_non_null(own_hdr);
    assert_true(fh_cfi_find((uintptr_t)&fh_cfi_find, own_hdr, &rule));
    assert_false(rule.last || rule.signal || rule.cfa_of_fp || rule.cfa_deref);
#if defined(__x86_64__)
    assert_int_equal(rule.cfa_offset, 8); /* at the entry: the return address on top of the stack */
    assert_int_equal(rule.ra_kind, FH_PLACE_AT_CFA);
    assert_int_equal(rule.ra_offset, -8);
    assert_int_equal(rule.fp_kind, FH_PLACE_SAME);
#endif
    assert_false(fh_cfi_find(16, own_hdr, &rule)); /* in front of all functions */
}

/* A section with one function at hdr + 4096 of 256 bytes, with the given program. */
static uint8_t section[8192] __attribute__((aligned(16)));
static uint8_t *out;

static void put(uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) *out++ = (uint8_t)(value >> 8 * i);
}

static const uint8_t *make_section(const uint8_t *program, size_t bytes, const char *augmentation)
{
    memset(section, 0, sizeof section);
    out = section;
    put(0x3b031b01, 4);                         /* version 1; encodings as linkers write them */
    put((uint64_t)(20 - 4), 4);                 /* .eh_frame, relative to here */
    put(1, 4);                                  /* one entry: */
    put(4096, 4);                               /* the function */
    uint8_t *fde_field = out;
    put(0, 4);
    uint8_t *cie = out;
    put(0, 4);
    put(0, 4);
    put(1, 1);
    memcpy(out, augmentation, strlen(augmentation) + 1);
    out += strlen(augmentation) + 1;
    put(1, 1);    /* code alignment */
    put(0x78, 1); /* data alignment: -8 */
    put(16, 1);   /* return address */
    put(1, 1);
    put(0x1b, 1);                       /* pointers: 4 bytes, relative to where they stand */
    put(0x0c, 1), put(7, 1), put(8, 1); /* CFA is rsp + 8 */
    put(0x90, 1), put(1, 1);            /* return address at CFA - 8 */
    uint32_t length = (uint32_t)(out - cie - 4);
    memcpy(cie, &length, 4);
    uint8_t *fde = out;
    put(0, 4);
    put((uint64_t)(out - cie), 4);
    put((uint64_t)(section + 4096 - out), 4);
    put(256, 4);
    put(0, 1); /* no augmentation data */
    memcpy(out, program, bytes);
    out += bytes;
    length = (uint32_t)(out - fde - 4);
    memcpy(fde, &length, 4);
    uint32_t offset = (uint32_t)(fde - section);
    memcpy(fde_field, &offset, 4);
    return section;
}

static void programs_are_run_up_to_the_address(void **state)
{
    (void)state;
#if !defined(__x86_64__)
    skip();
#endif
    struct fh_unwind_rule rule;
    uintptr_t start = (uintptr_t)section + 4096;
    static const uint8_t usual[] = {0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 100, 0x0a, 0x0c, 7, 8, 0x41, 0x0b};
    const uint8_t *hdr = make_section(usual, sizeof usual, "zR"); /* push rbp; mov rsp, rbp; ...; ret; more code */
    assert_true(fh_cfi_find(start, hdr, &rule));
    assert_true(!rule.cfa_of_fp && rule.cfa_offset == 8 && rule.fp_kind == FH_PLACE_SAME);
    assert_true(fh_cfi_find(start + 1, hdr, &rule));
    assert_true(!rule.cfa_of_fp && rule.cfa_offset == 16 && rule.fp_kind == FH_PLACE_AT_CFA && rule.fp_offset == -16);
    assert_true(fh_cfi_find(start + 4, hdr, &rule));
    assert_true(rule.cfa_of_fp && rule.cfa_offset == 16);
    assert_true(fh_cfi_find(start + 104, hdr, &rule));
    assert_true(!rule.cfa_of_fp && rule.cfa_offset == 8);
    assert_true(fh_cfi_find(start + 105, hdr, &rule)); /* remembered before, restored now */
    assert_true(rule.cfa_of_fp && rule.cfa_offset == 16);
    assert_true(fh_cfi_find(start + 255, hdr, &rule));
    assert_false(fh_cfi_find(start + 256, hdr, &rule));
    assert_false(fh_cfi_find(start - 1, hdr, &rule));

    /* A realigned stack: CFA is the word at rbp - 8, rbp was saved at rbp. */
    static const uint8_t realigned[] = {0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0};
    assert_true(fh_cfi_find(start, make_section(realigned, sizeof realigned, "zR"), &rule));
    assert_true(rule.cfa_of_fp && rule.cfa_deref && rule.cfa_offset == -8);
    assert_true(rule.fp_kind == FH_PLACE_AT_FP && rule.fp_offset == 0);

    static const uint8_t outermost[] = {0x07, 16};
    assert_true(fh_cfi_find(start, make_section(outermost, sizeof outermost, "zR"), &rule));
    assert_true(rule.last);
    assert_true(fh_cfi_find(start, make_section(outermost, 0, "zRS"), &rule) && rule.signal);
}

/* What is not understood is refused, and nothing beyond its end is read as part of it. */
static void strange_programs_are_refused(void **state)
{
    (void)state;
#if !defined(__x86_64__)
    skip();
#endif
    struct fh_unwind_rule rule;
    uintptr_t start = (uintptr_t)section + 4096;
    static const uint8_t programs[][6] = {
        {0x3f, 0, 0, 0, 0, 0},             /* an unknown instruction */
        {0x0c, 3, 16, 0, 0, 0},            /* CFA by rbx */
        {0x0f, 4, 0x77, 8, 0x80, 0},       /* an expression of another kind */
        {0x09, 6, 3, 0, 0, 0},             /* rbp is in rbx */
        {0x0b, 0, 0, 0, 0, 0},             /* restore without remember */
        {0x0f, 0xff, 0x7f, 0x77, 8, 0x06}, /* an expression that passes the end */
    };
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        assert_false(fh_cfi_find(start, make_section(programs[i], sizeof programs[i], "zR"), &rule));
    assert_false(fh_cfi_find(start, make_section(programs[0], 0, "zX"), &rule));
    make_section(programs[0], 0, "zR");
    section[3] = 0x1b; /* a table of another kind */
    assert_false(fh_cfi_find(start, section, &rule));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(own_functions_have_rows),
    cmocka_unit_test(programs_are_run_up_to_the_address),
    cmocka_unit_test(strange_programs_are_refused),
};
UNIT_GROUP(cfi);
