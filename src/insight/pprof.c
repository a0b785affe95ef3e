/*
 * pprof.c - writes the profile as pprof's Profile message, uncompressed, with addresses for pprof or `freehold profile`
 * to turn into names.
 *
 * Layer: insight. Field numbers are those of profile.proto (github.com/google/pprof). Strings go out as they come up
 * and get the next number; a location's id is its address, which is unique and not zero. Everything is streamed through
 * one scratch mapping, so a profile of any size needs no memory but a sorted list of the addresses in it.
 */
#define _GNU_SOURCE 1
#include <link.h>

#include "atomics.h"
#include "format.h"
#include "os.h"
#include "profile.h"
#include "samples.h"
#include "wholesale.h"

enum { OUT_BYTES = 32768, MESSAGE_BYTES = 4096, MAPPINGS_MOST = 512 };

struct mapping {
    uint64_t start, end;
};

struct writer {
    int fd;
    bool failed;
    size_t out_length;
    uint64_t string_count;
    unsigned mapping_count;
    uint64_t *addresses; /* of all stacks; sorted and each once after sort_addresses */
    size_t address_count, address_most;
    struct mapping mappings[MAPPINGS_MOST];
    uint8_t out[OUT_BYTES];
};

/* A message within the profile: its length goes before it. */
struct message {
    size_t length;
    uint8_t bytes[MESSAGE_BYTES];
};
FH_STATIC_ASSERT(MESSAGE_BYTES > 10 * (FH_SAMPLES_STACK_MOST + 4) + 64, "the longest sample fits");

static void put_bytes(struct writer *w, const void *bytes, size_t length)
{
    if (w->out_length + length > OUT_BYTES) {
        w->failed |= !fh_os_write_all(w->fd, w->out, w->out_length);
        w->out_length = 0;
    }
    if (length > OUT_BYTES) w->failed |= !fh_os_write_all(w->fd, bytes, length);
    else {
        __builtin_memcpy(w->out + w->out_length, bytes, length);
        w->out_length += length;
    }
}

static size_t encode(uint8_t *out, uint64_t value)
{
    size_t length = 0;
    for (; value >= 0x80; value >>= 7) out[length++] = (uint8_t)value | 0x80;
    out[length++] = (uint8_t)value;
    return length;
}

