#include "tests/unit/lib/tuf_repository.h"

enum { EDGES_MAX = 8 };

/* "targets>A *" delegates every path without a '/' to A; '!' in place of '>' is terminating. */
struct graph_row {
    const char *name;
    const char *edges[EDGES_MAX];
    const char *visited; /* in this order, while looking for "missing" */
};

static const struct graph_row graphs[] = {
    {"one",                   {"targets>A *"},                                           "A"      },
    {"two",                   {"targets>A *", "targets>B *"},                            "A B"    },
    {"deep before wide",      {"targets>A *", "targets>B *", "A>C *", "A>D *"},          "A C D B"},
    {"deeper before wide",    {"targets>A *", "targets>B *", "A>C *", "C>D *"},          "A C D B"},
    {"terminating",           {"targets!A *", "targets>B *"},                            "A"      },
    {"terminating below",     {"targets>A *", "targets>B *", "A!C *", "A>D *"},          "A C"    },
    {"terminating goes down", {"targets>A *", "targets>B *", "A!C *", "C>D *"},          "A C D"  },
    {"terminating second",    {"targets>A *", "targets>B *", "A>C *", "A!D *"},          "A C D"  },
    {"terminating elsewhere", {"targets!A *.doc", "targets>B *"},                        "B"      },
    {"terminating and seen",  {"targets>A *", "A!A *", "targets>B *"},                   "A"      },
    {"path",                  {"targets>A *.doc", "targets>B *", "A>C *"},               "B"      },
    {"path below",            {"targets>A *", "targets>B *", "A>C *.doc", "C>D *"},      "A B"    },
    {"cycle",                 {"targets>A *", "targets>B *", "B>C *", "C>D *", "D>B *"}, "A B C D"},
    {"of itself",             {"targets>A *", "A>A *", "targets>B *"},                   "A B"    },
    {"diamond",               {"targets>A *", "targets>B *", "B>C *", "A>C *"},          "A C B"  },
    {"diamond of paths",      {"targets>A *", "targets>B *", "B>C *", "A>C *.doc"},      "A B C"  },
};

/* targets without the role that repository_begin gives it. */
static struct repository *bare(void) {
    struct repository *r = repository_begin();
    free(r->roles[0].delegations[0].paths[0]);
    free(r->roles[0].delegations[0].paths);
    free(r->roles[1].target.path);
    r->roles[0].targets.delegation_count = 0;
    r->roles[1] = (struct role){0};
    r->role_count = r->snapshot.count = 1;
    return r;
}

static void add_edge(struct repository *r, const char *edge) {
    char by[32], to[32], pattern[32], kind = 0;
    assert_int_equal(sscanf(edge, "%31[^!>]%c%31s %31s", by, &kind, to, pattern), 4);
    delegate(r, by, to, pattern)->terminating = kind == '!';
}

/* " 1.A.json 1.B.json" -> "A B" */
static void visited_of(const struct repository *r, struct text *out) {
    char *rest = NULL;
    OWN_MEMORY char *asked = text_duplicate(text_value(&r->asked));
    for (char *file = strtok_r(asked, " ", &rest); file != NULL;
         file = strtok_r(NULL, " ", &rest)) {
        const char *name = strchr(file, '.') + 1;
        text_add_format(out, "%s%.*s", out->length > 0 ? " " : "", (int)strcspn(name, "."), name);
    }
}

static struct tuf_client *refreshed(struct repository *r) {
    struct err e;
    struct tuf_client *c = repository_client(r);
    no_error(tuf_client_refresh(c, NOW_MS, &e), &e);
    text_clear(&r->asked);
    return c;
}

static void delegations_are_searched_in_their_order_each_role_once(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        struct err e;
        const struct tuf_target *t;
        OWN_TEXT struct text visited = TEXT_EMPTY;
        OWN(repository) struct repository *r = bare();
        for (size_t j = 0; j < EDGES_MAX && graphs[i].edges[j] != NULL; j++)
            add_edge(r, graphs[i].edges[j]);
        publish_all(r);
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        assert_false(tuf_client_target(c, "missing", NOW_MS, &t, &e));
        assert_int_equal(e.code, ERR_NOT_FOUND);
        assert_int_equal(tuf_client_attack(c), TUF_NO_ATTACK);
        visited_of(r, &visited);
        if (strcmp(text_value(&visited), graphs[i].visited) != 0)
            fail_msg("%s: visited %s", graphs[i].name, text_value(&visited));
    }
}

static void first_role_that_names_the_target_decides(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN_TEXT struct text visited = TEXT_EMPTY;
    OWN(repository) struct repository *r = bare();
    add_edge(r, "targets>A *");
    add_edge(r, "A>C *");
    add_edge(r, "targets>B *");
    for (size_t i = 2; i < 4; i++) add_target(&r->roles[i], "tool");
    r->roles[2].target.promise.length = 77;
    publish_all(r);
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    no_error(tuf_client_target(c, "tool", NOW_MS, &t, &e), &e);
    assert_int_equal(t->promise.length, 77);
    visited_of(r, &visited);
    assert_string_equal(text_value(&visited), "A C");
}

