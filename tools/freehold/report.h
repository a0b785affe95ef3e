/*
 * report.h - the page that `freehold report` writes, section by section.
 */
#ifndef FREEHOLD_TOOL_REPORT_H
#define FREEHOLD_TOOL_REPORT_H

#include "explain.h"
#include "map.h"
#include "pins_report.h"

#include <stdio.h>

/* Of an image. */
void fh_report_put_advice(FILE *out, const struct fh_explanation *explanation);
void fh_report_put_account(FILE *out, const struct fh_explanation *explanation);
void fh_report_put_sizes(FILE *out, const struct fh_explanation *explanation);
void fh_report_put_threads(FILE *out, struct fh_image *image);
void fh_report_put_heaps(FILE *out, const struct fh_image_counters *counters);
void fh_report_put_options(FILE *out, struct fh_image *image);
void fh_report_put_pins(FILE *out, struct fh_pins_report *report);

/* Parts of tables. */
void fh_report_begin_table(FILE *out, const char *const *heads, size_t count); /* a head that begins with '<': text */
void fh_report_end_table(FILE *out);
void fh_report_put_text_cell(FILE *out, const char *text);
void fh_report_put_words_cell(FILE *out, const char *text); /* to the left, faint */
void fh_report_put_number_cell(FILE *out, uint64_t number);
/* A part of a whole, as a bar with its percentage. */
void fh_report_put_share_cell(FILE *out, uint64_t part, uint64_t whole);

#endif
