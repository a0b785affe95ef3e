/*
 * report_table.c - tables of a report.
 */
#include "html.h"
#include "report.h"
#include "units.h"

void fh_report_begin_table(FILE *out, const char *const *heads, size_t count)
{
    fputs("<div class=\"wide\"><table>\n<tr>", out);
    for (size_t i = 0; i < count; i++) {
        bool is_text = heads[i][0] == '<';
        fputs(is_text ? "<th class=\"text\">" : "<th>", out);
        fh_html_text(out, heads[i] + is_text);
        fputs("</th>", out);
    }
    fputs("</tr>\n", out);
}

void fh_report_end_table(FILE *out) { fputs("</table></div>\n", out); }

void fh_report_put_text_cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    fh_html_text(out, text);
    fputs("</td>", out);
}

void fh_report_put_words_cell(FILE *out, const char *text)
{
    fputs("<td class=\"text\">", out);
    fh_html_text(out, text);
    fputs("</td>", out);
}

void fh_report_put_number_cell(FILE *out, uint64_t number)
{
    char text[FH_UNIT_BYTES];
    fprintf(out, "<td>%s</td>", fh_grouped(number, text));
}

void fh_report_put_share_cell(FILE *out, uint64_t part, uint64_t whole)
{
    double percent = fh_percent(part, whole);
    fprintf(out, "<td class=\"share\"><b><i style=\"width:%.1f%%\"></i></b><s>%.0f %%</s></td>",
            percent < 100 ? percent : 100, percent);
}
