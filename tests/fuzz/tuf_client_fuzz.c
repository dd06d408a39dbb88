/* A client of a repository in the hands of an enemy, who has all that was ever published, the keys
 * of timestamp and snapshot and that of a delegated role, and says what he likes: roots and targets
 * stay the owner's, no version goes back, and what is kept is believed again. The input is a
 * script, one order a line (see obey); its seeds show how it reads. */
#include "lib/encode.h"
#include "lib/json_canonical.h"
#include "lib/own.h"
#include "lib/tuf_client.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#define NOW_MS INT64_C(1800000000000)
#define DAY_MS INT64_C(86400000)
#define GENERATIONS 2
#define KEPT_MAX 48
#define ROOTS_MAX 5 /* served: enough for a chain that goes wrong */

enum file { ROOT, TIMESTAMP, SNAPSHOT, TARGETS, TEAM, FILE_COUNT };
enum owner { ROOT_KEY, TARGETS_KEY, ENEMY_KEY, KEY_COUNT };

static const struct {
    char letter;
    const char *suffix;
    enum owner signer;
} files[FILE_COUNT] = {
    [ROOT] = {'r', "root.json",      ROOT_KEY   },
    [TIMESTAMP] = {'t', "timestamp.json", ENEMY_KEY  },
    [SNAPSHOT] = {'s', "snapshot.json",  ENEMY_KEY  },
    [TARGETS] = {'g', "targets.json",   TARGETS_KEY},
    [TEAM] = {'d', ".json",          ENEMY_KEY  },
};

static struct sign_secret *secrets[KEY_COUNT];
static struct tuf_key keys[KEY_COUNT];
static struct text genuine[GENERATIONS][FILE_COUNT];

struct kept {
    char name[4 * TUF_ROLE_NAME_SIZE]; /* percent-encoded */
    struct text bytes;
};

struct scene {
    struct text served[FILE_COUNT];
    struct kept kept[KEPT_MAX];
    size_t kept_count;
    struct tuf_client *client;
    int64_t now_ms;
    int64_t root, timestamp, targets; /* versions that were trusted */
};

static void begin(struct text *out, const char *type, int generation) {
    text_add_format(out,
                    "{\"signatures\":[],\"signed\":{\"_type\":\"%s\",\"expires\":"
                    "\"2027-02-%02dT00:00:00Z\",\"spec_version\":\"1.0.33\",\"version\":%d,",
                    type, 10 + generation, generation);
}

static void add_key(struct text *out, enum owner k) {
    text_add_format(out,
                    "\"%s\":{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"%s\"},"
                    "\"scheme\":\"ed25519\"}",
                    keys[k].id, keys[k].value);
}

static void write_root(struct text *out) {
    text_add(out, "\"consistent_snapshot\":true,\"keys\":{");
    for (int k = 0; k < KEY_COUNT; k++) {
        if (k > 0) text_add(out, ",");
        add_key(out, (enum owner)k);
    }
    text_add(out, "},\"roles\":{");
    for (int f = ROOT; f <= TARGETS; f++)
        text_add_format(out, "%s\"%s\":{\"keyids\":[\"%s\"],\"threshold\":1}", f > 0 ? "," : "",
                        tuf_role_name((enum tuf_role_kind)f), keys[files[f].signer].id);
    text_add(out, "}}}");
}

static void write_targets(struct text *out, int generation, const char *path) {
    text_add_format(out, "\"targets\":{\"%s\":{\"hashes\":{\"sha256\":\"%064d\"},\"length\":5}}",
                    path, generation);
}

static void write_delegation(struct text *out) {
    text_add(out, ",\"delegations\":{\"keys\":{");
    add_key(out, ENEMY_KEY);
    text_add_format(out,
                    "},\"roles\":[{\"keyids\":[\"%s\"],\"name\":\"team\",\"paths\":[\"team/*\"],"
                    "\"terminating\":false,\"threshold\":1}]}",
                    keys[ENEMY_KEY].id);
}

