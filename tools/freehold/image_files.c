/*
 * image_files.c - the files of code that are mapped into the process of an image, and their build ids.
 */
#include "image_source.h"

#include "build_id.h"
#include "process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the file is the one that was mapped: by its build id, or, where that is not known, because it is no newer
 * than the image. */
static bool is_of_then(const struct fh_image *image, const struct fh_image_vma *vma, int fd)
{
    uint64_t taken_ns = image->about.taken_ns;
    char build_id[FH_BUILD_ID_TEXT];
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    if (vma->build_id)
        return fh_build_id_read(fd, build_id) && strcmp(build_id, vma->build_id) == 0;
    return taken_ns == 0 || (uint64_t)info.st_mtim.tv_sec * 1000000000 <= taken_ns;
}

int fh_image_open_file(struct fh_image *image, const struct fh_image_vma *vma)
{
    if (vma->path[0] != '/')
        return -1;
    if (image->about.kind == FH_IMAGE_PROCESS) {
        struct fh_mapped_file file = {
            .path = vma->path, .start = vma->start, .code_start = vma->start, .code_end = vma->end};
        return fh_process_open_file(image->about.pid, &file);
    }
    int fd = open(vma->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && is_of_then(image, vma, fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool fh_image_build_id(struct fh_image *image, const struct fh_image_vma *vma, char text[FH_BUILD_ID_TEXT])
{
    text[0] = '\0';
    if (vma->build_id) {
        snprintf(text, FH_BUILD_ID_TEXT, "%s", vma->build_id);
        return true;
    }
    int fd = fh_image_open_file(image, vma);
    if (fd < 0)
        return false;
    bool found = fh_build_id_read(fd, text);
    close(fd);
    return found;
}
