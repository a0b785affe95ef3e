/*
 * elf_read.h - bounded access to the bytes of an ELF file, shared by elf_file.c and elf_symbols.c only.
 */
#ifndef FREEHOLD_TOOL_ELF_READ_H
#define FREEHOLD_TOOL_ELF_READ_H

#include "elf_file.h"

/* Where a field stands in a record of a 64-bit and of a 32-bit file, and its size there. */
struct fh_elf_place {
    unsigned char at64, bytes64, at32, bytes32;
};

/* False when [offset, offset + bytes) is not inside the file, or cannot be read. */
bool fh_elf_read_at(const struct fh_elf *elf, uint64_t offset, void *buffer, size_t bytes);

/* The number at `at` in the file's byte order; the field `place` of a record in the file's class. */
uint64_t fh_elf_number(const struct fh_elf *elf, const unsigned char *at, size_t bytes);
uint64_t fh_elf_field(const struct fh_elf *elf, const unsigned char *record, struct fh_elf_place place);

#endif
