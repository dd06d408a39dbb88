/* Passwords of people, kept as Argon2id hashes: slow and of 64 MiB each, so that guessing costs
 * more than asking. Any thread; callers bound how many run at once. */
#pragma once

#include "lib/err.h"

#define PASSWORD_HASH_SIZE 128

/* A hash that is as slow to check as any and that no password has: for names that do not exist. */
extern const char password_of_nobody[PASSWORD_HASH_SIZE];

MUST_CHECK bool password_hash(const char *password, char out[PASSWORD_HASH_SIZE], struct err *e);
bool password_matches(const char hash[PASSWORD_HASH_SIZE], const char *password);
