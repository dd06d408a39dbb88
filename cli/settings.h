/* Values of every option of gridctl, whichever command takes it: one struct, so that one option
 * table serves them all. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_WORD_SIZE 64
#define SETTINGS_ROOT_SIZE 96  /* VERSION.SHA256 */
#define SETTINGS_URL_SIZE 1024 /* a join string, too */

struct settings {
    /* every command */
    char output[SETTINGS_WORD_SIZE];
    char url[SETTINGS_URL_SIZE];
    char token_file[PATH_MAX];
    char ca[PATH_MAX];   /* "" : none was named */
    char cert[PATH_MAX]; /* "" : none was named */
    char state[PATH_MAX];
    int64_t timeout_ms; /* 0: each call's own default */
    bool help;
    bool version;

    /* lists */
    char *filters; /* "key=value" lines */
    char sort[SETTINGS_WORD_SIZE];
    int64_t limit; /* 0: all */
    bool rejected;

    /* changes */
    bool yes;
    bool dry_run;
    bool force;

    /* artifacts and keys */
    char name[SETTINGS_WORD_SIZE];
    char artifact_version[SETTINGS_WORD_SIZE];
    char platform[SETTINGS_WORD_SIZE];
    char arch[SETTINGS_WORD_SIZE];
    char notes[1024];
    char *keys;               /* secret key files, lines */
    char key_file[PATH_MAX];  /* public key file */
    char signature[PATH_MAX]; /* .minisig file */
    char artifact[SETTINGS_WORD_SIZE];
    char channel[SETTINGS_WORD_SIZE];

    /* rollouts; "" and NULL leave it to the master */
    struct {
        char selector[512];
        char canary[16];
        char max_parallel[16];
        char max_failures[16];
        char min_healthy[SETTINGS_WORD_SIZE];
        char probation[SETTINGS_WORD_SIZE];
        char auto_promote[SETTINGS_WORD_SIZE];
        char healthy_deadline[SETTINGS_WORD_SIZE];
        char progress_deadline[SETTINGS_WORD_SIZE];
        char topology[SETTINGS_WORD_SIZE];
        char *windows; /* "mon-fri 22:00-04:00 Europe/Berlin" lines */
        bool supersede;
        bool override_quarantine;
        bool allow_unavailable;
        bool auto_revert;
        bool wait;
        bool active;
    } rollout;
    bool clear; /* a floor */

    /* who may sign what */
    struct {
        char *metadata; /* files that say what is in force, lines */
        char root[SETTINGS_ROOT_SIZE];
        char roles[SETTINGS_WORD_SIZE];
        bool offline, release, abandon;
        char *root_keys, *targets_keys; /* key files, lines */
        int64_t root_threshold, targets_threshold;
        char *add, *remove, *thresholds; /* "role=value" lines */
        char *yank, *drop, *floors;      /* of targets: file names, "artifact=version" lines */
        int64_t life_ms;
    } trust;

    /* tokens */
    char kind[SETTINGS_WORD_SIZE];
    char role[SETTINGS_WORD_SIZE];
    char scope[512]; /* selector of agents; "": all */
    int64_t expires_ms;
    int64_t uses;
    char *labels; /* "key=value" lines */

    /* events, logs, requests */
    int64_t since; /* -1: the last ones */
    bool follow;
    char subject[256];
    int64_t lines;
    char *data; /* request body, or @FILE, or - */
};

/* One line after the other of an option that was given several times; cursor begins at the option's
 * value, which may be NULL. False behind the last. Pure. */
bool settings_next(const char **cursor, char line[PATH_MAX]);

/* The only line of it. ERR_USAGE when there are several; option is for words only. "" for none. */
struct err;
bool settings_one(const char *lines, const char *option, char line[PATH_MAX], struct err *e)
    __attribute__((warn_unused_result));
