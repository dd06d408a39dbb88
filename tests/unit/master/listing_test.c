/* Lists: order, pages that neither repeat nor skip, and words for what is wrong with a query. A
 * real server lists the table below. */
#include "lib/semver.h"
#include "master/listing.h"
#include "tests/unit/lib/http_fixture.h"

struct row {
    const char *key, *id;
};

static struct table {
    struct row rows[64];
    size_t count;
    int (*compare)(const char *a, const char *b);
} table;

static void set_table(const struct row *rows, size_t count) {
    table = (struct table){.count = count};
    if (count > 0) memcpy(table.rows, rows, count * sizeof *rows);
}

static void list_table(struct http_request *r) {
    static const char *const names[] = {"id", "version", NULL};
    OWN_LISTING struct listing l = {.compare = table.compare};
    OWN_TEXT struct text ids = TEXT_EMPTY;
    size_t index = 0, first = 0, end = 0;
    struct err e = {0};
    for (size_t i = 0; i < table.count; i++) listing_add(&l, table.rows[i].key, table.rows[i].id);
    if (!listing_sort(r, names, &l, &index, &e) || !listing_page(&l, r, &first, &end, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = first; i < end; i++) text_add_format(&ids, "%s ", l.items[i].id);
    http_reply_text(r, 200, "text/plain", text_value(&ids), ids.length);
}

static void encode_id(const void *rows, size_t number, struct text *out) {
    text_add_format(out, "\"%s\"", ((const struct row *)rows)[number].id);
}

static void list_picked(struct http_request *r) {
    OWN_LISTING struct listing l = {0};
    for (size_t i = 0; i < table.count; i++)
        if (listing_agrees(http_query(r, "key"), table.rows[i].key))
            listing_add_number(&l, table.rows[i].key, table.rows[i].id, i);
    listing_reply(&l, r, encode_id, table.rows);
}

static const struct http_route routes[] = {
    {"GET", "/list",   HTTP_PUBLIC, list_table,  0, 0, NULL},
    {"GET", "/picked", HTTP_PUBLIC, list_picked, 0, 0, NULL},
};

static struct served served;

static int start(void **state) {
    (void)state;
    served = serve_with((struct http_server_options){.routes = routes, .route_count = 2});
    return 0;
}

static int stop(void **state) {
    (void)state;
    http_server_stop(served.server);
    return 0;
}

static void get(const char *target, struct reply *reply) {
    char line[2048];
    snprintf(line, sizeof line, "GET %s", target);
    exchange(served.port, line, "", reply);
}

static void lists(const char *target, const char *expected) {
    OWN_REPLY struct reply reply;
    get(target, &reply);
    if (reply.status != 200) fail_msg("%s: %s", target, text_value(&reply.body));
    assert_string_equal(text_value(&reply.body), expected);
}

static void refuses(const char *target, const char *words) {
    OWN_REPLY struct reply reply;
    get(target, &reply);
    assert_int_equal(reply.status, 400);
    if (strstr(text_value(&reply.body), words) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", target, text_value(&reply.body), words);
}

/* What is between "<" and ">; rel=next", or false without a Link. */
static bool next_of(const struct reply *reply, char *out, size_t size) {
    const char *link = reply_header(reply, "Link");
    if (link == NULL) return false;
    const char *end = strchr(link, '>');
    assert_true(link[0] == '<' && end != NULL);
    assert_string_equal(end, ">; rel=\"next\"");
    snprintf(out, size, "%.*s", (int)(end - link - 1), link + 1);
    return true;
}

/* All pages, one after the other; the count of pages is returned. */
static int walk(const char *first, struct text *out) {
    char target[1024];
    snprintf(target, sizeof target, "%s", first);
    for (int pages = 1; pages < 100; pages++) {
        OWN_REPLY struct reply reply;
        char total[24];
        get(target, &reply);
        assert_int_equal(reply.status, 200);
        snprintf(total, sizeof total, "%zu", table.count);
        assert_string_equal(reply_header(&reply, "X-Total-Count"), total);
        text_add(out, text_value(&reply.body));
        if (!next_of(&reply, target, sizeof target)) return pages;
    }
    fail_msg("the pages have no end");
    return 0;
}

static const struct row five[] = {
    {"", "d"},
    {"", "a"},
    {"", "e"},
    {"", "c"},
    {"", "b"}
};

static void without_a_limit_all_comes_at_once_and_sorted(void **state) {
    (void)state;
    OWN_REPLY struct reply reply;
    set_table(five, 5);
    get("/list", &reply);
    assert_string_equal(text_value(&reply.body), "a b c d e ");
    assert_null(reply_header(&reply, "X-Total-Count"));
    assert_null(reply_header(&reply, "Link"));
    lists("/list?sort=-id", "e d c b a ");
}

static void pages_of_every_size_show_each_item_once(void **state) {
    (void)state;
    set_table(five, 5);
    for (int limit = 1; limit <= 6; limit++) {
        char target[64];
        OWN_TEXT struct text up = TEXT_EMPTY, down = TEXT_EMPTY;
        snprintf(target, sizeof target, "/list?limit=%d", limit);
        assert_int_equal(walk(target, &up), (5 + limit - 1) / limit);
        assert_string_equal(text_value(&up), "a b c d e ");
        snprintf(target, sizeof target, "/list?sort=-id&limit=%d", limit);
        walk(target, &down);
        assert_string_equal(text_value(&down), "e d c b a ");
    }
}

static void equal_keys_are_told_apart_by_id_even_between_pages(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"1.0.0", "c"},
        {"2.0.0", "x"},
        {"1.0.0", "a"},
        {"1.0.0", "b"},
        {"0.9.0", "z"}
    };
    OWN_TEXT struct text up = TEXT_EMPTY, down = TEXT_EMPTY;
    set_table(rows, 5);
    walk("/list?sort=version&limit=2", &up);
    assert_string_equal(text_value(&up), "z a b c x ");
    walk("/list?sort=-version&limit=2", &down);
    assert_string_equal(text_value(&down), "x c b a z ");
}

