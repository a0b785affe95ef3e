/*
 * unwind.c - see unwind.h.
 *
 * Layer: insight. Walks by the modules' call frame information (cfi.c), since most systems' code has no frame pointers;
 * where a module has none, by frame pointers. Modules are found through the loader's _dl_find_object (glibc 2.35),
 * which takes no lock; without it, through a list made at the start. Every word of a stack is read only after the
 * kernel has said that its page can be read: a wrong turn ends the walk and not the program.
 *
 * Rules are kept in a small table, by pc: an entry is two words, of which the first is the key mixed with the second,
 * so that threads may read and write it at the same time and a torn one matches nothing.
 */
#define _GNU_SOURCE 1
#include "unwind.h"

#include <link.h>
#include <sys/auxv.h>

#include "atomics.h"
#include "os.h"

/* As in glibc's <dlfcn.h>, whose older versions and other libcs lack it. */
struct found_object {
    unsigned long long flags;
    void *map_start, *map_end;
    void *link_map;
    void *eh_frame_hdr;
    unsigned long long reserved[7];
};
extern int find_object(void *address, struct found_object *found) __asm__("_dl_find_object") __attribute__((weak));

struct module {
    uintptr_t start, end;
    const uint8_t *eh_frame_hdr;
};
enum { MODULES_LISTED = 64 };
static struct module modules[MODULES_LISTED];
static unsigned module_count;
static struct module own; /* our own code; empty when it is a part of the program */

static int note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    struct module module = {.start = UINTPTR_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD) {
            module.start = fh_min(module.start, start);
            module.end = fh_max(module.end, start + segment->p_memsz);
        }
        if (segment->p_type == PT_GNU_EH_FRAME) module.eh_frame_hdr = (const uint8_t *)start;
    }
    if (module.eh_frame_hdr && module_count < MODULES_LISTED) modules[module_count++] = module;
    return 0;
}

static bool find_module(uintptr_t pc, struct module *module)
{
    struct found_object found;
    if (find_object) {
        if (find_object((void *)pc, &found) != 0 || !found.eh_frame_hdr) return false;
        *module = (struct module){(uintptr_t)found.map_start, (uintptr_t)found.map_end, found.eh_frame_hdr};
        return true;
    }
    for (unsigned i = 0; i < module_count; i++)
        if (pc - modules[i].start < modules[i].end - modules[i].start) {
            *module = modules[i];
            return true;
        }
    return false;
}

void fh_unwind_init(void)
{
    if (!find_object) dl_iterate_phdr(note_module, NULL);
    struct module found;
    uintptr_t entry = getauxval(AT_ENTRY);
    if (find_module((uintptr_t)&fh_unwind_init, &found) && entry - found.start >= found.end - found.start) own = found;
}

/* --- Rules, kept by pc. --- */

enum { CACHE_SHIFT = 12 };
static struct {
    uint64_t check, packed; /* atomic, each by itself; check = key ^ packed */
} cache[1 << CACHE_SHIFT];

enum { CFA_BITS = 20, SAVED_BITS = 18 };

static bool fits(int32_t value, unsigned bits) { return value >= -(1 << (bits - 1)) && value < 1 << (bits - 1); }

static bool pack(const struct fh_unwind_rule *rule, uint64_t *packed)
{
    if (!fits(rule->cfa_offset, CFA_BITS) || !fits(rule->fp_offset, SAVED_BITS) || !fits(rule->ra_offset, SAVED_BITS))
        return false;
    uint64_t saved_mask = (1u << SAVED_BITS) - 1;
    *packed = (uint64_t)rule->cfa_of_fp | (uint64_t)rule->cfa_deref << 1 | (uint64_t)rule->signal << 2 |
              (uint64_t)rule->last << 3 | (uint64_t)(rule->fp_kind & 3) << 4 | (uint64_t)(rule->ra_kind & 3) << 6 |
              ((uint64_t)rule->cfa_offset & ((1u << CFA_BITS) - 1)) << 8 |
              ((uint64_t)rule->fp_offset & saved_mask) << 28 | ((uint64_t)rule->ra_offset & saved_mask) << 46;
    return true;
}

static int32_t signed_bits(uint64_t packed, unsigned from, unsigned bits)
{
    return (int32_t)((int64_t)(packed << (64 - from - bits)) >> (64 - bits));
}

static void unpack(uint64_t packed, struct fh_unwind_rule *rule)
{
    *rule = (struct fh_unwind_rule){
        .cfa_of_fp = packed & 1,
        .cfa_deref = packed >> 1 & 1,
        .signal = packed >> 2 & 1,
        .last = packed >> 3 & 1,
        .fp_kind = packed >> 4 & 3,
        .ra_kind = packed >> 6 & 3,
        .cfa_offset = signed_bits(packed, 8, CFA_BITS),
        .fp_offset = signed_bits(packed, 28, SAVED_BITS),
        .ra_offset = signed_bits(packed, 46, SAVED_BITS),
    };
}

