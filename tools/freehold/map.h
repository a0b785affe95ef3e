/*
 * map.h - the model of a map: the address space of a heap cut into cells, and what each cell held when it was looked
 * at.
 *
 * Cells are multiples of their size, a power of two that is chosen so that there are not too many; they stand in bands,
 * one for each heap and each kind of mapping, in address order. Of several snapshots all have the same cells, those
 * that any of them needs, so that the eye can follow a place over time. Renderers (map_terminal.c, map_picture.c,
 * map_html.c, map_json.c) see this and nothing else.
 *
 * In a frame every byte that the library holds is in exactly one item of one cell, but for what was `missed`: sums over
 * cells are the account's.
 */
#ifndef FREEHOLD_TOOL_MAP_H
#define FREEHOLD_TOOL_MAP_H

#include "image.h"
#include "threads.h"
#include "units.h"

#include <stdio.h>

enum fh_map_band_kind { FH_BAND_HEAP, FH_BAND_LARGE, FH_BAND_SLABS, FH_BAND_LIBRARY };

struct fh_map_band {
    enum fh_map_band_kind kind;
    uint32_t heap;       /* of FH_BAND_HEAP */
    bool is_break;       /* its first segment is the break's */
    unsigned cell_shift; /* cells are of 1 << cell_shift bytes */
    size_t first, count; /* cells */
};

/* What a cell is made of: 0 to FH_CLASSES_MOST - 1 are slabs of objects of so many times 16 bytes. */
enum { FH_MAP_CHUNKS = FH_CLASSES_MOST, FH_MAP_LARGE, FH_MAP_KINDS };
enum { FH_MAP_TOP_KINDS = 3, FH_MAP_TOP_OWNERS = 3 };

struct fh_map_share {
    uint32_t number; /* a kind as above, or an owner: the number of a thread's state */
    uint64_t bytes;  /* 0: none */
};

struct fh_map_cell {
    uint64_t bytes[FH_ITEMS], resident[FH_ITEMS];
    uint64_t purged_bytes;   /* of untouched: pages of free chunks that were given back */
    uint64_t swapped_bytes;  /* of all items */
    uint64_t gap_bytes;      /* held, but could not be read */
    uint64_t pinned_bytes;   /* idle bytes in memory, on pages of which at most an eighth is live */
    uint32_t pinning_blocks; /* the live blocks of these pages */
    uint32_t live_blocks;    /* that start here */
    struct fh_map_share kinds[FH_MAP_TOP_KINDS], owners[FH_MAP_TOP_OWNERS]; /* the most bytes first */
};

struct fh_map_thread {
    uint32_t id; /* number of the state */
    char name[FH_THREAD_NAME_BYTES];
};

struct fh_map_frame {
    struct fh_image_about about;
    const char *word;          /* what it was made of: a process id or a file's name */
    struct fh_map_cell *cells; /* of all bands */
    struct fh_map_cell total;  /* the sum over cells; no kinds and owners */
    uint64_t stranded_bytes;   /* held, and in no cell: address space that the kernel did not take back */
    uint64_t missed_bytes;     /* the heap grew by this while it was looked at */
    struct fh_map_thread *threads;
    size_t thread_count;
};

struct fh_map {
    struct fh_map_band *bands;
    size_t band_count;
    uint64_t *starts; /* of each cell */
    size_t cell_count;
    struct fh_map_frame *frames;
    size_t frame_count;
    unsigned cell_shift; /* of all bands but FH_BAND_LIBRARY */
};

struct fh_map_request {
    size_t cells_most;   /* about so many at most; fewer than half of that only for small heaps */
    uint64_t cell_bytes; /* the size of cells; 0: by cells_most */
};

enum { FH_MAP_FRAMES_MOST = 256, FH_MAP_CELLS_MOST = 1 << 19 /* in all frames: of 300 bytes each */ };

/* Reads all that `words` name (process ids, snapshots, cores of one process). 0, or an exit status when the reason has
 * been printed. *map is to be freed by fh_map_free. */
int fh_map_make(const char *verb, char *const *words, size_t count, const struct fh_map_request *request,
                struct fh_map **map);
void fh_map_free(struct fh_map *map);

/* The two halves of it. The grid: bands and starts, from regions of all frames. */
struct fh_map_regions {
    struct fh_region *list;
    size_t count, room;
};
bool fh_map_regions_add(struct fh_map_regions *all, const struct fh_region *regions, size_t count);
bool fh_map_make_grid(struct fh_map *map, struct fh_map_regions *all, size_t page_bytes,
                      const struct fh_map_request *request); /* false: more than FH_MAP_CELLS_MOST, or no memory */
/* And what is in it: one walk. False when the process ended meanwhile or memory ran out. */
bool fh_map_fill(const char *verb, const struct fh_map *map, struct fh_image *image, struct fh_map_frame *frame);

