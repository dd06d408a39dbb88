/* Paths and queries of requests, routes, and the encodings below them. The first byte chooses. */
#include "lib/encode.h"
#include "lib/http_route.h"
#include "tests/fuzz/fuzz.h"

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/api/binaries/:version/:platform/:arch"},
    {.method = "GET", .pattern = "/api/binaries"                         },
    {.method = "PUT", .pattern = "/api/channels/:name"                   },
    {.method = "GET", .pattern = "/files/*rest"                          },
    {.method = "WS",  .pattern = "/api/events"                           },
};
#define ROUTES (sizeof routes / sizeof routes[0])

static bool is_safe(const char *path) {
    return path[0] == '/' && strstr(path, "//") == NULL && strchr(path, '\\') == NULL &&
           strstr(path, "/../") == NULL && strstr(path, "/./") == NULL;
}

static bool ends_with(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* A path that is taken leads nowhere else, and means itself when it is encoded again. */
static void check_path(const uint8_t *data, size_t size) {
    struct err e;
    OWN_MEMORY char *raw = fuzz_string(data, size);
    OWN_TEXT struct text path = TEXT_EMPTY;
    char allowed[64];
    if (!http_path_decode(raw, &path, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return;
    }
    assert(is_safe(path.data) && strlen(path.data) == path.length);
    assert(!ends_with(path.data, "/..") && !ends_with(path.data, "/."));
    int index = http_route_match(routes, ROUTES, "GET", raw, allowed, sizeof allowed);
    assert(index >= -1 && index < (int)ROUTES);
    if (index < 0) return;
    OWN_TEXT struct text parameters = TEXT_EMPTY;
    http_route_parameters(routes[index].pattern, raw, &parameters);
    const char *rest = http_route_parameter(&parameters, "rest");
    if (rest != NULL) assert(ends_with(path.data, rest));
}

static void check_query(const uint8_t *data, size_t size) {
    struct err e;
    struct http_query_pair pairs[HTTP_QUERY_PAIRS];
    size_t count = 0;
    OWN_MEMORY char *query = fuzz_string(data, size);
    if (!http_query_decode(query, pairs, &count, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return;
    }
    assert(count <= HTTP_QUERY_PAIRS);
    for (size_t i = 0; i < count; i++) {
        assert(pairs[i].name >= query && pairs[i].name <= query + size);
        assert(pairs[i].value >= query && pairs[i].value <= query + size);
        assert(strcmp(pairs[i].name, "token") != 0);
    }
}

static void check_url(const uint8_t *data, size_t size) {
    OWN_MEMORY char *words = fuzz_string(data, size);
    OWN_TEXT struct text encoded = TEXT_EMPTY;
    encode_url(&encoded, words);
    if (encoded.data != NULL) {
        bool decoded = decode_url(encoded.data);
        assert(decoded && strcmp(encoded.data, words) == 0);
    }
    (void)!decode_url(words);
}

static void check_base64(const uint8_t *data, size_t size) {
    size_t length = 0;
    OWN_MEMORY char *text = memory_zeroed(ENCODE_BASE64_SIZE(size), 1);
    OWN_MEMORY char *url = memory_zeroed(ENCODE_BASE64_SIZE(size), 1);
    OWN_MEMORY unsigned char *back = memory_zeroed(size + 1, 1);
    bool same = decode_base64(encode_base64(data, size, text), back, size, &length);
    assert(same && length == size && memcmp(back, data, size) == 0);
    same = decode_base64url(encode_base64url(data, size, url), back, size, &length);
    assert(same && length == size && memcmp(back, data, size) == 0);
    OWN_MEMORY char *words = fuzz_string(data, size);
    OWN_MEMORY char *again = memory_zeroed(ENCODE_BASE64_SIZE(size), 1);
    if (!decode_base64(words, back, size, &length)) return;
    assert(strcmp(encode_base64(back, length, again), words) == 0);
}

static void check_hex(const uint8_t *data, size_t size) {
    OWN_MEMORY char *hex = memory_zeroed(2 * size + 1, 1);
    OWN_MEMORY unsigned char *back = memory_zeroed(size + 1, 1);
    bool same = decode_hex(encode_hex(data, size, hex), back, size);
    assert(same && memcmp(back, data, size) == 0);
    OWN_MEMORY char *words = fuzz_string(data, size);
    (void)!decode_hex(words, back, size / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const checks[])(const uint8_t *, size_t) = {check_path, check_query, check_url,
                                                              check_base64, check_hex};
    checks[fuzz_byte(&data, &size) % 5](data, size);
    return 0;
}