static void publish(int generation) {
    struct text *all = genuine[generation - 1];
    struct err e;
    for (int f = 0; f < FILE_COUNT; f++)
        begin(&all[f], f == TEAM ? "targets" : tuf_role_name((enum tuf_role_kind)f), generation);
    write_root(&all[ROOT]);
    text_add_format(&all[TIMESTAMP], "\"meta\":{\"snapshot.json\":{\"version\":%d}}}}", generation);
    text_add_format(&all[SNAPSHOT],
                    "\"meta\":{\"targets.json\":{\"version\":%d},\"team.json\":{\"version\":%d}}}}",
                    generation, generation);
    write_targets(&all[TARGETS], generation, "app");
    write_delegation(&all[TARGETS]);
    text_add(&all[TARGETS], "}}");
    write_targets(&all[TEAM], generation, "team/tool");
    text_add(&all[TEAM], "}}");
    for (int f = 0; f < FILE_COUNT; f++) {
        bool signs = tuf_sign(&all[f], secrets[files[f].signer], &e);
        assert(signs);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct err e;
    (void)argc;
    (void)argv;
    sign_setup();
    for (int k = 0; k < KEY_COUNT; k++) {
        bool made = sign_generate(&secrets[k], &e);
        assert(made);
        tuf_key_of(sign_secret_public(secrets[k]), &keys[k]);
    }
    for (int generation = 1; generation <= GENERATIONS; generation++) publish(generation);
    return 0;
}

static struct kept *find(struct scene *s, const char *name) {
    for (size_t i = 0; i < s->kept_count; i++)
        if (strcmp(s->kept[i].name, name) == 0) return &s->kept[i];
    return NULL;
}

static bool load(void *argument, const char *file, struct text *out, struct err *e) {
    const struct kept *k = find(argument, file);
    if (k == NULL) return err_set(e, ERR_NOT_FOUND, "%s", file);
    text_add_bytes(out, text_value(&k->bytes), k->bytes.length);
    return true;
}

static bool save(void *argument, const char *file, const char *bytes, size_t length,
                 struct err *e) {
    struct scene *s = argument;
    struct kept *k = find(s, file);
    assert(strchr(file, '/') == NULL && file[0] != '.');
    if (k == NULL) {
        if (bytes == NULL) return true;
        if (s->kept_count == KEPT_MAX) return err_set(e, ERR_IO, "the disk is full");
        k = &s->kept[s->kept_count++];
        bool fits = text_copy(k->name, sizeof k->name, file);
        assert(fits);
    }
    text_clear(&k->bytes);
    if (bytes != NULL) {
        text_add_bytes(&k->bytes, bytes, length);
        return true;
    }
    text_fini(&k->bytes);
    *k = s->kept[--s->kept_count];
    return true;
}

/* Whatever is asked for by another name is the delegated role's file. */
static enum file file_of(const char *name) {
    for (int f = 0; f < TEAM; f++) {
        size_t length = strlen(name), suffix = strlen(files[f].suffix);
        if (length >= suffix && strcmp(name + length - suffix, files[f].suffix) == 0)
            return (enum file)f;
    }
    return TEAM;
}

static bool fetch(void *argument, const char *file, size_t max_bytes, struct text *out,
                  struct err *e) {
    struct scene *s = argument;
    enum file f = file_of(file);
    const struct text *served = &s->served[f];
    assert(strchr(file, '/') == NULL && file[0] != '.');
    if (served->length == 0 || (f == ROOT && strtol(file, NULL, 10) > ROOTS_MAX))
        return err_set(e, ERR_NOT_FOUND, "%s", file);
    if (served->length > max_bytes) return err_set(e, ERR_TOO_LARGE, "%s", file);
    text_add_bytes(out, served->data, served->length);
    return true;
}

static struct tuf_client *open_client(struct scene *s) {
    struct err e;
    struct tuf_client *c = NULL;
    const struct tuf_client_options options = {
        .argument = s, .load = load, .save = save, .fetch = fetch};
    bool opened = tuf_client_open(&c, &options, &e);
    assert(opened);
    return c;
}

static void canonical_part(const struct text *file, struct text *out) {
    struct err e;
    const char *value = NULL;
    size_t length = 0;
    bool found = json_member(file->data, file->length, "signed", &value, &length, &e) &&
                 json_canonical(value, length, out, &e);
    assert(found);
}

/* That what is kept says what the owner said in this version. */
static void check_owners(struct scene *s, enum file f, int64_t version) {
    OWN_TEXT struct text ours = TEXT_EMPTY;
    OWN_TEXT struct text theirs = TEXT_EMPTY;
    const struct kept *k = find(s, files[f].suffix);
    assert(k != NULL && version >= 1 && version <= GENERATIONS);
    const struct text *good = &genuine[version - 1][f];
    /* Mostly; what follows would take a third of all the time. */
    if (k->bytes.length == good->length && memcmp(k->bytes.data, good->data, good->length) == 0)
        return;
    canonical_part(good, &ours);
    canonical_part(&k->bytes, &theirs);
    assert(strcmp(ours.data, theirs.data) == 0);
}

static void check_trusted(struct scene *s, const struct tuf_client *c) {
    const struct tuf_timestamp *t = tuf_client_timestamp(c);
    const struct tuf_targets *g = tuf_client_targets(c);
    int64_t root = tuf_client_root(c)->heading.version;
    assert(root >= s->root);
    s->root = root;
    check_owners(s, ROOT, root);
    if (t != NULL) {
        assert(t->heading.version >= s->timestamp);
        s->timestamp = t->heading.version;
    }
    if (g == NULL) return;
    assert(g->heading.version >= s->targets);
    s->targets = g->heading.version;
    check_owners(s, TARGETS, s->targets);
}

static void check_failure(const struct tuf_client *c, const struct err *e) {
    assert(e->text[0] != '\0' && e->code != ERR_INTERNAL);
    assert(tuf_client_attack(c) == TUF_NO_ATTACK || e->code == ERR_UNTRUSTED);
}

static void refresh(struct scene *s) {
    struct err e;
    if (!tuf_client_refresh(s->client, s->now_ms, &e)) check_failure(s->client, &e);
    check_trusted(s, s->client);
}

static void look_up(struct scene *s, const char *path) {
    struct err e;
    const struct tuf_target *t = NULL;
    if (!tuf_client_target(s->client, path, s->now_ms, &t, &e)) {
        check_failure(s->client, &e);
        return;
    }
    assert(strcmp(t->path, path) == 0);
    if (strncmp(path, "team/", 5) == 0) return;
    assert(strcmp(path, "app") == 0);
    assert(strtol(t->promise.sha256, NULL, 10) == s->targets);
}

static void begin_anew(struct scene *s) {
    tuf_client_close(s->client);
    s->client = open_client(s);
    check_trusted(s, s->client);
}

/* The words as they are; behind '+' as a part that the enemy has signed; behind a digit as that
 * generation of the owner, in which pairs of characters say where what stands instead. */
static void serve(struct text *out, enum file f, char how, const char *words) {
    struct err e;
    text_clear(out);
    if (how == '=') text_add(out, words);
    if (how == '+') {
        text_add_format(out, "{\"signatures\":[],\"signed\":%s}", words);
        if (!tuf_sign(out, secrets[ENEMY_KEY], &e)) assert(e.text[0] != '\0');
    }
    if (how < '1' || how > '0' + GENERATIONS) return;
    const struct text *good = &genuine[how - '1'][f];
    text_add_bytes(out, good->data, good->length);
    for (; words[0] != '\0' && words[1] != '\0'; words += 2)
        out->data[(unsigned char)words[0] * 7U % out->length] = words[1];
}

static void obey(struct scene *s, const char *order) {
    if (order[0] == '!') refresh(s);
    if (order[0] == '?') look_up(s, order + 1);
    if (order[0] == '@') begin_anew(s);
    if (order[0] == '>') s->now_ms += (order[1] - '0') * DAY_MS;
    for (int f = 0; f < FILE_COUNT; f++)
        if (order[0] == files[f].letter && order[1] != '\0')
            serve(&s->served[f], (enum file)f, order[1], order + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct scene s = {.now_ms = NOW_MS, .root = 1};
    struct err e;
    const struct text *first = &genuine[0][ROOT];
    bool saved = save(&s, "root.json", first->data, first->length, &e);
    assert(saved);
    for (int f = TIMESTAMP; f < FILE_COUNT; f++) serve(&s.served[f], (enum file)f, '1', "");
    s.client = open_client(&s);
    while (size > 0) {
        OWN_MEMORY char *order = fuzz_part(&data, &size, '\n');
        obey(&s, order);
    }
    tuf_client_close(s.client);
    for (size_t i = 0; i < s.kept_count; i++) text_fini(&s.kept[i].bytes);
    for (int f = 0; f < FILE_COUNT; f++) text_fini(&s.served[f]);
    return 0;
}
