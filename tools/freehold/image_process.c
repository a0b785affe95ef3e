/*
 * image_process.c - a running process as the source of an image: process_vm_readv, smaps and pagemap of /proc.
 */
#include "cli.h"
#include "image_source.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 64, PIECES_MOST = 512, PAGES_AT_ONCE = 1024 };

#define PAGEMAP_PRESENT ((uint64_t)1 << 63)
#define PAGEMAP_SWAPPED ((uint64_t)1 << 62)

struct process_source {
    pid_t pid;
    int pagemap; /* -1: not to be had */
};

/* One call for the whole range, and where that stops short, page by page beyond the hole. */
static size_t read_range(pid_t pid, uint64_t address, char *to, size_t bytes, size_t page, bool *has_ended)
{
    size_t done = 0, got_bytes = 0;
    while (done < bytes) {
        struct iovec local = {to + done, bytes - done}, remote = {(void *)(uintptr_t)(address + done), bytes - done};
        ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
        if (got > 0) {
            done += (size_t)got;
            got_bytes += (size_t)got;
            continue;
        }
        if (got < 0 && errno != EFAULT) {
            *has_ended |= errno == ESRCH;
            break;
        }
        size_t skip = page - (address + done) % page;
        if (skip > bytes - done)
            skip = bytes - done;
        memset(to + done, 0, skip);
        done += skip;
    }
    memset(to + done, 0, bytes - done);
    return got_bytes;
}

static void pages_of_process(struct fh_image *image, uint64_t address, size_t count, unsigned char *flags)
{
    struct process_source *source = image->source_data;
    uint64_t words[PAGES_AT_ONCE];
    for (size_t done = 0; done < count;) {
        size_t batch = count - done < PAGES_AT_ONCE ? count - done : PAGES_AT_ONCE;
        off_t at = (off_t)((address / image->about.page_bytes + done) * sizeof(words[0]));
        ssize_t got = source->pagemap < 0 ? -1 : pread(source->pagemap, words, batch * sizeof(words[0]), at);
        size_t known = got > 0 ? (size_t)got / sizeof(words[0]) : 0;
        for (size_t i = 0; i < batch; i++) {
            if (i >= known)
                flags[done + i] = source->pagemap < 0 ? FH_PAGE_PRESENT : 0;
            else
                flags[done + i] = (unsigned char)((words[i] & PAGEMAP_PRESENT ? FH_PAGE_PRESENT : 0) |
                                                  (words[i] & PAGEMAP_SWAPPED ? FH_PAGE_SWAPPED : 0));
        }
        done += batch;
    }
}

/* Large ranges: only the pages that are in memory or swapped. The others are zero, and reading them would make the
 * kernel enter them into the process's tables. */
static size_t read_process(struct fh_image *image, uint64_t address, void *buffer, size_t bytes)
{
    struct process_source *source = image->source_data;
    size_t page = image->about.page_bytes, had = 0;
    if (bytes <= 4 * page)
        return read_range(source->pid, address, buffer, bytes, page, &image->has_ended);

    unsigned char flags[PIECES_MOST];
    for (size_t done = 0; done < bytes;) {
        uint64_t first = (address + done) & ~(uint64_t)(page - 1);
        size_t count = (size_t)((address + bytes - first + page - 1) / page);
        if (count > PIECES_MOST)
            count = PIECES_MOST;
        pages_of_process(image, first, count, flags);
        for (size_t i = 0, next; i < count; i = next) {
            for (next = i + 1; next < count && !flags[next] == !flags[i]; next++) {
            }
            uint64_t from = first + i * page, to = first + next * page;
            if (from < address)
                from = address;
            if (to > address + bytes)
                to = address + bytes;
            char *out = (char *)buffer + (from - address);
            if (flags[i]) {
                had += read_range(source->pid, from, out, (size_t)(to - from), page, &image->has_ended);
            } else {
                memset(out, 0, (size_t)(to - from));
                had += (size_t)(to - from);
            }
        }
        done = (size_t)(first + count * page - address);
    }
    return had;
}

/* By the mappings as they were when they were read last. */
static uint64_t next_of_process(struct fh_image *image, uint64_t address)
{
    size_t i = fh_image_vma_above(image, address);
    if (i == image->vma_count)
        return UINT64_MAX;
    return image->vmas[i].start > address ? image->vmas[i].start : address;
}

static void close_process(struct fh_image *image)
{
    struct process_source *source = image->source_data;
    if (source->pagemap >= 0)
        close(source->pagemap);
    free(source);
}

