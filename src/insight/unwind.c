/*
 * unwind.c - see unwind.h.
 *
 * Layer: insight. Walks by the modules' call frame information (cfi.c), since most systems' code has no frame pointers;
 * where a module has none, by frame pointers. Modules are found through the loader's _dl_find_object (glibc 2.35),
 * which takes no lock; without it, through a list made at the start. Every word of a stack is read only after the
 * kernel has said that its page can be read: a wrong turn ends the walk and not the program. To ask it costs more than
 * the rest of a walk, so the pages of a thread's own stack are asked for once.
 *
 * Rules are kept in a small table, by pc: an entry is three words, of which the first is the key mixed with the others,
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

static bool is_within(const struct module *module, uintptr_t pc)
{
    return pc - module->start < module->end - module->start;
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
        if (is_within(&modules[i], pc)) {
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
    if (find_module((uintptr_t)&fh_unwind_init, &found) && !is_within(&found, entry)) own = found;
}

/* --- Rules, kept by pc. --- */

enum { CACHE_SHIFT = 11 };
union rule_words {
    struct fh_unwind_rule rule;
    uint64_t words[2];
};
FH_STATIC_ASSERT(sizeof(union rule_words) == sizeof(struct fh_unwind_rule), "the words have all of a rule");
static struct {
    uint64_t check, words[2]; /* atomic, each by itself; check = key ^ words[0] ^ words[1] */
} cache[1 << CACHE_SHIFT];

static bool find_rule(uintptr_t pc, const struct module *module, struct fh_unwind_rule *rule)
{
    uint64_t key = (uint64_t)pc * 0x9e3779b97f4a7c15ULL + (uintptr_t)module->eh_frame_hdr;
    unsigned i = (unsigned)(key >> (64 - CACHE_SHIFT));
    union rule_words found = {.words = {fh_load_relaxed(&cache[i].words[0]), fh_load_relaxed(&cache[i].words[1])}};
    if (FH_UNLIKELY((fh_load_relaxed(&cache[i].check) ^ found.words[0] ^ found.words[1]) != key)) {
        found = (union rule_words){0};
        if (!fh_cfi_find(pc, module->eh_frame_hdr, &found.rule)) return false;
        fh_store_relaxed(&cache[i].check, key ^ found.words[0] ^ found.words[1]);
        fh_store_relaxed(&cache[i].words[0], found.words[0]);
        fh_store_relaxed(&cache[i].words[1], found.words[1]);
    }
    *rule = found.rule;
    return true;
}

/* --- What can be read. --- */

enum { STACK_PAGE = 4096, ASKED_MOST = 64 * STACK_PAGE };

/*
 * The thread's own stack, as far as it has been asked for: it is there until the thread ends. Of a thread that libc has
 * started, its descriptor stands at the upper end, and of the first the loader tells where that is. A stack that the
 * program has made for itself (makecontext(3), sigaltstack(2)) may go away, and is asked for at each walk: no readable
 * pages lead from there to that end.
 */
static __thread struct {
    uintptr_t from, to; /* `to` is 0 at first, and does not change once it is known */
    uintptr_t not_from; /* a page from which the end can't be reached */
} own_stack __attribute__((tls_model("initial-exec")));
extern void *const first_stack_end __asm__("__libc_stack_end") __attribute__((weak));

static bool is_near(uintptr_t end, uintptr_t sp) { return end > sp && end - sp < ASKED_MOST; }

/* Its end, if it may be the stack around sp; 0 if not. */
static uintptr_t own_end(uintptr_t sp)
{
    uintptr_t descriptor = fh_os_self(), first_end = &first_stack_end ? (uintptr_t)first_stack_end : 0, end = 0;
    if (!is_near(descriptor, sp) && !is_near(first_end, sp)) return 0;
    bool is_first = fh_os_tid() == fh_os_pid();
    if (is_near(is_first ? first_end : descriptor, sp)) end = is_first ? first_end : descriptor;
    return end ? fh_align_down(end, STACK_PAGE) + STACK_PAGE : 0;
}

/* Whether the page of sp is one of them. A signal may come between any two lines, and do the same. */
static bool is_on_own_stack(uintptr_t sp)
{
    uintptr_t page = fh_align_down(sp, STACK_PAGE), to = own_stack.to;
    if (page < to && page >= own_stack.from) return true;
    uintptr_t known = to ? own_stack.from : own_end(sp);
    if (page >= known || known - page > ASKED_MOST || page <= own_stack.not_from) return false;
    for (uintptr_t next = page + STACK_PAGE; next < known; next += STACK_PAGE)
        if (!fh_os_is_readable((const void *)next)) {
            own_stack.not_from = page;
            return false;
        }
    fh_store_relaxed(&own_stack.from, page);
    __asm__ volatile("" ::: "memory"); /* nobody sees an end before the start */
    if (!to) own_stack.to = known;
    return true;
}

/* --- Walking. --- */

enum { MODULES_AT_HAND = 4 };
struct walk {
    struct fh_frame frame;
    uintptr_t readable_from, readable_to; /* words between can be read, */
    uintptr_t readable_page;              /* and those of this page */
    struct module at_hand[MODULES_AT_HAND];
    unsigned next_at_hand, last_at_hand; /* the one to be replaced; the one that was found last */
};

static void start_walk(struct walk *walk)
{
    walk->readable_from = fh_align_down(walk->frame.sp, STACK_PAGE);
    walk->readable_to = is_on_own_stack(walk->frame.sp) ? own_stack.to : walk->readable_from + STACK_PAGE;
    walk->at_hand[walk->next_at_hand++] = own;
}

static bool read_word(struct walk *walk, uintptr_t address, uintptr_t *word)
{
    if (address % sizeof *word) return false;
    if (address - walk->readable_from >= walk->readable_to - walk->readable_from) {
        uintptr_t page = fh_align_down(address, STACK_PAGE);
        if (page != walk->readable_page && !fh_os_is_readable((const void *)address)) return false;
        walk->readable_page = page;
    }
    *word = *(const uintptr_t *)address;
    return true;
}

/* The module around pc; a walk stays in few. NULL when there is none. */
static const struct module *module_of(struct walk *walk, uintptr_t pc)
{
    if (FH_LIKELY(is_within(&walk->at_hand[walk->last_at_hand], pc))) return &walk->at_hand[walk->last_at_hand];
    unsigned i = 0;
    while (i < MODULES_AT_HAND && !is_within(&walk->at_hand[i], pc)) i++;
    if (i == MODULES_AT_HAND) {
        i = walk->next_at_hand++ % MODULES_AT_HAND;
        if (!find_module(pc, &walk->at_hand[i])) return NULL;
    }
    walk->last_at_hand = i;
    return &walk->at_hand[i];
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
    uintptr_t pc = frame->exact ? frame->pc : frame->pc - 1;
    const struct module *module = module_of(walk, pc);
    if (!module || !find_rule(pc, module, &rule)) {
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
    start_walk(&walk);
    unsigned count = 0;
    bool innermost = true;
    enum step result;
    while ((result = step(&walk, innermost, link_register)) == STEP_CALLER) {
        innermost = false;
        if (count == 0 && is_within(&own, walk.frame.pc)) continue;
        if (count == most) break;
        frames[count++] = walk.frame.pc - !walk.frame.exact;
    }
    *truncated = result != STEP_END;
    return count;
}
