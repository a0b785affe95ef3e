/*
 * image.c - opening an image, finding its root, and the window through which walks see its memory.
 */
#include "image.h"

#include "cli.h"
#include "image_source.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ROOT_PIECE = 1 << 20,
    ROOT_SECTION_MOST = 64 << 20 /* bytes of data of one file that are searched for the root */
};

const struct fh_image_about *fh_image_about(const struct fh_image *image) { return &image->about; }
const struct fh_image_root *fh_image_root(const struct fh_image *image) { return &image->root; }

bool fh_image_read(struct fh_image *image, uint64_t address, void *buffer, size_t bytes)
{
    return image->source->read(image, address, buffer, bytes) == bytes;
}

uint64_t fh_image_read_number(struct fh_image *image, uint64_t address, size_t bytes)
{
    uint64_t number = 0;
    if (address == 0 || bytes > sizeof(number) || !fh_image_read(image, address, &number, bytes))
        return 0;
    return number;
}

uint64_t fh_image_field(const void *record, struct fh_image_field field)
{
    uint64_t number = 0;
    if (field.bytes <= sizeof(number))
        memcpy(&number, (const char *)record + field.offset, field.bytes);
    return number;
}

/* --- the window --- */

static const unsigned char *fill_window(struct fh_image *image, uint64_t address, size_t bytes)
{
    size_t page = image->about.page_bytes;
    uint64_t start = address & ~(uint64_t)(page - 1);
    image->window_bytes = 0;
    if (start + FH_WINDOW_BYTES < start || address + bytes > start + FH_WINDOW_BYTES)
        return NULL;
    image->source->pages(image, start, FH_WINDOW_BYTES / page, image->window_pages);
    if (image->source->read(image, start, image->window, FH_WINDOW_BYTES) == 0)
        return NULL;
    image->window_start = start;
    image->window_bytes = FH_WINDOW_BYTES;
    return image->window + (address - start);
}

const unsigned char *fh_image_view(struct fh_image *image, uint64_t address, size_t bytes)
{
    uint64_t offset = address - image->window_start;
    if (offset < image->window_bytes && bytes <= image->window_bytes - offset)
        return image->window + offset;
    return fill_window(image, address, bytes);
}

const unsigned char *fh_image_view_again(struct fh_image *image, uint64_t address, size_t bytes)
{
    return fill_window(image, address, bytes);
}

/* Bytes of [start, end) on pages that have the flag, of pages that `flags` tells from `first` on. */
static uint64_t bytes_on(const unsigned char *flags, uint64_t first, size_t page, uint64_t start, uint64_t end,
                         int flag)
{
    uint64_t sum = 0;
    for (uint64_t at = start, next; at < end; at = next) {
        next = (at & ~(uint64_t)(page - 1)) + page;
        if (next > end)
            next = end;
        if (flags[(at - first) / page] & flag)
            sum += next - at;
    }
    return sum;
}

uint64_t fh_image_resident(struct fh_image *image, uint64_t start, uint64_t bytes, uint64_t *swapped)
{
    enum { PAGES = 4096 };
    size_t page = image->about.page_bytes;
    uint64_t end = start + bytes, sum = 0, out = 0;
    if (start - image->window_start < image->window_bytes && end - image->window_start <= image->window_bytes) {
        sum = bytes_on(image->window_pages, image->window_start, page, start, end, FH_PAGE_PRESENT);
        if (swapped)
            *swapped = bytes_on(image->window_pages, image->window_start, page, start, end, FH_PAGE_SWAPPED);
        return sum;
    }
    unsigned char flags[PAGES];
    while (start < end) {
        /* Of a file, what it has not is passed over: sizes in it may be anything. A process may have grown. */
        uint64_t next = image->about.kind == FH_IMAGE_PROCESS ? start : image->source->next(image, start);
        if (next >= end)
            break;
        start = next;
        uint64_t first = start & ~(uint64_t)(page - 1), piece_end = first + PAGES * page;
        if (piece_end > end)
            piece_end = end;
        image->source->pages(image, first, (size_t)((piece_end - first + page - 1) / page), flags);
        sum += bytes_on(flags, first, page, start, piece_end, FH_PAGE_PRESENT);
        if (swapped)
            out += bytes_on(flags, first, page, start, piece_end, FH_PAGE_SWAPPED);
        start = piece_end;
    }
    if (swapped)
        *swapped = out;
    return sum;
}

