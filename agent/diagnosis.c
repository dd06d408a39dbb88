#include "agent/diagnosis.h"

#include "agent/node_log.h"

#include <string.h>

static void add_end(const struct wire_exit *last, struct text *out) {
    if (strcmp(last->kind, "exit") == 0) {
        text_add_format(out, "it ended with exit %lld\n", (long long)last->value);
    } else if (strcmp(last->kind, "signal") == 0) {
        const char *name = sigabbrev_np((int)last->value);
        text_add_format(out, "it was ended by signal %lld%s%s\n", (long long)last->value,
                        name != NULL ? " SIG" : "", name != NULL ? name : "");
    } else if (last->kind[0] != '\0') {
        text_add(out, "it ended unseen, so its exit status is unknown\n");
    }
}

static void add_state(const struct node *n, struct text *out) {
    bool running = n->facts->phase == NODE_RUNNING || n->facts->phase == NODE_STOPPING;
    if (n->facts->hung)
        text_add(out, "it runs and answers nothing\n");
    else if (running && n->health_reasons != NULL)
        text_add_format(out, "it runs, and its health check says: %s\n", n->health_reasons);
    else if (running)
        text_add(out, "it runs, and its health check says nothing\n");
    else if (n->trouble_code != ERR_NONE)
        text_add_format(out, "it does not start: %s\n", n->trouble);
    else
        add_end(&n->record.last_exit, out);
}

/* Of a process that runs the log is read now, of one that ended it was kept. */
static void add_tail(const struct node *n, size_t max_bytes, struct text *out) {
    OWN_TEXT struct text lines = TEXT_EMPTY;
    if (n->facts->phase != NODE_DOWN)
        node_log_tail(n->directory, n->record.log_begin, max_bytes, &lines);
    else if (n->record.last_exit.log_tail != NULL)
        text_add(&lines, n->record.last_exit.log_tail);
    const char *from = text_value(&lines);
    text_add(out, lines.length > max_bytes ? from + (lines.length - max_bytes) : from);
}

void diagnosis_write(const struct node *n, size_t max_bytes, struct text *out) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    text_add_format(&words, "node %s (version %s): ", n->id, n->record.version);
    add_state(n, &words);
    if (words.length > max_bytes / 2) words.length = max_bytes / 2;
    add_tail(n, max_bytes - words.length, &words);
    text_add_bytes(out, words.data, words.length);
}