enum wire { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

static void put_varint(struct writer *w, unsigned field, uint64_t value)
{
    uint8_t bytes[12];
    bytes[0] = (uint8_t)(field << 3 | WIRE_VARINT);
    put_bytes(w, bytes, 1 + encode(bytes + 1, value));
}

static void put_length_delimited(struct writer *w, unsigned field, const void *content, size_t length)
{
    uint8_t bytes[12];
    bytes[0] = (uint8_t)(field << 3 | WIRE_LENGTH);
    put_bytes(w, bytes, 1 + encode(bytes + 1, length));
    put_bytes(w, content, length);
}

static void add_varint(struct message *m, unsigned field, uint64_t value)
{
    m->bytes[m->length++] = (uint8_t)(field << 3 | WIRE_VARINT);
    m->length += encode(m->bytes + m->length, value);
}

static void add_packed(struct message *m, unsigned field, const uint64_t *values, unsigned count)
{
    uint8_t one[10];
    size_t length = 0;
    for (unsigned i = 0; i < count; i++) length += encode(one, values[i]);
    m->bytes[m->length++] = (uint8_t)(field << 3 | WIRE_LENGTH);
    m->length += encode(m->bytes + m->length, length);
    for (unsigned i = 0; i < count; i++) m->length += encode(m->bytes + m->length, values[i]);
}

/* Fields of Profile. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_STRING = 6,
    PROFILE_DROP_FRAMES = 7,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_TYPE = 14
};

static uint64_t put_string(struct writer *w, const char *string)
{
    size_t length = 0;
    while (string[length]) length++;
    put_length_delimited(w, PROFILE_STRING, string, length);
    return w->string_count++;
}

static void put_value_type(struct writer *w, unsigned field, uint64_t type, uint64_t unit)
{
    struct message m = {0};
    add_varint(&m, 1, type);
    add_varint(&m, 2, unit);
    put_length_delimited(w, field, m.bytes, m.length);
}

static void put_header(struct writer *w)
{
    put_string(w, "");
    uint64_t count = put_string(w, "count"), bytes = put_string(w, "bytes");
    put_value_type(w, PROFILE_SAMPLE_TYPE, put_string(w, "alloc_objects"), count);
    put_value_type(w, PROFILE_SAMPLE_TYPE, put_string(w, "alloc_space"), bytes);
    put_value_type(w, PROFILE_SAMPLE_TYPE, put_string(w, "inuse_objects"), count);
    uint64_t inuse_space = put_string(w, "inuse_space");
    put_value_type(w, PROFILE_SAMPLE_TYPE, inuse_space, bytes);
    put_varint(w, PROFILE_DEFAULT_TYPE, inuse_space);
    put_value_type(w, PROFILE_PERIOD_TYPE, put_string(w, "space"), bytes);
    put_varint(w, PROFILE_PERIOD, fh_samples.interval_bytes);
    put_varint(w, PROFILE_TIME, fh_samples.started_unix_ns);
    put_varint(w, PROFILE_DURATION, (fh_os_coarse_ms() - fh_samples.started_ms) * 1000000);
    put_varint(w, PROFILE_DROP_FRAMES,
               put_string(w, "malloc|calloc|realloc|reallocarray|memalign|posix_memalign|aligned_alloc|valloc|pvalloc|"
                             "malloc_slow|fh_.*|operator new.*"));
    uint64_t lost = fh_load_relaxed(&fh_samples.lost_samples) + fh_load_relaxed(&fh_samples.lost_stacks);
    if (!lost) return;
    char line[80];
    struct fh_text text;
    fh_text_init(&text, line, sizeof line);
    fh_text_add(&text, "freehold: no room for ");
    fh_text_add_decimal(&text, lost);
    fh_text_add(&text, " samples: the values are too low");
    put_varint(w, PROFILE_COMMENT, put_string(w, line));
}

/* --- Mappings: the executable segments of the modules. --- */

static uint64_t put_build_id(struct writer *w, const struct dl_phdr_info *info)
{
    enum { NOTE_GNU_BUILD_ID = 3, BYTES_MOST = 64 };
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE) continue;
        const char *at = (const char *)(info->dlpi_addr + segment->p_vaddr), *end = at + segment->p_memsz;
        size_t alignment = segment->p_align == 8 ? 8 : 4;
        while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const void *)at;
            const uint8_t *content = (const uint8_t *)at + fh_align_up(sizeof *note + note->n_namesz, alignment);
            if (note->n_type == NOTE_GNU_BUILD_ID && note->n_namesz == 4 && note->n_descsz <= BYTES_MOST) {
                char text[2 * BYTES_MOST + 1];
                for (unsigned b = 0; b < note->n_descsz; b++) {
                    text[2 * b] = "0123456789abcdef"[content[b] >> 4];
                    text[2 * b + 1] = "0123456789abcdef"[content[b] & 15];
                }
                text[2 * note->n_descsz] = 0;
                return put_string(w, text);
            }
            at = (const char *)content + fh_align_up(note->n_descsz, alignment);
            if (at > end) break;
        }
    }
    return 0;
}

static int put_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct writer *w = arg;
    char program[4096];
    const char *name = info->dlpi_name;
    if ((!name || !*name) && fh_os_program_file(program, sizeof program) > 0) name = program;
    uint64_t name_number = 0, id_number = 0;
    for (int i = 0; i < info->dlpi_phnum && w->mapping_count < MAPPINGS_MOST; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        if (!name_number) {
            name_number = put_string(w, name ? name : "");
            id_number = put_build_id(w, info);
        }
        size_t page = fh_os_page_size();
        uint64_t start = info->dlpi_addr + segment->p_vaddr, end = fh_align_up(start + segment->p_memsz, page);
        uint64_t before = start % page;
        w->mappings[w->mapping_count++] = (struct mapping){start - before, end};
        struct message m = {0};
        add_varint(&m, 1, w->mapping_count);
        add_varint(&m, 2, start - before);
        add_varint(&m, 3, end);
        add_varint(&m, 4, segment->p_offset - before);
        add_varint(&m, 5, name_number);
        add_varint(&m, 6, id_number);
        put_length_delimited(w, PROFILE_MAPPING, m.bytes, m.length);
    }
    return 0;
}

