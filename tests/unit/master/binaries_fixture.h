/* What tests of catalog, intake, uploads and backup share beyond master_fixture.h: contents, signed
 * contents, and what became of them. */
#pragma once

#include "tests/unit/master/master_fixture.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The content of a small script, which every linux takes; it differs with words. */
static inline void content_script(const char *words, struct text *out) {
    text_add_format(out, "#!/bin/sh\necho %s\n", words);
}

/* The header of an ELF executable for this machine. */
static inline void content_elf(unsigned machine, struct text *out) {
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = (Elf64_Half)machine,
        .e_version = EV_CURRENT
    };
    text_add_bytes(out, &header, sizeof header);
}

static inline void stage_bytes(struct fixture *f, const void *bytes, size_t length,
                               struct staged *out) {
    struct err error = {0};
    assert_ok(catalog_stage(f->catalog, out, &error));
    assert_int_equal(write(out->fd, bytes, length), (ssize_t)length);
    assert_ok(sha256_file(out->fd, out->sha256, &out->size_bytes, &error));
}

/* What an admission is tried with; the rest has defaults. */
struct offer {
    const char *file_name;
    const char *words; /* a script with these words, unless content is given */
    const struct text *content;
    const char *signature;
    int64_t offered_at_ms;
};

static inline bool admit(struct fixture *f, const struct offer *o, struct binary *out,
                         bool *created, struct err *e) {
    OWN_TEXT struct text script = TEXT_EMPTY;
    struct binary ignored;
    struct staged staged;
    struct artifact_name id;
    const struct text *content = o->content != NULL ? o->content : &script;
    content_script(o->words != NULL ? o->words : "words", &script);
    if (!artifact_name_parse(o->file_name, &id, e)) fail_msg("%s", e->text);
    stage_bytes(f, text_value(content), content->length, &staged);
    const struct admission a = {.id = &id,
                                .staged = &staged,
                                .publisher_signature = o->signature,
                                .principal = "test",
                                .offered_at_ms = o->offered_at_ms};
    enum admitted how = ADMITTED_SAME;
    bool admitted = catalog_admit(f->catalog, &a, out != NULL ? out : &ignored, &how, e);
    catalog_unstage(&staged);
    *created = admitted && how == ADMITTED_NEW;
    return admitted;
}

/* Asserts that it is refused with this code and these words. */
static inline void refuses(struct fixture *f, const struct offer *o, enum err_code code,
                           const char *words) {
    struct err error = {0};
    bool created = true;
    if (admit(f, o, NULL, &created, &error)) fail_msg("%s was admitted", o->file_name);
    assert_string_equal(err_code_name(error.code), err_code_name(code));
    if (strstr(error.text, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", error.text, words);
    assert_false(created);
}

static inline size_t held_files(struct fixture *f) {
    struct err error = {0};
    int64_t count = 0;
    assert_ok(held_count(f->db, &count, &error));
    return (size_t)count;
}

/* Asserts that it is held for a reason with these words. */
static inline void holds(struct fixture *f, const struct offer *o, const char *words) {
    struct err error = {0};
    struct held h;
    bool created = true;
    assert_ok(admit(f, o, NULL, &created, &error));
    assert_false(created);
    assert_ok(held_find(f->db, o->file_name, &h, &error));
    if (strstr(h.reason, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", h.reason, words);
}

static inline void admits(struct fixture *f, const char *file_name, const char *words) {
    struct err error = {0};
    bool created = false;
    const struct offer o = {.file_name = file_name, .words = words};
    assert_ok(admit(f, &o, NULL, &created, &error));
    assert_true(created);
}

static inline bool find(struct fixture *f, const char *file_name, struct binary *out,
                        struct err *e) {
    struct artifact_name id;
    if (!artifact_name_parse(file_name, &id, e)) fail_msg("%s", e->text);
    return catalog_find(f->catalog, &id, out, e);
}

/* The minisign text of a key over content under a name; the caller frees. */
static inline char *signature_of(const struct sign_secret *key, const struct text *content,
                                 const char *file_name) {
    struct err error = {0};
    struct text out = TEXT_EMPTY;
    OWN_FD int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, text_value(content), content->length), (ssize_t)content->length);
    assert_ok(sign_file(key, fd, file_name, &out, &error));
    return text_take(&out);
}

static inline struct sign_secret *trust_new_publisher(struct fixture *f) {
    struct err error = {0};
    struct sign_secret *key = NULL;
    assert_ok(sign_generate(&key, &error));
    assert_ok(keys_trust(f->keys, sign_secret_public(key), &error));
    return key;
}

/* A publisher of whom nothing more is asked. */
static inline void trust_somebody(struct fixture *f) {
    sign_secret_free(trust_new_publisher(f));
}

/* Opens the catalog anew, as a restart does. */
static inline void reopen_catalog(struct fixture *f, enum catalog_signatures required) {
    struct err error = {0};
    catalog_close(f->catalog);
    f->catalog = NULL;
    assert_ok(catalog_open(&f->catalog, f->db, f->keys, f->repo, f->state, required, &error));
}

static inline bool exists(const char *directory, const char *name) {
    char path[PATH_MAX];
    struct err error = {0};
    assert_ok(file_join(path, sizeof path, directory, name, &error));
    return access(path, F_OK) == 0;
}

static inline bool object_exists(struct fixture *f, const char *sha256) {
    return exists(catalog_objects_directory(f->catalog), sha256);
}

static inline size_t events_of(struct fixture *f, const char *kind) {
    struct err error = {0};
    struct event *list = NULL;
    size_t count = 0;
    int64_t first = 0;
    assert_ok(events_list(f->events, 0, kind, NULL, 1000, &list, &count, &first, &error));
    json_clear_list(&event_schema, list, count);
    return count;
}
