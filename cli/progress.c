#include "cli/progress.h"

#include "cli/format.h"
#include "lib/clock.h"

#include <stdio.h>

#define STEP_MS 100
#define RATE_AFTER_MS 500
#define BAR_WIDTH 20

static void add_numbers(int64_t done, int64_t total, int64_t rate_bps, struct text *out) {
    char a[FORMAT_SIZE], b[FORMAT_SIZE];
    if (total > 0)
        text_add_format(out, "%3d %%  %s of %s", (int)(done * 100 / total), format_bytes(done, a),
                        format_bytes(total, b));
    else
        text_add(out, format_bytes(done, a));
    if (rate_bps <= 0) return;
    text_add_format(out, "  %s/s", format_bytes(rate_bps, a));
    if (total > done)
        text_add_format(out, "  %s left",
                        format_duration((total - done) / rate_bps * 1000 + 999, a));
}

void progress_line(const char *label, int64_t done_bytes, int64_t total_bytes, int64_t rate_bps,
                   const struct output_style *style, struct text *out) {
    OWN_TEXT struct text numbers = TEXT_EMPTY;
    if (total_bytes > 0 && done_bytes > total_bytes) done_bytes = total_bytes;
    add_numbers(done_bytes, total_bytes, rate_bps, &numbers);
    int left = style->width - output_columns(text_value(&numbers)) - 1;
    int label_columns = output_columns(label);
    if (left >= label_columns + 2) {
        text_add_format(out, "%s  ", label);
        left -= label_columns + 2;
    }
    if (total_bytes > 0 && left >= 7) {
        output_bar(done_bytes, total_bytes, left - 2 < BAR_WIDTH ? left - 2 : BAR_WIDTH, style,
                   out);
        text_add(out, "  ");
    }
    text_add(out, text_value(&numbers));
}

void progress_begin(struct progress *p, const char *label, const struct output_style *style) {
    *p = (struct progress){.label = label,
                           .style = *style,
                           .began_ms = clock_monotonic_ms(),
                           .first_bytes = -1,
                           .visible = style->width > 0};
}

bool progress_step(void *progress, int64_t done_bytes, int64_t total_bytes) {
    struct progress *p = progress;
    if (!p->visible) return true;
    int64_t now = clock_monotonic_ms(), elapsed = now - p->began_ms;
    if (p->first_bytes < 0) p->first_bytes = done_bytes;
    if (p->shown_ms != 0 && now - p->shown_ms < STEP_MS && done_bytes < total_bytes) return true;
    p->shown_ms = now;
    int64_t rate = elapsed >= RATE_AFTER_MS ? (done_bytes - p->first_bytes) * 1000 / elapsed : 0;
    int64_t total = total_bytes > 0 ? total_bytes + p->base_bytes : 0;
    OWN_TEXT struct text line = TEXT_EMPTY;
    progress_line(p->label, done_bytes + p->base_bytes, total, rate, &p->style, &line);
    fprintf(stderr, "\r\033[K%s", text_value(&line));
    fflush(stderr);
    return true;
}

void progress_end(struct progress *p) {
    if (p->visible && p->shown_ms != 0) fputs("\r\033[K", stderr);
    p->visible = false;
}
