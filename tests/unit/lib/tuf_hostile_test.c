/* Metadata as somebody with bad intent would write them: each is refused for the right reason, and
 * what only looks odd is taken. */
#include "lib/tuf_metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEADING(type)                                                                              \
    "{\"signatures\":[],\"signed\":{\"_type\":\"" type                                             \
    "\",\"expires\":\"2030-01-31T12:00:00Z\",\"spec_version\":\"1.0.33\",\"version\":2,"
#define ROLE(name) "\"" name "\":{\"keyids\":[\"k1\"],\"threshold\":1}"
#define SHA256_ZERO "0000000000000000000000000000000000000000000000000000000000000000"

static const char root[] = HEADING(
    "root") "\"consistent_snapshot\":true,\"keys\":{\"k1\":{\"keytype\":\"ed25519\","
            "\"keyval\":{\"public\":\"00\"},\"scheme\":\"ed25519\"}},\"roles\":{" ROLE(
                "root") "," ROLE("timestamp") "," ROLE("snapshot") "," ROLE("targets") "}}}";
static const char timestamp[] =
    HEADING("timestamp") "\"meta\":{\"snapshot.json\":{\"hashes\":{\"sha256\":\"" SHA256_ZERO
                         "\"},\"length\":5,\"version\":7}}}}";
static const char snapshot[] = HEADING("snapshot") "\"meta\":{\"targets.json\":{\"version\":7},"
                                                   "\"role.json\":{\"version\":1}}}}";
static const char targets[] =
    HEADING("targets") "\"delegations\":{\"keys\":{\"k1\":{\"keytype\":\"ed25519\",\"keyval\":"
                       "{\"public\":\"00\"},\"scheme\":\"ed25519\"}},\"roles\":[{\"keyids\":"
                       "[\"k1\"],\"name\":\"role\",\"paths\":[\"a/*\"],\"terminating\":false,"
                       "\"threshold\":1}]},\"targets\":{\"a\":{\"custom\":{\"x\":1},\"hashes\":"
                       "{\"sha256\":\"" SHA256_ZERO "\"},\"length\":3}}}}";

static const char *const documents[TUF_ROLE_COUNT] = {root, timestamp, snapshot, targets};

/* From an exact copy on the heap: reading one byte too far is seen by the address sanitizer. */
static bool parse(enum tuf_role_kind role, const char *bytes, size_t length, struct err *e) {
    union {
        struct tuf_root root;
        struct tuf_timestamp timestamp;
        struct tuf_snapshot snapshot;
        struct tuf_targets targets;
    } out;
    OWN_MEMORY char *copy = memory_resize(NULL, length + 1, 1);
    memcpy(copy, bytes, length);
    copy = memory_resize(copy, length > 0 ? length : 1, 1);
    bool parsed = false;
    switch (role) {
    case TUF_ROOT:
        parsed = tuf_root_parse(copy, length, &out.root, e);
        if (parsed) tuf_root_clear(&out.root);
        break;
    case TUF_TIMESTAMP:
        parsed = tuf_timestamp_parse(copy, length, &out.timestamp, e);
        break;
    case TUF_SNAPSHOT:
        parsed = tuf_snapshot_parse(copy, length, &out.snapshot, e);
        if (parsed) tuf_snapshot_clear(&out.snapshot);
        break;
    default:
        parsed = tuf_targets_parse(copy, length, &out.targets, e);
        if (parsed) tuf_targets_clear(&out.targets);
    }
    return parsed;
}

/* The document with the first `from` replaced. The caller frees. */
static char *altered(const char *document, const char *from, const char *to) {
    struct text out = TEXT_EMPTY;
    const char *place = strstr(document, from);
    if (place == NULL) fail_msg("%s is not in %s", from, document);
    text_add_bytes(&out, document, (size_t)(place - document));
    text_add(&out, to);
    text_add(&out, place + strlen(from));
    return text_take(&out);
}

static void untouched_documents_are_read(void **state) {
    (void)state;
    for (int role = 0; role < TUF_ROLE_COUNT; role++) {
        struct err e = {0};
        if (!parse((enum tuf_role_kind)role, documents[role], strlen(documents[role]), &e))
            fail_msg("%s", e.text);
    }
}

