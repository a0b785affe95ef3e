/*
 * stats.c - every counter of config/counters.def as JSON and as OpenMetrics text.
 *
 * Layer: insight. Text goes out through a buffer on the stack, a piece at a time. `freehold metrics` and `freehold
 * stats` write the same from outside.
 */
#include "freehold.h"

#include "counters.h"
#include "format.h"
#include "os.h"

/* fh_version() stands above this layer. */
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define VERSION TEXT(FH_VERSION_MAJOR) "." TEXT(FH_VERSION_MINOR) "." TEXT(FH_VERSION_PATCH)

enum { ERROR_NO_SPACE = 28, BUFFER_BYTES = 1024 };

struct output {
    int fd;
    bool failed;
    struct fh_text text;
    char buffer[BUFFER_BYTES];
};

static void flush(struct output *out)
{
    out->failed |= !fh_os_write_all(out->fd, out->text.buffer, out->text.length);
    fh_text_init(&out->text, out->buffer, sizeof out->buffer);
}

static void add(struct output *out, const char *string)
{
    size_t length = 0;
    while (string[length]) length++;
    if (out->text.length + length >= BUFFER_BYTES) flush(out);
    fh_text_add_span(&out->text, string, length);
}

static void add_number(struct output *out, uint64_t number)
{
    enum { DIGITS_MOST = 20 };
    if (out->text.length + DIGITS_MOST >= BUFFER_BYTES) flush(out);
    fh_text_add_decimal(&out->text, number);
}

/* The process's name within quotes: JSON and OpenMetrics both know these two escapes. It may hold any byte; what is not
 * printable ASCII comes out as '?'. */
static void add_process_name(struct output *out)
{
    char name[16], one[3] = {0};
    fh_os_process_name(name);
    add(out, "\"");
    for (const char *at = name; *at; at++) {
        bool is_escaped = *at == '"' || *at == '\\', is_printable = *at >= ' ' && *at < 0x7f;
        one[0] = is_escaped ? '\\' : is_printable ? *at : '?';
        one[1] = is_escaped ? *at : 0;
        add(out, one);
    }
    add(out, "\"");
}

static int finish(struct output *out)
{
    flush(out);
    return out->failed ? ERROR_NO_SPACE : 0;
}

static void begin(struct output *out, int fd)
{
    out->fd = fd;
    out->failed = false;
    fh_text_init(&out->text, out->buffer, sizeof out->buffer);
}

/* --- JSON --- */

static void add_member(struct output *out, const char *name, uint64_t number)
{
    add(out, ", \"");
    add(out, name);
    add(out, "\": ");
    add_number(out, number);
}

static void add_heap_members(struct output *out, const struct fh_counters_of_heap *heap)
{
#define FH_HEAP_COUNTER(name, kind, unit, help) add_member(out, #name, heap->name);
#include "counters.def"
}

static void add_class_members(struct output *out, const struct fh_counters_of_class *class)
{
#define FH_CLASS_COUNTER(name, kind, unit, help) add_member(out, #name, class->name);
#include "counters.def"
}

FH_EXPORT int fh_stats_json(int fd)
{
    struct fh_counters_detailed detailed;
    struct output out;
    begin(&out, fd);
    fh_counters_read_detailed(&detailed);
    add(&out, "{\"version\": \"");
    add(&out, VERSION);
    add(&out, "\", \"pid\": ");
    add_number(&out, (uint64_t)fh_os_pid());
    add(&out, ", \"process\": ");
    add_process_name(&out);
#define FH_COUNTER(name, kind, unit, label, remark, help) add_member(&out, #name, detailed.process.name);
#include "counters.def"
    add(&out, ", \"heap\": [");
    for (uint32_t i = 0; i < detailed.heap_count; i++) {
        add(&out, i ? ", {\"number\": " : "{\"number\": ");
        add_number(&out, i);
        add_heap_members(&out, &detailed.heaps[i]);
        add(&out, "}");
    }
    add(&out, "], \"class\": [");
    for (size_t i = 1; i < FH_CLASS_COUNT; i++) {
        add(&out, i > 1 ? ", {\"size_bytes\": " : "{\"size_bytes\": ");
        add_number(&out, i * FH_ALIGNMENT);
        add_class_members(&out, &detailed.classes[i]);
        add(&out, "}");
    }
    add(&out, "]}\n");
    return finish(&out);
}

/* --- OpenMetrics --- */

enum kind { KIND_GAUGE, KIND_COUNTER };
enum unit { UNIT_NONE, UNIT_BYTES };

struct family {
    const char *scope, *name, *help;
    enum kind kind;
    enum unit unit;
};

static void add_family_line(struct output *out, const struct family *family, const char *what, const char *value)
{
    add(out, "# ");
    add(out, what);
    add(out, " freehold_");
    add(out, family->scope);
    add(out, family->name);
    add(out, " ");
    add(out, value);
    add(out, "\n");
}

static void add_family(struct output *out, const struct family *family)
{
    add_family_line(out, family, "TYPE", family->kind == KIND_COUNTER ? "counter" : "gauge");
    if (family->unit == UNIT_BYTES) add_family_line(out, family, "UNIT", "bytes");
    add_family_line(out, family, "HELP", family->help);
}

static void add_sample(struct output *out, const struct family *family, const char *label, uint64_t label_value,
                       uint64_t number)
{
    add(out, "freehold_");
    add(out, family->scope);
    add(out, family->name);
    if (family->kind == KIND_COUNTER) add(out, "_total");
    if (label) {
        add(out, "{");
        add(out, label);
        add(out, "=\"");
        add_number(out, label_value);
        add(out, "\"}");
    }
    add(out, " ");
    add_number(out, number);
    add(out, "\n");
}

static void add_info(struct output *out)
{
    add(out, "# TYPE freehold info\n# HELP freehold The library and the process.\nfreehold_info{version=\"");
    add(out, VERSION);
    add(out, "\",pid=\"");
    add_number(out, (uint64_t)fh_os_pid());
    add(out, "\",process=");
    add_process_name(out);
    add(out, "} 1\n");
}

FH_EXPORT int fh_stats_openmetrics(int fd)
{
    struct fh_counters_detailed detailed;
    struct output out;
    struct family family;
    begin(&out, fd);
    fh_counters_read_detailed(&detailed);
    add_info(&out);
#define FH_COUNTER(name, kind, unit, label, remark, help)                \
    family = (struct family){"", #name, help, KIND_##kind, UNIT_##unit}; \
    add_family(&out, &family);                                           \
    add_sample(&out, &family, NULL, 0, detailed.process.name);
#define FH_HEAP_COUNTER(name, kind, unit, help)                               \
    family = (struct family){"heap_", #name, help, KIND_##kind, UNIT_##unit}; \
    add_family(&out, &family);                                                \
    for (uint32_t i = 0; i < detailed.heap_count; i++) add_sample(&out, &family, "heap", i, detailed.heaps[i].name);
#define FH_CLASS_COUNTER(name, kind, unit, help)                               \
    family = (struct family){"class_", #name, help, KIND_##kind, UNIT_##unit}; \
    add_family(&out, &family);                                                 \
    for (size_t i = 1; i < FH_CLASS_COUNT; i++)                                \
        add_sample(&out, &family, "size_bytes", i *FH_ALIGNMENT, detailed.classes[i].name);
#include "counters.def"
    add(&out, "# EOF\n");
    return finish(&out);
}
