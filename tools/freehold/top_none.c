/*
 * top_none.c - stands for top_curses.c in a build without ncursesw: there is only the text.
 */
#include "cli.h"
#include "top.h"

int fh_top_run(struct fh_top *top, double interval_s)
{
    (void)top, (void)interval_s;
    fh_say("top", "this freehold was built without ncursesw and has no live view; --once prints what it shows");
    return FH_EXIT_FAILED;
}