/* A chain of more roles than are visited; the last has the target. */
static void search_ends_at_the_most_roles_of_one_look_up(void **state) {
    (void)state;
    for (size_t roles = TUF_DELEGATIONS_MAX; roles <= TUF_DELEGATIONS_MAX + 1; roles++) {
        struct err e;
        char by[32] = "targets", to[32];
        const struct tuf_target *t;
        OWN(repository) struct repository *r = bare();
        for (size_t i = 0; i < roles; i++) {
            snprintf(to, sizeof to, "r%zu", i);
            delegate(r, by, to, "*");
            memcpy(by, to, sizeof by);
        }
        delegate(r, "targets", "aside", "*");
        add_target(&r->roles[roles], "tool");
        publish_all(r);
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        assert_int_equal(tuf_client_target(c, "tool", NOW_MS, &t, &e),
                         roles == TUF_DELEGATIONS_MAX);
        assert_null(strstr(r->asked.data, "aside"));
    }
}

static void role_that_is_kept_is_not_fetched_again_until_the_snapshot_says_so(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN(repository) struct repository *r = repository_begin();
    for (int round = 0; round < 2; round++) {
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
        assert_string_equal(text_value(&r->asked), round == 0 ? " 1.team.json" : "");
        assert_int_equal(tuf_client_attack(c), TUF_NO_ATTACK);
    }
    assert_true(folder_same(&r->published, &r->trusted, "team.json"));
    publish_all(r);
    r->entries[1].promise = (struct tuf_promise){.version = 2, .length = -1};
    publish_snapshot_and_timestamp(r);
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
    assert_string_equal(r->asked.data, " 2.team.json");
    assert_int_equal(tuf_client_attack(c), TUF_NO_ATTACK);
    folder_put(&r->trusted, "team.json", "{", 1);
    no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
    assert_true(folder_same(&r->published, &r->trusted, "team.json"));
}

static void role_names_are_percent_encoded_wherever_they_name_files(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"../x", "1...%2Fx.json"},
        {"/x",   "1.%2Fx.json"  },
        {"?",    "1.%3F.json"   },
        {"#",    "1.%23.json"   }
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err e;
        const struct tuf_target *t;
        OWN(repository) struct repository *r = bare();
        delegate(r, "targets", names[i][0], "*");
        add_target(&r->roles[1], "tool");
        publish_all(r);
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        no_error(tuf_client_target(c, "tool", NOW_MS, &t, &e), &e);
        assert_string_equal(r->asked.data + 1, names[i][1]);
        assert_true(folder_same(&r->published, &r->trusted, names[i][1] + 2));
    }
}

static void hash_prefixes_delegate_paths_by_their_digest(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    unsigned char digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE], other[] = "0000";
    char *prefixes[] = {other, hex};
    OWN(repository) struct repository *r = bare();
    struct tuf_delegation *d = delegate(r, "targets", "A", "*");
    add_target(&r->roles[1], "deep/tool");
    sha256_bytes("deep/tool", strlen("deep/tool"), digest);
    encode_hex(digest, sizeof digest, hex);
    hex[4] = '\0';
    d->path_count = 0;
    d->hash_prefixes = prefixes;
    d->hash_prefix_count = 2;
    publish_all(r);
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    no_error(tuf_client_target(c, "deep/tool", NOW_MS, &t, &e), &e);
    text_clear(&r->asked);
    assert_false(tuf_client_target(c, "shallow", NOW_MS, &t, &e));
    assert_string_equal(text_value(&r->asked), "");
    hex[3] = hex[3] == 'f' ? '0' : 'f';
    publish_all(r);
    OWN(tuf_client) struct tuf_client *again = refreshed(r);
    assert_false(tuf_client_target(again, "deep/tool", NOW_MS, &t, &e));
}

