/*
 * snapshot_none.c - stands for snapshot_zstd.c in a build without zstd: there are no snapshots.
 */
#include "snapshot_pack.h"

bool fh_pack_is_built_in(void) { return false; }
struct fh_packer *fh_packer_open(void) { return NULL; }
void fh_packer_close(struct fh_packer *packer) { (void)packer; }
size_t fh_pack_room(size_t bytes) { return bytes; }

size_t fh_pack(struct fh_packer *packer, void *to, size_t room, const void *from, size_t bytes)
{
    (void)packer, (void)to, (void)room, (void)from, (void)bytes;
    return 0;
}

bool fh_unpack(struct fh_packer *packer, void *to, size_t to_bytes, const void *from, size_t bytes)
{
    (void)packer, (void)to, (void)to_bytes, (void)from, (void)bytes;
    return false;
}

size_t fh_pack_frame_bytes(const void *from, size_t most)
{
    (void)from, (void)most;
    return 0;
}
