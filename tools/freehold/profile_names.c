/*
 * profile_names.c - functions and lines of the addresses in a profile.
 */
#include "file.h"
#include "profile.h"

#include "dwarf.h"
#include "elf_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file_of_code {
    bool is_looked_at;
    struct fh_elf_load loads[FH_ELF_LOADS_MAX];
    size_t load_count;
    struct fh_dwarf *dwarf;
};

struct fh_profile_names {
    const struct fh_profile *profile;
    struct file_of_code *files; /* one for each mapping */
};

struct fh_profile_names *fh_profile_names_open(const struct fh_profile *profile)
{
    struct fh_profile_names *names = calloc(1, sizeof(*names));
    if (!names)
        return NULL;
    names->profile = profile;
    names->files = calloc(profile->mapping_count + 1, sizeof(*names->files));
    if (names->files)
        return names;
    free(names);
    return NULL;
}

void fh_profile_names_close(struct fh_profile_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->profile->mapping_count; i++)
        fh_dwarf_close(names->files[i].dwarf);
    free(names->files);
    free(names);
}

/* A file that was built anew since says other names at these addresses: then none are better. */
static void look_at(const struct fh_profile *profile, size_t number, struct file_of_code *file)
{
    const struct fh_profile_mapping *mapping = &profile->mappings[number];
    static struct fh_elf elf;
    char build_id[FH_BUILD_ID_TEXT];
    file->is_looked_at = true;
    int fd = fh_profile_open_mapping(profile, mapping);
    if (fd < 0)
        return;
    fh_build_id_read(fd, build_id);
    int second = strcmp(build_id, mapping->build_id) == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fh_elf_open(&elf, fd) == FH_ELF_OK && second >= 0) {
        memcpy(file->loads, elf.loads, sizeof(elf.loads));
        file->load_count = elf.load_count;
        file->dwarf = fh_dwarf_open(mapping->path, second); /* takes it over */
    } else if (second >= 0) {
        close(second);
    }
    fh_elf_close(&elf);
}

static void note_module(struct fh_source *source, const char *path)
{
    snprintf(source->module, sizeof(source->module), "%s", fh_base_name(path));
}

size_t fh_profile_names_find(struct fh_profile_names *names, uint64_t address,
                             struct fh_source sources[FH_INLINED_MOST])
{
    const struct fh_profile *profile = names->profile;
    size_t number = 0, count = 1;
    memset(sources, 0, FH_INLINED_MOST * sizeof(*sources));
    while (number < profile->mapping_count &&
           (address < profile->mappings[number].start || address >= profile->mappings[number].limit))
        number++;
    sources[0].offset = address;
    if (number == profile->mapping_count)
        return 1;
    struct file_of_code *file = &names->files[number];
    if (!file->is_looked_at)
        look_at(profile, number, file);
    uint64_t in_file = address - profile->mappings[number].start + profile->mappings[number].offset;
    uint64_t offset = in_file;
    for (size_t i = 0; i < file->load_count; i++) {
        if (in_file - file->loads[i].offset < file->loads[i].file_bytes) {
            offset = in_file - file->loads[i].offset + file->loads[i].address;
            break;
        }
    }
    if (file->dwarf)
        count = fh_dwarf_find(file->dwarf, offset, sources, FH_INLINED_MOST);
    for (size_t i = 0; i < count; i++) {
        note_module(&sources[i], profile->mappings[number].path);
        sources[i].offset = offset;
    }
    return count ? count : 1;
}
