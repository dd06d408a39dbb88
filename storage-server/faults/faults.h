/* Faults that builds for tests can be told to have; every other build has none of this. A rule is a
 * line "VERSION ID FAULT [NUMBER [AFTER_MS]]", VERSION and ID being shell patterns for the build's
 * version and for --id:
 *
 *   exit N      ends with this code          unhealthy   says so, for no reason of the machine's
 *   signal N    ends by this signal          veto        must not be stopped
 *   hang        answers nothing any more     stubborn    ignores SIGTERM
 *   slow N      begins N ms late             leak N      N MiB more at each look, killed at 256
 *
 * A rule without AFTER_MS is due from the start of the process; AFTER_MS counts from when it
 * listens, however long that takes. Rules stand in GRID_TEST_FAULTS of the build and in the file
 * DATA/test-faults, which is read every 20 ms: both count. */
#pragma once

#include "lib/http_server.h"

#ifdef GRID_TEST_FAULTS

/* Plays what is due at the start, then what is due later, in a thread of its own that lives as long
 * as the process. */
void faults_begin(const char *version, const char *id, const char *data);
/* Health and leave to stop are answered by the faults, as long as they have something to say. */
void faults_take_routes(struct http_server_options *options);
void faults_listening(void);
bool faults_stubborn(void);

#else

static inline void faults_begin(const char *version, const char *id, const char *data) {
    (void)version;
    (void)id;
    (void)data;
}
static inline void faults_take_routes(struct http_server_options *options) {
    (void)options;
}
static inline void faults_listening(void) {}
static inline bool faults_stubborn(void) {
    return false;
}

#endif
