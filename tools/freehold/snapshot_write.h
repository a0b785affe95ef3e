/*
 * snapshot_write.h - writing the file of a snapshot: frames under a temporary name, which becomes the right one when
 * everything is on the disk.
 */
#ifndef FREEHOLD_TOOL_SNAPSHOT_WRITE_H
#define FREEHOLD_TOOL_SNAPSHOT_WRITE_H

#include "snapshot_words.h"

#include <limits.h>
#include <stdio.h>

struct fh_packer;

struct fh_snapshot_out {
    const char *path;
    char temporary[PATH_MAX];
    FILE *file;
    struct fh_packer *packer;
    char *packed;
    size_t packed_room;
    uint64_t offset;
    struct fh_snapshot_entry *entries;
    size_t entry_count, entry_room;
    int error; /* errno of the first failure; everything after it does nothing */
};

/* 0, or FH_EXIT_FAILED when the reason has been printed. */
int fh_snapshot_create(const char *verb, const char *path, const struct fh_snapshot_header *header,
                       struct fh_snapshot_out *out);
void fh_snapshot_add(struct fh_snapshot_out *out, enum fh_snapshot_kind kind, const void *raw, size_t raw_bytes,
                     uint64_t start, uint64_t bytes);
/* The file gets its name; unless something failed, which is said: then nothing stays. */
int fh_snapshot_end(const char *verb, struct fh_snapshot_out *out);
/* Nothing stays, and nothing is said. */
void fh_snapshot_drop(struct fh_snapshot_out *out);

#endif
