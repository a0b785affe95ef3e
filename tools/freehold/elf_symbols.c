/*
 * elf_symbols.c - the symbol tables of an ELF file, and text in its bytes.
 */
#include "elf_file.h"
#include "elf_read.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum {
    SYMBOLS_AT_ONCE = 1024,
    STRINGS_MAX = 1 << 29, /* bytes; a browser with all its symbols has half of that */
    SEARCH_BYTES = 1 << 20,
    SEARCH_MAX = 1 << 30 /* bytes of a file that are searched */
};

struct section {
    uint64_t type, offset, bytes, link;
};

static bool read_section(const struct fh_elf *elf, uint64_t index, struct section *section)
{
    static const struct fh_elf_place type = {4, 4, 4, 4}, at = {24, 8, 16, 4}, bytes = {32, 8, 20, 4},
                                     link = {40, 4, 24, 4};
    unsigned char header[sizeof(Elf64_Shdr)];
    size_t header_bytes = elf->bits == 64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

    if (index >= elf->section_count || elf->section_offset > elf->file_bytes)
        return false;
    if (!fh_elf_read_at(elf, elf->section_offset + index * header_bytes, header, header_bytes))
        return false;
    *section = (struct section){.type = fh_elf_field(elf, header, type),
                                .offset = fh_elf_field(elf, header, at),
                                .bytes = fh_elf_field(elf, header, bytes),
                                .link = fh_elf_field(elf, header, link)};
    return section->offset <= elf->file_bytes && section->bytes <= elf->file_bytes - section->offset;
}

static char *read_strings(const struct fh_elf *elf, uint64_t index, uint64_t *bytes)
{
    struct section section;
    if (!read_section(elf, index, &section) || section.type != SHT_STRTAB || section.bytes == 0 ||
        section.bytes > STRINGS_MAX)
        return NULL;
    char *strings = malloc((size_t)section.bytes);
    if (!strings || !fh_elf_read_at(elf, section.offset, strings, (size_t)section.bytes)) {
        free(strings);
        return NULL;
    }
    strings[section.bytes - 1] = '\0';
    *bytes = section.bytes;
    return strings;
}

static bool visit_table(const struct fh_elf *elf, const struct section *table, const char *strings,
                        uint64_t strings_bytes, fh_elf_visit_fn *visit, void *arg)
{
    static const struct fh_elf_place name = {0, 4, 0, 4}, section_index = {6, 2, 14, 2};
    size_t each_bytes = elf->bits == 64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    uint64_t count = table->bytes / each_bytes;
    unsigned char symbols[SYMBOLS_AT_ONCE * sizeof(Elf64_Sym)];

    for (uint64_t done = 0; done < count;) {
        size_t batch = count - done < SYMBOLS_AT_ONCE ? (size_t)(count - done) : SYMBOLS_AT_ONCE;
        if (!fh_elf_read_at(elf, table->offset + done * each_bytes, symbols, batch * each_bytes))
            return false;
        for (size_t i = 0; i < batch; i++) {
            const unsigned char *symbol = symbols + i * each_bytes;
            uint64_t name_at = fh_elf_field(elf, symbol, name);
            if (fh_elf_field(elf, symbol, section_index) == SHN_UNDEF || name_at == 0 || name_at >= strings_bytes)
                continue;
            if (!visit(strings + name_at, arg))
                return true;
        }
        done += batch;
    }
    return true;
}

bool fh_elf_symbols(const struct fh_elf *elf, bool exported, fh_elf_visit_fn *visit, void *arg)
{
    uint64_t wanted = exported ? SHT_DYNSYM : SHT_SYMTAB, strings_bytes;
    struct section table;

    if (elf->status != FH_ELF_OK)
        return false;
    for (uint64_t i = 0; i < elf->section_count; i++) {
        if (!read_section(elf, i, &table) || table.type != wanted)
            continue;
        char *strings = read_strings(elf, table.link, &strings_bytes);
        bool held = strings && visit_table(elf, &table, strings, strings_bytes, visit, arg);
        free(strings);
        return held; /* a file has at most one table of each kind */
    }
    return false;
}

struct wanted_symbol {
    const char *name;
    bool found;
};

static bool is_wanted(const char *name, void *arg)
{
    struct wanted_symbol *wanted = arg;
    wanted->found = strcmp(name, wanted->name) == 0;
    return !wanted->found;
}

bool fh_elf_exports(const struct fh_elf *elf, const char *name)
{
    struct wanted_symbol wanted = {.name = name};
    fh_elf_symbols(elf, true, is_wanted, &wanted);
    return wanted.found;
}

static void copy_printable(const char *from, const char *end, char *to, size_t to_bytes)
{
    size_t used = 0;
    while (from < end && used + 1 < to_bytes && *from >= 0x20 && *from < 0x7f)
        to[used++] = *from++;
    to[used] = '\0';
}

bool fh_elf_contains(const struct fh_elf *elf, const char *text, char *after, size_t after_bytes)
{
    size_t overlap = strlen(text) + after_bytes; /* of two readings, so that nothing is missed between them */
    uint64_t end = elf->file_bytes < SEARCH_MAX ? elf->file_bytes : SEARCH_MAX;
    char *bytes = malloc(SEARCH_BYTES + overlap);
    bool found = false;

    for (uint64_t at = 0; bytes && !found && at < end; at += SEARCH_BYTES) {
        uint64_t left = end - at;
        size_t length = left < SEARCH_BYTES + overlap ? (size_t)left : SEARCH_BYTES + overlap;
        if (!fh_elf_read_at(elf, at, bytes, length))
            break;
        const char *hit = memmem(bytes, length, text, strlen(text));
        if (hit) {
            found = true;
            if (after)
                copy_printable(hit + strlen(text), bytes + length, after, after_bytes);
        }
    }
    free(bytes);
    return found;
}
