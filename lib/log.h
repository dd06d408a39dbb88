/* Log lines on stderr: a stable event id, then key=value; the same as JSON on request. Any thread;
 * takes no lock, but that of lib/log_recent.h's memory where lines are kept. Never a secret: tokens
 * by id only. */
#pragma once

#include "lib/err.h"

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Once, before threads start. program is a static string that every line names. */
void log_setup(const char *program, enum log_level level, enum log_format format);

/* The same from the words of --log-level and --log-format; ERR_USAGE says which would do. */
MUST_CHECK bool log_configure(const char *program, const char *level, const char *format,
                              struct err *e);
MUST_CHECK bool log_level_parse(const char *text, enum log_level *out);

/* log_info("agent.up", "id=%s address=%s", id, address): the format is a list of key=%conversion
 * separated by one space. Values with spaces, quotes, '=', control characters are quoted and
 * escaped, so one event stays one line whatever it holds. Further words after a value belong to it:
 * "reason=could not open %s id=%d" has two keys. In JSON a value that is one plain %d, %i or %u is
 * a number, everything else a string.
 *
 * Text line: 2026-01-31T12:00:00.123Z INFO grid-master agent.up id=a-1 address=127.0.0.1 */
#define log_debug(event, ...) log_line(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) log_line(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_line(LOG_ERROR, event, __VA_ARGS__)

void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
