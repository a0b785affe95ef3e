/*
 * html.h - pages that open from disk and need no network: one style for all, scripts within. The text of style and
 * scripts is in pages/, and becomes part of the program when it is built.
 */
#ifndef FREEHOLD_TOOL_HTML_H
#define FREEHOLD_TOOL_HTML_H

#include <stdio.h>

/* Up to and with <body>. */
void fh_html_begin(FILE *out, const char *title);
void fh_html_end(FILE *out);
/* Text between tags or in an attribute; of XML too. Control characters become '?'. */
void fh_html_text(FILE *out, const char *text);
/* A string in a script. */
void fh_html_script_string(FILE *out, const char *text);

/* pages/NAME.js and pages/NAME.css */
extern const char fh_page_page_css[], fh_page_map_css[], fh_page_map_js[], fh_page_replay_js[];
extern const char fh_page_report_css[];

#endif
