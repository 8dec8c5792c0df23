/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A comparison as one HTML page: charts, then every number.
 *
 * The page loads nothing and runs no script; a Content-Security-Policy makes the browser enforce
 * that. Bars are SVG, drawn here. The data-value of a cell is the number of the JSON, with the same
 * digits.
 */
#include <string.h>

#include "vmm/base/text.h"
#include "vmm/compare/compare_report.h"

#define CHART_WIDTH 720
#define CHART_LEFT  90 /* names of the sandboxes */
#define CHART_RIGHT 130
#define BAR_HEIGHT  18
#define BAR_STEP    26
#define BAR_COLOURS 5 /* .box0 and so on of the style */

static const char *const head =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'; img-src data:\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<link rel=\"icon\" href=\"data:,\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n";

static const char *const style =
    "<style>\n"
    ":root{--page:#fcfcfb;--text:#0b0b0b;--soft:#52514e;--line:#dcdbd6;"
    "--box0:#2a78d6;--box1:#eb6834;--box2:#1baf7a;--box3:#8a5cd1;--box4:#c79100}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#1a1a19;--text:#fff;--soft:#c3c2b7;"
    "--line:#3b3a38;--box0:#3987e5;--box1:#d95926;--box2:#199e70;--box3:#a07be0;--box4:#d9a520}}\n"
    "body{background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif;"
    "max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}h3{font-size:1rem;"
    "margin:1.5rem 0 .25rem;font-weight:600}\n"
    "p,li{color:var(--soft)}code{color:var(--text);overflow-wrap:anywhere}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "svg text{fill:var(--text);font:13px system-ui,sans-serif}svg .soft{fill:var(--soft)}\n"
    ".box0{fill:var(--box0)}.box1{fill:var(--box1)}.box2{fill:var(--box2)}.box3{fill:var(--box3)}"
    ".box4{fill:var(--box4)}\n"
    ".whisker{stroke:var(--text);stroke-width:1.5;fill:none}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;width:100%}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left}\n"
    "td[data-value]{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "</style>\n";

/* For text and for attributes in double quotes. */
static void write_escaped(const char *text, FILE *out)
{
    const char *end = text + strlen(text);
    char character[TEXT_CHARACTER_SIZE];

    while (text < end) {
        text_next(&text, end, character);
        switch (character[0]) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputs(character, out);
            break;
        }
    }
}

/* ---- charts ---------------------------------------------------------------------------------- */

static double row_maximum(const struct report *report, const struct report_row *row)
{
    double maximum = 0;

    for (size_t i = 0; i < report->sandbox_count; i++) {
        if (row->cells[i].summary.maximum > maximum)
            maximum = row->cells[i].summary.maximum;
    }
    return maximum;
}

/* A bar to the median; over it a line from minimum to maximum, and a box between the quartiles. */
static void write_bar(const struct report_row *row, size_t sandbox, double scale, unsigned top,
                      FILE *out)
{
    const struct report_cell *cell = &row->cells[sandbox];
    const struct statistics *summary = &cell->summary;
    double middle = top + BAR_HEIGHT / 2.0;
    char number[REPORT_NUMBER_SIZE];
    char ratio[REPORT_NUMBER_SIZE];

    report_format_number(summary->median, summary->median, row->unit, true, number);
    fprintf(out, "<rect class=\"box%zu\" x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
            sandbox % BAR_COLOURS, CHART_LEFT, top, summary->median * scale, BAR_HEIGHT);
    if (cell->count > 1)
        fprintf(out,
                "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8"
                "M%.1f %.1fH%.1fv6H%.1fz\"/>",
                CHART_LEFT + summary->minimum * scale, middle,
                CHART_LEFT + summary->maximum * scale, CHART_LEFT + summary->minimum * scale,
                middle - 4, CHART_LEFT + summary->maximum * scale, middle - 4,
                CHART_LEFT + summary->quartile1 * scale, middle - 3,
                CHART_LEFT + summary->quartile3 * scale, CHART_LEFT + summary->quartile1 * scale);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">%s", CHART_LEFT + summary->maximum * scale + 8,
            middle + 4, number);
    if (cell->verdict == REPORT_DIFFERENT) {
        report_format_ratio(cell->ratio, ratio);
        fprintf(out, " (%s\u00d7)", ratio);
    }
    fputs("</text>", out);
}

static void write_chart(const struct report *report, const struct report_row *row, FILE *out)
{
    double maximum = row_maximum(report, row);
    double scale = maximum > 0 ? (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) / maximum : 0;

    fputs("<h3>", out);
    write_escaped(row->label, out);
    fprintf(out, "</h3>\n<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"", CHART_WIDTH,
            (unsigned)report->sandbox_count * BAR_STEP);
    write_escaped(row->label, out);
    fputs("\">", out);
    for (size_t i = 0; i < report->sandbox_count; i++) {
        unsigned top = (unsigned)i * BAR_STEP + (BAR_STEP - BAR_HEIGHT) / 2;

        fprintf(out, "<text x=\"0\" y=\"%u\">", top + BAR_HEIGHT - 5);
        write_escaped(report->sandboxes[i].kind->title, out);
        fputs("</text>", out);
        if (row->cells[i].count > 0) {
            write_bar(row, i, scale, top, out);
        } else {
            fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%u\">", CHART_LEFT,
                    top + BAR_HEIGHT - 5);
            write_escaped(row->cells[i].note, out);
            fputs("</text>", out);
        }
    }
    fputs("</svg>\n", out);
}

/* ---- all numbers ----------------------------------------------------------------------------- */