/* The band of a region of this kind; NULL when there is none. */
const struct fh_map_band *fh_map_band_of(const struct fh_map *map, const struct fh_region *region);

/* --- words for it (map_words.c) --- */

enum { FH_MAP_WORDS = 160 };
/* "heap 0, from the break" */
const char *fh_map_band_name(const struct fh_map_band *band, char text[FH_MAP_WORDS]);
/* "objects of 48 bytes" */
const char *fh_map_kind_name(uint32_t kind, char text[FH_MAP_WORDS]);
/* "1234 worker", "#3, ended": as threads.h has it */
const char *fh_map_owner_name(const struct fh_map_frame *frame, uint32_t owner);
/* "process 12 (python3), freehold 0.1.0", or what else it is of */
const char *fh_map_title(const struct fh_map_frame *frame, char text[FH_MAP_WORDS]);
/* "2026-11-28 04:10:12", local time; "" when not known */
const char *fh_map_time(const struct fh_map_frame *frame, char text[FH_MAP_WORDS]);
/* "64 KiB" */
const char *fh_map_cell_size(unsigned shift, char text[FH_UNIT_BYTES]);
/* Several lines: addresses, what it holds, whose. Returns text. */
const char *fh_map_cell_text(const struct fh_map *map, const struct fh_map_frame *frame, const struct fh_map_band *band,
                             size_t number, char *text, size_t room);
/* Sums over the cells of a band. */
void fh_map_sum(const struct fh_map_frame *frame, const struct fh_map_band *band, struct fh_map_cell *sum);
uint64_t fh_map_held(const struct fh_map_cell *cell);
uint64_t fh_map_resident(const struct fh_map_cell *cell);

/* --- what a cell looks like (map_look.c); the same in all renderers --- */

enum fh_map_mark { FH_MARK_NONE, FH_MARK_PINNED, FH_MARK_CACHED, FH_MARK_PURGED };
enum fh_map_body {
    FH_BODY_NONE,     /* nothing that is the library's */
    FH_BODY_EMPTY,    /* held, and no memory */
    FH_BODY_MEMORY,   /* in memory: `occupancy` of it is live */
    FH_BODY_METADATA, /* in memory: mostly the library's own */
    FH_BODY_GAP       /* could not be read */
};
enum { FH_LOOK_STEPS = 9 }; /* of occupancy */
struct fh_map_look {
    enum fh_map_body body;
    enum fh_map_mark mark;
    unsigned step;    /* 0 to FH_LOOK_STEPS - 1: nothing to all of it is live */
    double filled;    /* the part of the cell that is in memory, 0 to 1 */
    double occupancy; /* live / in memory without metadata */
};
void fh_map_look(const struct fh_map_cell *cell, uint64_t cell_bytes, struct fh_map_look *look);
/* Their colours, 0xrrggbb, on light and on dark paper. */
extern const uint32_t fh_look_steps[2][FH_LOOK_STEPS];
struct fh_look_colors {
    uint32_t paper, ink, faint, rule, empty, metadata, gap, pinned, cached, purged;
};
extern const struct fh_look_colors fh_look_colors[2];

/* --- how cells stand in rows (map_layout.c) --- */

/* A row has `columns` slots; a slot holds a cell, or nothing where addresses between two cells are not the heap's. */
struct fh_map_row {
    size_t first_slot, slots;
    uint64_t start;        /* address of its first cell */
    uint64_t folded_bytes; /* not 0: not drawn; this stands for rows in which nothing was ever in memory */
};
enum { FH_MAP_NO_CELL = -1 };
struct fh_map_layout {
    size_t columns;
    struct fh_map_band_rows {
        size_t first, count; /* rows */
    } * bands;
    struct fh_map_row *rows;
    size_t row_count;
    int32_t *slots; /* a cell's number, or FH_MAP_NO_CELL */
    size_t slot_count;
};
bool fh_map_make_layout(const struct fh_map *map, size_t columns, struct fh_map_layout *layout);
void fh_map_free_layout(struct fh_map_layout *layout);

/* --- renderers --- */

struct fh_map_terminal {
    bool color, utf8;
    unsigned color_bits; /* 24, or 8 for 256 colours */
};
enum { FH_MAP_TERMINAL_COLUMNS = 64 };
/* On stdout, in 80 columns. False without memory. */
bool fh_map_print(const struct fh_map *map, const struct fh_map_terminal *terminal);
void fh_map_print_json(const struct fh_map *map);
/* These write a file; 0, or an exit status after a message. */
int fh_map_write_svg(const char *verb, const struct fh_map *map, const char *file);
int fh_map_write_png(const char *verb, const struct fh_map *map, const char *file);
int fh_map_write_html(const char *verb, const struct fh_map *map, const char *file);
/* The part of a page that is the map; false without memory. */
bool fh_map_put_html(const struct fh_map *map, FILE *out);

#endif
