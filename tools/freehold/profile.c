/*
 * profile.c - a profile in memory: sorting, sums, and what files say of their build.
 */
#include "profile.h"

#include "process.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const fh_profile_value_names[FH_PROFILE_VALUES] = {"alloc_objects", "alloc_space", "inuse_objects",
                                                               "inuse_space"};

void fh_profile_free(struct fh_profile *profile)
{
    for (size_t i = 0; i < profile->stack_count; i++)
        free(profile->stacks[i].frames);
    for (size_t i = 0; i < profile->mapping_count; i++)
        free(profile->mappings[i].path);
    free(profile->stacks);
    free(profile->mappings);
    memset(profile, 0, sizeof(*profile));
}

static enum fh_profile_value sorted_by;

static int by_value(const void *a, const void *b)
{
    const struct fh_profile_stack *x = a, *y = b;
    uint64_t left = x->values[sorted_by], right = y->values[sorted_by];
    if (left == right) { /* so that the order is the same each time */
        left = x->values[FH_ALLOC_SPACE];
        right = y->values[FH_ALLOC_SPACE];
    }
    if (left == right && x->depth && y->depth) {
        left = y->frames[0];
        right = x->frames[0];
    }
    return (left < right) - (left > right);
}

void fh_profile_sort(struct fh_profile *profile, enum fh_profile_value by)
{
    sorted_by = by;
    if (profile->stack_count)
        qsort(profile->stacks, profile->stack_count, sizeof(*profile->stacks), by_value);
}

uint64_t fh_profile_total(const struct fh_profile *profile, enum fh_profile_value value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < profile->stack_count; i++)
        sum += profile->stacks[i].values[value];
    return sum;
}

/* --- files of code, and their build ids --- */

int fh_profile_open_mapping(const struct fh_profile *profile, const struct fh_profile_mapping *mapping)
{
    struct fh_mapped_file file = {
        .path = mapping->path, .start = mapping->start, .code_start = mapping->start, .code_end = mapping->limit};
    if (mapping->path[0] != '/') /* [vdso] */
        return -1;
    if (profile->is_running)
        return fh_process_open_file(profile->pid, &file);
    return open(mapping->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

enum { SEGMENTS_MOST = 256, NOTES_MOST = 1 << 16 };

/* The build id among the notes in `bytes`. */
static bool find_in_notes(const unsigned char *bytes, size_t count, size_t alignment, char text[FH_BUILD_ID_TEXT])
{
    for (size_t at = 0; count - at >= sizeof(Elf64_Nhdr);) {
        Elf64_Nhdr note;
        memcpy(&note, bytes + at, sizeof(note));
        size_t name = at + sizeof(note), content = name + ((note.n_namesz + alignment - 1) & ~(alignment - 1));
        size_t next = content + ((note.n_descsz + alignment - 1) & ~(alignment - 1));
        if (note.n_namesz > count || note.n_descsz > count || content + note.n_descsz > count)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(bytes + name, "GNU", 4) == 0 &&
            2 * (size_t)note.n_descsz < FH_BUILD_ID_TEXT) {
            for (size_t i = 0; i < note.n_descsz; i++)
                snprintf(text + 2 * i, 3, "%02x", bytes[content + i]);
            return note.n_descsz > 0;
        }
        if (next > count)
            return false;
        at = next;
    }
    return false;
}

bool fh_build_id_read(int fd, char text[FH_BUILD_ID_TEXT])
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool found = false;
    text[0] = '\0';
    if (pread(fd, &header, sizeof(header), 0) != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(segment))
        return false;
    for (unsigned i = 0; i < header.e_phnum && i < SEGMENTS_MOST && !found; i++) {
        off_t at = (off_t)(header.e_phoff + i * sizeof(segment));
        if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
            break;
        if (segment.p_type != PT_NOTE || segment.p_filesz > NOTES_MOST)
            continue;
        unsigned char *bytes = malloc(segment.p_filesz + 1);
        ssize_t got = bytes ? pread(fd, bytes, segment.p_filesz, (off_t)segment.p_offset) : -1;
        found = got > 0 && find_in_notes(bytes, (size_t)got, segment.p_align == 8 ? 8 : 4, text);
        free(bytes);
    }
    return found;
}
