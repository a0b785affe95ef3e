/*
 * snapshot_format.h - the format of snapshots, as freehold-snapshot(5) describes it; shared by writer and reader.
 *
 * A snapshot is a row of zstd frames, the first and the last of which are skippable ones with the two structures below.
 * What is in the others, and where, says the index: the frame that the trailer names.
 */
#ifndef FREEHOLD_TOOL_SNAPSHOT_FORMAT_H
#define FREEHOLD_TOOL_SNAPSHOT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FH_SNAPSHOT_MAGIC "FHSNAP\r\n"  /* without the 0 at its end */
#define FH_SNAPSHOT_END_MAGIC "FHSNEND\n"
enum {
    FH_SNAPSHOT_VERSION = 1,
    FH_SNAPSHOT_HEADER_FRAME = 0x184d2a50, /* magic numbers of skippable frames */
    FH_SNAPSHOT_TRAILER_FRAME = 0x184d2a5f,
    FH_SNAPSHOT_SPAN_MOST = 1 << 20,  /* bytes of memory to a frame of words */
    FH_SNAPSHOT_RAW_MOST = 4 << 20,   /* bytes of a frame, unpacked */
    FH_SNAPSHOT_PAGES_MOST = 1 << 18, /* pages to a frame of flags */
};
enum fh_snapshot_flags { FH_SNAPSHOT_KNOWS_PAGES = 1, FH_SNAPSHOT_WAS_HELD = 2 };

struct fh_snapshot_header {
    uint32_t frame, frame_bytes; /* FH_SNAPSHOT_HEADER_FRAME, what follows */
    char magic[8];
    uint32_t version, flags;
    uint32_t pid, page_bytes;
    uint64_t taken_ns; /* since 1970 */
    uint64_t secret;   /* with which this file's tags and marks are made */
    char name[64];     /* of the process, ended by a 0 */
    uint64_t checksum; /* of all before */
};

enum fh_snapshot_kind {
    FH_SNAPSHOT_ROOT = 1, /* struct fh_image_root, as far as the library has it */
    FH_SNAPSHOT_VMAS,     /* struct fh_snapshot_vma, each followed by its path, filled up with zeros to 8 bytes */
    FH_SNAPSHOT_PAGES,    /* two bits a page from `start` on: 1 in memory, 2 swapped out */
    FH_SNAPSHOT_WORDS,    /* words of the memory from `start` on: snapshot_words.h */
    FH_SNAPSHOT_THREADS,  /* struct fh_snapshot_thread, by state */
    FH_SNAPSHOT_BUILDS    /* struct fh_snapshot_build; behind the frames of mappings */
};

struct fh_snapshot_entry { /* of the index */
    uint32_t kind;
    uint32_t raw_bytes;    /* unpacked */
    uint64_t offset;       /* in the file */
    uint64_t stored_bytes;
    uint64_t start, bytes; /* of memory; 0 where that makes no sense */
};

struct fh_snapshot_vma {
    uint64_t start, end, rss_bytes, swap_bytes, file_offset;
    uint32_t flags; /* 1 writable, 2 executable, 4 private */
    uint32_t path_bytes;
};

struct fh_snapshot_thread { /* that runs a state of the library */
    uint32_t state, id; /* its number, and the kernel's id of the thread */
    char name[16];      /* ended by a 0 */
};

struct fh_snapshot_build {
    uint64_t start; /* of the mapping of the file's code */
    char id[136];   /* the build id in hexadecimal, ended by a 0 */
};

struct fh_snapshot_trailer {
    uint32_t frame, frame_bytes; /* FH_SNAPSHOT_TRAILER_FRAME, what follows */
    uint64_t index_offset, index_stored_bytes, index_entries;
    uint64_t checksum; /* of all before */
    char magic[8];
};

/* As of traces: freehold-trace(5). Of a multiple of 8 bytes. */
static inline uint64_t fh_snapshot_checksum(const void *bytes, size_t count)
{
    uint64_t sum = UINT64_C(0x9e3779b97f4a7c15), word;
    for (size_t i = 0; i + sizeof(word) <= count; i += sizeof(word)) {
        __builtin_memcpy(&word, (const char *)bytes + i, sizeof(word));
        sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
        sum ^= sum >> 32;
    }
    return sum;
}

#endif
