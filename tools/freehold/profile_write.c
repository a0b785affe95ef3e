/*
 * profile_write.c - a profile in pprof's format with the names of functions in it, so that it can be looked at where
 * neither program nor libraries are.
 */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

/* Each name of a function once: a hash table of their strings. */
struct function {
    char *name; /* NULL: nothing here */
    char *file;
    uint64_t id; /* from 1 */
};

struct writer {
    FILE *file;
    uint64_t string_count;
    struct function *functions;
    size_t function_room, function_count;
    bool failed; /* out of memory */
};

struct message {
    unsigned char *bytes;
    size_t length, room;
    bool failed;
};

static void add_bytes(struct message *message, const void *bytes, size_t length)
{
    if (message->length + length > message->room) {
        size_t room = 2 * (message->length + length) + 256;
        unsigned char *larger = realloc(message->bytes, room);
        message->failed |= !larger;
        if (!larger)
            return;
        message->bytes = larger;
        message->room = room;
    }
    if (length)
        memcpy(message->bytes + message->length, bytes, length);
    message->length += length;
}

static void add_number(struct message *message, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[length++] = (unsigned char)(value | 0x80);
    bytes[length++] = (unsigned char)value;
    add_bytes(message, bytes, length);
}

static void add_varint(struct message *message, unsigned field, uint64_t value)
{
    add_number(message, field << 3);
    add_number(message, value);
}

static void add_content(struct message *message, unsigned field, const void *bytes, size_t length)
{
    add_number(message, field << 3 | 2);
    add_number(message, length);
    add_bytes(message, bytes, length);
}

/* A field of the profile itself, and away with it. */
static void put(struct writer *writer, unsigned field, struct message *content)
{
    struct message head = {0};
    add_number(&head, field << 3 | 2);
    add_number(&head, content->length);
    writer->failed |= head.failed || content->failed;
    if (head.length)
        fwrite(head.bytes, 1, head.length, writer->file);
    if (content->length)
        fwrite(content->bytes, 1, content->length, writer->file);
    free(head.bytes);
    free(content->bytes);
    memset(content, 0, sizeof(*content));
}

static void put_varint(struct writer *writer, unsigned field, uint64_t value)
{
    struct message message = {0};
    add_varint(&message, field, value);
    writer->failed |= message.failed;
    if (message.length)
        fwrite(message.bytes, 1, message.length, writer->file);
    free(message.bytes);
}

static uint64_t put_string(struct writer *writer, const char *string)
{
    struct message message = {0};
    add_bytes(&message, string, strlen(string));
    put(writer, 6, &message);
    return writer->string_count++;
}

static void put_value_type(struct writer *writer, unsigned field, uint64_t type, uint64_t unit)
{
    struct message message = {0};
    add_varint(&message, 1, type);
    add_varint(&message, 2, unit);
    put(writer, field, &message);
}

/* --- functions --- */

static uint64_t hash_of(const char *text, uint64_t hash)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
    return hash;
}

static struct function *function_at(const struct writer *writer, const char *name, const char *file)
{
    size_t i = (size_t)hash_of(file, hash_of(name, 0xcbf29ce484222325ull));
    for (;; i++) {
        struct function *function = &writer->functions[i & (writer->function_room - 1)];
        if (!function->name || (strcmp(function->name, name) == 0 && strcmp(function->file, file) == 0))
            return function;
    }
}

static bool grow_functions(struct writer *writer)
{
    struct writer larger = *writer;
    larger.function_room = writer->function_room ? 2 * writer->function_room : 1024;
    larger.functions = calloc(larger.function_room, sizeof(*larger.functions));
    if (!larger.functions)
        return false;
    for (size_t i = 0; i < writer->function_room; i++) {
        struct function *old = &writer->functions[i];
        if (old->name)
            *function_at(&larger, old->name, old->file) = *old;
    }
    free(writer->functions);
    *writer = larger;
    return true;
}

/* The number of the function, which is written when it first comes up; 0 when it has no name. */
static uint64_t function_of(struct writer *writer, const struct fh_source *source)
{
    if (!source->function[0] || (2 * writer->function_count >= writer->function_room && !grow_functions(writer)))
        return 0;
    struct function *function = function_at(writer, source->function, source->file);
    if (function->name)
        return function->id;
    char *name = strdup(source->function), *file = strdup(source->file);
    if (!name || !file) {
        free(name);
        free(file);
        return 0;
    }
    *function = (struct function){name, file, ++writer->function_count};
    uint64_t id = function->id, name_number = put_string(writer, name), file_number = put_string(writer, file);
    struct message message = {0};
    add_varint(&message, 1, id);
    add_varint(&message, 2, name_number);
    add_varint(&message, 3, name_number);
    add_varint(&message, 4, file_number);
    put(writer, 5, &message);
    return id;
}

/* --- the parts of a profile --- */