struct alteration {
    enum tuf_role_kind role;
    const char *from;
    const char *to;
    const char *text; /* of the refusal; NULL: taken */
};

static const struct alteration alterations[] = {
  /* the envelope */
    {TUF_ROOT,      "{\"signatures\":[],",              "{",                                                                    "root metadata: signatures is missing"            },
    {TUF_ROOT,      "\"signatures\":[]",                "\"signatures\":{}",                                                    "signatures: not an array"                        },
    {TUF_ROOT,      "{\"signatures\":[],",              "{\"signatures\":[],\"signatures\":[],",                                "is there twice"                                  },
    {TUF_ROOT,      "{\"signatures\":[],",              "{\"signatures\":[],\"signed\":{},",                                    "signed is there twice"                           },
    {TUF_ROOT,      "\"signed\":{",                     "\"signed\":[{",                                                        "not valid JSON"                                  },
    {TUF_ROOT,      "{\"signatures\"",                  "[{\"signatures\"",                                                     "not valid JSON"                                  },
 /* the heading */
    {TUF_ROOT,      "\"_type\":\"root\"",               "\"_type\":\"targets\"",                                                "_type: not \"root\""                             },
    {TUF_ROOT,      "\"_type\":\"root\"",               "\"_type\":\"Root\"",                                                   "_type: not \"root\""                             },
    {TUF_ROOT,      "\"_type\":\"root\"",               "\"_type\":1",                                                          "_type: not \"root\""                             },
    {TUF_ROOT,      "\"_type\":\"root\"",               "\"Type\":\"root\"",                                                    "_type is missing"                                },
    {TUF_ROOT,      "\"_type\":\"root\"",               "\"_type\":\"root\",\"_typ\\u0065\":\"root\"",
     "_type is there twice"                                                                                                                                                       },
    {TUF_TIMESTAMP, "\"timestamp\"",                    "\"snapshot\"",                                                         "_type: not \"timestamp\""                        },
    {TUF_SNAPSHOT,  "1.0.33",                           "2.0.0",                                                                "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "1",                                                                    "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "1.",                                                                   "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "1.0.",                                                                 "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "1.0.0.0",                                                              "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "10.0.0",                                                               "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "1.0.33-x",                                                             "spec_version: not a version 1.x"                 },
    {TUF_SNAPSHOT,  "1.0.33",                           "1.1",                                                                  NULL                                              },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":0",                                                        "version: not a whole number from 1"              },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":-1",                                                       "version: not a whole number from 1"              },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":2.0",                                                      "version: not a whole number"                     },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":2e3",                                                      "version: not a whole number"                     },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":\"2\"",                                                    "version: not a whole number"                     },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":true",                                                     "version: not a whole number"                     },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":null",                                                     "version: not a whole number"                     },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":9007199254740991",                                         NULL                                              },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":9007199254740992",                                         "to 9007199254740991"                             },
    {TUF_SNAPSHOT,  "\"version\":2",                    "\"version\":18446744073709551618",                                     "to 9007199254740991"                             },
    {TUF_TARGETS,   "2030-01-31T12:00:00Z",             "2030-01-31",                                                           "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "12:00:00Z",                        "12:00:00.5Z",                                                          "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "12:00:00Z",                        "12:00:00+00:00",                                                       "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "12:00:00Z",                        "12:00:00z",                                                            "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "T12:00:00Z",                       " 12:00:00Z",                                                           "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "12:00:00Z",                        "24:00:00Z",                                                            "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "12:00:00Z",                        "12:60:00Z",                                                            "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "2030-01-31",                       "2030-02-30",                                                           "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "2030-01-31",                       "1969-12-31",                                                           "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "2030-01-31",                       "9999-12-31",                                                           NULL                                              },
    {TUF_TARGETS,   "\"2030-01-31T12:00:00Z\"",         "1896091200",                                                           "expires: not a time in UTC"                      },
    {TUF_TARGETS,   "\"2030-01-31T12:00:00Z\"",         "\"\"",                                                                 "expires: not a time in UTC"                      },
 /* root */
    {TUF_ROOT,      "," ROLE("snapshot"),               "",                                                                     "roles: snapshot is missing"                      },
    {TUF_ROOT,      "," ROLE("snapshot"),               "," ROLE("snapshot") "," ROLE("snapshot"),
     "roles: snapshot is there twice"                                                                                                                                             },
    {TUF_ROOT,      "," ROLE("snapshot"),               "," ROLE("snapshot") "," ROLE("mirrors"),                               NULL                                              },
    {TUF_ROOT,      "\"threshold\":1",                  "\"threshold\":0",                                                      "roles: root: threshold: not a whole"             },
    {TUF_ROOT,      "\"threshold\":1",                  "\"threshold\":-1",                                                     "threshold: not a whole number from 1"            },
    {TUF_ROOT,      "\"threshold\":1",                  "\"threshold\":257",                                                    "threshold: not a whole number from 1"            },
    {TUF_ROOT,      "\"threshold\":1",                  "\"threshold\":9223372036854775807",                                    "threshold: not a whole"                          },
    {TUF_ROOT,      "\"threshold\":1",                  "\"threshold\":\"1\"",                                                  "threshold: not a whole number"                   },
    {TUF_ROOT,      ",\"threshold\":1",                 "",                                                                     "roles: root: threshold is missing"               },
    {TUF_ROOT,      "[\"k1\"]",                         "[\"k1\",\"k1\"]",                                                      "roles: root: keyids: [1]: a key id that is there"},
    {TUF_ROOT,      "[\"k1\"]",                         "[\"k1\",1]",                                                           "keyids: [1]: not a string"                       },
    {TUF_ROOT,      "[\"k1\"]",                         "[\"\"]",                                                               "keyids: [0]: an empty name"                      },
    {TUF_ROOT,      "[\"k1\"]",                         "\"k1\"",                                                               "keyids: not an array"                            },
    {TUF_ROOT,      "[\"k1\"]",                         "[\"unknown\"]",                                                        NULL                                              }, /* no signature by it will ever count */
    {TUF_ROOT,      "\"keys\":{\"k1\"",                 "\"keys\":{\"\"",                                                       "keys: \"\": an empty name"                       },
    {TUF_ROOT,      "\"keys\":{",                       "\"keys\":{\"k1\":{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":{}},",
     "keys: key id k1 is there twice"                                                                                                                                             },
    {TUF_ROOT,      "\"keys\":{",                       "\"keys\":{\"x\":{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":{}},",
     NULL                                                                                                                                                                         },
    {TUF_ROOT,      "\"keyval\":{\"public\":\"00\"}",   "\"keyval\":\"00\"",
     "\"k1\": keyval: not an object"                                                                                                                                              },
    {TUF_ROOT,      "\"public\":\"00\"",                "\"public\":0",                                                         "\"k1\": keyval: public: not a string"            },
    {TUF_ROOT,      "\"keytype\":\"ed25519\",",         "",                                                                     "\"k1\": keytype is missing"                      },
    {TUF_ROOT,      ",\"scheme\":\"ed25519\"",          "",                                                                     "\"k1\": scheme is missing"                       },
    {TUF_ROOT,      "\"consistent_snapshot\":true",     "\"consistent_snapshot\":1",                                            "neither true nor"                                },
    {TUF_ROOT,      "\"consistent_snapshot\":true,",    "",                                                                     NULL                                              },
    {TUF_ROOT,      "\"consistent_snapshot\":true",     "\"unknown\":[{}],\"consistent_snapshot\":true",
     NULL                                                                                                                                                                         },
 /* timestamp and snapshot */
    {TUF_TIMESTAMP, "snapshot.json",                    "Snapshot.json",                                                        "meta: snapshot.json is missing"                  },
    {TUF_TIMESTAMP, "snapshot.json",                    "../snapshot.json",                                                     "meta: snapshot.json is missing"                  },
    {TUF_TIMESTAMP, "\"version\":7",                    "\"version\":0",                                                        "snapshot.json: version: not a whole"             },
    {TUF_TIMESTAMP, ",\"version\":7",                   "",                                                                     "snapshot.json: version is missing"               },
    {TUF_TIMESTAMP, "\"length\":5",                     "\"length\":-5",                                                        "length: not a whole number from 0"               },
    {TUF_TIMESTAMP, "\"length\":5",                     "\"length\":1e999",                                                     "not valid JSON"                                  },
    {TUF_TIMESTAMP, "\"length\":5,",                    "",                                                                     NULL                                              },
    {TUF_TIMESTAMP, "sha256",                           "md5",                                                                  "hashes: neither sha256 nor sha512"               },
    {TUF_TIMESTAMP, "\"sha256\"",                       "\"md5\":\"00\",\"sha256\"",                                            NULL                                              },
    {TUF_TIMESTAMP, "sha256",                           "sha512",                                                               "sha512: not 128 lower-case hex digits"           },
    {TUF_TIMESTAMP, "\"sha256\":\"00",                  "\"sha256\":\"0",                                                       "sha256: not 64 lower-case hex"                   },
    {TUF_TIMESTAMP, "\"sha256\":\"00",                  "\"sha256\":\"AA",                                                      "sha256: not 64 lower-case hex"                   },
    {TUF_TIMESTAMP, "{\"sha256\":\"" SHA256_ZERO "\"}", "{}",                                                                   "hashes: neither sha256 nor"                      },
    {TUF_SNAPSHOT,  "\"targets.json\"",                 "\"target.json\"",                                                      "meta: targets.json is missing"                   },
    {TUF_SNAPSHOT,  "\"role.json\"",                    "\"targets.json\"",                                                     "meta: targets.json is there twice"               },
    {TUF_SNAPSHOT,  "\"role.json\"",                    "\"role\"",                                                             "\"role\": not named as a file of metadata"       },
    {TUF_SNAPSHOT,  "\"role.json\"",                    "\".json\"",                                                            "\".json\": an empty name"                        },
    {TUF_SNAPSHOT,  "\"role.json\"",                    "\"../x.json\"",                                                        NULL                                              }, /* file names are encoded */
    {TUF_SNAPSHOT,  "{\"version\":1}",                  "{}",                                                                   "\"role.json\": version is missing"               },
    {TUF_SNAPSHOT,  "{\"version\":1}",                  "1",                                                                    "\"role.json\": not an object"                    },
 /* targets */
    {TUF_TARGETS,   "\"a\":{\"custom\"",                "\"\":{\"custom\"",                                                     "targets: \"\": an empty path"                    },
    {TUF_TARGETS,   "\"length\":3",                     "\"length\":-3",                                                        "\"a\": length: not a whole number from 0"        },
    {TUF_TARGETS,   ",\"length\":3",                    "",                                                                     "\"a\": length is missing"                        },
    {TUF_TARGETS,   "\"hashes\"",                       "\"hash\"",                                                             "\"a\": hashes is missing"                        },
    {TUF_TARGETS,   "{\"x\":1}",                        "[1]",                                                                  "custom: not an object"                           },
    {TUF_TARGETS,   "\"targets\":{",                    "\"targets\":[],\"x\":{",                                               "targets: not an object"                          },
    {TUF_TARGETS,   "\"length\":3}",
     "\"length\":3},\"\\u0061\":{\"hashes\":{\"sha256\":\"" SHA256_ZERO "\"},\"length\":4}",
     "targets: a is there twice"                                                                                                                                                  },
    {TUF_TARGETS,   "\"name\":\"role\"",                "\"name\":\"snapshot\"",                                                "snapshot cannot be delegated"                    },
    {TUF_TARGETS,   "\"name\":\"role\"",                "\"name\":\"targets\"",                                                 "targets cannot be delegated"                     },
    {TUF_TARGETS,   "\"name\":\"role\"",                "\"name\":\"\"",                                                        "[0]: name: an empty name"                        },
    {TUF_TARGETS,   "\"name\":\"role\"",                "\"name\":\"../x\"",                                                    NULL                                              },
    {TUF_TARGETS,   "\"paths\":[\"a/*\"],",             "",                                                                     "either paths or path_hash_prefixes"              },
    {TUF_TARGETS,   "\"paths\":[\"a/*\"]",              "\"paths\":[],\"path_hash_prefixes\":[\"00\"]",
     "either paths or path_hash_prefixes"                                                                                                                                         },
    {TUF_TARGETS,   "\"paths\":[\"a/*\"]",              "\"path_hash_prefixes\":[\"0A\"]",                                      "[0]: not lower-case"                             },
    {TUF_TARGETS,   "\"paths\":[\"a/*\"]",              "\"path_hash_prefixes\":[\"\"]",                                        "[0]: not lower-case"                             },
    {TUF_TARGETS,   "\"paths\":[\"a/*\"]",              "\"path_hash_prefixes\":[\"00\",\"0f\"]",                               NULL                                              },
    {TUF_TARGETS,   "[\"a/*\"]",                        "[\"a/*\",{}]",                                                         "paths: [1]: not a string"                        },
    {TUF_TARGETS,   "\"terminating\":false",            "\"terminating\":0",                                                    "neither true nor false"                          },
    {TUF_TARGETS,   "\"threshold\":1",                  "\"threshold\":0",                                                      "[0]: threshold: not a whole number"              },
    {TUF_TARGETS,   "\"roles\":[",                      "\"other\":[",                                                          "needs either roles or succinct_roles"            },
    {TUF_TARGETS,   "\"roles\":[",                      "\"succinct_roles\":[],\"other\":[",
     "succinct_roles: not an object"                                                                                                                                              },
    {TUF_TARGETS,   "\"roles\":[",                      "\"succinct_roles\":{},\"other\":[",
     "succinct_roles: bit_length is missing"                                                                                                                                      },
};

