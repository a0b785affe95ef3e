/*
 * elf_file.h - reads what this program needs of an ELF file, of any class and byte order.
 *
 * Files come from strangers: every offset and size in them is checked against the file before it is used, memory is
 * bounded, and the file is read, never mapped, so that one that shrinks meanwhile is an error and not a SIGBUS.
 */
#ifndef FREEHOLD_TOOL_ELF_FILE_H
#define FREEHOLD_TOOL_ELF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fh_elf_status {
    FH_ELF_OK,
    FH_ELF_FOREIGN, /* does not begin like an ELF file */
    FH_ELF_DAMAGED  /* begins like one, and then does not hold: see `damage` */
};

enum { FH_ELF_LOADS_MAX = 64 };

struct fh_elf_load {
    uint64_t address, offset, file_bytes;
};

struct fh_elf {
    int fd; /* owned; -1 when closed */
    enum fh_elf_status status;
    const char *damage; /* what is wrong, as the end of a sentence; NULL when nothing is */
    uint64_t file_bytes;
    unsigned bits; /* 32 or 64 */
    bool big_endian;
    uint16_t type;    /* ET_… */
    uint16_t machine; /* EM_… */
    uint64_t section_offset;
    uint64_t section_count;
    bool has_interpreter;
    char interpreter[PATH_MAX]; /* PT_INTERP */
    bool has_dynamic;
    uint64_t dynamic_offset, dynamic_bytes;
    uint64_t memory_bytes; /* from address 0 to the end of the last part that is loaded */
    size_t load_count;
    struct fh_elf_load loads[FH_ELF_LOADS_MAX];
};

/* Reads the headers of the file. Takes over `fd`; fh_elf_close is due whatever the status is. */
enum fh_elf_status fh_elf_open(struct fh_elf *elf, int fd);
void fh_elf_close(struct fh_elf *elf);

/* The entries of the dynamic section that name libraries. All zero when there is none, or it does not hold. */
struct fh_elf_dynamic {
    char *strings;       /* owns the text of the others */
    const char *soname;  /* NULL for none */
    const char **needed; /* in the order of the file */
    size_t needed_count;
};
void fh_elf_dynamic_read(const struct fh_elf *elf, struct fh_elf_dynamic *dynamic);
void fh_elf_dynamic_free(struct fh_elf_dynamic *dynamic);

/*
 * Calls `visit` for the named symbols of the tables .dynsym (`exported`) or .symtab, until it returns false. Symbols
 * that are defined elsewhere are left out. Returns false when the file has no such table that holds.
 */
typedef bool fh_elf_visit_fn(const char *name, void *arg);
bool fh_elf_symbols(const struct fh_elf *elf, bool exported, fh_elf_visit_fn *visit, void *arg);

/* True when .dynsym defines `name`: then the symbol takes part in the loader's search. */
bool fh_elf_exports(const struct fh_elf *elf, const char *name);

/*
 * Searches the file's bytes for `text`. When `after` is given, it gets what follows, as far as it is printable and
 * fits; always terminated.
 */
bool fh_elf_contains(const struct fh_elf *elf, const char *text, char *after, size_t after_bytes);

/* "x86-64", "32-bit ARM" …: for messages. Lives until the next call. */
const char *fh_elf_machine_name(const struct fh_elf *elf);

#endif
