/*
 * profile_names.c - functions and lines of the addresses in a profile.
 */
#include "code_file.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct named_file {
    bool is_looked_at;
    struct fh_code_file code;
};

struct fh_profile_names {
    const struct fh_profile *profile;
    struct named_file *files; /* one for each mapping */
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
        fh_code_file_close(&names->files[i].code);
    free(names->files);
    free(names);
}

/* A file that was built anew since says other names at these addresses: then none are better. */
static void look_at(const struct fh_profile *profile, size_t number, struct named_file *file)
{
    const struct fh_profile_mapping *mapping = &profile->mappings[number];
    char build_id[FH_BUILD_ID_TEXT];
    file->is_looked_at = true;
    int fd = fh_profile_open_mapping(profile, mapping);
    if (fd < 0)
        return;
    fh_build_id_read(fd, build_id);
    if (strcmp(build_id, mapping->build_id) == 0)
        fh_code_file_open(&file->code, mapping->path, fd);
    else
        close(fd);
}

size_t fh_profile_names_find(struct fh_profile_names *names, uint64_t address,
                             struct fh_source sources[FH_INLINED_MOST])
{
    const struct fh_profile *profile = names->profile;
    size_t number = 0;
    while (number < profile->mapping_count &&
           (address < profile->mappings[number].start || address >= profile->mappings[number].limit))
        number++;
    if (number == profile->mapping_count) {
        memset(sources, 0, sizeof(*sources));
        sources[0].offset = address;
        return 1;
    }
    struct named_file *file = &names->files[number];
    if (!file->is_looked_at)
        look_at(profile, number, file);
    uint64_t in_file = address - profile->mappings[number].start + profile->mappings[number].offset;
    return fh_code_file_find(&file->code, profile->mappings[number].path, in_file, sources, FH_INLINED_MOST);
}