static void check(const struct alteration *a, size_t index) {
    struct err e = {0};
    OWN_MEMORY char *bytes = altered(documents[a->role], a->from, a->to);
    bool taken = parse(a->role, bytes, strlen(bytes), &e);
    if (a->text == NULL) {
        if (!taken) fail_msg("%zu, %s: %s", index, a->to, e.text);
        return;
    }
    if (taken) fail_msg("%zu, %s: taken", index, a->to);
    assert_int_equal(e.code, ERR_INVALID);
    if (strstr(e.text, a->text) == NULL) fail_msg("%zu, %s: %s", index, a->to, e.text);
}

static void alterations_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof alterations / sizeof alterations[0]; i++)
        check(&alterations[i], i);
}

#define A59 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What stands in place of "roles", and how its own members read. */
static const struct {
    const char *bits, *prefix, *also;
    const char *text; /* of the refusal; NULL: taken */
} succinct[] = {
    {"8",     "bin",       "other",          NULL                                              },
    {"1",     "",          "other",          NULL                                              },
    {"32",    A59 A59,     "other",          NULL                                              },
    {"32",    A59 A59 "a", "other",          "succinct_roles: name_prefix: more than 118 bytes"},
    {"0",     "bin",       "other",          "bit_length: not a whole number from 1 to 32"     },
    {"33",    "bin",       "other",          "bit_length: not a whole number from 1 to 32"     },
    {"\"8\"", "bin",       "other",          "bit_length: not a whole number from 1 to 32"     },
    {"8",     "bin",       "roles",          "needs either roles or succinct_roles"            },
    {"8",     "bin",       "succinct_roles", "succinct_roles is there twice"                   },
};

