/*
 * slab_cut.c - cutting up a slab of which little is live.
 *
 * Layer: slab. Objects of a class stand where the address modulo 64 KiB says, whatever the slab's size. So a page of a
 * large slab can become a slab of its own without moving an object, if none lies where the header must be: in the first
 * bytes of the page. If one does, the page joins the one before. Then the pages between are free memory of the heap's,
 * for any size or for the kernel, and each of the small slabs goes back in its turn when it is empty.
 *
 *     before   | head | page | page | page with an object | page | ... |
 *     after    | free chunk         | head, the object |  free chunk   |
 *
 * A piece with free memory above leaves its last bytes to the tag and the links of the free chunk there, if no object
 * is in the way, so that the chunk touches no page of its own.
 */
#include "slab.h"

enum { PAGE = 4096, PAGES_MOST = 16 };

/* What the live objects of a slab stand in the way of, a bit for each of its pages. */
struct obstacles {
    uint32_t live; /* an object overlaps the page */
    uint32_t head; /* one overlaps where a header would be */
    uint32_t tail; /* one overlaps the last bytes */
};

static void note_object(struct obstacles *obstacles, uintptr_t from, uintptr_t to)
{
    for (uintptr_t page = from / PAGE; page <= (to - 1) / PAGE; page++) {
        uint32_t bit = 1u << page;
        obstacles->live |= bit;
        if (from < page * PAGE + FH_SLAB_HEAD_BYTES) obstacles->head |= bit;
        if (to > (page + 1) * PAGE - FH_SLAB_PIECE_TAIL_BYTES) obstacles->tail |= bit;
    }
}

static struct obstacles look(const struct fh_slab *slab, const uint64_t *listed)
{
    struct obstacles obstacles = {0, 0, 0};
    for (uint32_t i = 0; i < slab->carved; i += 64) {
        uint64_t live = ~listed[i / 64];
        if (slab->carved - i < 64) live &= ((uint64_t)1 << (slab->carved - i)) - 1;
        for (; live; live &= live - 1) {
            uintptr_t from = slab->first + (uintptr_t)(i + (uint32_t)__builtin_ctzll(live)) * slab->class_bytes;
            note_object(&obstacles, from, from + slab->class_bytes);
        }
    }
    return obstacles;
}

/* Pages as bits, `unit` of them together: set where one of them is. */
static uint32_t by_units(uint32_t pages, uint32_t unit)
{
    uint32_t units = 0;
    for (uint32_t page = 0; page < PAGES_MOST; page++)
        if (pages >> page & 1) units |= 1u << page / unit;
    return units;
}

/* Each unit of pages with a live object becomes a piece, where its header has room; else it is the end of one that
 * begins below. The first always has room, since it is the slab's own header that stands there. */
static void plan_pieces(struct fh_slab_cut *cut, struct obstacles obstacles, uint32_t unit)
{
    uint32_t live = by_units(obstacles.live, unit), head = 0, end = 0;
    for (uint32_t page = 0; page < PAGES_MOST; page += unit)
        if (obstacles.head >> page & 1) head |= 1u << page / unit;
    for (uint32_t at = 0; at < PAGES_MOST / unit; at++) {
        if (!(live >> at & 1)) continue;
        bool has_room = !(head >> at & 1), follows = cut->count && end == at;
        if (has_room || !follows) cut->pieces[cut->count++] = (struct fh_slab_piece){has_room ? at : at - 1, 0};
        end = at + 1;
        struct fh_slab_piece *piece = &cut->pieces[cut->count - 1];
        piece->bytes = end - piece->offset;
    }
    for (uint32_t i = 0; i < cut->count; i++) {
        cut->pieces[i].offset *= unit * PAGE;
        cut->pieces[i].bytes *= unit * PAGE;
    }
}

/* Where free memory of this slab begins its tag and links have room. */
static void make_room(struct fh_slab_cut *cut, struct obstacles obstacles, uint32_t slab_bytes)
{
    for (uint32_t i = 0; i < cut->count; i++) {
        struct fh_slab_piece *piece = &cut->pieces[i];
        uint32_t end = piece->offset + piece->bytes, last = end / PAGE - 1;
        bool free_above = i + 1 < cut->count ? cut->pieces[i + 1].offset > end : end < slab_bytes;
        if (free_above && !(obstacles.tail >> last & 1)) piece->bytes -= FH_SLAB_PIECE_TAIL_BYTES;
    }
}

bool fh_slab_plan_cut(struct fh_slab *slab, size_t page_bytes, struct fh_slab_cut *cut)
{
    uint32_t bytes = (uint32_t)fh_slab_bytes(slab), kept = 0;
    uint32_t live = (uint32_t)slab->carved - slab->free_count;
    slab->cut_at = (uint16_t)(live / 2);
    cut->count = 0;
    if (slab->tail || page_bytes >= bytes) return false;
    if (!fh_slab_marked_bits(slab, cut->listed) && !fh_slab_listed_bits(slab, cut->listed)) return false;
    struct obstacles obstacles = look(slab, cut->listed);
    plan_pieces(cut, obstacles, (uint32_t)fh_max(page_bytes / PAGE, 1));
    for (uint32_t i = 0; i < cut->count; i++) kept += cut->pieces[i].bytes;
    if (kept > bytes - bytes / 4) return false;
    make_room(cut, obstacles, bytes);
    return true;
}

/* What the slab was, for its pieces. */
struct whole {
    uintptr_t base, first, carved_end;
    uint32_t class_bytes;
    uint8_t heap;
    const uint64_t *listed;
};

static void open_piece(struct fh_slab_owner *owner, const struct whole *whole, const struct fh_slab_piece *piece)
{
    struct fh_slab *slab = (struct fh_slab *)(whole->base + piece->offset);
    fh_slab_init(owner, slab, fh_log2_ceil(piece->bytes), piece->bytes, whole->class_bytes);
    slab->heap = whole->heap;
    uintptr_t first = (uintptr_t)fh_slab_object(slab, 0);
    uint32_t index = (uint32_t)((first - whole->first) / whole->class_bytes);
    while (slab->carved < slab->capacity && (uintptr_t)fh_slab_object(slab, slab->carved) < whole->carved_end)
        slab->carved++;
    for (uint32_t i = slab->carved; i-- > 0;) {
        if (!fh_bit(whole->listed, index + i)) continue;
        void *object = fh_slab_object(slab, i);
        fh_guard_link(object, slab->free);
        slab->free = object;
        slab->free_count++;
    }
    fh_slab_count(owner, slab, FH_SLAB_JOINS);
    fh_slab_relist(slab);
}

void fh_slab_do_cut(struct fh_slab_owner *owner, struct fh_slab *slab, const struct fh_slab_cut *cut)
{
    struct whole whole = {
        .base = (uintptr_t)slab,
        .first = (uintptr_t)fh_slab_object(slab, 0),
        .carved_end = (uintptr_t)fh_slab_object(slab, slab->carved),
        .class_bytes = slab->class_bytes,
        .heap = slab->heap,
        .listed = cut->listed,
    };
    if (fh_list_is_linked(&slab->link)) fh_list_remove(&slab->link);
    fh_slab_count(owner, slab, (size_t)FH_SLAB_LEAVES);
    slab->seal = slab->entry = 0;
    for (uint32_t i = 0; i < cut->count; i++) open_piece(owner, &whole, &cut->pieces[i]);
}