/* A number, exact in data-value and rounded in the text. */
static void write_number(const struct report_row *row, const char *isolation, const char *field,
                         double value, double like, FILE *out)
{
    char number[REPORT_NUMBER_SIZE];

    report_format_number(value, like, row->unit, true, number);
    fprintf(
        out,
        "<td data-row=\"%s\" data-isolation=\"%s\" data-field=\"%s\" data-value=\"%.15g\">%s</td>",
        row->id, isolation, field, value, number);
}

static void write_comparison(const struct report_row *row, const char *isolation,
                             const struct report_cell *cell, FILE *out)
{
    char ratio[REPORT_NUMBER_SIZE];

    if (cell->ratio > 0) {
        report_format_ratio(cell->ratio, ratio);
        fprintf(
            out,
            "<td data-row=\"%s\" data-isolation=\"%s\" data-field=\"ratio\" data-value=\"%.15g\">"
            "%s\u00d7</td>"
            "<td data-row=\"%s\" data-isolation=\"%s\" data-field=\"probability\" "
            "data-value=\"%.15g\">%.3g</td>",
            row->id, isolation, cell->ratio, ratio, row->id, isolation, cell->probability,
            cell->probability);
    } else {
        fputs("<td></td><td></td>", out);
    }
    fprintf(out, "<td>%s</td></tr>\n", report_verdict_name(cell->verdict));
}

static void write_numbers(const struct report *report, const struct report_row *row, FILE *out)
{
    for (size_t i = 0; i < report->sandbox_count; i++) {
        const struct report_cell *cell = &row->cells[i];
        const struct statistics *summary = &cell->summary;
        const char *isolation = report->sandboxes[i].kind->name;

        fputs("<tr><th scope=\"row\">", out);
        if (i == 0)
            write_escaped(row->label, out);
        fputs("</th><td>", out);
        write_escaped(report->sandboxes[i].kind->title, out);
        fputs("</td>", out);
        if (cell->count == 0) {
            fputs("<td colspan=\"8\">", out);
            write_escaped(cell->note, out);
            fputs("</td></tr>\n", out);
            continue;
        }
        write_number(row, isolation, "median", summary->median, summary->median, out);
        write_number(row, isolation, "minimum", summary->minimum, summary->median, out);
        write_number(row, isolation, "quartile1", summary->quartile1, summary->median, out);
        write_number(row, isolation, "quartile3", summary->quartile3, summary->median, out);
        write_number(row, isolation, "maximum", summary->maximum, summary->median, out);
        write_comparison(row, isolation, cell, out);
    }
}

static void write_table(const struct report *report, FILE *out)
{
    fputs("<h2>All numbers</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">what"
          "</th><th scope=\"col\">isolation</th><th scope=\"col\">median</th><th "
          "scope=\"col\">minimum</th>"
          "<th scope=\"col\">quartile</th><th scope=\"col\">quartile</th><th "
          "scope=\"col\">maximum</th>"
          "<th scope=\"col\">ratio</th><th scope=\"col\">p</th><th scope=\"col\">verdict</th></tr>"
          "</thead>\n<tbody>\n",
          out);
    for (size_t i = 0; i < report->row_count; i++) {
        const char *group = report->rows[i].group;

        if (i == 0 || strcmp(group, report->rows[i - 1].group) != 0) {
            fputs("<tr><th scope=\"rowgroup\" colspan=\"10\">", out);
            write_escaped(group, out);
            fputs("</th></tr>\n", out);
        }
        write_numbers(report, &report->rows[i], out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_words(const struct string_list *words, FILE *out)
{
    for (size_t i = 0; i < words->count; i++) {
        fputc(' ', out);
        write_escaped(words->items[i], out);
    }
}

static void write_introduction(const struct report *report, FILE *out)
{
    fputs("<title>", out);
    write_escaped(report->image, out);
    fputs(" under each isolation</title>\n", out);
    fputs(style, out);
    fputs("</head>\n<body>\n<h1>One command under each isolation</h1>\n<p><code>", out);
    write_escaped(report->image, out);
    write_words(&report->command, out);
    fputs("</code></p>\n<p>", out);
    fprintf(out, "%u runs warm and %u cold under each isolation, interleaved. ", report->runs,
            report->runs);
    write_escaped(report->host, out);
    if (report->options.count > 0) {
        fputs(". Options: <code>", out);
        write_words(&report->options, out);
        fputs("</code>", out);
    }
    fputs(".</p>\n<p>A bar ends at the median; the line over it goes from the minimum to the "
          "maximum, the box from quartile to quartile. A ratio is shown where the rank sum test of "
          "Mann and Whitney shows a difference from the container (5 %).</p>\n",
          out);
}

void report_write_html(const struct report *report, FILE *out)
{
    fputs(head, out);
    write_introduction(report, out);
    for (size_t i = 0; i < report->row_count; i++) {
        const char *group = report->rows[i].group;

        if (i == 0 || strcmp(group, report->rows[i - 1].group) != 0) {
            fputs("<h2>", out);
            write_escaped(group, out);
            fputs("</h2>\n", out);
        }
        write_chart(report, &report->rows[i], out);
    }
    write_table(report, out);
    if (report->notes.count > 0) {
        fputs("<h2>Notes</h2>\n<ul>\n", out);
        for (size_t i = 0; i < report->notes.count; i++) {
            fputs("<li>", out);
            write_escaped(report->notes.items[i], out);
            fputs("</li>\n", out);
        }
        fputs("</ul>\n", out);
    }
    fputs("</body>\n</html>\n", out);
}
