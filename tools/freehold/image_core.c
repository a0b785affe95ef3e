/*
 * image_core.c - a core file as the source of an image: an ELF file whose load segments are the process's memory.
 */
#include "cli.h"
#include "file.h"
#include "image_source.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

enum { NOTES_MOST = 16 << 20, SEGMENTS_MOST = 1 << 22, CORE_PAGE_BYTES = 4096 };

struct piece {
    uint64_t start, bytes, offset;
};

/* A part of a file that was mapped. */
struct mapped {
    uint64_t start, end, file_offset;
    char *path;
};

struct core_source {
    int fd;
    size_t count;
    struct piece *pieces; /* by address */
    struct mapped *files;
    size_t file_count;
};

/* The first piece that ends above the address. */
static size_t piece_at(const struct core_source *core, uint64_t address)
{
    return fh_first_above(core->pieces, core->count, sizeof(*core->pieces), address);
}

static size_t read_core(struct fh_image *image, uint64_t address, void *buffer, size_t bytes)
{
    const struct core_source *core = image->source_data;
    uint64_t end = address + bytes;
    size_t had = 0;
    memset(buffer, 0, bytes);
    for (size_t i = piece_at(core, address); i < core->count && core->pieces[i].start < end; i++) {
        const struct piece *piece = &core->pieces[i];
        uint64_t from = piece->start > address ? piece->start : address;
        uint64_t to = piece->start + piece->bytes < end ? piece->start + piece->bytes : end;
        char *out = (char *)buffer + (from - address);
        if (fh_read_at(core->fd, out, (size_t)(to - from), piece->offset + from - piece->start))
            had += (size_t)(to - from);
    }
    return had;
}

/* A core does not say what was in memory: all of it counts, but for pages of the library's own large tables that hold
 * nothing but zeros. These were never written. */
static void pages_of_core(struct fh_image *image, uint64_t address, size_t count, unsigned char *flags)
{
    static uint64_t page[CORE_PAGE_BYTES / sizeof(uint64_t)];
    /* of the regions that were found last */
    size_t at = fh_first_above(image->regions, image->region_count, sizeof(*image->regions), address);
    memset(flags, FH_PAGE_PRESENT, count);
    for (size_t i = 0; i < count; i++, address += CORE_PAGE_BYTES) {
        while (at < image->region_count && image->regions[at].start + image->regions[at].bytes <= address)
            at++;
        if (at == image->region_count)
            return;
        const struct fh_region *region = &image->regions[at];
        bool is_table = region->kind == FH_REGION_PAGEMAP || region->kind == FH_REGION_SAMPLES;
        if (!is_table || region->start > address)
            continue;
        read_core(image, address, page, sizeof(page));
        if (page[0] == 0 && memcmp(page, page + 1, sizeof(page) - sizeof(*page)) == 0)
            flags[i] = 0;
    }
}

static uint64_t next_of_core(struct fh_image *image, uint64_t address)
{
    const struct core_source *core = image->source_data;
    size_t i = piece_at(core, address);
    if (i == core->count)
        return UINT64_MAX;
    return core->pieces[i].start > address ? core->pieces[i].start : address;
}

static void close_core(struct fh_image *image)
{
    struct core_source *core = image->source_data;
    close(core->fd);
    for (size_t i = 0; i < core->file_count; i++)
        free(core->files[i].path);
    free(core->files);
    free(core->pieces);
    free(core);
}

static const struct fh_image_source core_source = {read_core, pages_of_core, next_of_core, close_core};

static bool read_header(int fd, Elf64_Ehdr *header)
{
    return fh_read_at(fd, header, sizeof(*header), 0) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB;
}

bool fh_image_is_core(int fd)
{
    Elf64_Ehdr header;
    return read_header(fd, &header) && header.e_type == ET_CORE;
}

/* The note of mapped files: how many, the unit of offsets, start, end and offset of each, and then their names. */
static void read_files(struct core_source *core, const char *note, size_t bytes)
{
    enum { HEAD = 2, EACH = 3 };
    uint64_t head[HEAD], each[EACH];
    if (core->files || bytes < sizeof(head))
        return;
    memcpy(head, note, sizeof(head));
    if (head[0] > (bytes - sizeof(head)) / sizeof(each))
        return;
    core->files = calloc(head[0] + 1, sizeof(*core->files));
    const char *name = note + sizeof(head) + head[0] * sizeof(each), *end = note + bytes;
    for (uint64_t i = 0; core->files && i < head[0] && name < end; i++) {
        size_t length = strnlen(name, (size_t)(end - name));
        memcpy(each, note + sizeof(head) + i * sizeof(each), sizeof(each));
        core->files[core->file_count++] = (struct mapped){
            .start = each[0], .end = each[1], .file_offset = each[2] * head[1], .path = strndup(name, length)};
        name += length + 1;
    }
}

/* Names the mappings that are files; those that the core leaves out, as it can be read from the file, are added. */
static bool name_vmas(struct fh_image *image, const struct core_source *core)
{
    size_t count = image->vma_count;
    struct fh_image_vma *larger = realloc(image->vmas, (count + core->file_count + 1) * sizeof(*larger));
    if (!larger)
        return false;
    image->vmas = larger;
    for (size_t j = 0; j < core->file_count; j++) {
        const struct mapped *file = &core->files[j];
        bool found = false;
        for (size_t i = 0; i < count && file->path; i++) {
            struct fh_image_vma *vma = &image->vmas[i];
            if (vma->start < file->start || vma->start >= file->end)
                continue;
            free(vma->path);
            vma->path = strdup(file->path);
            vma->file_offset = file->file_offset + (vma->start - file->start);
            found = true;
        }
        if (!found && file->path)
            image->vmas[image->vma_count++] = (struct fh_image_vma){.start = file->start,
                                                                    .end = file->end,
                                                                    .file_offset = file->file_offset,
                                                                    .executable = true, /* mostly */
                                                                    .is_private = true,
                                                                    .path = strdup(file->path)};
    }
    return true;
}

