/* Scope-bound ownership: what OWN() declares is closed when its scope ends, unless TAKE() hands it
 * on. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* OWN_DEFINE(catalog, struct catalog, catalog_close) makes OWN(catalog) available for `struct
 * catalog *`. */
#define OWN_DEFINE(name, type, close_function)                                                     \
    __attribute__((unused)) static inline void own_close_##name(type **owned) {                    \
        if (*owned != NULL) close_function(*owned);                                                \
    }

#define OWN(name) __attribute__((cleanup(own_close_##name)))

/* Hands a pointer on: yields it and leaves NULL behind, so that the scope closes nothing. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __auto_type taken_ = (pointer);                                                            \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

/* Plain heap memory: OWN_MEMORY char *text = strdup(...). */
__attribute__((unused)) static inline void own_free_memory(void *owned) {
    free(*(void **)owned);
}
#define OWN_MEMORY __attribute__((cleanup(own_free_memory)))

/* File descriptors: OWN_FD int fd = open(...). -1 means none. It may be there to be held open only,
 * which clang takes for an unused variable. */
__attribute__((unused)) static inline void own_close_fd(const int *fd) {
    if (*fd >= 0) close(*fd);
}
#define OWN_FD __attribute__((cleanup(own_close_fd), unused))
#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })
