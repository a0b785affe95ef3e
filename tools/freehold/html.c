/*
 * html.c - beginning and end of a page, and text in it.
 */
#include "html.h"

#include <string.h>

void fh_html_begin(FILE *out, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
          out);
    fh_html_text(out, title);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", fh_page_page_css);
}

void fh_html_end(FILE *out) { fputs("</body>\n</html>\n", out); }

void fh_html_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        switch (*at) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*at < 0x20 && *at != '\n' ? '?' : *at, out);
        }
    }
}

void fh_html_script_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f || strchr("\"\\<>&", c)) fprintf(out, "\\u%04x", c < 0x80 ? c : '?');
        else fputc(c, out);
    }
    fputc('"', out);
}