static const struct fh_image_source process_source = {read_process, pages_of_process, next_of_process,
                                                    close_process};

/* Notes one line of smaps; `vmas` has room for one more. A line without a '-' first belongs to the mapping above. */
static void add_line(struct fh_image_vma *vmas, size_t *count, char *line)
{
    uint64_t start, end, offset, kib;
    char access_text[8];
    int path_at = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &start, &end, access_text, &offset,
               &path_at) >= 4) {
        vmas[(*count)++] = (struct fh_image_vma){
            .start = start,
            .end = end,
            .file_offset = offset,
            .writable = access_text[1] == 'w',
            .executable = access_text[2] == 'x',
            .is_private = access_text[3] == 'p',
            .path = strdup(path_at ? line + path_at : ""),
        };
    } else if (*count && sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
        vmas[*count - 1].rss_bytes = kib * 1024;
    } else if (*count && sscanf(line, "Swap: %" SCNu64, &kib) == 1) {
        vmas[*count - 1].swap_bytes = kib * 1024;
    }
}

struct fh_image_vma *fh_image_read_vmas(pid_t pid, size_t *count)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/proc/%ld/smaps", (long)pid);
    FILE *file = fopen(path, "re");
    struct fh_image_vma *vmas = NULL;
    char *line = NULL;
    size_t line_bytes = 0, room = 0;
    *count = 0;
    if (!file)
        return NULL;
    for (ssize_t length; (length = getline(&line, &line_bytes, file)) > 0;) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (*count == room) {
            struct fh_image_vma *larger = realloc(vmas, (room = room ? 2 * room : 128) * sizeof(*vmas));
            if (!larger)
                break;
            vmas = larger;
        }
        add_line(vmas, count, line);
    }
    free(line);
    fclose(file);
    if (*count == 0) { /* a process that has ended has an empty one */
        free(vmas);
        errno = ESRCH;
        return NULL;
    }
    return vmas;
}

void fh_image_free_vmas(struct fh_image_vma *vmas, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(vmas[i].path);
        free(vmas[i].build_id);
    }
    free(vmas);
}

/* Whether the kernel lets us: one byte of it, from any mapping. 0 or an errno. */
static int try_reading(pid_t pid, const struct fh_image_vma *vmas, size_t count)
{
    int error = EFAULT;
    for (size_t i = 0; i < count && error == EFAULT; i++) {
        char byte;
        struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)vmas[i].start, 1};
        error = process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ? 0 : errno;
    }
    return error == EFAULT ? 0 : error;
}

/* Yama's scope 1 lets a process read its children only. */
static bool is_restricted_by_yama(void)
{
    char *text = fh_read_whole_file("/proc/sys/kernel/yama/ptrace_scope", NULL);
    bool restricted = text && text[0] != '0';
    free(text);
    return restricted;
}

int fh_image_open_process(const char *verb, pid_t pid, struct fh_image *image)
{
    struct fh_process process;
    int status = fh_process_open(verb, pid, &process);
    if (status != 0)
        return status;
    image->about.kind = FH_IMAGE_PROCESS;
    image->about.pid = pid;
    snprintf(image->about.name, sizeof(image->about.name), "%s", process.name);
    fh_process_close(&process);

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    image->about.taken_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    image->about.page_bytes = (size_t)sysconf(_SC_PAGESIZE);

    image->vmas = fh_image_read_vmas(pid, &image->vma_count);
    if (!image->vmas)
        return fh_process_say_error(verb, pid, errno);
    int error = try_reading(pid, image->vmas, image->vma_count);
    if (error == EPERM && is_restricted_by_yama()) {
        fh_say(verb, "process %ld may not be read: the system allows that for own children only; as root, or sysctl "
                     "kernel.yama.ptrace_scope=0", (long)pid);
        return FH_EXIT_FAILED;
    }
    if (error == ENOSYS) {
        fh_say(verb, "this system has no process_vm_readv; a core file can be read (gcore %ld)", (long)pid);
        return FH_EXIT_FAILED;
    }
    if (error != 0)
        return fh_process_say_error(verb, pid, error);

    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/proc/%ld/pagemap", (long)pid);
    struct process_source *source = malloc(sizeof(*source));
    if (!source)
        return FH_EXIT_FAILED;
    *source = (struct process_source){pid, open(path, O_RDONLY | O_CLOEXEC)};
    image->about.knows_pages = source->pagemap >= 0;
    image->source_data = source;
    image->source = &process_source;
    return 0;
}
