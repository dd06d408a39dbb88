/* TLS of the bus by OpenSSL, whose handshakes cost a tenth of those of mbedTLS: for programs that
 * thousands come back to at once. Whoever does not call this gets mbedTLS, which is smaller, and
 * none of OpenSSL's TLS into its file. */
#pragma once

/* For what bus_server_open and bus_client_open open from now on, in the whole process. Once, before
 * any of our threads use the bus. */
void bus_openssl_use(void);
