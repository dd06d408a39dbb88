#include "lib/password.h"

#include <sodium.h>
#include <string.h>

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_argon2id_STRBYTES, "size of libsodium's text");

const char password_of_nobody[PASSWORD_HASH_SIZE] =
    "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

bool password_hash(const char *password, char out[PASSWORD_HASH_SIZE], struct err *e) {
    if (crypto_pwhash_argon2id_str(out, password, strlen(password),
                                   crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE,
                                   crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE) == 0)
        return true;
    err_set(e, ERR_UNAVAILABLE, "no memory is left to hash a password");
    return err_hint(e, "try again later; it takes 64 MiB");
}

bool password_matches(const char hash[PASSWORD_HASH_SIZE], const char *password) {
    return crypto_pwhash_argon2id_str_verify(hash, password, strlen(password)) == 0;
}
