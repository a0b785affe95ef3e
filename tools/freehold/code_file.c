/*
 * code_file.c - one file of code: its segments and its debug information.
 */
#include "code_file.h"

#include "dwarf.h"
#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void fh_code_file_open(struct fh_code_file *file, const char *path, int fd)
{
    static struct fh_elf elf;
    int second = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    memset(file, 0, sizeof(*file));
    if (fh_elf_open(&elf, fd) == FH_ELF_OK) {
        memcpy(file->loads, elf.loads, sizeof(elf.loads));
        file->load_count = elf.load_count;
        if (second >= 0)
            file->dwarf = fh_dwarf_open(path, second); /* takes it over */
    } else if (second >= 0) {
        close(second);
    }
    fh_elf_close(&elf);
}

void fh_code_file_close(struct fh_code_file *file)
{
    fh_dwarf_close(file->dwarf);
    memset(file, 0, sizeof(*file));
}

/* Without the folder, and without the mark of a deleted file. */
static void note_module(struct fh_source *source, const char *path)
{
    const char *name = fh_base_name(path), *mark = strstr(name, " (deleted)");
    size_t length = mark ? (size_t)(mark - name) : strlen(name);
    snprintf(source->module, sizeof(source->module), "%.*s", (int)length, name);
}

size_t fh_code_file_find(const struct fh_code_file *file, const char *path, uint64_t in_file,
                         struct fh_source *sources, size_t most)
{
    uint64_t address = in_file; /* as in the file's own symbols */
    size_t count = 0;
    memset(sources, 0, most * sizeof(*sources));
    for (size_t i = 0; i < file->load_count; i++) {
        const struct fh_elf_load *load = &file->loads[i];
        if (in_file - load->offset >= load->file_bytes)
            continue;
        address = in_file - load->offset + load->address;
        if (file->dwarf)
            count = fh_dwarf_find(file->dwarf, address, sources, most);
        break;
    }
    if (count == 0)
        count = 1;
    for (size_t i = 0; i < count; i++) {
        note_module(&sources[i], path);
        sources[i].offset = address;
    }
    return count;
}