static void order_is_that_of_the_list(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"1.10.0",     "ten"  },
        {"1.9.0",      "nine" },
        {"1.10.0-rc1", "first"}
    };
    OWN_TEXT struct text ids = TEXT_EMPTY;
    set_table(rows, 3);
    table.compare = semver_order;
    walk("/list?sort=version&limit=1", &ids);
    assert_string_equal(text_value(&ids), "nine first ten ");
}

static void page_after_an_item_that_is_gone_goes_on_where_it_was(void **state) {
    (void)state;
    OWN_REPLY struct reply reply;
    char next[1024];
    set_table(five, 5);
    get("/list?limit=2", &reply);
    assert_true(next_of(&reply, next, sizeof next));
    static const struct row changed[] = {
        {"", "a" },
        {"", "aa"},
        {"", "c" },
        {"", "e" }
    };
    set_table(changed, 4); /* b, where the page ended, is gone */
    lists(next, "c e ");
}

static void next_link_repeats_the_filters_encoded(void **state) {
    (void)state;
    OWN_REPLY struct reply reply;
    char next[1024];
    set_table(five, 5);
    get("/list?label=rack%3Db%2C%21old&status=up&limit=2&sort=id", &reply);
    assert_true(next_of(&reply, next, sizeof next));
    assert_non_null(strstr(next, "&label=rack%3Db%2C%21old"));
    assert_non_null(strstr(next, "&status=up"));
    assert_non_null(strstr(next, "&sort=id"));
    lists(next, "c d ");
}

static void empty_list_has_one_page(void **state) {
    (void)state;
    OWN_TEXT struct text ids = TEXT_EMPTY;
    set_table(NULL, 0);
    assert_int_equal(walk("/list?limit=3", &ids), 1);
    assert_string_equal(text_value(&ids), "");
    lists("/list", "");
}

static void what_is_wrong_with_a_query_is_named(void **state) {
    (void)state;
    set_table(five, 5);
    refuses("/list?sort=colour", "one of id, version");
    refuses("/list?sort=-", "one of id, version");
    refuses("/list?limit=0", "from 1 to 100000");
    refuses("/list?limit=-1", "limit");
    refuses("/list?limit=100001", "limit");
    refuses("/list?limit=all", "limit");
    refuses("/list?limit=", "limit");
    refuses("/list?cursor=nonsense!", "not one of ours");
    refuses("/list?cursor=YWJj", "not one of ours"); /* "abc": no line end */
    refuses("/list?cursor=", "not one of ours");
    refuses("/list?cursor=Cg", "not one of ours"); /* no id */
}

static void cursor_longer_than_any_of_ours_is_refused(void **state) {
    (void)state;
    char target[3000];
    set_table(five, 5);
    int used = snprintf(target, sizeof target, "/list?cursor=");
    memset(target + used, 'A', 2000);
    target[used + 2000] = '\0';
    OWN_REPLY struct reply reply;
    OWN_TEXT struct text request = TEXT_EMPTY;
    text_add_format(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    exchange_words(served.port, request.data, &reply);
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr(text_value(&reply.body), "not one of ours"));
}

static void a_page_is_of_what_was_picked(void **state) {
    (void)state;
    const struct row rows[] = {
        {"other", "a"},
        {"mine",  "d"},
        {"other", "b"},
        {"mine",  "c"},
    };
    set_table(rows, 4);
    lists("/picked?key=mine", "[\"c\",\"d\"]");
    lists("/picked?key=mine&limit=1", "[\"c\"]");
    lists("/picked?key=none", "[]");
    lists("/picked", "[\"c\",\"d\",\"a\",\"b\"]");
    refuses("/picked?limit=0", "limit");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_all_comes_at_once_and_sorted),
        cmocka_unit_test(pages_of_every_size_show_each_item_once),
        cmocka_unit_test(equal_keys_are_told_apart_by_id_even_between_pages),
        cmocka_unit_test(order_is_that_of_the_list),
        cmocka_unit_test(page_after_an_item_that_is_gone_goes_on_where_it_was),
        cmocka_unit_test(next_link_repeats_the_filters_encoded),
        cmocka_unit_test(empty_list_has_one_page),
        cmocka_unit_test(what_is_wrong_with_a_query_is_named),
        cmocka_unit_test(cursor_longer_than_any_of_ours_is_refused),
        cmocka_unit_test(a_page_is_of_what_was_picked),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
