/*
 * top_curses.c - `freehold top` on a terminal, by ncursesw: keys, colours, and the time between two readings.
 */
#define _XOPEN_SOURCE_EXTENDED 1
#include "cli.h"
#include "top.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS_LEAST = 20, HEAD_LINES = 2, ESCAPE = 27, INTERVAL_MOST_S = 3600 };

struct live {
    struct fh_top *top; /* NULL: the list */
    struct fh_top own;  /* one that was chosen from the list */
    struct fh_top_list list;
    bool has_list; /* 'q' goes back to it */
    enum fh_top_view view;
    int scroll, chosen;
    bool is_paused, shows_keys, has_colours, is_unicode;
    double interval_s;
    double next_s; /* when to read again */
    struct fh_screen screen;
};

static volatile sig_atomic_t ends; /* a signal that ends us has come */
static void note_end(int signal_number) { ends = signal_number; }

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- drawing --- */

static void make_colours(struct live *live)
{
    live->has_colours = has_colors() && start_color() == OK && !getenv("NO_COLOR");
    if (!live->has_colours)
        return;
    use_default_colors();
    init_pair(FH_INK_LIVE, COLOR_GREEN, -1);
    init_pair(FH_INK_FREE, COLOR_YELLOW, -1);
    init_pair(FH_INK_OTHER, COLOR_CYAN, -1);
    init_pair(FH_INK_ALARM, COLOR_RED, -1);
}

static attr_t attributes_of(enum fh_ink ink)
{
    static const attr_t attributes[FH_INKS] = {[FH_INK_TITLE] = A_BOLD,
                                               [FH_INK_DIM] = A_DIM,
                                               [FH_INK_ALARM] = A_BOLD,
                                               [FH_INK_CHOSEN] = A_REVERSE};
    return attributes[ink];
}

static void draw(struct live *live)
{
    const struct fh_screen *screen = &live->screen;
    erase();
    for (int line = 0; line < screen->lines && line < LINES; line++) {
        const struct fh_cell *cells = fh_screen_at(screen, line);
        for (int i = 0; i < screen->columns && i < COLS; i++) {
            wchar_t text[2] = {(wchar_t)cells[i].glyph, 0};
            cchar_t cell;
            short pair = 0;
            if (live->has_colours && cells[i].ink >= FH_INK_LIVE && cells[i].ink <= FH_INK_ALARM)
                pair = (short)cells[i].ink;
            setcchar(&cell, text, attributes_of(cells[i].ink), pair, NULL);
            mvadd_wch(line, i, &cell);
        }
    }
    refresh();
}

static void show_keys(struct live *live)
{
    static const char *const keys[] = {
        "1-6, tab, left, right   another view", "up, down, page keys     another line",
        "+ -                     more, less often", "space                   pause, and go on",
        "r                       read everything now", "q, escape               back, and out"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        fh_screen_line(&live->screen);
        fh_screen_put(&live->screen, FH_INK_PLAIN, "  %s", keys[i]);
    }
}

/* The names of the views, the present one in brackets; and what else is to be known. */
static void show_tabs(struct live *live)
{
    fh_screen_line(&live->screen);
    for (int view = 0; live->top && view < FH_TOP_VIEWS; view++) {
        bool is_this = view == (int)live->view;
        fh_screen_put(&live->screen, is_this ? FH_INK_TITLE : FH_INK_DIM, is_this ? "[%d %s]" : " %d %s ", view + 1,
                      fh_top_view_names[view]);
    }
    if (!live->top)
        fh_screen_put(&live->screen, FH_INK_TITLE, "processes on freehold ");
    char state[64];
    snprintf(state, sizeof(state), "%s %g s  ? keys", live->is_paused ? "paused," : "every", live->interval_s);
    if (live->screen.column + (int)strlen(state) > live->screen.columns)
        return;
    fh_screen_column(&live->screen, live->screen.columns - (int)strlen(state));
    fh_screen_put(&live->screen, live->is_paused ? FH_INK_ALARM : FH_INK_DIM, "%s", state);
}

static void show(struct live *live)
{
    fh_screen_clear(&live->screen, COLS > COLUMNS_LEAST ? COLS : COLUMNS_LEAST, live->is_unicode);
    if (live->top)
        fh_top_show_head(live->top, &live->screen);
    show_tabs(live);
    int room = LINES - live->screen.lines;
    if (live->shows_keys)
        show_keys(live);
    else if (live->top)
        fh_top_show(live->top, live->view, &live->screen, room > 1 ? room : 1, live->scroll);
    else
        fh_top_list_show(&live->list, &live->screen, room > 1 ? room : 1, live->chosen);
    draw(live);
}

/* --- reading --- */