static void succinct_roles_are_read_as_strictly(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof succinct / sizeof succinct[0]; i++) {
        OWN_TEXT struct text to = TEXT_EMPTY;
        text_add_format(&to,
                        "\"succinct_roles\":{\"bit_length\":%s,\"keyids\":[\"k1\"],"
                        "\"name_prefix\":\"%s\",\"threshold\":1},\"%s\":[",
                        succinct[i].bits, succinct[i].prefix, succinct[i].also);
        check(&(struct alteration){TUF_TARGETS, "\"roles\":[", to.data, succinct[i].text}, i);
    }
}

static void cut_documents_are_refused_at_every_byte(void **state) {
    (void)state;
    for (int role = 0; role < TUF_ROLE_COUNT; role++)
        for (size_t length = 0; length < strlen(documents[role]); length++) {
            struct err e = {0};
            assert_false(parse((enum tuf_role_kind)role, documents[role], length, &e));
            assert_int_equal(e.code, ERR_INVALID);
        }
}

static void a_role_is_not_taken_for_another(void **state) {
    (void)state;
    for (int role = 0; role < TUF_ROLE_COUNT; role++)
        for (int other = 0; other < TUF_ROLE_COUNT; other++) {
            struct err e = {0};
            if (role == other) continue;
            assert_false(
                parse((enum tuf_role_kind)role, documents[other], strlen(documents[other]), &e));
            assert_non_null(strstr(e.text, "_type"));
        }
}

