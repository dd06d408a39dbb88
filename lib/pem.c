#include "lib/pem.h"

#include "lib/encode.h"
#include "lib/text.h"

#include <ctype.h>
#include <string.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

bool pem_certificate_sha256(const char *pem, char out[SHA256_HEX_SIZE], struct err *e) {
    const char *begin = strstr(pem, BEGIN);
    const char *end = begin != NULL ? strstr(begin, END) : NULL;
    if (end == NULL) return err_set(e, ERR_INVALID, "there is no certificate in PEM");
    OWN_TEXT struct text base64 = TEXT_EMPTY;
    for (const char *at = begin + sizeof BEGIN - 1; at < end; at++)
        if (!isspace((unsigned char)*at)) text_add_bytes(&base64, at, 1);
    OWN_MEMORY unsigned char *der = memory_zeroed(1, base64.length + 1);
    unsigned char digest[SHA256_SIZE];
    size_t length = 0;
    if (!decode_base64(text_value(&base64), der, base64.length + 1, &length) || length == 0)
        return err_set(e, ERR_INVALID, "the certificate in PEM is not base64");
    sha256_bytes(der, length, digest);
    encode_hex(digest, sizeof digest, out);
    return true;
}
