/*
 * image_snapshot.c - snapshots of a heap, written and read.
 */
#include "image_source.h"

bool fh_image_is_snapshot(int fd)
{
    (void)fd;
    return false;
}

int fh_image_open_snapshot(const char *verb, const char *path, int fd, struct fh_image *image)
{
    (void)verb, (void)path, (void)fd, (void)image;
    return 1;
}
