/*
 * verb_map.c - `freehold map`: the address space of a heap as a picture.
 */
#include "cli.h"
#include "map.h"
#include "verbs.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct request {
    struct fh_map_request map;
    const char *file, *color;
    bool json;
};

struct format {
    const char *ending;
    size_t cells_most;
    int (*write)(const char *verb, const struct fh_map *map, const char *file);
};

static const struct format formats[] = {
    {".svg", 6144, fh_map_write_svg},
    {".png", 6144, fh_map_write_png},
    {".html", 8192, fh_map_write_html},
};
enum { TERMINAL_CELLS_MOST = 64 * 32, JSON_CELLS_MOST = 8192 };

static const struct format *format_of(const char *file)
{
    size_t length = strlen(file);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        size_t ending = strlen(formats[i].ending);
        if (length > ending && strcasecmp(file + length - ending, formats[i].ending) == 0) return &formats[i];
    }
    return NULL;
}

static int parse_color(const char *when)
{
    if (strcmp(when, "auto") == 0 || strcmp(when, "always") == 0 || strcmp(when, "never") == 0) return 0;
    return fh_say_usage("map", "--color is auto, always or never, not '%s'", when);
}

static void choose_terminal(const char *when, struct fh_map_terminal *terminal)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *depth = getenv("COLORTERM");
    bool wanted = isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
    terminal->color = strcmp(when, "always") == 0 || (strcmp(when, "auto") == 0 && wanted);
    terminal->color_bits = depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0) ? 24 : 8;
    terminal->utf8 = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    setlocale(LC_CTYPE, "C");
}

static int parse_cell(const char *text, uint64_t *bytes)
{
    enum { SHIFT_MOST = 40 };
    static const char units[] = "kmgt";
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    bool good = errno == 0 && text[0] >= '0' && text[0] <= '9' && (!*end || (unit && !end[1])) &&
                number < 1ull << (SHIFT_MOST - shift) && number && (number & (number - 1)) == 0;
    if (!good) return fh_say_usage("map", "--cell is a power of two, such as 4k, 64k or 1m, not '%s'", text);
    *bytes = (uint64_t)number << shift;
    return 0;
}

static int show(const struct request *request, const struct fh_map *map)
{
    struct fh_map_terminal terminal;
    if (request->file) return format_of(request->file)->write("map", map, request->file);
    if (request->json) {
        fh_map_print_json(map);
        return fh_finish_output("map");
    }
    choose_terminal(request->color, &terminal);
    if (!fh_map_print(map, &terminal)) {
        fh_say("map", "out of memory");
        return FH_EXIT_FAILED;
    }
    return fh_finish_output("map");
}

static int map_words(struct request *request, char *const *words, size_t count)
{
    struct fh_map *map;
    if (request->file && request->json)
        return fh_say_usage("map", "-o and --json at once; --json goes to standard output");
    if (request->file && !format_of(request->file))
        return fh_say_usage("map", "'%s' ends in neither .svg nor .html nor .png", request->file);
    request->map.cells_most = request->file   ? format_of(request->file)->cells_most
                              : request->json ? JSON_CELLS_MOST
                                              : TERMINAL_CELLS_MOST;
    int status = fh_map_make("map", words, count, &request->map, &map);
    if (status == 0) status = show(request, map);
    fh_map_free(map);
    return status;
}

static int map_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"cell", required_argument, NULL, 'c'},
        {"color", required_argument, NULL, 'C'},  {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct request request = {.color = "auto"};
    char *words[FH_MAP_FRAMES_MOST];
    size_t count = 0;
    int option, status = 0;
    do { /* options may also follow */
        while (status == 0 && (option = fh_next_option("map", argc, argv, "+:o:h", options)) != -1) {
            switch (option) {
            case 'o': request.file = optarg; break;
            case 'c': status = parse_cell(optarg, &request.map.cell_bytes); break;
            case 'C': status = parse_color(request.color = optarg); break;
            case 'j': request.json = true; break;
            case 'h': fh_help_verb(&fh_verb_map); return fh_finish_output("map");
            default: return FH_EXIT_USAGE;
            }
        }
        if (status == 0 && optind < argc && count == FH_MAP_FRAMES_MOST)
            return fh_say_usage("map", "at most %d snapshots at a time", FH_MAP_FRAMES_MOST);
        if (status == 0 && optind < argc) words[count++] = argv[optind++];
    } while (status == 0 && optind < argc);
    if (status) return status;
    if (count == 0) return fh_say_usage("map", "a process ID, a snapshot or a core file is missing");
    return map_words(&request, words, count);
}

const struct fh_verb fh_verb_map = {
    .name = "map",
    .synopsis = "[-o FILE.svg|.html|.png] [--json] PID|SNAPSHOT|CORE...",
    .summary = "the address space of a heap as a picture",
    .help = "Draws the addresses that the library holds as cells, in address order, heap by\n"
            "heap. A cell is filled as far as it is in memory; its colour says how much of\n"
            "that is live, from nothing (amber: memory that the program does not use) to all\n"
            "of it (blue). Marks: memory that few live bytes keep, that threads' caches\n"
            "hold, that was given back to the kernel. The process is not stopped and does\n"
            "not notice.\n"
            "\n"
            "Options:\n"
            "  -o, --output FILE   a picture, by the name's ending: .svg, .png, or .html, one\n"
            "                      page that needs no network: point or click for addresses,\n"
            "                      size class, owner and live blocks; of several snapshots of\n"
            "                      one process, a slider through time\n"
            "  --cell SIZE         of a cell: a power of two, such as 4k or 1m; by the size\n"
            "                      of the heap if not given\n"
            "  --color WHEN        auto, always or never; auto: on a terminal, if NO_COLOR is\n"
            "                      not set\n"
            "  --json              every cell with what it holds\n"
            "  -h, --help          show this text\n"
            "\n"
            "Exit status:\n"
            "    0  drawn\n"
            "    1  it cannot be read or written; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold map $(pidof redis-server) -o heap.html\n",
    .run = map_run,
};