size_t fh_first_above(const void *records, size_t count, size_t record_bytes, uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct {
            uint64_t start, bytes;
        } record;
        memcpy(&record, (const char *)records + middle * record_bytes, sizeof(record));
        if (record.start + record.bytes <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t fh_image_vma_above(const struct fh_image *image, uint64_t address)
{
    size_t low = 0, high = image->vma_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (image->vmas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct fh_image_vma *fh_image_vma_at(struct fh_image *image, uint64_t address)
{
    size_t i = fh_image_vma_above(image, address);
    return i < image->vma_count && image->vmas[i].start <= address ? &image->vmas[i] : NULL;
}

const struct fh_image_vma *fh_image_vmas(struct fh_image *image, size_t *count)
{
    *count = image->vma_count;
    return image->vmas;
}

bool fh_image_refresh(struct fh_image *image)
{
    image->window_bytes = 0;
    if (image->about.kind != FH_IMAGE_PROCESS)
        return true;
    size_t count;
    struct fh_image_vma *vmas = fh_image_read_vmas(image->about.pid, &count);
    if (!vmas)
        return false;
    fh_image_free_vmas(image->vmas, image->vma_count);
    image->vmas = vmas;
    image->vma_count = count;
    return true;
}

/* --- the root --- */

/* Takes what may be a root at `address`, if its sums are larger than those of the one found before: a process can have
 * the library more than once (dlmopen), and uses one. */
static bool take_root(struct fh_image *image, uint64_t address, uint64_t *best, uint32_t *layout)
{
    struct fh_image_root root;
    memset(&root, 0, sizeof(root));
    size_t head = offsetof(struct fh_image_root, unused) + sizeof(root.unused);
    if (!fh_image_read(image, address, &root, head) || root.self != address || root.root_bytes < head ||
        root.root_bytes > 65536)
        return false;
    if (root.layout != FH_IMAGE_LAYOUT) {
        *layout = root.layout;
        return false;
    }
    size_t bytes = root.root_bytes < sizeof(root) ? root.root_bytes : sizeof(root);
    if (!fh_image_read(image, address, &root, bytes))
        return false;
    uint64_t obtained = fh_image_read_number(image, FH_IMAGE_AT(root.wholesale, root.wholesale_obtained_bytes), 8);
    if (image->about.has_root && obtained <= *best)
        return false;
    *best = obtained;
    image->root = root;
    image->about.has_root = true;
    image->about.version = root.version;
    return true;
}

static void search_root(struct fh_image *image, const struct fh_image_vma *vma, uint64_t *best, uint32_t *layout)
{
    static unsigned char piece[ROOT_PIECE];
    for (uint64_t at = vma->start; at < vma->end && at - vma->start < ROOT_SECTION_MOST; at += ROOT_PIECE) {
        size_t bytes = vma->end - at < ROOT_PIECE ? (size_t)(vma->end - at) : ROOT_PIECE;
        if (image->source->read(image, at, piece, bytes) == 0)
            continue;
        for (size_t i = 0; i + FH_IMAGE_MAGIC_BYTES <= bytes; i += 16) {
            if (memcmp(piece + i, FH_IMAGE_MAGIC, FH_IMAGE_MAGIC_BYTES) == 0)
                take_root(image, at + i, best, layout);
        }
    }
}

bool fh_image_find_root(struct fh_image *image, uint32_t *layout)
{
    uint64_t best = 0;
    /* Where relocated constants are: writable parts of files, and those made read-only in front of them. In the second
     * round every part that is no code: of programs that are linked in another way. */
    for (int round = 0; round < 2 && !image->about.has_root; round++) {
        for (size_t i = 0; i < image->vma_count; i++) {
            const struct fh_image_vma *vma = &image->vmas[i], *next = i + 1 < image->vma_count ? vma + 1 : NULL;
            bool is_file = vma->path[0] == '/' || image->about.kind != FH_IMAGE_PROCESS;
            if (!is_file || vma->executable || (!vma->is_private && image->about.kind == FH_IMAGE_PROCESS))
                continue;
            bool is_likely = vma->writable || (next && next->writable && next->start == vma->end);
            if (is_likely == (round == 0))
                search_root(image, vma, &best, layout);
        }
    }
    return image->about.has_root;
}

static int say_no_root(const char *verb, const struct fh_image *image, const char *word, uint32_t layout)
{
    if (layout != 0)
        fh_say(verb, "%s has a freehold of layout %u, this program reads layout %u; use the program of its version",
               word, layout, (unsigned)FH_IMAGE_LAYOUT);
    else if (image->about.kind == FH_IMAGE_PROCESS)
        fh_say(verb, "process %s (%s) does not run on freehold; start it with: freehold run -- COMMAND", word,
               image->about.name);
    else
        fh_say(verb, "%s is the core of a program that did not run on freehold, or lacks the program's data", word);
    return FH_EXIT_FAILED;
}

const char *fh_image_name(const struct fh_image_about *about, char text[FH_IMAGE_NAME_BYTES])
{
    static const char *const kinds[] = {"process", "snapshot of process", "core of process"};
    snprintf(text, FH_IMAGE_NAME_BYTES, "%s %ld (%s)", kinds[about->kind], (long)about->pid, about->name);
    return text;
}

const char *fh_image_version(const struct fh_image_about *about, char text[FH_IMAGE_NAME_BYTES])
{
    snprintf(text, FH_IMAGE_NAME_BYTES, "%u.%u.%u", about->version >> 16, about->version >> 8 & 255,
             about->version & 255);
    return text;
}

/* --- opening --- */

static int open_file(const char *verb, const char *path, struct fh_image *image)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const char *help = errno == ENOENT ? "; give a process id, a snapshot (freehold snapshot PID -o FILE) or a core"
                                           : "";
        fh_say(verb, "cannot open '%s': %s%s", path, strerror(errno), help);
        return FH_EXIT_FAILED;
    }
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        if (fh_image_is_snapshot(fd))
            return fh_image_open_snapshot(verb, path, fd, image);
        if (fh_image_is_core(fd))
            return fh_image_open_core(verb, path, fd, image);
    }
    close(fd);
    fh_say(verb, "'%s' is neither a process id nor a snapshot (freehold snapshot PID -o FILE makes one) nor a core",
           path);
    return FH_EXIT_FAILED;
}

bool fh_image_is_file(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is_regular = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    bool is_one = is_regular && (fh_image_is_snapshot(fd) || fh_image_is_core(fd));
    close(fd);
    return is_one;
}

int fh_image_open(const char *verb, const char *word, unsigned flags, struct fh_image **out)
{
    struct fh_image *image = calloc(1, sizeof(*image));
    pid_t pid;
    uint32_t layout = 0;
    *out = NULL;
    if (image) {
        image->window = malloc(FH_WINDOW_BYTES);
        image->window_pages = malloc(FH_WINDOW_BYTES / 4096);
    }
    if (!image || !image->window || !image->window_pages) {
        fh_say(verb, "out of memory");
        if (image)
            fh_image_close(image);
        return FH_EXIT_FAILED;
    }
    int status = fh_process_id(word, &pid) ? fh_image_open_process(verb, pid, image) : open_file(verb, word, image);
    if (status == 0 && !image->about.has_root && !fh_image_find_root(image, &layout)) {
        bool may_be_foreign = (flags & FH_IMAGE_FOREIGN_TOO) && image->about.kind == FH_IMAGE_PROCESS && layout == 0;
        if (!may_be_foreign)
            status = say_no_root(verb, image, word, layout);
    }
    if (status == 0 && image->about.has_root && !fh_image_root_holds(&image->root)) {
        fh_say(verb, "%s: freehold's root does not hold; the file, or the library in the process, is damaged", word);
        status = FH_EXIT_FAILED;
    }
    if (status != 0) {
        fh_image_close(image);
        return status;
    }
    image->secret = image->about.has_root ? fh_image_read_number(image, image->root.secret, 8) : 0;
    *out = image;
    return 0;
}

void fh_image_close(struct fh_image *image)
{
    if (!image)
        return;
    fh_image_release(image);
    if (image->source)
        image->source->close(image);
    fh_image_free_vmas(image->vmas, image->vma_count);
    free(image->thread_names);
    free(image->core_threads);
    free(image->regions);
    free(image->window);
    free(image->window_pages);
    free(image);
}
