/*
 * elf_file.c - headers and dynamic section of an ELF file. Symbols and text are in elf_symbols.c.
 */
#include "elf_file.h"
#include "elf_read.h"
#include "file.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DYNAMIC_ENTRIES_MAX = 4096,
    STRINGS_MAX = 64 << 20 /* bytes of a .dynstr; the largest in the wild are a tenth of that */
};

bool fh_elf_read_at(const struct fh_elf *elf, uint64_t offset, void *buffer, size_t bytes)
{
    return offset <= elf->file_bytes && bytes <= elf->file_bytes - offset &&
           fh_read_at(elf->fd, buffer, bytes, offset);
}

uint64_t fh_elf_number(const struct fh_elf *elf, const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[elf->big_endian ? i : bytes - 1 - i];
    return value;
}

uint64_t fh_elf_field(const struct fh_elf *elf, const unsigned char *record, struct fh_elf_place place)
{
    return elf->bits == 64 ? fh_elf_number(elf, record + place.at64, place.bytes64)
                           : fh_elf_number(elf, record + place.at32, place.bytes32);
}

static enum fh_elf_status damaged(struct fh_elf *elf, const char *what)
{
    elf->damage = what;
    return elf->status = FH_ELF_DAMAGED;
}

static bool read_interpreter(struct fh_elf *elf, uint64_t offset, uint64_t bytes)
{
    if (bytes < 2 || bytes > sizeof(elf->interpreter))
        return false;
    if (!fh_elf_read_at(elf, offset, elf->interpreter, (size_t)bytes) || elf->interpreter[bytes - 1] != '\0')
        return false;
    elf->has_interpreter = true;
    return true;
}

static enum fh_elf_status read_program_headers(struct fh_elf *elf, uint64_t offset, unsigned count, unsigned each_bytes)
{
    static const struct fh_elf_place type = {0, 4, 0, 4}, at = {8, 8, 4, 4}, address = {16, 8, 8, 4},
                                     bytes = {32, 8, 16, 4}, memory = {40, 8, 20, 4};
    unsigned want_bytes = elf->bits == 64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

    if (count == 0)
        return FH_ELF_OK; /* an object file */
    if (each_bytes != want_bytes)
        return damaged(elf, "its program headers have an impossible size");
    for (unsigned i = 0; i < count; i++) {
        unsigned char header[sizeof(Elf64_Phdr)];
        if (offset > elf->file_bytes || !fh_elf_read_at(elf, offset + (uint64_t)i * each_bytes, header, each_bytes))
            return damaged(elf, "its program headers are cut short");
        uint64_t data_at = fh_elf_field(elf, header, at), data_bytes = fh_elf_field(elf, header, bytes);
        switch (fh_elf_field(elf, header, type)) {
        case PT_INTERP:
            if (!read_interpreter(elf, data_at, data_bytes))
                return damaged(elf, "the name of its loader cannot be read");
            break;
        case PT_DYNAMIC:
            elf->has_dynamic = true;
            elf->dynamic_offset = data_at;
            elf->dynamic_bytes = data_bytes;
            break;
        case PT_LOAD:
            elf->memory_bytes = fh_elf_field(elf, header, address) + fh_elf_field(elf, header, memory);
            if (elf->load_count < FH_ELF_LOADS_MAX) {
                elf->loads[elf->load_count++] = (struct fh_elf_load){
                    .address = fh_elf_field(elf, header, address), .offset = data_at, .file_bytes = data_bytes};
            }
            break;
        default:
            break;
        }
    }
    return FH_ELF_OK;
}

/* A file with very many sections keeps their number in the size of section 0. */
static void read_section_count(struct fh_elf *elf, unsigned count, unsigned each_bytes)
{
    static const struct fh_elf_place size = {32, 8, 20, 4};
    unsigned want_bytes = elf->bits == 64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

    elf->section_count = each_bytes == want_bytes && elf->section_offset != 0 ? count : 0;
    if (elf->section_offset != 0 && each_bytes == want_bytes && count == 0) {
        unsigned char header[sizeof(Elf64_Shdr)];
        if (fh_elf_read_at(elf, elf->section_offset, header, want_bytes))
            elf->section_count = fh_elf_field(elf, header, size);
    }
    if (elf->section_count > elf->file_bytes / want_bytes)
        elf->section_count = 0;
}

