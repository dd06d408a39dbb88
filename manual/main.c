/* manual: writes what is made of the programs' tables.
 *   manual install DIR DATE  man pages and completion files, laid out as below /usr/share
 *   manual reference DIR     docs/reference */
#include "cli/completion.h"
#include "lib/file.h"
#include "manual/gridctl_page.h"
#include "manual/manual_page.h"
#include "manual/reference.h"
#include "manual/tables.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Writes content into DIRECTORY/FOLDER/NAME and empties it. */
static bool put(const char *directory, const char *folder, const char *name, struct text *content,
                struct err *e) {
    char place[PATH_MAX], path[PATH_MAX];
    if (!file_join(place, sizeof place, directory, folder, e) ||
        !file_make_directory(place, 0755, e) || !file_join(path, sizeof path, place, name, e) ||
        !file_write_durable(path, content->data, content->length, 0644, e))
        return false;
    text_clear(content);
    return true;
}

static bool put_page(const char *directory, const char *name, int section, struct text *page,
                     struct err *e) {
    char folder[32], file[64];
    snprintf(folder, sizeof folder, "man/man%d", section);
    snprintf(file, sizeof file, "%s.%d", name, section);
    return put(directory, folder, file, page, e);
}

static bool put_gridctl_pages(const char *directory, const char *date, struct err *e) {
    const struct command_table *t = &command_table;
    OWN_TEXT struct text page = TEXT_EMPTY;
    char name[64];
    gridctl_page(t, date, &page);
    if (!put_page(directory, t->manual->program, t->manual->section, &page, e)) return false;
    for (size_t i = 0; i < t->noun_count; i++) {
        snprintf(name, sizeof name, "gridctl-%s", t->nouns[i].noun);
        gridctl_page_noun(t, &t->nouns[i], date, &page);
        if (!put_page(directory, name, t->manual->section, &page, e)) return false;
    }
    return true;
}

static bool put_completion(const char *directory, struct err *e) {
    OWN_TEXT struct text script = TEXT_EMPTY;
    completion_bash(&command_table, &script);
    if (!put(directory, "bash-completion/completions", "gridctl", &script, e)) return false;
    completion_zsh(&command_table, &script);
    return put(directory, "zsh/site-functions", "_gridctl", &script, e);
}

static bool put_all(const char *directory, const char *date, struct err *e) {
    OWN_TEXT struct text page = TEXT_EMPTY;
    for (size_t i = 0; i < manual_count; i++) {
        manual_page(manuals[i], date, &page);
        if (!put_page(directory, manuals[i]->program, manuals[i]->section, &page, e)) return false;
    }
    return put_gridctl_pages(directory, date, e) && put_completion(directory, e);
}

static bool put_reference(const char *directory, struct err *e) {
    OWN_TEXT struct text page = TEXT_EMPTY;
    reference_gridctl(&command_table, &page);
    if (!put(directory, ".", "gridctl.md", &page, e)) return false;
    reference_options(&page);
    if (!put(directory, ".", "options.md", &page, e)) return false;
    reference_metrics(&page);
    return put(directory, ".", "metrics.md", &page, e);
}

int main(int argc, char **argv) {
    struct err e = {0};
    if (argc == 4 && strcmp(argv[1], "install") == 0)
        return put_all(argv[2], argv[3], &e) ? 0 : err_report("manual", &e);
    if (argc == 3 && strcmp(argv[1], "reference") == 0)
        return put_reference(argv[2], &e) ? 0 : err_report("manual", &e);
    err_set(&e, ERR_USAGE, "manual takes \"install DIR DATE\" or \"reference DIR\"");
    return err_report("manual", &e);
}