/* head, then count times a part with a number in it, then tail. */
static void assert_limit(enum tuf_role_kind role, const char *from, const char *part, int count,
                         const char *words) {
    OWN_TEXT struct text many = TEXT_EMPTY;
    for (int i = 0; i < count; i++) {
        const char *place = strchr(part, '#');
        text_add_bytes(&many, part, (size_t)(place - part));
        text_add_format(&many, "%d%s", i, place + 1);
    }
    text_add(&many, from);
    struct err e = {0};
    OWN_MEMORY char *bytes = altered(documents[role], from, many.data);
    bool taken = parse(role, bytes, strlen(bytes), &e);
    if (words == NULL) {
        if (!taken) fail_msg("%d of %s: %s", count, part, e.text);
        return;
    }
    if (taken) fail_msg("%d of %s: taken", count, part);
    if (strstr(e.text, words) == NULL) fail_msg("%s", e.text);
}

static void counts_are_limited(void **state) {
    (void)state;
    static const char key[] = "\"#\":{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":{}},";
    static const char delegated[] =
        "{\"keyids\":[],\"name\":\"#\",\"paths\":[],\"terminating\":false,\"threshold\":1},";
    assert_limit(TUF_ROOT, "\"k1\":{", key, TUF_KEYS_MAX - 1, NULL);
    assert_limit(TUF_ROOT, "\"k1\":{", key, TUF_KEYS_MAX, "keys: more than 256 members");
    assert_limit(TUF_ROOT, "\"k1\"]", "\"#\",", TUF_KEYS_MAX - 1, NULL);
    assert_limit(TUF_ROOT, "\"k1\"]", "\"#\",", TUF_KEYS_MAX, "keyids: more than 256 elements");
    assert_limit(TUF_TARGETS, "{\"keyids\"", delegated, TUF_ROLES_MAX - 1, NULL);
    assert_limit(TUF_TARGETS, "{\"keyids\"", delegated, TUF_ROLES_MAX, "roles: more than 256");
    assert_limit(TUF_TARGETS, "\"a/*\"", "\"#\",", TUF_PATHS_MAX, "paths: more than 16384");
    assert_limit(TUF_SNAPSHOT, "\"targets.json\"", "\"#.json\":{\"version\":1},",
                 TUF_SNAPSHOT_ENTRIES_MAX, "meta: more than 32768 members");
}

