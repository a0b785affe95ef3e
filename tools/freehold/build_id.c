/*
 * build_id.c - the build id of an ELF file: what tells one build of a program from another.
 */
#include "build_id.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
