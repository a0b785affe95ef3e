/*
 * pins_report.h - what is said of pins: in words, as tables, as JSON.
 */
#ifndef FREEHOLD_TOOL_PINS_REPORT_H
#define FREEHOLD_TOOL_PINS_REPORT_H

#include "call_stack.h"
#include "pins.h"
#include "threads.h"

struct fh_pins_report {
    struct fh_image *image;
    struct fh_pins pins;
    struct fh_sites *sites;     /* NULL: the program keeps none */
    struct fh_symbols *symbols; /* NULL: the same */
    struct fh_thread_names threads;
    size_t rows;       /* of each table */
    bool whole_stacks; /* every frame of a call site, not only the innermost */
};

/* Walks over the heap. False when the process ended meanwhile or memory ran out; closing is due in any case. */
bool fh_pins_report_open(struct fh_pins_report *report, struct fh_image *image, const char *verb, size_t rows);
void fh_pins_report_close(struct fh_pins_report *report);

/* What holds free memory and what to do about it: some sentences. */
enum { FH_PINS_WORDS_BYTES = 1024 };
void fh_pins_words(struct fh_pins_report *report, char words[FH_PINS_WORDS_BYTES]);
void fh_pins_remedy(struct fh_pins_report *report, char words[FH_PINS_WORDS_BYTES]);

void fh_pins_print(struct fh_pins_report *report);
void fh_pins_print_json(struct fh_pins_report *report);

/* "208", "4,096 to 8,191": the sizes of a class; of a row of sizes[]. */
void fh_pins_sizes_text(bool is_class, size_t index, char *text, size_t room);
/* How long ago; false when that is not known. */
bool fh_pins_age(const struct fh_pins_report *report, uint64_t born_ms, uint64_t *age_ms);

#endif
