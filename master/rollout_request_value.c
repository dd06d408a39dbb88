#include "master/rollout_request_value.h"

#include "lib/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Digits, and nothing or '%' behind them. */
static bool parse_amount(const char *words, struct rollout_amount *out) {
    int64_t value = 0;
    size_t digits = strspn(words, "0123456789");
    if (digits == 0 || digits > 7) return false;
    for (size_t i = 0; i < digits; i++) value = value * 10 + (words[i] - '0');
    *out = (struct rollout_amount){(int32_t)value, words[digits] == '%'};
    return words[digits + out->percent] == '\0';
}

/* "\"10%\"" -> "10%", 3 -> "3". False when it is neither number nor short text. */
static bool unquote(const char *json, char *out, size_t size) {
    size_t length = strlen(json);
    bool quoted = json[0] == '"' && length >= 2;
    if (length - (quoted ? 2 : 0) >= size) return false;
    snprintf(out, size, "%.*s", (int)(length - (quoted ? 2 : 0)), json + quoted);
    return true;
}

bool rollout_request_amount(const char *key, const char *json, const char *fallback, int32_t least,
                            struct rollout_amount *out, char words[ROLLOUT_AMOUNT_SIZE],
                            struct err *e) {
    if (json == NULL) json = fallback;
    bool good = unquote(json, words, ROLLOUT_AMOUNT_SIZE) && parse_amount(words, out) &&
                out->value >= least && out->value <= (out->percent ? 100 : ROLLOUT_AMOUNT_MAX);
    if (good) {
        snprintf(words, ROLLOUT_AMOUNT_SIZE, "%d%s", out->value, out->percent ? "%" : "");
        return true;
    }
    (void)err_set(e, ERR_INVALID, "%s: %.40s is not an amount from %d to %d, nor a percentage", key,
                  json, least, ROLLOUT_AMOUNT_MAX);
    return err_hint(e, "a count as in 2, or a share of the selected agents as in \"10%%\"");
}

static bool fail_duration(const struct rollout_duration *d, struct err *e) {
    (void)err_set(e, ERR_INVALID, "%s: %.40s is not from %g to %lld seconds%s", d->key, d->json,
                  (double)d->least_ms / 1000, (long long)ROLLOUT_DURATION_MAX_MS / 1000,
                  d->may_be_never ? ", nor \"never\"" : "");
    return err_hint(e, "a number of seconds, which may have a fraction, as in 90 or 0.5");
}

bool rollout_request_duration(const struct rollout_duration *d, struct err *e) {
    *d->out_ms = d->fallback_ms;
    if (d->json == NULL) return true;
    if (d->may_be_never && strcmp(d->json, "\"never\"") == 0) {
        *d->out_ms = ROLLOUT_NEVER;
        return true;
    }
    char *end;
    double seconds = strtod(d->json, &end);
    if (end == d->json || *end != '\0' || !isfinite(seconds)) return fail_duration(d, e);
    double ms = round(seconds * 1000);
    if (seconds < 0 || ms < (double)d->least_ms || ms > (double)ROLLOUT_DURATION_MAX_MS)
        return fail_duration(d, e);
    *d->out_ms = (int64_t)ms;
    return true;
}

char *rollout_request_amount_text(struct rollout_amount amount) {
    struct text out = TEXT_EMPTY;
    text_add_format(&out, amount.percent ? "\"%d%%\"" : "%d", amount.value);
    return text_take(&out);
}

char *rollout_request_duration_text(int64_t ms) {
    struct text out = TEXT_EMPTY;
    if (ms == ROLLOUT_NEVER)
        text_add(&out, "\"never\"");
    else
        text_add_format(&out, "%.10g", (double)ms / 1000);
    return text_take(&out);
}