/* --- Samples and their locations. --- */

static void put_stack(struct fh_stack *stack, void *arg)
{
    struct writer *w = arg;
    uint64_t allocated = fh_load_relaxed(&stack->allocated_objects), freed = fh_load_relaxed(&stack->freed_objects);
    uint64_t bytes = fh_load_relaxed(&stack->allocated_bytes), freed_bytes = fh_load_relaxed(&stack->freed_bytes);
    if (!allocated) return;
    enum { OBJECT = 65536 };
    uint64_t values[4] = {(allocated + OBJECT / 2) / OBJECT, bytes,
                          allocated > freed ? (allocated - freed + OBJECT / 2) / OBJECT : 0,
                          bytes > freed_bytes ? bytes - freed_bytes : 0};
    struct message m = {0};
    add_packed(&m, 1, stack->frames, stack->depth);
    add_packed(&m, 2, values, 4);
    put_length_delimited(w, PROFILE_SAMPLE, m.bytes, m.length);
    for (unsigned i = 0; i < stack->depth && w->address_count < w->address_most; i++)
        w->addresses[w->address_count++] = stack->frames[i];
}

static void sift_down(uint64_t *heap, size_t from, size_t count)
{
    uint64_t value = heap[from];
    for (size_t child; (child = 2 * from + 1) < count; from = child) {
        if (child + 1 < count && heap[child + 1] > heap[child]) child++;
        if (heap[child] <= value) break;
        heap[from] = heap[child];
    }
    heap[from] = value;
}

/* Heap sort, then each once. */
static void sort_addresses(struct writer *w)
{
    uint64_t *a = w->addresses;
    size_t count = w->address_count, kept = 0;
    for (size_t i = count / 2; i-- > 0;) sift_down(a, i, count);
    for (size_t end = count; end > 1; end--) {
        uint64_t most = a[0];
        a[0] = a[end - 1];
        a[end - 1] = most;
        sift_down(a, 0, end - 1);
    }
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || a[kept - 1] != a[i]) a[kept++] = a[i];
    w->address_count = kept;
}

static void put_locations(struct writer *w)
{
    sort_addresses(w);
    for (size_t i = 0; i < w->address_count; i++) {
        uint64_t address = w->addresses[i], mapping = 0;
        for (unsigned m = 0; m < w->mapping_count && !mapping; m++)
            if (address >= w->mappings[m].start && address < w->mappings[m].end) mapping = m + 1;
        struct message m = {0};
        add_varint(&m, 1, address);
        if (mapping) add_varint(&m, 2, mapping);
        add_varint(&m, 3, address);
        put_length_delimited(w, PROFILE_LOCATION, m.bytes, m.length);
    }
}

bool fh_pprof_write(int fd)
{
    size_t words = fh_load_relaxed(&fh_samples.word_count);
    size_t bytes = fh_align_up(sizeof(struct writer) + words * sizeof(uint64_t), fh_os_page_size());
    struct writer *w = fh_wholesale_map_own(bytes);
    if (!w) return false;
    w->fd = fd;
    w->addresses = (uint64_t *)(void *)(w + 1);
    w->address_most = words;
    put_header(w);
    dl_iterate_phdr(put_module, w);
    fh_stacks_each(put_stack, w);
    put_locations(w);
    w->failed |= !fh_os_write_all(fd, w->out, w->out_length);
    bool done = !w->failed;
    fh_wholesale_discard_own(w, bytes);
    return done;
}