static void succinct_delegation_leads_to_one_role_by_the_digest_of_the_path(void **state) {
    (void)state;
    static const struct {
        int bits;
        const char *role; /* by sha256sum of "deep/tool" */
    } cases[] = {
        {1,  "bin-0"       },
        {3,  "bin-1"       },
        {4,  "bin-3"       },
        {5,  "bin-07"      },
        {8,  "bin-38"      },
        {10, "bin-0e1"     },
        {32, "bin-384563a1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e;
        const struct tuf_target *t;
        OWN_TEXT struct text visited = TEXT_EMPTY;
        OWN(repository) struct repository *r = bare();
        struct tuf_delegation *d = delegate(r, "targets", cases[i].role, "*");
        d->path_count = 0;
        d->bits = cases[i].bits;
        assert_true(text_copy(d->role, sizeof d->role, "bin"));
        add_target(&r->roles[1], "deep/tool");
        publish_all(r);
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        if (!tuf_client_target(c, "deep/tool", NOW_MS, &t, &e))
            fail_msg("%d bits: %s", cases[i].bits, e.text);
        visited_of(r, &visited);
        assert_string_equal(text_value(&visited), cases[i].role);
        assert_false(tuf_client_target(c, "other/1", NOW_MS, &t, &e));
        assert_int_equal(tuf_client_attack(c), TUF_MIX_AND_MATCH); /* no such role is here */
    }
}

static void succinct_delegation_ends_the_search(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN(repository) struct repository *r = bare();
    delegate(r, "targets", "A", "deep/*");
    delegate(r, "targets", "B", "deep/*");
    struct tuf_delegation *d = delegate(r, "A", "bin-3", "*");
    d->path_count = 0;
    d->bits = 4;
    assert_true(text_copy(d->role, sizeof d->role, "bin"));
    add_target(&r->roles[2], "deep/tool");
    publish_all(r);
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    assert_false(tuf_client_target(c, "deep/tool", NOW_MS, &t, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(r->asked.data, "bin-3.json"));
    assert_null(strstr(r->asked.data, "B.json"));
}

typedef void spoil(struct repository *r);

static void unsigned_role(struct repository *r) {
    struct sign_secret *right = r->keys[TUF_TARGETS];
    publish_all(r);
    r->keys[TUF_TARGETS] = r->spare;
    publish_role(r, &r->roles[1]);
    r->keys[TUF_TARGETS] = right;
    publish_snapshot_and_timestamp(r);
}

static void expired_role(struct repository *r) {
    r->roles[1].targets.heading.expires_ms = NOW_MS;
    publish_all(r);
}

static void role_of_another_version(struct repository *r) {
    const struct folder_file *f = folder_find(&r->published, "1.team.json");
    r->entries[1].promise = (struct tuf_promise){.version = 9, .length = -1};
    folder_put(&r->published, "9.team.json", f->bytes.data, f->bytes.length);
    publish_snapshot_and_timestamp(r);
}

static void role_with_another_hash(struct repository *r) {
    publish_all(r);
    char *expiry = strstr(folder_find(&r->published, "2.team.json")->bytes.data, "expires");
    assert_non_null(expiry);
    expiry[strlen("expires\":\"202")] ^= 1;
}

static void role_that_is_not_in_the_snapshot(struct repository *r) {
    delegate(r, "targets", "ghost", "ghost/*");
    r->role_count--;
    r->snapshot.count--;
    publish_all(r);
}

static void role_that_is_not_there(struct repository *r) {
    publish_all(r);
    folder_drop(&r->published, "2.team.json");
}

struct attack_row {
    const char *name;
    spoil *spoil;
    const char *path;
    enum tuf_attack attack;
    enum err_code code;
};
#define ROW(spoil, path, attack, code)                                                             \
    { #spoil, spoil, path, attack, code }

static const struct attack_row attacks[] = {
    ROW(unsigned_role, "team/tool", TUF_UNSIGNED, ERR_UNTRUSTED),
    ROW(expired_role, "team/tool", TUF_FREEZE, ERR_UNTRUSTED),
    ROW(role_of_another_version, "team/tool", TUF_MIX_AND_MATCH, ERR_UNTRUSTED),
    ROW(role_with_another_hash, "team/tool", TUF_MIX_AND_MATCH, ERR_UNTRUSTED),
    ROW(role_that_is_not_in_the_snapshot, "ghost/x", TUF_MIX_AND_MATCH, ERR_UNTRUSTED),
    ROW(role_that_is_not_there, "team/tool", TUF_NO_ATTACK, ERR_NOT_FOUND),
};

static void role_that_is_not_proven_ends_the_search_and_is_not_kept(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        const struct attack_row *row = &attacks[i];
        struct err e;
        const struct tuf_target *t;
        struct folder before = {0};
        OWN(repository) struct repository *r = repository_begin();
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
        row->spoil(r);
        no_error(tuf_client_refresh(c, NOW_MS, &e), &e);
        folder_copy(&before, &r->trusted);
        bool good = tuf_client_target(c, row->path, NOW_MS, &t, &e);
        if (good || e.code != row->code || tuf_client_attack(c) != row->attack)
            fail_msg("%s: \"%s\": %s", row->name, tuf_attack_name(tuf_client_attack(c)),
                     good ? "accepted" : e.text);
        assert_true(folder_same(&before, &r->trusted, "team.json"));
        no_error(tuf_client_target(c, "app", NOW_MS, &t, &e), &e);
        assert_int_equal(tuf_client_attack(c), TUF_NO_ATTACK);
        folder_clear(&before);
    }
}

/* "timestamp.json" of such a role would take the place of the true one. */
static void delegated_role_cannot_be_called_like_a_top_one(void **state) {
    (void)state;
    static const char *const names[] = {"root", "timestamp", "snapshot", "targets"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err e = {0};
        struct folder before = {0};
        const struct tuf_target *t = NULL;
        OWN(repository) struct repository *r = repository_begin();
        OWN(tuf_client) struct tuf_client *c = refreshed(r);
        struct tuf_delegation *d = &r->roles[0].delegations[0];
        assert_true(text_copy(d->role, sizeof d->role, names[i]));
        assert_true(text_copy(r->roles[1].name, sizeof r->roles[1].name, names[i]));
        assert_true(text_copy(r->entries[1].role, sizeof r->entries[1].role, "other"));
        r->roles[1].targets.heading.version = 0;
        r->roles[0].targets.heading.version++;
        publish_role(r, &r->roles[0]);
        publish_snapshot_and_timestamp(r);
        folder_copy(&before, &r->trusted);
        bool good =
            tuf_client_refresh(c, NOW_MS, &e) && tuf_client_target(c, "team/tool", NOW_MS, &t, &e);
        if (good || tuf_client_attack(c) == TUF_NO_ATTACK) fail_msg("%s: %s", names[i], e.text);
        assert_true(folder_same(&before, &r->trusted, "root.json"));
        folder_clear(&before);
    }
}

static void targets_that_have_expired_name_nothing(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN(repository) struct repository *r = repository_begin();
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    no_error(tuf_client_target(c, "app", NOW_MS + 20 * DAY_MS, &t, &e), &e);
    assert_false(tuf_client_target(c, "app", NOW_MS + 30 * DAY_MS, &t, &e));
    assert_int_equal(tuf_client_attack(c), TUF_FREEZE);
}

static void nothing_is_found_before_the_first_refresh(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN(repository) struct repository *r = repository_begin();
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    assert_false(tuf_client_target(c, "app", NOW_MS, &t, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_null(t);
}

static void role_that_cannot_be_kept_is_not_used(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN(repository) struct repository *r = repository_begin();
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    r->saves_left = 0;
    assert_false(tuf_client_target(c, "team/tool", NOW_MS, &t, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_null(folder_find(&r->trusted, "team.json"));
}

/* Nine roles of nine MiB each, one below the other. */
static void bytes_of_one_look_up_are_bounded(void **state) {
    (void)state;
    struct err e;
    char by[32] = "targets", to[32], file[48];
    const struct tuf_target *t;
    OWN(repository) struct repository *r = bare();
    for (size_t i = 0; i < 9; i++) {
        snprintf(to, sizeof to, "r%zu", i);
        delegate(r, by, to, "*");
        memcpy(by, to, sizeof by);
    }
    publish_all(r);
    OWN_MEMORY char *spaces = malloc(9 << 20);
    memset(spaces, ' ', 9 << 20);
    for (size_t i = 0; i < 9; i++) {
        snprintf(file, sizeof file, "1.r%zu.json", i);
        text_add_bytes(&folder_find(&r->published, file)->bytes, spaces, 9 << 20);
        r->entries[i + 1].promise = (struct tuf_promise){.version = 1, .length = -1};
    }
    publish_snapshot_and_timestamp(r);
    OWN(tuf_client) struct tuf_client *c = refreshed(r);
    assert_false(tuf_client_target(c, "tool", NOW_MS, &t, &e));
    assert_int_equal(tuf_client_attack(c), TUF_ENDLESS);
    assert_null(strstr(r->asked.data, file));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delegations_are_searched_in_their_order_each_role_once),
        cmocka_unit_test(first_role_that_names_the_target_decides),
        cmocka_unit_test(search_ends_at_the_most_roles_of_one_look_up),
        cmocka_unit_test(role_that_is_kept_is_not_fetched_again_until_the_snapshot_says_so),
        cmocka_unit_test(role_names_are_percent_encoded_wherever_they_name_files),
        cmocka_unit_test(hash_prefixes_delegate_paths_by_their_digest),
        cmocka_unit_test(succinct_delegation_leads_to_one_role_by_the_digest_of_the_path),
        cmocka_unit_test(succinct_delegation_ends_the_search),
        cmocka_unit_test(role_that_is_not_proven_ends_the_search_and_is_not_kept),
        cmocka_unit_test(delegated_role_cannot_be_called_like_a_top_one),
        cmocka_unit_test(targets_that_have_expired_name_nothing),
        cmocka_unit_test(nothing_is_found_before_the_first_refresh),
        cmocka_unit_test(role_that_cannot_be_kept_is_not_used),
        cmocka_unit_test(bytes_of_one_look_up_are_bounded),
    };
    sign_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
