/*
 * cfi.c - one row of a module's call frame information: how the caller's registers are found at a given pc.
 *
 * Layer: insight. Reads .eh_frame_hdr and .eh_frame as the Linux Standard Base Core Specification 5.0, chapter 10.6 and
 * DWARF 5, chapter 6.4 define them, of modules that are on the running thread's stack and so can't go away. Only three
 * registers are followed: stack pointer, frame pointer and return address; of expressions, only those are known that
 * compilers and the C library write: a register plus an offset, and the word there.
 */
#include "unwind.h"

#if defined(__x86_64__)
enum { REG_FP = 6, REG_SP = 7, REG_RA = 16 };
#else
enum { REG_FP = 29, REG_SP = 31, REG_RA = 30 };
#endif

/* DWARF 5, tables 7.9 (expressions), 7.29 (call frame instructions); LSB 10.5 (pointer encodings). */
enum { OP_DEREF = 0x06, OP_BREG0 = 0x70, OP_BREG31 = 0x8f };
enum {
    CFA_ADVANCE = 1,
    CFA_OFFSET = 2,
    CFA_RESTORE = 3, /* in the upper two bits */
    CFA_NOP = 0x00,
    CFA_SET_LOC,
    CFA_ADVANCE1,
    CFA_ADVANCE2,
    CFA_ADVANCE4,
    CFA_OFFSET_EXTENDED,
    CFA_RESTORE_EXTENDED,
    CFA_UNDEFINED,
    CFA_SAME_VALUE,
    CFA_REGISTER,
    CFA_REMEMBER,
    CFA_RESTORE_STATE,
    CFA_DEF_CFA,
    CFA_DEF_CFA_REGISTER,
    CFA_DEF_CFA_OFFSET,
    CFA_DEF_CFA_EXPRESSION,
    CFA_EXPRESSION,
    CFA_OFFSET_EXTENDED_SF,
    CFA_DEF_CFA_SF,
    CFA_DEF_CFA_OFFSET_SF,
    CFA_VAL_OFFSET,
    CFA_VAL_OFFSET_SF,
    CFA_VAL_EXPRESSION,
    CFA_NEGATE_RA_STATE = 0x2d,
    CFA_ARGS_SIZE = 0x2e,
    CFA_NEGATIVE_OFFSET_EXTENDED = 0x2f
};
enum { PE_ABSPTR = 0x00, PE_UDATA4 = 0x03, PE_SDATA4 = 0x0b, PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_OMIT = 0xff };

struct reader {
    const uint8_t *at, *end;
    bool bad; /* something unknown, or past the end */
};

static uint64_t read_fixed(struct reader *r, unsigned bytes)
{
    if ((size_t)(r->end - r->at) < bytes) {
        r->bad = true;
        r->at = r->end;
        return 0;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)r->at[i] << 8 * i;
    r->at += bytes;
    return value;
}

static uint64_t read_uleb(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = (uint8_t)read_fixed(r, 1);
        if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
}

static int64_t read_sleb(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
        uint8_t byte = (uint8_t)read_fixed(r, 1);
        if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80) continue;
        if ((byte & 0x40) && shift < 64) value |= ~(uint64_t)0 << shift;
        return (int64_t)value;
    }
}

static uint64_t read_encoded(struct reader *r, unsigned encoding)
{
    uintptr_t here = (uintptr_t)r->at;
    uint64_t value;
    switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: value = read_fixed(r, 8); break;
    case 0x02: value = read_fixed(r, 2); break;
    case 0x0a: value = (uint64_t)(int64_t)(int16_t)read_fixed(r, 2); break;
    case 0x03: value = read_fixed(r, 4); break;
    case 0x0b: value = (uint64_t)(int64_t)(int32_t)read_fixed(r, 4); break;
    case 0x01: value = read_uleb(r); break;
    case 0x09: value = (uint64_t)read_sleb(r); break;
    default: r->bad = true; return 0;
    }
    return (encoding & 0x70) == PE_PCREL ? value + here : value;
}

struct cie {
    uint64_t code_align;
    int64_t data_align;
    unsigned ra_register;
    unsigned pointer_encoding;
    bool has_augmentation, signal;
    struct reader program;
};