static void names_are_limited(void **state) {
    (void)state;
    char longest[200];
    memset(longest, 'x', sizeof longest);
    static const struct {
        enum tuf_role_kind role;
        const char *from;
        size_t length; /* the last one that fits */
    } cases[] = {
        {TUF_ROOT,     "k1",   TUF_KEY_ID_SIZE - 1   },
        {TUF_SNAPSHOT, "role", TUF_ROLE_NAME_SIZE - 1},
        {TUF_TARGETS,  "role", TUF_ROLE_NAME_SIZE - 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t more = 0; more < 2; more++) {
            struct err e = {0};
            char name[200];
            snprintf(name, sizeof name, "%.*s", (int)(cases[i].length + more), longest);
            const char *document = documents[cases[i].role];
            const char *place = cases[i].role == TUF_TARGETS ? "\"name\":\"role\"" : NULL;
            OWN_TEXT struct text to = TEXT_EMPTY;
            text_add_format(&to, place != NULL ? "\"name\":\"%s\"" : "%s", name);
            OWN_MEMORY char *bytes =
                altered(document, place != NULL ? place : cases[i].from, to.data);
            assert_int_equal(parse(cases[i].role, bytes, strlen(bytes), &e), more == 0);
            if (more > 0) assert_non_null(strstr(e.text, "a name of more than"));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched_documents_are_read),
        cmocka_unit_test(alterations_are_refused_by_name),
        cmocka_unit_test(succinct_roles_are_read_as_strictly),
        cmocka_unit_test(cut_documents_are_refused_at_every_byte),
        cmocka_unit_test(a_role_is_not_taken_for_another),
        cmocka_unit_test(counts_are_limited),
        cmocka_unit_test(names_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
