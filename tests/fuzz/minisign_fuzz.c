/* Key files and signatures of minisign, as they are and as small changes of good ones: pairs of
 * bytes (where, what) after the first two bytes, which choose. A changed signature counts only
 * where the change touches nothing that is signed. */
#include "lib/sign.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <sys/stat.h>

#define CONTENT "what is signed\n"
#define FILE_NAME "storage-server-1.0.0-linux-x86_64"

static struct sign_secret *key;
static struct text signature, public_file, secret_file;
static int content;

static void read_back(int fd, struct text *out) {
    char bytes[1024];
    ssize_t length = pread(fd, bytes, sizeof bytes, 0);
    assert(length > 0);
    text_add_bytes(out, bytes, (size_t)length);
}

/* The file's text by way of a real file: writing one is part of the room. */
static void write_key_files(void) {
    char directory[] = "/tmp/grid-fuzz-XXXXXX", path[64];
    struct err e;
    char *made = mkdtemp(directory);
    assert(made != NULL);
    snprintf(path, sizeof path, "%s/key", directory);
    bool written = sign_secret_write(key, path, &e);
    assert(written);
    FILE *f = fopen(path, "re");
    assert(f != NULL);
    read_back(fileno(f), &secret_file);
    fclose(f);
    unlink(path);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct err e;
    char text[SIGN_PUBLIC_TEXT_SIZE];
    (void)argc;
    (void)argv;
    sign_setup();
    content = fuzz_file(CONTENT, strlen(CONTENT));
    bool made = sign_generate(&key, &e) && sign_file(key, content, FILE_NAME, &signature, &e);
    assert(made);
    text_add_format(&public_file, "untrusted comment: a key\n%s\n",
                    sign_public_text(sign_secret_public(key), text));
    write_key_files();
    return 0;
}

/* The good text with changes: where is taken modulo its length, what is written there. */
static char *changed(const struct text *good, const uint8_t *data, size_t size) {
    char *text = fuzz_string((const uint8_t *)good->data, good->length);
    for (; size >= 2; data += 2, size -= 2) {
        size_t where = (data[0] * 7U + good->length / 3) % good->length;
        text[where] = (char)data[1];
    }
    return text;
}

/* The line of a text with this number, "" when it is not there. free() it. */
static char *line_of(const char *text, int number) {
    for (; number > 0 && text != NULL; number--) {
        text = strchr(text, '\n');
        if (text != NULL) text++;
    }
    return text != NULL ? strndup(text, strcspn(text, "\r\n")) : text_duplicate("");
}

static void check_signature(const char *text) {
    size_t used = 7;
    struct err e;
    if (!sign_verify_file(sign_secret_public(key), 1, text, content, FILE_NAME, &used, &e)) {
        assert((e.code == ERR_INVALID || e.code == ERR_UNTRUSTED) && e.text[0] != '\0');
        return;
    }
    assert(used == 0);
    for (int line = 1; line < 4; line++) {
        OWN_MEMORY char *is = line_of(text, line);
        OWN_MEMORY char *was = line_of(signature.data, line);
        assert(strcmp(is, was) == 0);
    }
    bool other_name =
        sign_verify_file(sign_secret_public(key), 1, text, content, "other", &used, &e);
    assert(!other_name && e.code == ERR_UNTRUSTED);
}

static void check_public(const char *text) {
    struct sign_public p, again;
    struct err e;
    char line[SIGN_PUBLIC_TEXT_SIZE], id[SIGN_KEY_ID_HEX_SIZE];
    if (!sign_public_parse(text, &p, &e)) {
        assert(e.code != ERR_INTERNAL && e.text[0] != '\0');
        return;
    }
    bool reads = sign_public_parse(sign_public_text(&p, line), &again, &e);
    assert(reads && sign_public_equal(&p, &again) && memcmp(&p, &again, sizeof p) == 0);
    assert(strlen(sign_key_id(&p, id)) == SIGN_KEY_ID_HEX_SIZE - 1);
}

/* A key that is taken signs what its own public half verifies. */
static void check_secret(const char *text) {
    OWN(sign_secret) struct sign_secret *s = NULL;
    struct err e;
    char path[32];
    unsigned char made[SIGN_SIGNATURE_SIZE];
    OWN_FD int fd = fuzz_file(text, strlen(text));
    fchmod(fd, S_IRUSR | S_IWUSR);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!sign_secret_read(path, NULL, &s, &e)) {
        assert(s == NULL && e.text[0] != '\0');
        return;
    }
    sign_message(s, "purpose", CONTENT, strlen(CONTENT), made);
    assert(sign_message_valid(sign_secret_public(s), "purpose", CONTENT, strlen(CONTENT), made));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct text *const good[] = {&signature, &public_file, &secret_file};
    static void (*const checks[])(const char *) = {check_signature, check_public, check_secret};
    size_t which = fuzz_byte(&data, &size) % 3;
    bool change = fuzz_byte(&data, &size) % 2 == 1;
    OWN_MEMORY char *text = change ? changed(good[which], data, size) : fuzz_string(data, size);
    checks[which](text);
    return 0;
}