static bool read_augmentation(struct reader *r, struct cie *cie, const char *letters)
{
    cie->has_augmentation = true;
    size_t bytes = read_uleb(r);
    const uint8_t *next = r->at + bytes;
    for (; *letters; letters++) {
        if (*letters == 'R') cie->pointer_encoding = (unsigned)read_fixed(r, 1);
        else if (*letters == 'P') read_encoded(r, (unsigned)read_fixed(r, 1));
        else if (*letters == 'L') read_fixed(r, 1);
        else if (*letters == 'S') cie->signal = true;
        else if (*letters != 'B' && *letters != 'G') return false; /* aarch64: pointer authentication, tagged stack */
    }
    r->at = next;
    return !r->bad;
}

/* An entry of .eh_frame: its contents; false at the end of the section and for the 64-bit format, which nobody uses. */
static bool read_entry(const uint8_t *at, struct reader *r)
{
    uint32_t length;
    __builtin_memcpy(&length, at, 4);
    *r = (struct reader){at + 4, at + 4 + length, false};
    return length != 0 && length < 0xfffffff0u;
}

static bool read_cie(const uint8_t *at, struct cie *cie)
{
    struct reader r;
    if (!read_entry(at, &r) || read_fixed(&r, 4) != 0) return false;
    unsigned version = (unsigned)read_fixed(&r, 1);
    if (version != 1 && version != 3) return false;
    const char *letters = (const char *)r.at;
    while (read_fixed(&r, 1)) continue;
    *cie = (struct cie){.pointer_encoding = PE_ABSPTR};
    cie->code_align = read_uleb(&r);
    cie->data_align = read_sleb(&r);
    cie->ra_register = version == 1 ? (unsigned)read_fixed(&r, 1) : (unsigned)read_uleb(&r);
    if (letters[0] == 'z') {
        if (!read_augmentation(&r, cie, letters + 1)) return false;
    } else if (letters[0]) {
        return false;
    }
    cie->program = r;
    return !r.bad && cie->ra_register == REG_RA;
}

/* The row of the table that the program computes. */
struct saved {
    uint8_t kind; /* enum fh_place_kind, or UNDEFINED, UNKNOWN */
    int64_t offset;
};
enum { UNDEFINED = 100, UNKNOWN = 101 };
struct row {
    uint64_t cfa_register;
    int64_t cfa_offset;
    bool cfa_deref, cfa_unknown;
    struct saved fp, ra;
};
enum { ROWS_REMEMBERED = 8 };

struct machine {
    const struct cie *cie;
    struct row row, initial, remembered[ROWS_REMEMBERED];
    unsigned remembered_count;
    uintptr_t location;
};

static void set_saved(struct row *row, uint64_t reg, uint8_t kind, int64_t offset)
{
    if (reg == REG_FP) row->fp = (struct saved){kind, offset};
    if (reg == REG_RA) row->ra = (struct saved){kind, offset};
}

/* "Register plus offset": true, and the two. *deref: "and the word that lies there". */
static bool simple_expression(struct reader *r, uint64_t *reg, int64_t *offset, bool *deref)
{
    size_t length = read_uleb(r);
    if (length > (size_t)(r->end - r->at)) {
        r->bad = true;
        return false;
    }
    struct reader e = {r->at, r->at + length, false};
    r->at += length;
    unsigned op = (unsigned)read_fixed(&e, 1);
    if (op < OP_BREG0 || op > OP_BREG31) return false;
    *reg = op - OP_BREG0;
    *offset = read_sleb(&e);
    *deref = e.at < e.end && *e.at == OP_DEREF;
    if (*deref) e.at++;
    return !e.bad && e.at == e.end;
}

static void run_expression(struct machine *m, struct reader *r, uint64_t reg)
{
    uint64_t base;
    int64_t offset;
    bool deref, simple = simple_expression(r, &base, &offset, &deref) && !deref;
    if (simple && base == REG_SP) set_saved(&m->row, reg, FH_PLACE_AT_SP, offset);
    else if (simple && base == REG_FP) set_saved(&m->row, reg, FH_PLACE_AT_FP, offset);
    else set_saved(&m->row, reg, UNKNOWN, 0);
}

