/*
 * fake_os.h - a kernel made of tables: what unit tests see of tests/unit/fake_os.c beside src/os/os.h.
 *
 * All memory comes from one reserved stretch of address space that no byte of can be touched before it was handed out,
 * or after it was given back. The stretch has a multiple of 4 GiB in it, so that heaps can be made to cross the border
 * of two leaves of the page map. Addresses of mappings are never used twice unless a test asks for it.
 */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include <setjmp.h>

#include "base.h"
#include "os.h"

enum fake_call {
    FAKE_BREAK, /* asking where the break is */
    FAKE_BREAK_UP,
    FAKE_BREAK_DOWN,
    FAKE_MAP,
    FAKE_UNMAP,
    FAKE_REMAP,
    FAKE_MOVE,
    FAKE_DISCARD,
    FAKE_HUGE, /* advice for huge pages */
    FAKE_CALLS
};

struct fake_os {
    size_t page_size;            /* 4, 16 or 64 KiB */
    size_t calls[FAKE_CALLS];    /* so far, refused ones included */
    size_t refuse_at[FAKE_CALLS]; /* the call with this number is refused; 0: none */
    bool refuse[FAKE_CALLS];     /* every call of the kind is refused */
    void (*on_discard)(size_t bytes); /* called before pages go */
    bool huge_pages;             /* there are some, where advised */
    char *huge_from, *huge_to;   /* where they were advised, and not taken back: one stretch at most; or NULL */
    size_t break_most_bytes;     /* the break is refused beyond this many bytes */
    unsigned cpus;
    size_t memory_limit, memory_used; /* of the cgroup */
    size_t looks_at_memory;           /* how often either was asked for */
    size_t mappings_most;
    bool secure;
    int pid;
    size_t resident_bytes;
    uint64_t now_ms;             /* moves only when a test moves it */
    uint64_t seed;               /* of fh_os_random */
    int kept_stderr;             /* what fh_os_keep_stderr answers */
    bool abort_jumps;            /* fh_os_abort comes back to abort_to */
    unsigned aborts;
    sigjmp_buf abort_to;
};
extern struct fake_os fake_os;

/* The k-th call of this kind from now on is refused; 1 is the next. */
void fake_refuse_kth(enum fake_call call, size_t k);
void fake_refuse(enum fake_call call);
void fake_refuse_memory(void); /* the break upwards and mappings */
void fake_allow_all(void);

/* Somebody else moves the break; `bytes` may be negative. */
void fake_foreign_sbrk(ptrdiff_t bytes);
/* Before the first call for memory: where the break starts. */
void fake_set_break_start(char *start);
char *fake_break(void);
/* From the break, to the library and others. */
size_t fake_break_bytes(void);

/* The next mapping is put here. */
void fake_place_next_map(void *address);
size_t fake_mappings(void);
size_t fake_mapped_bytes(void);
bool fake_is_mapped(const void *address, size_t size);
/* A mapping of somebody else's, which is not counted above. */
void *fake_foreign_map(void *address, size_t size);
/* A multiple of 4 GiB in the middle of the stretch; 1 GiB on both sides of it is free of the break and of mappings. */
char *fake_leaf_border(void);

/* What fh_os_complain and fh_os_write (to any descriptor) were given since the last call of fake_forget_text. */
const char *fake_text(void);
int fake_text_fd(void); /* descriptor of the last piece; 2 for complaints */
unsigned fake_text_pieces(void);
void fake_forget_text(void);

/* Calls that break the contract of os.h (a size that is no multiple of the page, memory that is not ours); 0 is good.
 */
unsigned fake_contract_errors(void);

#endif
