/* Join strings and addresses: what is taken prints and reads back the same, and no error repeats a
 * token. The first byte chooses. */
#include "lib/join.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

static void check_join(const char *text) {
    struct join first, second;
    struct err e;
    OWN_TEXT struct text once = TEXT_EMPTY;
    OWN_TEXT struct text twice = TEXT_EMPTY;
    if (!join_parse(text, &first, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return;
    }
    assert(first.http_port > 0 && first.http_port < 65536);
    assert(first.bus_port > 0 && first.bus_port < 65536);
    assert(first.host[0] != '\0');
    join_format(&first, &once);
    bool taken = join_parse(once.data, &second, &e);
    assert(taken);
    join_format(&second, &twice);
    assert(strcmp(once.data, twice.data) == 0 && strcmp(first.token, second.token) == 0);
}

static void check_address(const char *text) {
    char host[JOIN_HOST_SIZE], again_host[JOIN_HOST_SIZE], again[JOIN_HOST_SIZE + 16];
    int port = -1, again_port = -1;
    struct err e;
    if (!join_parse_address(text, 7000, host, &port, &e)) return;
    assert(port >= 0 && port < 65536 && strlen(host) < sizeof host);
    (void)join_is_loopback(host);
    bool literal = strchr(host, ':') != NULL;
    snprintf(again, sizeof again, literal ? "[%s]:%d" : "%s:%d", host, port);
    bool taken = join_parse_address(again, 1, again_host, &again_port, &e);
    assert(taken && port == again_port && strcmp(host, again_host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool address = fuzz_byte(&data, &size) % 2 == 1;
    OWN_MEMORY char *text = fuzz_string(data, size);
    if (address)
        check_address(text);
    else
        check_join(text);
    return 0;
}
