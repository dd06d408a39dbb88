/* install.sh as this master gives it out: with the digests of the programs that it would install
 * now, so that whoever holds the digest of the script (gridctl agent join-command) holds those,
 * too. */
#include "master/api_install.h"

#include "lib/embed.h"
#include "master/master.h"

#include <assert.h>
#include <string.h>

EMBED_DECLARE(master_install)

#define TABLE_BEGIN "<<'BUILDS'\n"

static const char *const programs[] = {"grid-agent", "grid-launcher"};
static const char *const architectures[] = {"x86_64", "aarch64", "arm", "x86"};

/* "SHA-256 PROGRAM ARCHITECTURE" of what GET /api/binaries/latest says; no line where there is
 * none. */
static bool add_build(struct catalog *c, const char *program, const char *arch, struct text *out,
                      struct err *e) {
    struct binary b;
    if (!catalog_latest(c, program, "linux", arch, false, &b, e)) return e->code == ERR_NOT_FOUND;
    text_add_format(out, "%s %s %s\n", b.sha256, program, arch);
    return true;
}

/* Of the key that HTTPS shows: where downloads are closed, a join token is shown to it alone. */
static void add_pin(struct certificates *c, struct text *out) {
    char pin[CERTIFICATES_PIN_SIZE];
    if (c == NULL) return;
    certificates_http_pin(c, pin);
    text_add_format(out, "pin %s\n", pin);
}

static bool assemble(const struct master *m, struct text *out, struct err *e) {
    struct catalog *c = m->catalog;
    const struct embedded_file *file = &master_install_files[0];
    const char *table = strstr(file->data, TABLE_BEGIN);
    assert(table != NULL); /* packaging/install.sh has an empty one */
    table += strlen(TABLE_BEGIN);
    text_add_bytes(out, file->data, (size_t)(table - file->data));
    text_add(out, "# These and no others.\n");
    add_pin(m->certificates, out);
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        for (size_t j = 0; j < sizeof architectures / sizeof architectures[0]; j++)
            if (!add_build(c, programs[i], architectures[j], out, e)) return false;
    text_add(out, table);
    return true;
}

/* The same for every asker, so that a digest of it can be handed on. */
void api_install(struct http_request *r) {
    OWN_TEXT struct text script = TEXT_EMPTY;
    struct err e;
    if (!assemble(master_of(r), &script, &e)) {
        http_reply_err(r, &e);
        return;
    }
    http_reply_header(r, "Cache-Control", "no-cache");
    http_reply_text(r, 200, "text/x-shellscript; charset=utf-8", script.data, script.length);
}