static bool find_rule(uintptr_t pc, struct fh_unwind_rule *rule)
{
    struct module module;
    if (!find_module(pc, &module)) return false;
    uint64_t key = (uint64_t)pc * 0x9e3779b97f4a7c15ULL + (uintptr_t)module.eh_frame_hdr;
    unsigned i = (unsigned)(key >> (64 - CACHE_SHIFT));
    uint64_t packed = fh_load_relaxed(&cache[i].packed);
    if ((fh_load_relaxed(&cache[i].check) ^ packed) == key) {
        unpack(packed, rule);
        return true;
    }
    if (!fh_cfi_find(pc, module.eh_frame_hdr, rule)) return false;
    if (pack(rule, &packed)) {
        fh_store_relaxed(&cache[i].check, key ^ packed);
        fh_store_relaxed(&cache[i].packed, packed);
    }
    return true;
}

/* --- Walking. --- */

struct walk {
    struct fh_frame frame;
    uintptr_t known_page; /* can be read */
};

enum { STACK_PAGE = 4096 };

static bool read_word(struct walk *walk, uintptr_t address, uintptr_t *word)
{
    if (address % sizeof *word) return false;
    uintptr_t page = fh_align_down(address, STACK_PAGE);
    if (page != walk->known_page) {
        if (!fh_os_is_readable((const void *)address)) return false;
        walk->known_page = page;
    }
    *word = *(const uintptr_t *)address;
    return true;
}

static uintptr_t strip_pointer(uintptr_t pc)
{
#if defined(__aarch64__)
    register uintptr_t x30 __asm__("x30") = pc;
    __asm__("hint #7" : "+r"(x30)); /* xpaclri: without the signature of pointer authentication */
    return x30;
#else
    return pc;
#endif
}

static bool read_saved(struct walk *walk, uint8_t kind, int32_t offset, uintptr_t cfa, uintptr_t same, uintptr_t *word)
{
    uintptr_t base = kind == FH_PLACE_AT_CFA ? cfa : kind == FH_PLACE_AT_SP ? walk->frame.sp : walk->frame.fp;
    if (kind != FH_PLACE_SAME) return read_word(walk, base + (uintptr_t)(intptr_t)offset, word);
    *word = same;
    return true;
}

/* A frame of code without call frame information: it may keep its frame pointer. */
static bool step_by_frame_pointer(struct walk *walk)
{
    enum { FRAME_MOST = 1 << 20 };
    struct fh_frame *frame = &walk->frame, next = {0};
    if (frame->fp < frame->sp || frame->fp - frame->sp > FRAME_MOST) return false;
    if (!read_word(walk, frame->fp, &next.fp) || !read_word(walk, frame->fp + sizeof(uintptr_t), &next.pc))
        return false;
    next.pc = strip_pointer(next.pc);
    next.sp = frame->fp + 2 * sizeof(uintptr_t);
    *frame = next;
    return true;
}

enum step { STEP_CALLER, STEP_END, STEP_LOST };

static enum step step(struct walk *walk, bool innermost, uintptr_t link_register)
{
    enum { FRAME_MOST = 64 << 20 };
    struct fh_frame *frame = &walk->frame, next = {0};
    struct fh_unwind_rule rule;
    if (!find_rule(frame->exact ? frame->pc : frame->pc - 1, &rule)) {
        if (innermost || !step_by_frame_pointer(walk)) return STEP_LOST;
    } else {
        if (rule.last) return STEP_END;
        uintptr_t cfa = (rule.cfa_of_fp ? frame->fp : frame->sp) + (uintptr_t)(intptr_t)rule.cfa_offset;
        if (rule.cfa_deref && !read_word(walk, cfa, &cfa)) return STEP_LOST;
        /* Callers' frames lie above; only a signal may have come on another stack. */
        if (!rule.signal && (cfa < frame->sp || cfa - frame->sp > FRAME_MOST)) return STEP_LOST;
        if (rule.ra_kind == FH_PLACE_SAME && !innermost) return STEP_LOST;
        if (!read_saved(walk, rule.ra_kind, rule.ra_offset, cfa, link_register, &next.pc)) return STEP_LOST;
        if (!read_saved(walk, rule.fp_kind, rule.fp_offset, cfa, frame->fp, &next.fp)) return STEP_LOST;
        next.pc = strip_pointer(next.pc);
        next.sp = cfa;
        next.exact = rule.signal;
        *frame = next;
    }
    return frame->pc < STACK_PAGE ? STEP_END : STEP_CALLER;
}

FH_NOINLINE unsigned fh_unwind(uint64_t *frames, unsigned most, bool *truncated)
{
    struct walk walk = {.frame.exact = true};
    uintptr_t link_register = 0;
#if defined(__x86_64__)
    __asm__ volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
                     : "=&r"(walk.frame.pc), "=&r"(walk.frame.sp), "=&r"(walk.frame.fp));
#else
    __asm__ volatile("adr %0, .\n\tmov %1, sp\n\tmov %2, x29\n\tmov %3, x30"
                     : "=&r"(walk.frame.pc), "=&r"(walk.frame.sp), "=&r"(walk.frame.fp), "=&r"(link_register));
#endif
    unsigned count = 0;
    bool innermost = true;
    enum step result;
    while ((result = step(&walk, innermost, link_register)) == STEP_CALLER) {
        innermost = false;
        if (walk.frame.pc - own.start < own.end - own.start && count == 0) continue;
        if (count == most) break;
        frames[count++] = walk.frame.pc - !walk.frame.exact;
    }
    *truncated = result != STEP_END;
    return count;
}
