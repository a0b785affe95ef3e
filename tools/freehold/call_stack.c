/*
 * call_stack.c - from the number of a call stack to functions and lines, and which of them is the one to name.
 */
#include "call_stack.h"

#include <stdio.h>
#include <string.h>

/* Containers, smart pointers and wrappers of malloc allocate in the name of somebody: that one is meant. */
static bool is_plumbing(const struct fh_source *source)
{
    static const char *const beginnings[] = {"std::", "__gnu_cxx::", "operator new", "_Zn", "_ZNSt", "_ZNKSt"};
    static const char *const parts[] = {"malloc", "calloc", "realloc", "strdup", "strndup", "wcsdup"};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
        if (strncmp(source->function, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (strcasestr(source->function, parts[i]))
            return true;
    }
    return false;
}

void fh_call_stack_read(struct fh_sites *sites, struct fh_symbols *symbols, uint32_t stack, size_t callers,
                        struct fh_call_stack *read)
{
    uint64_t frames[FH_SAMPLES_STACK_MOST];
    bool found = false;
    read->count = read->own = 0;
    read->truncated = false;
    if (!sites || !symbols || stack == 0)
        return;
    unsigned depth = fh_sites_frames(sites, stack, frames, &read->truncated);
    for (unsigned i = 0; i < depth && read->count < FH_SOURCES_MOST; i++) {
        if (found && read->count > read->own + callers)
            break;
        read->count +=
            fh_symbols_find(symbols, frames[i], read->sources + read->count, FH_SOURCES_MOST - read->count);
        while (!found && read->own < read->count) {
            found = !is_plumbing(&read->sources[read->own]);
            read->own += !found;
        }
    }
    if (!found)
        read->own = 0;
}

void fh_call_stack_place(struct fh_sites *sites, struct fh_symbols *symbols, uint32_t stack, char *text, size_t room)
{
    struct fh_call_stack read;
    fh_call_stack_read(sites, symbols, stack, 0, &read);
    if (read.count)
        fh_source_text(&read.sources[read.own], false, text, room);
    else
        snprintf(text, room, "an unknown place");
}

void fh_call_stack_print(const struct fh_call_stack *read, size_t callers)
{
    enum { TEXT_BYTES = 512, COLUMNS = 72, BY_COLUMNS = 3 };
    char text[TEXT_BYTES];
    for (size_t i = read->own; i < read->count && i <= read->own + callers; i++) {
        fh_source_text(&read->sources[i], false, text, sizeof(text));
        if (i == read->own)
            printf("      %.*s\n", COLUMNS, text);
        else
            printf("      by %.*s\n", COLUMNS - BY_COLUMNS, text);
    }
    if (read->count == 0)
        puts("      an unknown place");
}

void fh_call_stack_json(struct fh_sites *sites, struct fh_symbols *symbols, uint32_t stack)
{
    struct fh_call_stack read;
    fh_call_stack_read(sites, symbols, stack, FH_ALL_CALLERS, &read);
    printf("\"own\": %zu, \"truncated\": %s, \"stack\": [", read.own, read.truncated ? "true" : "false");
    for (size_t i = 0; i < read.count; i++) {
        printf(i ? ", {" : "{");
        fh_source_json(&read.sources[i]);
        putchar('}');
    }
    putchar(']');
}
