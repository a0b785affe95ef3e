/*
 * misuse_main.c - main of the catalogue, `misuse_catalogue NAME [thread]`: some ordinary use of the heap first, then
 * the mistake of that name, in the main thread or in another.
 */
#include "misuse.h"

#include <stdarg.h>

#define MISTAKE(name) void misuse_act_##name(void);
#include "catalogue.inc"
#undef MISTAKE

static const struct {
    const char *name;
    void (*act)(void);
} mistakes[] = {
#define MISTAKE(name) {#name, misuse_act_##name},
#include "catalogue.inc"
#undef MISTAKE
};

static void (*act)(void);

static void say(const char *format, ...)
{
    char text[600];
    va_list list;
    int length;

    va_start(list, format);
    length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    (void)!write(1, text, (size_t)length);
}

void misuse_expect(const char *what, const void *address, size_t size, const char *place)
{
    char where[32] = "0x[0-9a-f]+";
    char bytes[48] = "([0-9]+ bytes|size unknown)";

    if (address != NULL)
        snprintf(where, sizeof where, "0x0*%llx", (unsigned long long)(uintptr_t)address);
    if (size == UNKNOWN_SIZE)
        snprintf(bytes, sizeof bytes, "size unknown");
    else if (size != ANY_SIZE)
        snprintf(bytes, sizeof bytes, "%zu bytes", size);
    say("^freehold: (%s): %s, %s, in %s$\n", what, where, bytes, place);
}

/* Blocks of all sizes that stay, with holes between them, as in a program that has been running. */
static void live_a_little(void)
{
    void *blocks[600];

    for (size_t i = 0; i < 600; i++)
        blocks[i] = get(i % 5 == 0 ? i * 40 : i % 240);
    for (size_t i = 0; i < 600; i += 3)
        release(blocks[i]);
    for (size_t i = 0; i < 600; i++)
        hide(blocks[i]);
}

static void *run(void *arg)
{
    live_a_little();
    act();
    return arg;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof mistakes / sizeof mistakes[0]; i++)
        act = strcmp(argv[1], mistakes[i].name) == 0 ? mistakes[i].act : act;
    if (act == NULL)
        return 2;
    if (argc > 2 && strcmp(argv[2], "thread") == 0)
        in_thread(run, NULL);
    else
        run(NULL);
    _exit(44); /* not caught */
}