/* A thread, by its thread pointer: of its registers on x86-64; aarch64 has a note of its own for that, which follows
 * the one of the registers. */
static void read_thread(struct fh_image *image, unsigned type, const char *note, size_t bytes)
{
    struct elf_prstatus status;
    uint64_t pointer = 0;
    size_t count = image->core_thread_count;
    if (type == NT_PRSTATUS && bytes >= sizeof(status)) {
        memcpy(&status, note, sizeof(status));
#ifdef __x86_64__
        pointer = status.pr_reg[offsetof(struct user_regs_struct, fs_base) / sizeof(status.pr_reg[0])];
#endif
        struct fh_image_core_thread *larger = realloc(image->core_threads, (count + 1) * sizeof(*larger));
        if (!larger)
            return;
        image->core_threads = larger;
        larger[image->core_thread_count++] = (struct fh_image_core_thread){pointer, status.pr_pid};
    } else if (type == NT_ARM_TLS && bytes >= sizeof(pointer) && count > 0) {
        memcpy(&pointer, note, sizeof(pointer));
        image->core_threads[count - 1].pointer = pointer;
    }
}

/* The process's number and name, its threads, and the files that were mapped into it. */
static void read_notes(struct fh_image *image, struct core_source *core, const Elf64_Phdr *segment)
{
    int fd = core->fd;
    char *notes = segment->p_filesz <= NOTES_MOST ? malloc(segment->p_filesz + 1) : NULL;
    if (!notes || !fh_read_at(fd, notes, segment->p_filesz, segment->p_offset)) {
        free(notes);
        return;
    }
    for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= segment->p_filesz;) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof(note));
        uint64_t data = at + sizeof(note) + ((note.n_namesz + 3u) & ~(uint64_t)3);
        uint64_t next = data + ((note.n_descsz + 3u) & ~(uint64_t)3);
        if (next > segment->p_filesz)
            break;
        if (note.n_type == NT_PRPSINFO && note.n_descsz >= sizeof(prpsinfo_t)) {
            prpsinfo_t info;
            memcpy(&info, notes + data, sizeof(info));
            image->about.pid = info.pr_pid;
            snprintf(image->about.name, sizeof(image->about.name), "%.*s", (int)sizeof(info.pr_fname), info.pr_fname);
        }
        if (note.n_type == NT_FILE)
            read_files(core, notes + data, note.n_descsz);
        read_thread(image, note.n_type, notes + data, note.n_descsz);
        at = next;
    }
    free(notes);
}

static int by_address(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static int by_vma_address(const void *a, const void *b)
{
    const struct fh_image_vma *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static bool read_segments(struct fh_image *image, struct core_source *core, const Elf64_Ehdr *header, uint64_t count)
{
    core->pieces = calloc(count + 1, sizeof(*core->pieces));
    image->vmas = calloc(count + 1, sizeof(*image->vmas));
    if (!core->pieces || !image->vmas)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Phdr segment;
        if (!fh_read_at(core->fd, &segment, sizeof(segment), header->e_phoff + i * sizeof(segment)))
            return false;
        if (segment.p_type == PT_NOTE)
            read_notes(image, core, &segment);
        if (segment.p_type != PT_LOAD)
            continue;
        image->vmas[image->vma_count++] = (struct fh_image_vma){.start = segment.p_vaddr,
                                                                .end = segment.p_vaddr + segment.p_memsz,
                                                                .writable = segment.p_flags & PF_W,
                                                                .executable = segment.p_flags & PF_X,
                                                                .is_private = true,
                                                                .path = strdup("")};
        if (segment.p_filesz)
            core->pieces[core->count++] = (struct piece){segment.p_vaddr, segment.p_filesz, segment.p_offset};
    }
    qsort(core->pieces, core->count, sizeof(*core->pieces), by_address);
    bool good = name_vmas(image, core);
    qsort(image->vmas, image->vma_count, sizeof(*image->vmas), by_vma_address);
    return good;
}

int fh_image_open_core(const char *verb, const char *path, int fd, struct fh_image *image)
{
    Elf64_Ehdr header;
    Elf64_Shdr first;
    struct core_source *core = calloc(1, sizeof(*core));
    if (!core) {
        close(fd);
        return FH_EXIT_FAILED;
    }
    core->fd = fd;
    image->source_data = core;
    image->source = &core_source;
    image->about.kind = FH_IMAGE_CORE;
    image->about.page_bytes = CORE_PAGE_BYTES;
    snprintf(image->about.name, sizeof(image->about.name), "?");
    bool good = read_header(fd, &header) && header.e_phentsize == sizeof(Elf64_Phdr);
    uint64_t count = good ? header.e_phnum : 0;
    if (count == PN_XNUM && fh_read_at(fd, &first, sizeof(first), header.e_shoff))
        count = first.sh_info;
    if (!good || count > SEGMENTS_MOST || !read_segments(image, core, &header, count)) {
        fh_say(verb, "core file '%s' is cut short or damaged; let it be written anew, with room on the disk", path);
        return FH_EXIT_FAILED;
    }
    return 0;
}
