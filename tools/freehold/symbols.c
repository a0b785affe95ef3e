/*
 * symbols.c - which file an address lies in, and what that file says of it.
 */
#include "symbols.h"

#include "code_file.h"
#include "file.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULES_MOST = 1024 };

struct module {
    char *path;
    struct fh_code_file file;
};

struct fh_symbols {
    struct fh_image *image;
    struct module modules[MODULES_MOST];
    size_t count;
};

struct fh_symbols *fh_symbols_open(struct fh_image *image)
{
    struct fh_symbols *symbols = calloc(1, sizeof(*symbols));
    if (symbols)
        symbols->image = image;
    return symbols;
}

void fh_symbols_close(struct fh_symbols *symbols)
{
    if (!symbols)
        return;
    for (size_t i = 0; i < symbols->count; i++) {
        fh_code_file_close(&symbols->modules[i].file);
        free(symbols->modules[i].path);
    }
    free(symbols);
}

static struct module *module_of(struct fh_symbols *symbols, const struct fh_image_vma *vma)
{
    for (size_t i = 0; i < symbols->count; i++) {
        if (strcmp(symbols->modules[i].path, vma->path) == 0)
            return &symbols->modules[i];
    }
    char *path = symbols->count < MODULES_MOST ? strdup(vma->path) : NULL;
    if (!path)
        return NULL;
    struct module *module = &symbols->modules[symbols->count++];
    *module = (struct module){.path = path};
    int fd = fh_image_open_file(symbols->image, vma);
    if (fd >= 0)
        fh_code_file_open(&module->file, path, fd);
    return module;
}

size_t fh_symbols_find(struct fh_symbols *symbols, uint64_t address, struct fh_source *sources, size_t most)
{
    static const struct fh_code_file unknown;
    const struct fh_image_vma *vma = fh_image_vma_at(symbols->image, address);
    if (!vma || !vma->path[0]) {
        memset(sources, 0, sizeof(*sources));
        sources[0].offset = address;
        return 1;
    }
    const struct module *module = vma->path[0] == '/' ? module_of(symbols, vma) : NULL;
    uint64_t in_file = address - vma->start + vma->file_offset;
    return fh_code_file_find(module ? &module->file : &unknown, vma->path, in_file, sources, most);
}

void fh_source_text(const struct fh_source *source, bool whole_path, char *text, size_t text_bytes)
{
    const char *file = whole_path ? source->file : fh_base_name(source->file);
    if (source->function[0] && source->file[0])
        snprintf(text, text_bytes, "%s() at %s:%u", source->function, file, source->line);
    else if (source->function[0])
        snprintf(text, text_bytes, "%s() in %s", source->function, source->module);
    else if (source->file[0])
        snprintf(text, text_bytes, "%s:%u", file, source->line);
    else if (source->module[0])
        snprintf(text, text_bytes, "%s+0x%" PRIx64, source->module, source->offset);
    else
        snprintf(text, text_bytes, "0x%" PRIx64, source->offset);
    for (char *at = text; *at; at++) { /* names come from files of strangers */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
}

void fh_source_json(const struct fh_source *source)
{
    printf("\"function\": ");
    fh_json_string(source->function[0] ? source->function : NULL);
    printf(", \"file\": ");
    fh_json_string(source->file[0] ? source->file : NULL);
    printf(", \"line\": %u, \"module\": ", source->line);
    fh_json_string(source->module[0] ? source->module : NULL);
    printf(", \"offset\": %" PRIu64, source->offset);
}