static void put_header(struct writer *writer, const struct fh_profile *profile)
{
    put_string(writer, "");
    uint64_t count = put_string(writer, "count"), bytes = put_string(writer, "bytes"), last = 0;
    for (int i = 0; i < FH_PROFILE_VALUES; i++) {
        last = put_string(writer, fh_profile_value_names[i]);
        put_value_type(writer, 1, last, i % 2 ? bytes : count);
    }
    put_varint(writer, 14, last);
    put_value_type(writer, 11, put_string(writer, "space"), bytes);
    put_varint(writer, 12, profile->interval_bytes);
    put_varint(writer, 9, profile->started_unix_ns);
    put_varint(writer, 10, profile->duration_ns);
    if (profile->lost) {
        char text[96];
        snprintf(text, sizeof(text), "freehold: no room for %llu samples: the values are too low",
                 (unsigned long long)profile->lost);
        put_varint(writer, 13, put_string(writer, text));
    }
}

static void put_mappings(struct writer *writer, const struct fh_profile *profile)
{
    for (size_t i = 0; i < profile->mapping_count; i++) {
        const struct fh_profile_mapping *mapping = &profile->mappings[i];
        uint64_t path = put_string(writer, mapping->path);
        uint64_t build_id = mapping->build_id[0] ? put_string(writer, mapping->build_id) : 0;
        struct message message = {0};
        add_varint(&message, 1, i + 1);
        add_varint(&message, 2, mapping->start);
        add_varint(&message, 3, mapping->limit);
        add_varint(&message, 4, mapping->offset);
        add_varint(&message, 5, path);
        add_varint(&message, 6, build_id);
        for (unsigned has = 7; has <= 10;
             has++) /* functions, file names, line numbers, inlined frames: all looked up */
            add_varint(&message, has, 1);
        put(writer, 3, &message);
    }
}

static void put_samples(struct writer *writer, const struct fh_profile *profile)
{
    for (size_t i = 0; i < profile->stack_count; i++) {
        const struct fh_profile_stack *stack = &profile->stacks[i];
        struct message message = {0}, numbers = {0};
        for (size_t n = 0; n < stack->depth; n++)
            add_number(&numbers, stack->frames[n]);
        add_content(&message, 1, numbers.bytes, numbers.length);
        numbers.length = 0;
        for (int n = 0; n < FH_PROFILE_VALUES; n++)
            add_number(&numbers, stack->values[n]);
        add_content(&message, 2, numbers.bytes, numbers.length);
        message.failed |= numbers.failed;
        free(numbers.bytes);
        put(writer, 2, &message);
    }
}

static uint64_t mapping_of(const struct fh_profile *profile, uint64_t address)
{
    for (size_t i = 0; i < profile->mapping_count; i++) {
        if (address >= profile->mappings[i].start && address < profile->mappings[i].limit)
            return i + 1;
    }
    return 0;
}

static void put_location(struct writer *writer, const struct fh_profile *profile, struct fh_profile_names *names,
                         uint64_t address)
{
    struct fh_source sources[FH_INLINED_MOST];
    size_t count = fh_profile_names_find(names, address, sources);
    uint64_t mapping = mapping_of(profile, address), functions[FH_INLINED_MOST];
    for (size_t i = 0; i < count; i++)
        functions[i] = function_of(writer, &sources[i]);
    struct message message = {0};
    add_varint(&message, 1, address);
    if (mapping)
        add_varint(&message, 2, mapping);
    add_varint(&message, 3, address);
    for (size_t i = 0; i < count; i++) {
        struct message line = {0};
        if (!functions[i])
            continue;
        add_varint(&line, 1, functions[i]);
        add_varint(&line, 2, sources[i].line);
        add_content(&message, 4, line.bytes, line.length);
        message.failed |= line.failed;
        free(line.bytes);
    }
    put(writer, 4, &message);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool put_locations(struct writer *writer, const struct fh_profile *profile, struct fh_profile_names *names)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < profile->stack_count; i++)
        count += profile->stacks[i].depth;
    uint64_t *addresses = malloc((count + 1) * sizeof(*addresses));
    if (!addresses)
        return false;
    for (size_t i = 0; i < profile->stack_count; i++)
        for (size_t n = 0; n < profile->stacks[i].depth; n++)
            addresses[at++] = profile->stacks[i].frames[n];
    qsort(addresses, count, sizeof(*addresses), by_number);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || addresses[i] != addresses[i - 1])
            put_location(writer, profile, names, addresses[i]);
    }
    free(addresses);
    return true;
}

bool fh_profile_write_pprof(const struct fh_profile *profile, struct fh_profile_names *names, FILE *file)
{
    struct writer writer = {.file = file};
    put_header(&writer, profile);
    put_mappings(&writer, profile);
    put_samples(&writer, profile);
    bool good = put_locations(&writer, profile, names);
    for (size_t i = 0; i < writer.function_room; i++) {
        free(writer.functions[i].name);
        free(writer.functions[i].file);
    }
    free(writer.functions);
    return good && !writer.failed && fflush(file) == 0 && !ferror(file);
}
