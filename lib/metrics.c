#include "lib/metrics.h"

#include "lib/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define OTHER "other"

/* Never changed once it is in the list, but for its numbers; freed by metrics_fini alone, so
 * readers need no lock. */
struct metric_series {
    struct metric_series *next; /* the series made before this one */
    size_t number;              /* how many were made before */
    uint64_t hash;
    char *labels[METRIC_MAX_LABELS];
    _Atomic double value; /* of a histogram: the sum */
    /* Of a histogram, not cumulative; the last one is above every bound. */
    _Atomic uint64_t buckets[];
};

const double metric_seconds_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                        0.25,  0.5,    1,     2.5,  5,     10};
const size_t metric_seconds_bound_count =
    sizeof metric_seconds_bounds / sizeof metric_seconds_bounds[0];

/* FNV-1a, the values separated by a NUL. */
static uint64_t hash_labels(const char *const *labels) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < METRIC_MAX_LABELS && labels[i] != NULL; i++) {
        size_t length = strlen(labels[i]) + 1;
        for (size_t n = 0; n < length; n++)
            hash = (hash ^ (unsigned char)labels[i][n]) * UINT64_C(1099511628211);
    }
    return hash;
}

static bool has_labels(const struct metric_series *s, uint64_t hash, const char *const *labels) {
    if (s->hash != hash) return false;
    for (size_t i = 0; i < METRIC_MAX_LABELS && labels[i] != NULL; i++)
        if (strcmp(s->labels[i], labels[i]) != 0) return false;
    return true;
}

static struct metric_series *series_new(const struct metric *m, uint64_t hash,
                                        const char *const *labels) {
    size_t buckets = m->type == METRIC_HISTOGRAM ? m->bound_count + 1 : 0;
    for (size_t i = 1; i < m->bound_count; i++) assert(m->bounds[i - 1] < m->bounds[i]);
    struct metric_series *s = memory_zeroed(1, sizeof *s + buckets * sizeof s->buckets[0]);
    s->hash = hash;
    for (size_t i = 0; i < METRIC_MAX_LABELS; i++) s->labels[i] = text_duplicate(labels[i]);
    return s;
}

static void series_free(struct metric_series *s) {
    if (s == NULL) return;
    for (size_t i = 0; i < METRIC_MAX_LABELS; i++) free(s->labels[i]);
    free(s);
}

/* The series with these labels: the one in the list, or a new one put in front of it, unless
 * another thread does that first. NULL when there is none and the family has limit series already.
 */
static struct metric_series *find_or_insert(struct metric *m, uint64_t hash,
                                            const char *const *labels, size_t limit) {
    struct metric_series *made = NULL;
    struct metric_series *head = atomic_load_explicit(&m->series, memory_order_acquire);
    const struct metric_series *searched = NULL; /* from here on the list was searched before */
    for (;;) {
        struct metric_series *s = head;
        while (s != searched && !has_labels(s, hash, labels)) s = s->next;
        if (s != searched || (head != NULL && head->number + 1 >= limit)) {
            series_free(made);
            return s != searched ? s : NULL;
        }
        searched = head;
        if (made == NULL) made = series_new(m, hash, labels);
        made->next = head;
        made->number = head != NULL ? head->number + 1 : 0;
        if (atomic_compare_exchange_weak_explicit(&m->series, &head, made, memory_order_acq_rel,
                                                  memory_order_acquire))
            return made;
    }
}

static struct metric_series *series_of(struct metric *m, const char *label0, const char *label1) {
    const char *labels[METRIC_MAX_LABELS] = {label0, label1};
    for (size_t i = 0; i < METRIC_MAX_LABELS; i++)
        assert((labels[i] != NULL) == (m->labels[i] != NULL));
    struct metric_series *s = find_or_insert(m, hash_labels(labels), labels, METRIC_MAX_SERIES - 1);
    if (s != NULL) return s;
    for (size_t i = 0; i < METRIC_MAX_LABELS && labels[i] != NULL; i++) labels[i] = OTHER;
    s = find_or_insert(m, hash_labels(labels), labels, SIZE_MAX);
    assert(s != NULL); /* the one for all others is beyond every limit */
    return s;
}