static void run_cfa_expression(struct machine *m, struct reader *r)
{
    m->row.cfa_unknown = !simple_expression(r, &m->row.cfa_register, &m->row.cfa_offset, &m->row.cfa_deref);
}

static void restore(struct machine *m, uint64_t reg)
{
    if (reg == REG_FP) m->row.fp = m->initial.fp;
    if (reg == REG_RA) m->row.ra = m->initial.ra;
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
    m->row.cfa_register = reg;
    m->row.cfa_offset = offset;
    m->row.cfa_deref = m->row.cfa_unknown = false;
}

/* The instructions with a whole byte as their code; false for one that is not known. */
static bool run_extended(struct machine *m, struct reader *r, unsigned code)
{
    int64_t scale = m->cie->data_align;
    uint64_t reg;
    switch (code) {
    case CFA_NOP:
    case CFA_NEGATE_RA_STATE: return true;
    case CFA_SET_LOC: m->location = read_encoded(r, m->cie->pointer_encoding); return true;
    case CFA_ADVANCE1: m->location += read_fixed(r, 1) * m->cie->code_align; return true;
    case CFA_ADVANCE2: m->location += read_fixed(r, 2) * m->cie->code_align; return true;
    case CFA_ADVANCE4: m->location += read_fixed(r, 4) * m->cie->code_align; return true;
    case CFA_OFFSET_EXTENDED:
        reg = read_uleb(r);
        set_saved(&m->row, reg, FH_PLACE_AT_CFA, (int64_t)read_uleb(r) * scale);
        return true;
    case CFA_OFFSET_EXTENDED_SF:
        reg = read_uleb(r);
        set_saved(&m->row, reg, FH_PLACE_AT_CFA, read_sleb(r) * scale);
        return true;
    case CFA_NEGATIVE_OFFSET_EXTENDED:
        reg = read_uleb(r);
        set_saved(&m->row, reg, FH_PLACE_AT_CFA, -(int64_t)read_uleb(r) * scale);
        return true;
    case CFA_RESTORE_EXTENDED: restore(m, read_uleb(r)); return true;
    case CFA_UNDEFINED: set_saved(&m->row, read_uleb(r), UNDEFINED, 0); return true;
    case CFA_SAME_VALUE: set_saved(&m->row, read_uleb(r), FH_PLACE_SAME, 0); return true;
    case CFA_REGISTER:
    case CFA_VAL_OFFSET:
    case CFA_VAL_OFFSET_SF:
        set_saved(&m->row, read_uleb(r), UNKNOWN, 0);
        read_uleb(r);
        return true;
    case CFA_REMEMBER:
        if (m->remembered_count == ROWS_REMEMBERED) return false;
        m->remembered[m->remembered_count++] = m->row;
        return true;
    case CFA_RESTORE_STATE:
        if (m->remembered_count == 0) return false;
        m->row = m->remembered[--m->remembered_count];
        return true;
    case CFA_DEF_CFA:
        reg = read_uleb(r);
        define_cfa(m, reg, (int64_t)read_uleb(r));
        return true;
    case CFA_DEF_CFA_SF:
        reg = read_uleb(r);
        define_cfa(m, reg, read_sleb(r) * scale);
        return true;
    case CFA_DEF_CFA_REGISTER: define_cfa(m, read_uleb(r), m->row.cfa_offset); return true;
    case CFA_DEF_CFA_OFFSET: m->row.cfa_offset = (int64_t)read_uleb(r); return true;
    case CFA_DEF_CFA_OFFSET_SF: m->row.cfa_offset = read_sleb(r) * scale; return true;
    case CFA_DEF_CFA_EXPRESSION: run_cfa_expression(m, r); return true;
    case CFA_EXPRESSION:
        reg = read_uleb(r);
        run_expression(m, r, reg);
        return true;
    case CFA_VAL_EXPRESSION:
        set_saved(&m->row, read_uleb(r), UNKNOWN, 0);
        r->at += fh_min(read_uleb(r), (size_t)(r->end - r->at));
        return true;
    case CFA_ARGS_SIZE: read_uleb(r); return true;
    default: return false;
    }
}

