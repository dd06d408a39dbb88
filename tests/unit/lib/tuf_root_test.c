/* Chains of roots: who must have signed each for a client to follow. */
#include "tests/unit/lib/tuf_repository.h"

enum { SIGNERS = 6, STEPS_MAX = 4 };

/* A root as "KEYS/THRESHOLD:SIGNED BY"; keys are letters a to f. */
struct chain {
    const char *roots[STEPS_MAX];
    int64_t reached; /* the version that the client ends with */
};

static const struct chain chains[] = {
    {{"a/1:a", "a/1:a", "a/1:a"},                    3},
    {{"a/1:a", "b/1:ab", "b/1:b"},                   3},
    {{"a/1:fae", "b/1:efab", "b/1:feb"},             3}, /* strangers do no harm */
    {{"a/1:a", "b/1:b"},                             1},
    {{"a/1:a", "b/1:a"},                             1},
    {{"a/1:a", "b/1:bcd"},                           1},
    {{"a/1:a", "b/1:acd"},                           1},
    {{"a/1:a", "b/1:ab", "c/1:ac"},                  2}, /* a counted only for the first */
    {{"abcde/3:ace", "abcde/3:abe", "abcde/3:bcd"},  3},
    {{"abcde/3:ace", "abcde/3:ab"},                  1},
    {{"abcde/3:ace", "abdef/3:abe", "abdef/3:def"},  3},
    {{"abcde/3:ace", "abdef/3:acdf", "abdef/3:fed"}, 3},
    {{"abcde/3:ace", "abdef/3:ace"},                 1}, /* two of the new */
    {{"abcde/3:ace", "abdef/3:bef"},                 1}, /* two of the old */
    {{"abc/3:abc", "def/3:abcdef", "def/3:def"},     3},
    {{"abc/3:abc", "def/3:abcde"},                   1},
    {{"abc/1:a", "abc/2:ab"},                        2},
    {{"abc/1:a", "abc/2:b"},                         1},
    {{"abc/2:ab", "abc/1:bc", "abc/1:c"},            3},
    {{"abc/2:ab", "abc/1:a"},                        1},
    {{"a/1:a", "ab/2:ab"},                           2},
    {{"a/1:a", "ab/3:ab"},                           1}, /* more than there are */
};

struct signers {
    struct sign_secret *secrets[SIGNERS];
    struct tuf_key keys[TUF_ROLE_COUNT + SIGNERS];
    char ids[SIGNERS][TUF_KEY_ID_SIZE];
};

static void signers_begin(struct signers *s, const struct repository *r) {
    struct err e;
    memcpy(s->keys, r->root_keys, TUF_ROLE_COUNT * sizeof s->keys[0]);
    for (size_t i = 0; i < SIGNERS; i++) {
        no_error(sign_generate(&s->secrets[i], &e), &e);
        tuf_key_of(sign_secret_public(s->secrets[i]), &s->keys[TUF_ROLE_COUNT + i]);
    }
}

static void signers_end(struct signers *s) {
    for (size_t i = 0; i < SIGNERS; i++) {
        sign_secret_free(s->secrets[i]);
        tuf_key_clear(&s->keys[TUF_ROLE_COUNT + i]);
    }
}

/* Who speaks for root by this row, and in *signed_by who signed it. */
static struct tuf_signers named(struct signers *s, const char *row, const char **signed_by) {
    const char *slash = strchr(row, '/'), *colon = strchr(row, ':');
    for (const char *letter = row; letter < slash; letter++)
        memcpy(s->ids[letter - row], s->keys[TUF_ROLE_COUNT + *letter - 'a'].id, TUF_KEY_ID_SIZE);
    *signed_by = colon + 1;
    return (struct tuf_signers){
        .key_ids = s->ids, .key_count = (size_t)(slash - row), .threshold = slash[1] - '0'};
}

static void publish_step(struct repository *r, struct signers *s, const char *row) {
    struct err e;
    char name[32];
    const char *signed_by = NULL;
    OWN_TEXT struct text file = TEXT_EMPTY;
    r->root.keys = (struct tuf_keys){.list = s->keys, .count = TUF_ROLE_COUNT + SIGNERS};
    r->root.roles[TUF_ROOT] = named(s, row, &signed_by);
    tuf_root_write(&r->root, &file);
    for (const char *letter = signed_by; *letter != '\0'; letter++)
        no_error(tuf_sign(&file, s->secrets[*letter - 'a'], &e), &e);
    snprintf(name, sizeof name, "%lld.root.json", (long long)r->root.heading.version);
    folder_put(&r->published, name, file.data, file.length);
    if (r->root.heading.version == 1) folder_put(&r->trusted, "root.json", file.data, file.length);
    r->root.heading.version++;
}

static void root_is_followed_when_old_and_new_thresholds_signed_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        const struct chain *chain = &chains[i];
        struct err e = {0};
        struct signers s = {0};
        enum tuf_attack attack = TUF_NO_ATTACK;
        size_t steps = 0;
        OWN(repository) struct repository *r = repository_begin();
        signers_begin(&s, r);
        for (; steps < STEPS_MAX && chain->roots[steps] != NULL; steps++)
            publish_step(r, &s, chain->roots[steps]);
        bool all = chain->reached == (int64_t)steps;
        bool good = repository_refresh(r, NOW_MS, &attack, &e);
        OWN(tuf_client) struct tuf_client *c = repository_client(r);
        int64_t reached = tuf_client_root(c)->heading.version;
        if (good != all || reached != chain->reached ||
            attack != (all ? TUF_NO_ATTACK : TUF_UNSIGNED))
            fail_msg("%s, %s, ...: reached %lld: %s", chain->roots[0], chain->roots[1],
                     (long long)reached, e.text);
        signers_end(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_followed_when_old_and_new_thresholds_signed_it),
    };
    sign_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
