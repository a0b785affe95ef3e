/*
 * profile_file.c - profiles as files in pprof's format (profile.proto of github.com/google/pprof): reading what the
 * library wrote, and writing with the names of functions.
 *
 * Files come from strangers: every length is checked against what is left, and numbers of strings and mappings against
 * how many there are. Locations of the library are their own addresses, so locations of a file without addresses are of
 * no use here.
 */
#include "cli.h"
#include "file.h"
#include "profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MOST = 1 << 30, WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* Field numbers of the messages. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13
};

struct span {
    const unsigned char *at, *end;
};

struct field {
    unsigned number, wire;
    uint64_t value;      /* of a varint */
    struct span content; /* of what has a length */
};

static bool read_varint(struct span *span, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && span->at < span->end; shift += 7) {
        unsigned char byte = *span->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The next field; false at the end or where the bytes are none: then span->at is not the end. */
static bool next_field(struct span *span, struct field *field)
{
    uint64_t key, length;
    struct span before = *span;
    bool good = span->at < span->end && read_varint(span, &key);
    if (good) {
        field->number = (unsigned)(key >> 3);
        field->wire = (unsigned)(key & 7);
        size_t left = (size_t)(span->end - span->at), fixed = field->wire == WIRE_FIXED64 ? 8 : 4;
        switch (field->wire) {
        case WIRE_VARINT: good = read_varint(span, &field->value); break;
        case WIRE_LENGTH:
            good = read_varint(span, &length) && length <= (size_t)(span->end - span->at);
            if (good) {
                field->content = (struct span){span->at, span->at + length};
                span->at += length;
            }
            break;
        case WIRE_FIXED64:
        case WIRE_FIXED32:
            good = left >= fixed;
            span->at += good ? fixed : 0;
            break;
        default: good = false;
        }
    }
    if (!good)
        *span = before;
    return good;
}

/* A repeated number, packed or not: up to `most` of them are kept; how many there are. */
static size_t read_numbers(const struct field *field, uint64_t *numbers, size_t count, size_t most)
{
    struct span content = field->content;
    uint64_t value;
    if (field->wire == WIRE_VARINT) {
        if (count < most)
            numbers[count] = field->value;
        return count + 1;
    }
    for (; read_varint(&content, &value); count++) {
        if (count < most)
            numbers[count] = value;
    }
    return count;
}

/* --- reading --- */

struct file_reader {
    struct fh_profile *profile;
    struct span *strings;
    size_t string_count, string_room;
    size_t stack_room, mapping_room;
    uint64_t (*mapping_texts)[2]; /* numbers of the strings: path, build id */
    uint64_t value_names[16];
    size_t value_count;
    const char *damage;
};

static bool make_room(void **array, size_t *room, size_t count, size_t each)
{
    if (count < *room)
        return true;
    size_t larger = *room ? 2 * *room : 256;
    void *grown = realloc(*array, larger * each);
    if (!grown)
        return false;
    *array = grown;
    *room = larger;
    return true;
}

static bool add_sample(struct file_reader *reader, struct span span)
{
    enum { DEPTH_MOST = 4096 };
    static uint64_t frames[DEPTH_MOST];
    struct fh_profile *profile = reader->profile;
    uint64_t values[FH_PROFILE_VALUES] = {0};
    size_t depth = 0, value_count = 0;
    struct field field;
    while (next_field(&span, &field)) {
        if (field.number == 1)
            depth = read_numbers(&field, frames, depth, DEPTH_MOST);
        else if (field.number == 2)
            value_count = read_numbers(&field, values, value_count, FH_PROFILE_VALUES);
    }
    if (span.at != span.end || depth > DEPTH_MOST || value_count != FH_PROFILE_VALUES)
        return false;
    uint64_t *kept = calloc(depth + 1, sizeof(*kept));
    if (!kept ||
        !make_room((void **)&profile->stacks, &reader->stack_room, profile->stack_count, sizeof(*profile->stacks))) {
        free(kept);
        return false;
    }
    memcpy(kept, frames, depth * sizeof(*kept));
    struct fh_profile_stack *stack = &profile->stacks[profile->stack_count++];
    *stack = (struct fh_profile_stack){.frames = kept, .depth = depth};
    memcpy(stack->values, values, sizeof(values));
    return true;
}

static bool add_mapping(struct file_reader *reader, struct span span)
{
    struct fh_profile *profile = reader->profile;
    struct field field;
    uint64_t numbers[8] = {0};
    while (next_field(&span, &field)) {
        if (field.number < 8 && field.wire == WIRE_VARINT)
            numbers[field.number] = field.value;
    }
    size_t room = reader->mapping_room;
    if (span.at != span.end ||
        !make_room((void **)&profile->mappings, &reader->mapping_room, profile->mapping_count,
                   sizeof(*profile->mappings)) ||
        !make_room((void **)&reader->mapping_texts, &room, profile->mapping_count, sizeof(*reader->mapping_texts)))
        return false;
    reader->mapping_texts[profile->mapping_count][0] = numbers[5];
    reader->mapping_texts[profile->mapping_count][1] = numbers[6];
    profile->mappings[profile->mapping_count++] =
        (struct fh_profile_mapping){.start = numbers[2], .limit = numbers[3], .offset = numbers[4]};
    return true;
}

/* A location is its address, as the library writes it. */
static bool is_own_location(struct span span)
{
    struct field field;
    uint64_t id = 0, address = 0;
    while (next_field(&span, &field)) {
        id = field.number == 1 ? field.value : id;
        address = field.number == 3 ? field.value : address;
    }
    return span.at == span.end && id == address && id != 0;
}

static bool add_string(struct file_reader *reader, struct span span)
{
    if (!make_room((void **)&reader->strings, &reader->string_room, reader->string_count, sizeof(*reader->strings)))
        return false;
    reader->strings[reader->string_count++] = span;
    return true;
}

static bool take_field(struct file_reader *reader, const struct field *field)
{
    struct span content = field->content;
    struct field part;
    switch (field->number) {
    case PROFILE_SAMPLE_TYPE:
        while (next_field(&content, &part)) {
            if (part.number == 1 && reader->value_count < 16)
                reader->value_names[reader->value_count++] = part.value;
        }
        return content.at == content.end;
    case PROFILE_SAMPLE: return add_sample(reader, content);
    case PROFILE_MAPPING: return add_mapping(reader, content);
    case PROFILE_LOCATION: return is_own_location(content);
    case PROFILE_STRING: return add_string(reader, content);
    case PROFILE_TIME: reader->profile->started_unix_ns = field->value; return true;
    case PROFILE_DURATION: reader->profile->duration_ns = field->value; return true;
    case PROFILE_PERIOD: reader->profile->interval_bytes = field->value; return true;
    default: return true;
    }
}

static size_t text_of(const struct file_reader *reader, uint64_t number, char *text, size_t room)
{
    size_t length = 0;
    if (number < reader->string_count)
        length = (size_t)(reader->strings[number].end - reader->strings[number].at);
    if (length >= room)
        length = room - 1;
    if (length)
        memcpy(text, reader->strings[number].at, length);
    text[length] = '\0';
    return length;
}

/* What refers to strings, which may stand anywhere in the file. */
static bool resolve_strings(struct file_reader *reader)
{
    struct fh_profile *profile = reader->profile;
    char text[4096];
    for (int i = 0; i < FH_PROFILE_VALUES; i++) {
        text_of(reader, reader->value_names[i], text, sizeof(text));
        if (reader->value_count != FH_PROFILE_VALUES || strcmp(text, fh_profile_value_names[i]) != 0)
            return false;
    }
    for (size_t i = 0; i < profile->mapping_count; i++) {
        struct fh_profile_mapping *mapping = &profile->mappings[i];
        text_of(reader, reader->mapping_texts[i][0], text, sizeof(text));
        text_of(reader, reader->mapping_texts[i][1], mapping->build_id, sizeof(mapping->build_id));
        mapping->path = strdup(text);
        if (!mapping->path)
            return false;
    }
    /* The library's own remark: "freehold: no room for N samples ..." */
    static const char remark[] = "freehold: no room for ";
    for (size_t i = 0; i < reader->string_count; i++) {
        text_of(reader, i, text, sizeof(text));
        if (strncmp(text, remark, sizeof(remark) - 1) == 0)
            profile->lost = strtoull(text + sizeof(remark) - 1, NULL, 10);
    }
    return true;
}

static bool parse(struct span span, struct fh_profile *profile)
{
    struct file_reader reader = {.profile = profile};
    struct field field;
    bool good = true;
    while (good && next_field(&span, &field))
        good = take_field(&reader, &field);
    good = good && span.at == span.end && resolve_strings(&reader);
    free(reader.strings);
    free(reader.mapping_texts);
    return good;
}

static unsigned char *read_whole(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    struct stat about;
    unsigned char *content = NULL;
    if (!file)
        return NULL;
    if (fstat(fileno(file), &about) == 0 && !S_ISREG(about.st_mode))
        errno = EINVAL;
    else if (about.st_size > FILE_MOST)
        errno = EFBIG;
    else
        content = malloc((size_t)about.st_size + 1);
    if (content)
        *bytes = fread(content, 1, (size_t)about.st_size, file);
    int error = errno;
    fclose(file);
    errno = error;
    return content;
}

int fh_profile_read_file(const char *verb, const char *path, struct fh_profile *profile)
{
    size_t bytes = 0;
    memset(profile, 0, sizeof(*profile));
    unsigned char *content = read_whole(path, &bytes);
    if (!content) {
        fh_say(verb, "cannot read '%s': %s%s", path, strerror(errno),
               errno == ENOENT ? "; give a process id, or a file that 'freehold run --profile=FILE' wrote" : "");
        return FH_EXIT_FAILED;
    }
    snprintf(profile->name, sizeof(profile->name), "%s", fh_base_name(path));
    bool good = bytes > 0 && parse((struct span){content, content + bytes}, profile);
    if (bytes > 1 && content[0] == 0x1f && content[1] == 0x8b)
        fh_say(verb, "'%s' is compressed; gunzip it first", path);
    else if (!good)
        fh_say(verb, "'%s' is no profile that freehold wrote, or not a whole one; 'go tool pprof' may know it", path);
    free(content);
    if (!good)
        fh_profile_free(profile);
    return good ? 0 : FH_EXIT_FAILED;
}