static void read_all(struct live *live, bool now)
{
    live->next_s = now_s() + live->interval_s;
    if (live->top) {
        fh_top_read(live->top, live->view, now);
        return;
    }
    pid_t pid = live->chosen < (int)live->list.count ? live->list.all[live->chosen].pid : 0;
    fh_top_list_read(&live->list);
    for (int i = 0; i < (int)live->list.count; i++) { /* the cursor stays on its process */
        if (live->list.all[i].pid == pid)
            live->chosen = i;
    }
    if (live->chosen >= (int)live->list.count)
        live->chosen = live->list.count ? (int)live->list.count - 1 : 0;
}

static void choose(struct live *live)
{
    char word[32];
    if (live->chosen >= (int)live->list.count)
        return;
    snprintf(word, sizeof(word), "%ld", (long)live->list.all[live->chosen].pid);
    fh_be_quiet(true); /* it may just have ended */
    bool good = fh_top_open(&live->own, word) == 0;
    fh_be_quiet(false);
    live->top = good ? &live->own : NULL;
    live->view = FH_TOP_ACCOUNT;
    live->scroll = 0;
    read_all(live, false);
}

/* --- keys --- */

static void change_view(struct live *live, int view)
{
    if (!live->top)
        return;
    live->view = (enum fh_top_view)((view + FH_TOP_VIEWS) % FH_TOP_VIEWS);
    live->scroll = 0;
    live->shows_keys = false;
    if (!live->is_paused)
        read_all(live, false);
}

static void go_by(struct live *live, int lines)
{
    int *at = live->top ? &live->scroll : &live->chosen;
    int most = live->top ? 10000 : (int)live->list.count - 1;
    *at += lines;
    if (*at > most)
        *at = most;
    if (*at < 0)
        *at = 0;
}

/* False: the user has enough. */
static bool go_back(struct live *live)
{
    if (live->shows_keys) {
        live->shows_keys = false;
        return true;
    }
    if (!live->top || !live->has_list)
        return false;
    fh_top_close(live->top);
    live->top = NULL;
    read_all(live, false);
    return true;
}

static void change_interval(struct live *live, double factor)
{
    double interval = live->interval_s * factor;
    if (interval >= 0.1 && interval <= INTERVAL_MOST_S)
        live->interval_s = interval;
    live->next_s = now_s() + live->interval_s;
}

/* False: the user has enough. */
static bool obey(struct live *live, int key)
{
    switch (key) {
    case 'q':
    case ESCAPE:
        return go_back(live);
    case '?':
    case 'h':
        live->shows_keys = !live->shows_keys;
        break;
    case ' ':
        live->is_paused = !live->is_paused;
        break;
    case 'r':
        read_all(live, true);
        break;
    case '+':
        change_interval(live, 0.5);
        break;
    case '-':
        change_interval(live, 2);
        break;
    case '\t':
    case KEY_RIGHT:
        change_view(live, (int)live->view + 1);
        break;
    case KEY_BTAB:
    case KEY_LEFT:
        change_view(live, (int)live->view - 1);
        break;
    case KEY_UP:
    case 'k':
        go_by(live, -1);
        break;
    case KEY_DOWN:
    case 'j':
        go_by(live, 1);
        break;
    case KEY_PPAGE:
        go_by(live, -(LINES - HEAD_LINES - 1));
        break;
    case KEY_NPAGE:
        go_by(live, LINES - HEAD_LINES - 1);
        break;
    case KEY_HOME:
        go_by(live, -INTERVAL_MOST_S * 10);
        break;
    case '\n':
    case KEY_ENTER:
        if (!live->top)
            choose(live);
        break;
    default:
        if (key >= '1' && key < '1' + FH_TOP_VIEWS)
            change_view(live, key - '1');
    }
    return true;
}

static void loop(struct live *live)
{
    read_all(live, false);
    while (!ends) {
        show(live);
        double rest = live->next_s - now_s();
        timeout(live->is_paused ? 1000 : rest > 0 ? (int)(rest * 1000) + 1 : 0);
        errno = 0;
        int key = getch(); /* a resized terminal is a key too */
        if (key == ERR && errno != 0 && errno != EINTR && errno != EAGAIN)
            break; /* the terminal is gone */
        if (key != ERR && !obey(live, key))
            break;
        if (!live->is_paused && now_s() >= live->next_s)
            read_all(live, false);
    }
}

int fh_top_run(struct fh_top *top, double interval_s)
{
    static struct live live;
    live = (struct live){.top = top, .has_list = top == NULL, .interval_s = interval_s};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fh_say("top", "the live view needs a terminal; --once prints the same as text");
        return FH_EXIT_FAILED;
    }
    live.is_unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        fh_say("top", "the terminal '%s' is not known (TERM); --once prints the same as text",
               getenv("TERM") ? getenv("TERM") : "");
        return FH_EXIT_FAILED;
    }
    struct sigaction action = {.sa_handler = note_end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    set_escdelay(25);
    make_colours(&live);
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    loop(&live);
    endwin();
    delscreen(screen);
    if (live.top == &live.own)
        fh_top_close(&live.own);
    fh_top_list_free(&live.list);
    fh_screen_free(&live.screen);
    return FH_EXIT_OK;
}