static void add(_Atomic double *value, double amount) {
    double seen = atomic_load_explicit(value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(value, &seen, seen + amount, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

void metric_add(struct metric *m, double amount, const char *label0, const char *label1) {
    assert(m->type == METRIC_GAUGE || (m->type == METRIC_COUNTER && amount >= 0));
    add(&series_of(m, label0, label1)->value, amount);
}

void metric_set(struct metric *m, double value, const char *label0, const char *label1) {
    assert(m->type != METRIC_HISTOGRAM);
    atomic_store_explicit(&series_of(m, label0, label1)->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *m, double value, const char *label0, const char *label1) {
    assert(m->type == METRIC_HISTOGRAM && !isnan(value));
    struct metric_series *s = series_of(m, label0, label1);
    size_t i = 0;
    while (i < m->bound_count && value > m->bounds[i]) i++;
    atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
    add(&s->value, value);
}

/* The shortest text that reads back as the same double. */
static void add_number(double value, struct text *out) {
    char words[32];
    if (!isfinite(value)) {
        text_add(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    snprintf(words, sizeof words, "%.15g", value);
    if (strtod(words, NULL) != value) snprintf(words, sizeof words, "%.17g", value);
    text_add(out, words);
}

/* Escapes backslash and line break, and the quote when it would end a label's value. */
static void add_escaped(const char *words, bool quoted, struct text *out) {
    for (size_t left = strlen(words); left > 0;) {
        size_t length = utf8_character(words, left);
        if (*words == '\n')
            text_add(out, "\\n");
        else if (*words == '\\' || (quoted && *words == '"'))
            text_add_format(out, "\\%c", *words);
        else if (length == 0)
            text_add(out, UTF8_REPLACEMENT);
        else
            text_add_bytes(out, words, length);
        if (length == 0) length = 1;
        words += length;
        left -= length;
    }
}

/* name{label="value",le="0.1"}; bound is the value of le, NULL for none. */
static void add_name(const struct metric *m, const char *suffix, const struct metric_series *s,
                     const char *bound, struct text *out) {
    const char *separator = "{";
    text_add_format(out, "%s%s", m->name, suffix);
    for (size_t i = 0; i < METRIC_MAX_LABELS && m->labels[i] != NULL; i++) {
        text_add_format(out, "%s%s=\"", separator, m->labels[i]);
        add_escaped(s->labels[i], true, out);
        text_add(out, "\"");
        separator = ",";
    }
    if (bound != NULL) {
        text_add_format(out, "%sle=\"%s\"", separator, bound);
        separator = ",";
    }
    text_add(out, *separator == ',' ? "} " : " ");
}

static void add_sample(const struct metric *m, const char *suffix, const struct metric_series *s,
                       double value, struct text *out) {
    add_name(m, suffix, s, NULL, out);
    add_number(value, out);
    text_add(out, "\n");
}

static void render_histogram(const struct metric *m, struct metric_series *s, struct text *out) {
    uint64_t count = 0;
    for (size_t i = 0; i <= m->bound_count; i++) {
        OWN_TEXT struct text bound = TEXT_EMPTY;
        count += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        add_number(i < m->bound_count ? m->bounds[i] : INFINITY, &bound);
        add_name(m, "_bucket", s, bound.data, out);
        text_add_format(out, "%" PRIu64 "\n", count);
    }
    add_sample(m, "_sum", s, atomic_load_explicit(&s->value, memory_order_relaxed), out);
    add_name(m, "_count", s, NULL, out);
    text_add_format(out, "%" PRIu64 "\n", count);
}

static int compare_series(const void *a, const void *b) {
    const struct metric_series *left = *(struct metric_series *const *)a;
    const struct metric_series *right = *(struct metric_series *const *)b;
    int order = 0;
    for (size_t i = 0; i < METRIC_MAX_LABELS && order == 0 && left->labels[i] != NULL; i++)
        order = strcmp(left->labels[i], right->labels[i]);
    return order;
}

/* In order of the labels, so that two renderings differ in numbers alone. */
static void render_series(struct metric *m, struct text *out) {
    struct metric_series *head = atomic_load_explicit(&m->series, memory_order_acquire);
    size_t count = head != NULL ? head->number + 1 : 0;
    OWN_MEMORY struct metric_series **sorted = memory_zeroed(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++, head = head->next) sorted[i] = head;
    assert(head == NULL);
    qsort(sorted, count, sizeof *sorted, compare_series);
    for (size_t i = 0; i < count; i++) {
        if (m->type == METRIC_HISTOGRAM)
            render_histogram(m, sorted[i], out);
        else
            add_sample(m, "", sorted[i],
                       atomic_load_explicit(&sorted[i]->value, memory_order_relaxed), out);
    }
}

void metrics_render(struct metric *const *families, size_t count, struct text *out) {
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    for (size_t i = 0; i < count; i++) {
        struct metric *m = families[i];
        assert((size_t)m->type < sizeof types / sizeof types[0]);
        text_add_format(out, "# HELP %s ", m->name);
        add_escaped(m->help, false, out);
        text_add_format(out, "\n# TYPE %s %s\n", m->name, types[m->type]);
        render_series(m, out);
    }
}

void metrics_fini(struct metric *const *families, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct metric_series *s = atomic_exchange(&families[i]->series, NULL);
        while (s != NULL) {
            struct metric_series *next = s->next;
            series_free(s);
            s = next;
        }
    }
}