enum fh_elf_status fh_elf_open(struct fh_elf *elf, int fd)
{
    static const struct fh_elf_place type = {16, 2, 16, 2}, machine = {18, 2, 18, 2}, headers_at = {32, 8, 28, 4},
                                     sections_at = {40, 8, 32, 4}, header_bytes = {54, 2, 42, 2},
                                     headers = {56, 2, 44, 2}, section_bytes = {58, 2, 46, 2},
                                     sections = {60, 2, 48, 2};
    unsigned char header[sizeof(Elf64_Ehdr)] = {0};
    struct stat about;

    memset(elf, 0, sizeof(*elf));
    elf->fd = fd;
    elf->status = FH_ELF_FOREIGN;
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size < 0)
        return elf->status;
    elf->file_bytes = (uint64_t)about.st_size;

    if (!fh_elf_read_at(elf, 0, header, SELFMAG) || memcmp(header, ELFMAG, SELFMAG) != 0)
        return elf->status;
    if (!fh_elf_read_at(elf, 0, header, EI_NIDENT))
        return damaged(elf, "its header is cut short");
    if (header[EI_CLASS] != ELFCLASS32 && header[EI_CLASS] != ELFCLASS64)
        return damaged(elf, "it is neither 32-bit nor 64-bit");
    if (header[EI_DATA] != ELFDATA2LSB && header[EI_DATA] != ELFDATA2MSB)
        return damaged(elf, "its byte order is unknown");
    elf->bits = header[EI_CLASS] == ELFCLASS64 ? 64 : 32;
    elf->big_endian = header[EI_DATA] == ELFDATA2MSB;
    if (!fh_elf_read_at(elf, 0, header, elf->bits == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
        return damaged(elf, "its header is cut short");

    elf->type = (uint16_t)fh_elf_field(elf, header, type);
    elf->machine = (uint16_t)fh_elf_field(elf, header, machine);
    elf->section_offset = fh_elf_field(elf, header, sections_at);
    read_section_count(elf, (unsigned)fh_elf_field(elf, header, sections),
                       (unsigned)fh_elf_field(elf, header, section_bytes));
    elf->status = FH_ELF_OK;
    return read_program_headers(elf, fh_elf_field(elf, header, headers_at),
                                (unsigned)fh_elf_field(elf, header, headers),
                                (unsigned)fh_elf_field(elf, header, header_bytes));
}

void fh_elf_close(struct fh_elf *elf)
{
    if (elf->fd >= 0)
        close(elf->fd);
    elf->fd = -1;
}

/* Where in the file the byte at `address` is, by the load segments; false when in none. */
static bool offset_of(const struct fh_elf *elf, uint64_t address, uint64_t *offset)
{
    for (size_t i = 0; i < elf->load_count; i++) {
        const struct fh_elf_load *load = &elf->loads[i];
        if (address >= load->address && address - load->address < load->file_bytes) {
            *offset = load->offset + (address - load->address);
            return true;
        }
    }
    return false;
}

/* What the dynamic section says, as numbers. */
struct dynamic_numbers {
    uint64_t strings_address, strings_bytes;
    uint64_t soname_at; /* places in the strings; UINT64_MAX for none */
    size_t needed_count;
    uint64_t needed_at[DYNAMIC_ENTRIES_MAX];
};

static void read_dynamic_numbers(const struct fh_elf *elf, struct dynamic_numbers *numbers)
{
    static const struct fh_elf_place tag = {0, 8, 0, 4}, value = {8, 8, 4, 4};
    size_t each_bytes = elf->bits == 64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
    uint64_t count = elf->dynamic_bytes / each_bytes;

    if (elf->dynamic_offset > elf->file_bytes)
        return;
    for (uint64_t i = 0; i < count && i < DYNAMIC_ENTRIES_MAX; i++) {
        unsigned char entry[sizeof(Elf64_Dyn)];
        if (!fh_elf_read_at(elf, elf->dynamic_offset + i * each_bytes, entry, each_bytes))
            return;
        uint64_t of = fh_elf_field(elf, entry, value);
        switch (fh_elf_field(elf, entry, tag)) {
        case DT_NULL:
            return;
        case DT_STRTAB:
            numbers->strings_address = of;
            break;
        case DT_STRSZ:
            numbers->strings_bytes = of;
            break;
        case DT_SONAME:
            numbers->soname_at = of;
            break;
        case DT_NEEDED:
            numbers->needed_at[numbers->needed_count++] = of;
            break;
        default:
            break;
        }
    }
}

void fh_elf_dynamic_read(const struct fh_elf *elf, struct fh_elf_dynamic *dynamic)
{
    uint64_t strings_offset = 0;

    memset(dynamic, 0, sizeof(*dynamic));
    struct dynamic_numbers *numbers = calloc(1, sizeof(*numbers));
    if (!numbers || elf->status != FH_ELF_OK || !elf->has_dynamic)
        goto out;
    numbers->soname_at = UINT64_MAX;
    read_dynamic_numbers(elf, numbers);

    uint64_t bytes = numbers->strings_bytes;
    if (bytes == 0 || bytes > STRINGS_MAX || !offset_of(elf, numbers->strings_address, &strings_offset))
        goto out;
    if (strings_offset > elf->file_bytes || bytes > elf->file_bytes - strings_offset)
        goto out;
    dynamic->strings = malloc((size_t)bytes);
    dynamic->needed = calloc(numbers->needed_count + 1, sizeof(*dynamic->needed));
    if (!dynamic->strings || !dynamic->needed || !fh_elf_read_at(elf, strings_offset, dynamic->strings, (size_t)bytes))
        goto out;
    dynamic->strings[bytes - 1] = '\0'; /* so each place inside begins a terminated string */
    if (numbers->soname_at < bytes)
        dynamic->soname = dynamic->strings + numbers->soname_at;
    for (size_t i = 0; i < numbers->needed_count; i++) {
        if (numbers->needed_at[i] < bytes)
            dynamic->needed[dynamic->needed_count++] = dynamic->strings + numbers->needed_at[i];
    }
out:
    free(numbers);
}

void fh_elf_dynamic_free(struct fh_elf_dynamic *dynamic)
{
    free(dynamic->strings);
    free(dynamic->needed);
    memset(dynamic, 0, sizeof(*dynamic));
}

const char *fh_elf_machine_name(const struct fh_elf *elf)
{
    static const struct {
        uint16_t machine;
        const char *name;
        char usual_order; /* 'l' or 'b' where both exist and the other is to be named; 0 to name none */
        char usual_bits;  /* 64 where that need not be said */
    } machines[] = {
        {EM_386, "x86", 0, 0},         {EM_X86_64, "x86-64", 0, 64},
        {EM_ARM, "ARM", 'l', 0},       {EM_AARCH64, "aarch64", 'l', 64},
        {EM_RISCV, "RISC-V", 0, 0},    {EM_PPC, "PowerPC", 'b', 0},
        {EM_PPC64, "PowerPC", 'b', 0}, {EM_S390, "S/390", 0, 0},
        {EM_MIPS, "MIPS", 'b', 0},     {258, "LoongArch", 0, 0},
        {EM_SPARC, "SPARC", 0, 0},     {EM_SPARCV9, "SPARC", 0, 0},
        {EM_68K, "68000", 0, 0},
    };
    static char text[64];

    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (machines[i].machine != elf->machine)
            continue;
        const char *bits = elf->bits == 32 ? "32-bit " : machines[i].usual_bits == 64 ? "" : "64-bit ";
        bool unusual = machines[i].usual_order && machines[i].usual_order != (elf->big_endian ? 'b' : 'l');
        const char *order = !unusual ? "" : elf->big_endian ? "big-endian " : "little-endian ";
        snprintf(text, sizeof(text), "%s%s%s", bits, order, machines[i].name);
        return text;
    }
    snprintf(text, sizeof(text), "%u-bit machine number %u", elf->bits, (unsigned)elf->machine);
    return text;
}
