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
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *words[2] = {NULL, NULL};
    bool json = false;
    int option, count = 0;
    uint64_t address;
    do { /* options may also follow */
        while ((option = fh_next_option("who", argc, argv, "+:h", options)) != -1) {
            if (option == 'h') {
                fh_help_verb(&fh_verb_who);
                return fh_finish_output("who");
            }
            if (option != 'j')
                return FH_EXIT_USAGE;
            json = true;
        }
        if (optind < argc && count == 2)
            return fh_say_usage("who", "one address at a time, not '%s' as well", argv[optind]);
        if (optind < argc)
            words[count++] = argv[optind++];
    } while (optind < argc);
    if (count < 2)
        return fh_say_usage("who", count ? "an address is missing"
                                         : "a process ID, a snapshot or a core file and an address are missing");
    if (!parse_address(words[1], &address))
        return fh_say_usage("who", "'%s' is not an address, such as 0x7f12345678a0", words[1]);
    return who(words[0], address, json);
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
