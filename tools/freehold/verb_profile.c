/*
 * verb_profile.c - `freehold profile PID|SNAPSHOT|CORE|FILE`: where a program allocates, and what it holds, by call
 * stack.
 */
#include "cli.h"
#include "profile.h"
#include "verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum form { FORM_TEXT, FORM_LEAKS, FORM_COLLAPSED, FORM_JSON, FORM_PPROF };

struct request {
    enum form form;
    enum fh_profile_value by;
    size_t top;
    const char *output; /* of FORM_PPROF */
    const char *word;
};

static bool parse_value(const char *word, enum fh_profile_value *value)
{
    for (int i = 0; i < FH_PROFILE_VALUES; i++) {
        if (strcmp(word, fh_profile_value_names[i]) == 0) {
            *value = (enum fh_profile_value)i;
            return true;
        }
    }
    fh_say_usage("profile", "--by takes alloc_objects, alloc_space, inuse_objects or inuse_space, not '%s'", word);
    return false;
}

static bool parse_top(const char *option, const char *word, size_t *top)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(word, &end, 10);
    if (!errno && word[0] >= '0' && word[0] <= '9' && !*end && value > 0) {
        *top = value;
        return true;
    }
    fh_say_usage("profile", "%s takes how many call stacks to show, not '%s'", option, word);
    return false;
}

/* A regular file that could not be written whole goes again; a device or pipe is not ours to remove. */
static int write_pprof(const struct fh_profile *profile, struct fh_profile_names *names, const char *path)
{
    FILE *file = fopen(path, "we");
    bool good = file && fh_profile_write_pprof(profile, names, file);
    int error = errno;
    struct stat about;
    bool is_regular = file && fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode);
    if (file && fclose(file) != 0 && good) {
        error = errno;
        good = false;
    }
    if (good)
        return 0;
    fh_say("profile", "cannot write '%s': %s", path, strerror(error));
    if (is_regular)
        unlink(path);
    return FH_EXIT_FAILED;
}

static int show(const struct request *request, struct fh_profile *profile)
{
    struct fh_profile_names *names = fh_profile_names_open(profile);
    int status = 0;
    if (!names) {
        fh_say("profile", "out of memory");
        return FH_EXIT_FAILED;
    }
    fh_profile_sort(profile, request->by);
    switch (request->form) {
    case FORM_COLLAPSED: fh_profile_print_collapsed(profile, names, request->by); break;
    case FORM_JSON: fh_profile_print_json(profile, names); break;
    case FORM_PPROF: status = write_pprof(profile, names, request->output); break;
    case FORM_TEXT:
    case FORM_LEAKS: fh_profile_print_text(profile, names, request->top, request->form == FORM_LEAKS); break;
    }
    fh_profile_names_close(names);
    return status ? status : fh_finish_output("profile");
}

/* A number names a process; a file of that name is written ./NUMBER. */
static bool is_pid(const char *word) { return *word && strspn(word, "0123456789") == strlen(word); }

static int profile_run(int argc, char **argv)
{
    enum { BY = 256, TOP, ROWS };
    static const struct option options[] = {
        {"leaks", no_argument, NULL, 'l'},   {"collapsed", no_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},    {"output", required_argument, NULL, 'o'},
        {"by", required_argument, NULL, BY}, {"top", required_argument, NULL, TOP},
        {"rows", required_argument, NULL, ROWS}, {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct request request = {.by = FH_INUSE_SPACE, .top = 10};
    struct fh_profile profile;
    int option;
    do { /* options may also follow */
        while ((option = fh_next_option("profile", argc, argv, "+:ho:", options)) != -1) {
            switch (option) {
            case 'l': request.form = FORM_LEAKS; break;
            case 'c': request.form = FORM_COLLAPSED; break;
            case 'j': request.form = FORM_JSON; break;
            case 'o':
                request.form = FORM_PPROF;
                request.output = optarg;
                break;
            case BY:
                if (!parse_value(optarg, &request.by))
                    return FH_EXIT_USAGE;
                break;
            case TOP:
            case ROWS:
                if (!parse_top(option == TOP ? "--top" : "--rows", optarg, &request.top))
                    return FH_EXIT_USAGE;
                break;
            case 'h': fh_help_verb(&fh_verb_profile); return fh_finish_output("profile");
            default: return FH_EXIT_USAGE;
            }
        }
        if (optind < argc && request.word)
            return fh_say_usage("profile", "one process or profile at a time, not '%s' as well", argv[optind]);
        if (optind < argc)
            request.word = argv[optind++];
    } while (optind < argc);
    if (!request.word)
        return fh_say_usage("profile", "a process ID, a snapshot, a core or the file of a profile is missing");
    bool is_image = is_pid(request.word) || fh_image_is_file(request.word);
    int status = is_image ? fh_profile_read_image("profile", request.word, &profile)
                          : fh_profile_read_file("profile", request.word, &profile);
    if (status == 0)
        status = show(&request, &profile);
    fh_profile_free(&profile);
    return status;
}

const struct fh_verb fh_verb_profile = {
    .name = "profile",
    .synopsis = "[OPTION...] PID|SNAPSHOT|CORE|FILE",
    .summary = "where a program allocates and what it holds, by call stack",
    .help = "Shows the call stacks from which most of what lives was allocated: of a process\n"
            "that was started with 'freehold run --profile', read from outside, of a\n"
            "snapshot or core of one, or of the FILE that such a process has written at its\n"
            "end. Blocks are chosen at random, and what is shown is estimated from them,\n"
            "without bias: a stack that holds many times 512 KiB is seen well, one that\n"
            "holds less may be missing.\n"
            "\n"
            "Options:\n"
            "  --leaks           what was not freed at exit; of a process what lives now\n"
            "  --collapsed       a line for each call stack, for flamegraph.pl and others\n"
            "  --json            one JSON object\n"
            "  -o, --output FILE write it to FILE in pprof's format, with names of functions\n"
            "                    and lines in it: for 'go tool pprof', speedscope, Perfetto\n"
            "  --by VALUE        inuse_space (what lives, in bytes), inuse_objects,\n"
            "                    alloc_space (since the start), or alloc_objects\n"
            "  --top N, --rows N how many call stacks to show, 10 unless told\n"
            "  -h, --help        show this text\n"
            "\n"
            "Exit status:\n"
            "    0  shown\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Examples:\n"
            "  freehold run --profile=git.pb -- git gc\n"
            "  freehold profile --leaks git.pb\n"
            "  freehold profile --collapsed $(pidof redis-server) | flamegraph.pl >redis.svg\n",
    .run = profile_run,
};