/* Runs the program up to the row that holds for pc. */
static bool run(struct machine *m, struct reader r, uintptr_t pc)
{
    while (r.at < r.end && m->location <= pc) {
        unsigned code = (unsigned)read_fixed(&r, 1), low = code & 0x3f;
        switch (code >> 6) {
        case CFA_ADVANCE: m->location += low * m->cie->code_align; break;
        case CFA_OFFSET: set_saved(&m->row, low, FH_PLACE_AT_CFA, (int64_t)read_uleb(&r) * m->cie->data_align); break;
        case CFA_RESTORE: restore(m, low); break;
        default:
            if (!run_extended(m, &r, low)) return false;
        }
    }
    return !r.bad;
}

static bool rule_of_row(const struct row *row, bool signal, struct fh_unwind_rule *rule)
{
    if (row->cfa_unknown || (row->cfa_register != REG_SP && row->cfa_register != REG_FP)) return false;
    if (row->fp.kind == UNKNOWN || row->ra.kind == UNKNOWN) return false;
    if ((int32_t)row->cfa_offset != row->cfa_offset || (int32_t)row->fp.offset != row->fp.offset ||
        (int32_t)row->ra.offset != row->ra.offset)
        return false;
    *rule = (struct fh_unwind_rule){
        .cfa_of_fp = row->cfa_register == REG_FP,
        .cfa_deref = row->cfa_deref,
        .signal = signal,
        .last = row->ra.kind == UNDEFINED,
        .fp_kind = row->fp.kind == UNDEFINED ? FH_PLACE_SAME : row->fp.kind,
        .ra_kind = row->ra.kind,
        .cfa_offset = (int32_t)row->cfa_offset,
        .fp_offset = (int32_t)row->fp.offset,
        .ra_offset = (int32_t)row->ra.offset,
    };
    return true;
}

/* The description of the function around pc, by binary search in .eh_frame_hdr; NULL when the table is not of the one
 * kind that linkers write. */
static const uint8_t *find_fde(uintptr_t pc, const uint8_t *hdr)
{
    struct reader r = {hdr + 4, hdr + 32, false};
    if (hdr[0] != 1 || hdr[2] != PE_UDATA4 || hdr[3] != (PE_DATAREL | PE_SDATA4)) return NULL;
    read_encoded(&r, hdr[1]);
    size_t count = read_fixed(&r, 4), low = 0, high = count;
    struct entry {
        int32_t function, description; /* relative to hdr */
    };
    const struct entry *table = (const void *)r.at;
    if (r.bad || count == 0) return NULL;
    while (low < high) { /* the first that begins behind pc */
        size_t middle = (low + high) / 2;
        if ((uintptr_t)hdr + (uintptr_t)(intptr_t)table[middle].function <= pc) low = middle + 1;
        else high = middle;
    }
    return low ? hdr + table[low - 1].description : NULL;
}

bool fh_cfi_find(uintptr_t pc, const uint8_t *eh_frame_hdr, struct fh_unwind_rule *rule)
{
    const uint8_t *at = find_fde(pc, eh_frame_hdr);
    struct reader r;
    struct cie cie;
    if (!at || !read_entry(at, &r)) return false;
    const uint8_t *cie_field = r.at;
    if (!read_cie(cie_field - read_fixed(&r, 4), &cie)) return false;
    uintptr_t start = read_encoded(&r, cie.pointer_encoding);
    uintptr_t bytes = read_encoded(&r, cie.pointer_encoding & 0x0f);
    if (r.bad || pc - start >= bytes) return false;
    if (cie.has_augmentation) {
        size_t skip = read_uleb(&r);
        r.at += fh_min(skip, (size_t)(r.end - r.at));
    }
    struct machine m = {.cie = &cie, .location = start};
#if defined(__x86_64__)
    m.row.ra = (struct saved){UNKNOWN, 0};
#endif
    if (!run(&m, cie.program, UINTPTR_MAX)) return false;
    m.initial = m.row;
    m.location = start;
    return run(&m, r, pc) && rule_of_row(&m.row, cie.signal, rule);
}
