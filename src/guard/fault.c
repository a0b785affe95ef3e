/*
 * fault.c - see fault.h and guard.h.
 *
 * Layer: guard. Owns the secret.
 */
#include "fault.h"

#include "format.h"
#include "guard.h"
#include "os.h"

struct fh_guard fh_guard = {0, FH_POINTER_BAD_BITS};

void fh_guard_init(void)
{
    fh_os_random(&fh_guard.secret, sizeof fh_guard.secret);
    fh_guard.secret |= 1; /* never 0: zeroed memory must never look marked */
}

static const char *const fault_words[] = {
#define FH_FAULT(name, words, meaning) words,
#include "faults.def"
#undef FH_FAULT
};
FH_STATIC_ASSERT(sizeof fault_words / sizeof fault_words[0] == FH_FAULT_COUNT, "one text for each fault");

void fh_fault(enum fh_fault fault, const void *address, size_t size_bytes, struct fh_place place)
{
    char line[256];
    struct fh_text text;
    fh_text_init(&text, line, sizeof line);
    fh_text_add(&text, "freehold: ");
    fh_text_add(&text, fault_words[fault]);
    fh_text_add(&text, ": ");
    fh_text_add_hex(&text, (uintptr_t)address);
    if (size_bytes == SIZE_MAX) {
        fh_text_add(&text, ", size unknown, in ");
    } else {
        fh_text_add(&text, ", ");
        fh_text_add_decimal(&text, size_bytes);
        fh_text_add(&text, " bytes, in ");
    }
    fh_text_add(&text, place.kind);
    if (place.address) {
        fh_text_add(&text, " at ");
        fh_text_add_hex(&text, place.address);
    }
    if (place.heap >= 0) {
        fh_text_add(&text, " of heap ");
        fh_text_add_decimal(&text, (uint64_t)place.heap);
    }
    fh_text_end_line(&text);
    fh_os_complain(line, text.length);
    fh_os_abort();
}
