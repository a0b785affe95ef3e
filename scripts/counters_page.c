/*
 * counters_page.c - writes docs/man/freehold-counters.7 from src/config/counters.def; run by scripts/check_counters.sh.
 */
#include <stdio.h>

enum unit { NONE, BYTES };
enum kind { GAUGE, COUNTER };

static void print_entry(const char *scope, const char *name, enum kind kind, enum unit unit, const char *help)
{
    printf(".TP\n.B freehold_%s%s%s\n", scope, name, kind == COUNTER ? "_total" : "");
    printf("%s%s. %s\n", kind == COUNTER ? "Counter" : "Gauge", unit == BYTES ? ", in bytes" : "", help);
}

int main(void)
{
    puts(".\\\" Written by scripts/check_counters.sh --update from src/config/counters.def: change that.\n"
         ".TH FREEHOLD-COUNTERS 7 2026-11-28 Freehold \"Miscellaneous\"\n"
         ".SH NAME\n"
         "freehold-counters \\- what Freehold counts of its heap\n"
         ".SH DESCRIPTION\n"
         "These are the metrics that\n"
         ".B freehold metrics\n"
         "and\n"
         ".BR fh_stats_openmetrics ()\n"
         "write as OpenMetrics text. The members of the JSON that\n"
         ".B freehold stats \\-\\-json\n"
         "and\n"
         ".BR fh_stats_json ()\n"
         "write have the same names without\n"
         ".I freehold_\n"
         "in front and\n"
         ".I _total\n"
         "behind; those of each heap and of each size class, without\n"
         ".I heap_\n"
         "and\n"
         ".I class_\n"
         "too, are the members of the objects in the arrays\n"
         ".I heap\n"
         "and\n"
         ".IR class .\n"
         ".PP\n"
         "What a running thread has freed into its cache is counted as live until that thread's next slow step.\n"
         "While other threads allocate, counters that are read one after the other may be a moment apart.\n"
         ".PP\n"
         "From outside, the page map and the tables of a profile are counted as untouched; from inside, the part of\n"
         "them that is in memory is counted as metadata.\n"
         ".SS The account\n"
         "Of every byte that the kernel gave and that was not returned, one of these: their sum is\n"
         ".I freehold_obtained_bytes_total\n"
         "less\n"
         ".IR freehold_returned_bytes_total .");
#define FH_ITEM(item, remark, help) print_entry("", #item "_bytes", GAUGE, BYTES, help);
#include "counters.def"
    puts(".SS The process");
#define FH_ITEM(item, remark, help)
#define FH_COUNTER(name, kind, unit, label, remark, help) print_entry("", #name, kind, unit, help);
#include "counters.def"
    puts(".SS Each heap\nWith the label\n.IR heap ,\nits number: 0 grows by brk, the others by mmap.");
#define FH_HEAP_COUNTER(name, kind, unit, help) print_entry("heap_", #name, kind, unit, help);
#include "counters.def"
    puts(".SS Slabs of each size class\nWith the label\n.IR size_bytes .");
#define FH_CLASS_COUNTER(name, kind, unit, help) print_entry("class_", #name, kind, unit, help);
#include "counters.def"
    puts(".SH SEE ALSO\n.BR freehold (1),\n.BR freehold (3),\n.BR freehold\\-snapshot (5)");
    return ferror(stdout) != 0;
}
