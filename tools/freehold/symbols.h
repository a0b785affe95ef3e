/*
 * symbols.h - from an address of code in a process to function, file and line of its source.
 */
#ifndef FREEHOLD_TOOL_SYMBOLS_H
#define FREEHOLD_TOOL_SYMBOLS_H

#include "image.h"

struct fh_source {
    char function[128]; /* empty: not known */
    char file[256];     /* of the source; empty: not known */
    unsigned line;
    char module[96]; /* name of the file of code, without its folder; empty: in no file */
    uint64_t offset; /* address as in that file: what addr2line takes */
};

/* Names come from the files that fh_image_open_file finds. NULL without memory. */
struct fh_symbols;
struct fh_symbols *fh_symbols_open(struct fh_image *image);
void fh_symbols_close(struct fh_symbols *symbols);

/*
 * The functions that the instruction is in, the innermost inlined one first; how many, at least 1 (module and offset
 * are always filled in). `most` is at least 1.
 */
size_t fh_symbols_find(struct fh_symbols *symbols, uint64_t address, struct fh_source *sources, size_t most);

/* "function() at file.c:12", "function() in libx.so", "libx.so+0x1234": as much as is known. The file without its
 * folders unless `whole_path`. */
void fh_source_text(const struct fh_source *source, bool whole_path, char *text, size_t text_bytes);

/* The members of a JSON object, without its braces: "function", "file", "line", "module", "offset"; null for what is
 * not known. */
void fh_source_json(const struct fh_source *source);

#endif
