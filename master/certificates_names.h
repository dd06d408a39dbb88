/* What a machine may be called: names and addresses for a certificate. */
#pragma once

#include <stdbool.h>

#define CERTIFICATES_NAMES_MAX 128

/* A list that ends with NULL: "localhost", CERTIFICATES_NAME, this machine's host name, its
 * addresses, and what is added (may be NULL); each once, host names in lower case. Free it with
 * certificates_names_free. */
const char **certificates_names(const char *const *added);
void certificates_names_free(const char **names);

/* Whether it is an IP address, or a host name that a certificate can hold ("*.example.org" too). */
bool certificates_name_valid(const char *name);
