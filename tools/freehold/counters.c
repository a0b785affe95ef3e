/*
 * counters.c - reading the counters of a process or file.
 */
#include "counters.h"

#include "cli.h"

int fh_counters_read(const char *verb, const char *word, struct fh_counters_read *read)
{
    struct fh_image *image;
    int status = fh_image_open(verb, word, 0, &image);
    if (status != 0)
        return status;
    read->about = *fh_image_about(image);
    if (!fh_image_counters(image, &read->counters)) {
        fh_say(verb, "process %s ended while it was read; a snapshot or a core stays", word);
        status = FH_EXIT_FAILED;
    }
    fh_image_close(image);
    return status;
}
