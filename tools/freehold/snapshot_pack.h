/*
 * snapshot_pack.h - the frames of a snapshot, packed: by zstd (snapshot_zstd.c), or, in a build without it, not at all
 * (snapshot_none.c).
 */
#ifndef FREEHOLD_TOOL_SNAPSHOT_PACK_H
#define FREEHOLD_TOOL_SNAPSHOT_PACK_H

#include <stdbool.h>
#include <stddef.h>

struct fh_packer;

/* False in a build without zstd: then all others do nothing. */
bool fh_pack_is_built_in(void);
struct fh_packer *fh_packer_open(void); /* NULL without memory */
void fh_packer_close(struct fh_packer *packer);

/* What a frame of so many bytes takes at most. */
size_t fh_pack_room(size_t bytes);
/* One frame, with a checksum; its size, 0 without memory. */
size_t fh_pack(struct fh_packer *packer, void *to, size_t room, const void *from, size_t bytes);
/* True when the frame holds, and gives exactly so many bytes. */
bool fh_unpack(struct fh_packer *packer, void *to, size_t to_bytes, const void *from, size_t bytes);
/* The size of the frame that begins here; 0 when there is none, or it is longer than `most`. */
size_t fh_pack_frame_bytes(const void *from, size_t most);

#endif
