/* Tokens: what they allow, how long, how often, and that a wrong one says nothing. */
#include "tests/unit/master/master_fixture.h"

static bool make(struct fixture *f, struct token_request request, char secret[SECRET_TEXT_SIZE],
                 struct err *e) {
    struct token token;
    if (request.principal == NULL) request.principal = "test";
    if (!tokens_create(f->db, &request, 1000, &token, secret, e)) return false;
    token_clear(&token);
    return true;
}

struct consumption {
    const char *secret;
    int64_t now_ms;
    char *labels;
};

static bool consume(struct db_connection *c, void *argument, struct err *e) {
    struct consumption *n = argument;
    char principal[64];
    return tokens_consume(c, n->secret, n->now_ms, &n->labels, principal, e);
}

static bool run_consume(struct fixture *f, const char *secret, int64_t now_ms, struct err *e) {
    struct consumption n = {.secret = secret, .now_ms = now_ms};
    bool taken = db_write(f->db, consume, &n, e);
    free(n.labels);
    return taken;
}

static void api_token_gives_its_role(void **state) {
    struct fixture *f = *state;
    struct err error;
    char secret[SECRET_TEXT_SIZE], principal[64];
    enum http_role role = HTTP_PUBLIC;
    char scope[SCOPE_SIZE];
    assert_ok(make(
        f, (struct token_request){.kind = "api", .role = "operator", .principal_role = HTTP_ADMIN},
        secret, &error));
    assert_ok(tokens_authenticate(f->db, secret, 2000, &role, principal, scope, &error));
    assert_int_equal(role, HTTP_OPERATOR);
    assert_memory_equal(principal, "token:", 6);
}

static void wrong_tokens_are_refused_with_the_same_words(void **state) {
    struct fixture *f = *state;
    struct err error, first = {0};
    char secret[SECRET_TEXT_SIZE], altered[SECRET_TEXT_SIZE], expired[SECRET_TEXT_SIZE],
        join[SECRET_TEXT_SIZE], principal[64], id_only[SECRET_TEXT_SIZE];
    enum http_role role;
    char scope[SCOPE_SIZE];
    assert_ok(make(
        f, (struct token_request){.kind = "api", .role = "admin", .principal_role = HTTP_ADMIN},
        secret, &error));
    assert_ok(
        make(f,
             (struct token_request){
                 .kind = "api", .role = "admin", .expires_s = 1, .principal_role = HTTP_ADMIN},
             expired, &error));
    fixture_join_secret(f, "", 1, join);
    memcpy(altered, secret, sizeof altered);
    size_t last = strlen(altered) - 2;
    altered[last] = altered[last] == 'A' ? 'B' : 'A';
    snprintf(id_only, sizeof id_only, "%.*s", (int)strcspn(secret, "."), secret);
    const char *const wrong[] = {
        altered, expired, join, id_only, "", "gt_", "gt_0000000000000000.x", "nonsense"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(tokens_authenticate(f->db, wrong[i], 1000 + 3600 * 1000, &role, principal,
                                         scope, &error));
        assert_int_equal(error.code, ERR_UNAUTHENTICATED);
        if (i == 0) first = error;
        assert_string_equal(error.text, first.text);
    }
}

static void join_token_is_used_once(void **state) {
    struct fixture *f = *state;
    struct err error;
    char secret[SECRET_TEXT_SIZE];
    fixture_join_secret(f, "rack=b", 1, secret);
    assert_ok(run_consume(f, secret, clock_wall_ms(), &error));
    assert_false(run_consume(f, secret, clock_wall_ms(), &error));
    assert_int_equal(error.code, ERR_UNAUTHENTICATED);
}

struct racer {
    struct fixture *f;
    const char *secret;
    bool taken;
};

static void *race(void *argument) {
    struct racer *r = argument;
    struct err e;
    r->taken = run_consume(r->f, r->secret, clock_wall_ms(), &e);
    return NULL;
}

static void join_token_used_at_once_by_many_serves_one(void **state) {
    struct fixture *f = *state;
    char secret[SECRET_TEXT_SIZE];
    pthread_t threads[16];
    struct racer racers[16];
    int taken = 0;
    fixture_join_secret(f, "", 1, secret);
    for (int i = 0; i < 16; i++) {
        racers[i] = (struct racer){.f = f, .secret = secret};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
        taken += racers[i].taken;
    }
    assert_int_equal(taken, 1);
}

static void expired_and_revoked_join_tokens_are_refused(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct token token;
    char secret[SECRET_TEXT_SIZE];
    const struct token_request request = {
        .kind = "join", .expires_s = 10, .principal = "test", .principal_role = HTTP_ADMIN};
    assert_ok(tokens_create(f->db, &request, 1000, &token, secret, &error));
    assert_false(run_consume(f, secret, 1000 + 10001, &error));
    assert_ok(tokens_revoke(f->db, token.id, "test", &error));
    assert_false(run_consume(f, secret, 1001, &error));
    assert_false(tokens_revoke(f->db, token.id, "test", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    token_clear(&token);
}

static void requests_that_make_no_sense_are_refused(void **state) {
    struct fixture *f = *state;
    struct err error;
    char secret[SECRET_TEXT_SIZE];
    static const struct {
        struct token_request request;
        enum err_code code;
    } cases[] = {
        {{.kind = "root", .principal_role = HTTP_ADMIN},                             ERR_INVALID},
        {{.kind = "api", .role = "king", .principal_role = HTTP_ADMIN},              ERR_INVALID},
        {{.kind = "api", .role = "public", .principal_role = HTTP_ADMIN},            ERR_INVALID},
        {{.kind = "api", .role = "viewer", .principal_role = HTTP_OPERATOR},         ERR_DENIED },
        {{.kind = "api", .role = "viewer", .uses = 3, .principal_role = HTTP_ADMIN}, ERR_INVALID},
        {{.kind = "join", .role = "admin", .principal_role = HTTP_ADMIN},            ERR_INVALID},
        {{.kind = "join", .uses = -2, .principal_role = HTTP_ADMIN},                 ERR_INVALID},
        {{.kind = "join", .labels = "no value", .principal_role = HTTP_ADMIN},       ERR_INVALID},
        {{.kind = "join", .expires_s = -1, .principal_role = HTTP_ADMIN},            ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(make(f, cases[i].request, secret, &error));
        assert_int_equal(error.code, cases[i].code);
    }
    struct token *tokens = NULL;
    size_t count = 0;
    assert_ok(tokens_list(f->db, &tokens, &count, &error));
    assert_int_equal(count, 0);
    tokens_list_free(tokens, count);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(api_token_gives_its_role),
        TEST(wrong_tokens_are_refused_with_the_same_words),
        TEST(join_token_is_used_once),
        TEST(join_token_used_at_once_by_many_serves_one),
        TEST(expired_and_revoked_join_tokens_are_refused),
        TEST(requests_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
