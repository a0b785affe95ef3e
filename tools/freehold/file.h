/*
 * file.h - what all readers of files share.
 */
#ifndef FREEHOLD_TOOL_FILE_H
#define FREEHOLD_TOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads exactly so many bytes from there; false when the file has less, or cannot be read. */
bool fh_read_at(int fd, void *buffer, size_t bytes, uint64_t offset);

/* The path without its folders. */
const char *fh_base_name(const char *path);

#endif
