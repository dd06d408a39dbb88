/* What tests of lib/options* share: a table of options, lines that are parsed, a configuration file
 * that lives as long as one test. */
#pragma once

#include "lib/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct settings {
    char config[256];
    char state[16];
    int64_t nodes;
    bool insecure;
    bool downloads;
    int64_t interval_ms;
    char *labels;
    bool help;
    char token[16];
    char binary_path[512];
    char url[64];
};

#define FIELD(name) OPTION(struct settings, name)

static const struct option_entry entries[] = {
    {
     .flag = "config",
     .letter = 'c',
     .environment = {"TEST_CONFIG"},
     .type = OPTION_STRING,
     .initial = "/nonexistent/agent.conf",
     .value_name = "FILE",
     .help = "read settings from FILE",
     FIELD(config),
     },
    {
     .flag = "state",
     .letter = 's',
     .environment = {"TEST_STATE", "TEST_STATE_OLD"},
     .key = "agent.state",
     .type = OPTION_STRING,
     .initial = "./state",
     .value_name = "DIR",
     .help = "keep state in DIR",
     FIELD(state),
     },
    {
     .flag = "nodes",
     .environment = {"TEST_NODES"},
     .key = "agent.nodes",
     .type = OPTION_INT,
     .initial = "1",
     .value_name = "N",
     .help = "run N nodes",
     FIELD(nodes),
     },
    {
     .flag = "insecure",
     .letter = 'i',
     .environment = {"TEST_INSECURE"},
     .key = "agent.insecure",
     .type = OPTION_BOOL,
     .help = "do without TLS",
     FIELD(insecure),
     },
    {
     .flag = "public-downloads",
     .type = OPTION_BOOL,
     .initial = "on",
     .help = "let anybody download",
     FIELD(downloads),
     },
    {
     .flag = "interval",
     .key = "agent.interval",
     .type = OPTION_DURATION,
     .initial = "90s",
     .value_name = "TIME",
     .help = "report every TIME",
     FIELD(interval_ms),
     },
    {
     .flag = "label",
     .letter = 'l',
     .environment = {"TEST_LABELS"},
     .key = "agent.labels",
     .type = OPTION_LIST,
     .initial = "os=linux",
     .value_name = "K=V",
     .help = "label this machine",
     FIELD(labels),
     },
    {
     .flag = "help",
     .letter = 'h',
     .type = OPTION_BOOL,
     .help = "show this help",
     FIELD(help),
     },
    {
     .environment = {"TEST_TOKEN"},
     .type = OPTION_STRING,
     .help = "secret",
     FIELD(token),
     },
    {
     .key = "storage.binary_path",
     .type = OPTION_STRING,
     .help = "file to run",
     FIELD(binary_path),
     },
    {
     .flag = "url",
     .key = "storage.url",
     .type = OPTION_STRING,
     .value_name = "URL",
     .help = "download from URL",
     FIELD(url),
     },
};
static const struct options options = {entries, sizeof entries / sizeof entries[0], "config"};

#define WORDS_MAX 16

/* Parses a line of words separated by single spaces. */
static inline bool parse(const char *line, struct settings *s, char *rest_words, size_t size,
                         struct err *e) {
    char words[512];
    char *argv[WORDS_MAX + 1] = {(char[]){"program"}};
    int argc = 1;
    int rest = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *next = words, *word = NULL; (word = strsep(&next, " ")) != NULL;)
        if (*word != '\0' && argc < WORDS_MAX) argv[argc++] = word;
    bool parsed = options_parse(&options, argc, argv, s, &rest, e);
    if (rest_words == NULL) return parsed;
    rest_words[0] = '\0';
    for (int i = rest; parsed && i < argc; i++)
        snprintf(rest_words + strlen(rest_words), size - strlen(rest_words), "%s%s",
                 i > rest ? " " : "", argv[i]);
    return parsed;
}

static inline struct settings accept(const char *line) {
    struct settings s;
    struct err e = {0};
    memset(&s, 0xA5, sizeof s); /* nothing of what was there before may matter */
    if (!parse(line, &s, NULL, 0, &e)) fail_msg("%s: %s", line, e.text);
    return s;
}

static inline void refuse(const char *line, const char *text, const char *hint) {
    struct settings s;
    struct err e = {0};
    memset(&s, 0xA5, sizeof s);
    if (parse(line, &s, NULL, 0, &e)) fail_msg("%s was accepted", line);
    assert_string_equal(e.text, text);
    assert_string_equal(e.hint, hint);
    assert_int_equal(e.code, ERR_USAGE);
    assert_null(s.labels);
}

static char config_file[64];

static inline int make_file(void **state) {
    (void)state;
    strcpy(config_file, "/tmp/grid-options-test.XXXXXX");
    int fd = mkstemp(config_file);
    if (fd >= 0) close(fd);
    return fd >= 0 ? 0 : -1;
}

static inline int remove_file(void **state) {
    (void)state;
    unsetenv("TEST_CONFIG");
    unsetenv("TEST_STATE");
    unsetenv("TEST_STATE_OLD");
    unsetenv("TEST_NODES");
    unsetenv("TEST_INSECURE");
    unsetenv("TEST_LABELS");
    unsetenv("TEST_TOKEN");
    return unlink(config_file);
}

static inline void write_bytes(const char *bytes, size_t length) {
    FILE *f = fopen(config_file, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    setenv("TEST_CONFIG", config_file, 1);
}

static inline void write_file(const char *words) {
    write_bytes(words, strlen(words));
}

static inline void refuse_file(const char *words, int line, const char *text, const char *hint) {
    char expected[300];
    write_file(words);
    snprintf(expected, sizeof expected, "%s:%d: %s", config_file, line, text);
    refuse("", expected, hint);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)
