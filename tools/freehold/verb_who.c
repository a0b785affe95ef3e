/*
 * verb_who.c - `freehold who PID|SNAPSHOT|CORE ADDRESS`: what is at an address.
 */
#include "cli.h"
#include "verbs.h"
#include "who.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* Hexadecimal, with or without 0x, as debuggers and /proc print it. */
static bool parse_address(const char *word, uint64_t *address)
{
    char *end;
    errno = 0;
    *address = strtoull(word, &end, 16);
    return errno == 0 && isxdigit((unsigned char)word[0]) && *end == '\0';
}

static int who(const char *word, uint64_t address, bool json)
{
    static struct fh_who found;
    struct fh_image *image;
    int status = fh_image_open("who", word, 0, &image);
    if (status != 0)
        return status;
    if (!fh_who_find(image, address, &found)) {
        fh_say("who", "%s could not be read to its end: it ended meanwhile, or memory ran out", word);
        status = FH_EXIT_FAILED;
    } else {
        if (json)
            fh_who_print_json(image, &found);
        else
            fh_who_print(image, &found);
        status = fh_finish_output("who");
    }
    fh_image_close(image);
    return status;
}

static int who_run(int argc, char **argv)
{
    uint64_t address;
    struct fh_verb_words words;
    int status;
    if (!fh_verb_read_words(&fh_verb_who, argc, argv, 2, "one address at a time", &words, &status))
        return status;
    if (!words.each[1])
        return fh_say_usage("who", words.each[0] ? "an address is missing"
                                         : "a process ID, a snapshot or a core file and an address are missing");
    if (!parse_address(words.each[1], &address))
        return fh_say_usage("who", "'%s' is not an address, such as 0x7f12345678a0", words.each[1]);
    return who(words.each[0], address, words.json);
}

const struct fh_verb fh_verb_who = {
    .name = "who",
    .synopsis = "[--json] PID|SNAPSHOT|CORE ADDRESS",
    .summary = "what is at an address: block, state, neighbours, who made it",
    .help = "Tells what is at an address of a process that runs on freehold: the block that\n"
            "it lies in, whether that is live, its neighbours, its slab and the thread that\n"
            "owns it, how much freed memory it keeps from going back, and, of a program that\n"
            "was started with freehold run --sites, who made it and when. Of an address that\n"
            "is not the heap's: the stack, file or mapping that it is in.\n"
            "\n"
            "ADDRESS is hexadecimal, as debuggers show it.\n"
            "\n"
            "Options:\n"
            "  --json      one JSON object\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  told, also when nothing is mapped there\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold who core.1234 0x55d5c6a3f0c0\n",
    .run = who_run,
};
