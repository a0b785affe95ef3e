/*
 * snapshot_zstd.c - see snapshot_pack.h.
 */
#include "snapshot_pack.h"

#include <stdlib.h>
#include <zstd.h>

enum { LEVEL = 1 };

struct fh_packer {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
};

bool fh_pack_is_built_in(void) { return true; }

struct fh_packer *fh_packer_open(void)
{
    struct fh_packer *packer = calloc(1, sizeof(*packer));
    if (!packer)
        return NULL;
    packer->compressor = ZSTD_createCCtx();
    packer->decompressor = ZSTD_createDCtx();
    if (!packer->compressor || !packer->decompressor) {
        fh_packer_close(packer);
        return NULL;
    }
    ZSTD_CCtx_setParameter(packer->compressor, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(packer->compressor, ZSTD_c_checksumFlag, 1);
    return packer;
}

void fh_packer_close(struct fh_packer *packer)
{
    if (!packer)
        return;
    ZSTD_freeCCtx(packer->compressor);
    ZSTD_freeDCtx(packer->decompressor);
    free(packer);
}

size_t fh_pack_room(size_t bytes) { return ZSTD_compressBound(bytes); }

size_t fh_pack(struct fh_packer *packer, void *to, size_t room, const void *from, size_t bytes)
{
    size_t packed = ZSTD_compress2(packer->compressor, to, room, from, bytes);
    return ZSTD_isError(packed) ? 0 : packed;
}

bool fh_unpack(struct fh_packer *packer, void *to, size_t to_bytes, const void *from, size_t bytes)
{
    return ZSTD_decompressDCtx(packer->decompressor, to, to_bytes, from, bytes) == to_bytes;
}

size_t fh_pack_frame_bytes(const void *from, size_t most)
{
    size_t bytes = ZSTD_findFrameCompressedSize(from, most);
    return ZSTD_isError(bytes) ? 0 : bytes;
}
