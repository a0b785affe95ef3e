/*
 * map.c - making a map: regions of everything that was named, one grid for all, a walk over each.
 */
#include "map.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int add_image(const char *verb, struct fh_map *map, const char *word, struct fh_map_regions *regions)
{
    struct fh_map_frame *frame = &map->frames[map->frame_count];
    struct fh_image *image;
    size_t count;
    int status = fh_image_open(verb, word, 0, &image);
    if (status != 0) return status;
    const struct fh_region *list = fh_image_regions(image, &count);
    frame->word = word;
    frame->about = *fh_image_about(image);
    if (!list || !fh_map_regions_add(regions, list, count)) {
        fh_say(verb, "%s: the process ended while it was read, or there is no memory; a snapshot stays", word);
        status = FH_EXIT_FAILED;
    } else if (frame->about.pid != map->frames[0].about.pid) {
        status = fh_say_usage(verb, "%s is of process %ld, %s of process %ld; a time line is of one process",
                              map->frames[0].word, (long)map->frames[0].about.pid, word, (long)frame->about.pid);
    }
    fh_image_close(image);
    map->frame_count++;
    return status;
}

/* Opened again, not kept open: the windows of many would take more memory than the map. */
static int fill_frame(const char *verb, const struct fh_map *map, struct fh_map_frame *frame)
{
    struct fh_image *image;
    int status = fh_image_open(verb, frame->word, 0, &image);
    if (status != 0) return status;
    if (!fh_map_fill(verb, map, image, frame)) {
        fh_say(verb, "process %s ended while it was read, or memory ran out; a snapshot or a core stays", frame->word);
        status = FH_EXIT_FAILED;
    }
    fh_image_close(image);
    return status;
}

static int by_time(const void *a, const void *b)
{
    const struct fh_map_frame *x = a, *y = b;
    return (x->about.taken_ns > y->about.taken_ns) - (x->about.taken_ns < y->about.taken_ns);
}

int fh_map_make(const char *verb, char *const *words, size_t count, const struct fh_map_request *request,
                struct fh_map **out)
{
    struct fh_map_regions regions = {.count = 0};
    struct fh_map *map = calloc(1, sizeof(*map));
    int status = 0;
    *out = map;
    if (map) map->frames = calloc(count + 1, sizeof(*map->frames));
    if (!map || !map->frames) {
        fh_say(verb, "out of memory");
        return FH_EXIT_FAILED;
    }
    for (size_t i = 0; status == 0 && i < count; i++) status = add_image(verb, map, words[i], &regions);
    if (status == 0 && request->cell_bytes && request->cell_bytes < map->frames[0].about.page_bytes)
        status = fh_say_usage(verb, "a cell is a page of %zu bytes at least", map->frames[0].about.page_bytes);
    if (status == 0 && !fh_map_make_grid(map, &regions, map->frames[0].about.page_bytes, request)) {
        fh_say(verb, "%zu cells are too many; --cell with a larger size makes them fewer", map->cell_count);
        status = FH_EXIT_FAILED;
    }
    free(regions.list);
    for (size_t i = 0; status == 0 && i < map->frame_count; i++) status = fill_frame(verb, map, &map->frames[i]);
    if (status == 0) qsort(map->frames, map->frame_count, sizeof(*map->frames), by_time);
    return status;
}

void fh_map_free(struct fh_map *map)
{
    if (!map) return;
    for (size_t i = 0; i < map->frame_count; i++) {
        free(map->frames[i].cells);
        free(map->frames[i].threads);
    }
    free(map->frames);
    free(map->bands);
    free(map->starts);
    free(map);
}
