/*
 * account.c - the additive account as freehold.h has it: read, and as text.
 *
 * Layer: insight.
 */
#include "freehold.h"

#include "counters.h"
#include "format.h"
#include "insight.h"
#include "os.h"

FH_EXPORT void fh_account_read(struct fh_account *account)
{
    struct fh_counters counters;
    fh_counters_read(&counters);
#define FH_ACCOUNT_COUNTER(name, kind, unit, label, remark, help) account->name = counters.name;
#include "counters.def"
}

static void add_line(struct fh_text *text, const char *label, uint64_t number, const char *remark)
{
    enum { LABEL_WIDTH = 20, NUMBER_WIDTH = 18 };
    size_t start = text->length;
    fh_text_add(text, "  ");
    fh_text_add(text, label);
    while (text->length - start < LABEL_WIDTH) fh_text_add(text, " ");
    fh_text_add_grouped(text, number, NUMBER_WIDTH);
    if (*remark) fh_text_add(text, "  ");
    fh_text_add(text, remark);
    fh_text_end_line(text);
}

static void print_account(int fd, void (*write)(int fd, const char *text, size_t length))
{
    struct fh_counters counters;
    char buffer[2048], name[16];
    struct fh_text text;
    fh_counters_read(&counters);
    counters.resident_bytes = fh_os_resident_bytes();
    fh_os_process_name(name);
    fh_text_init(&text, buffer, sizeof buffer);
    fh_text_add(&text, "freehold: account of pid ");
    fh_text_add_decimal(&text, (uint64_t)fh_os_pid());
    fh_text_add(&text, " (");
    fh_text_add(&text, name);
    fh_text_add(&text, "), in bytes");
    fh_text_end_line(&text);
#define FH_ITEM(item, remark, help) add_line(&text, #item, counters.item##_bytes, remark);
#include "counters.def"
    add_line(&text, "= from the kernel", counters.obtained_bytes - counters.returned_bytes, "obtained less returned");
#define FH_ITEM(item, remark, help)
#define FH_COUNTER(name, kind, unit, label, remark, help) \
    if (label[0]) add_line(&text, label, counters.name, remark);
#include "counters.def"
    write(fd, buffer, text.length);
}

FH_EXPORT void fh_account_print(int fd) { print_account(fd, fh_os_write); }

void fh_account_report(int kept_stderr) { print_account(kept_stderr, fh_os_complain_on_kept); }
