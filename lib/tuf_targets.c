/* Targets: the list of files, and who may speak for parts of it. */
#include "lib/tuf_internal.h"

#include <string.h>

static void clear_strings(char **list, size_t count) {
    for (size_t i = 0; i < count; i++) free(list[i]);
    free(list);
}

static void clear_target(struct tuf_target *t) {
    free(t->path);
    free(t->custom);
}

static void clear_delegation(struct tuf_delegation *d) {
    tuf_signers_clear(&d->signers);
    clear_strings(d->paths, d->path_count);
    clear_strings(d->hash_prefixes, d->hash_prefix_count);
}

void tuf_targets_clear(struct tuf_targets *t) {
    for (size_t i = 0; i < t->count; i++) clear_target(&t->list[i]);
    for (size_t i = 0; i < t->delegation_count; i++) clear_delegation(&t->delegations[i]);
    free(t->list);
    free(t->delegations);
    tuf_keys_clear(&t->delegation_keys);
    memset(t, 0, sizeof *t);
}

static bool read_custom(struct json_slice value, void *out, struct err *e) {
    OWN_TEXT struct text custom = TEXT_EMPTY;
    if (!json_slice_is_object(value)) return err_set(e, ERR_INVALID, "not an object");
    text_add_bytes(&custom, value.at, value.length);
    *(char **)out = text_take(&custom);
    return true;
}

static bool add_target(const char *path, struct json_slice value, void *out, struct err *e) {
    struct tuf_targets *t = out;
    if (*path == '\0') return err_set(e, ERR_INVALID, "an empty path");
    t->list = tuf_grow(t->list, t->count, sizeof *t->list);
    struct tuf_target *added = &t->list[t->count++];
    added->path = text_duplicate(path);
    struct tuf_member members[] = {
        TUF_MUST("length", tuf_read_length, &added->promise.length),
        TUF_MUST("hashes", tuf_read_hashes, &added->promise),
        TUF_MAY("custom", read_custom, &added->custom),
    };
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

static int compare_targets(const void *a, const void *b) {
    const struct tuf_target *first = a;
    const struct tuf_target *second = b;
    return strcmp(first->path, second->path);
}

static bool read_targets(struct json_slice value, void *out, struct err *e) {
    struct tuf_targets *t = out;
    if (!tuf_read_map(value, TUF_TARGETS_MAX, add_target, t, e)) return false;
    const struct tuf_target *twice = tuf_sort(t->list, t->count, sizeof *t->list, compare_targets);
    return twice == NULL || err_set(e, ERR_INVALID, "%.64s is there twice", twice->path);
}

/* A role of one of the four names would be taken for that one. */
static bool read_role_name(struct json_slice value, void *out, struct err *e) {
    enum tuf_role_kind taken = TUF_ROOT;
    OWN_TEXT struct text name = TEXT_EMPTY;
    if (!json_slice_text(value, &name)) return err_set(e, ERR_INVALID, "not a string");
    if (tuf_role_parse(name.data, &taken))
        return err_set(e, ERR_INVALID, "%s cannot be delegated", name.data);
    return tuf_copy_name(out, TUF_ROLE_NAME_SIZE, name.data, e);
}

static bool valid_prefix(const char *prefix) {
    size_t digits = strspn(prefix, "0123456789abcdef");
    return digits > 0 && digits < SHA256_HEX_SIZE && prefix[digits] == '\0';
}

static bool check_reach(const struct tuf_delegation *d, bool paths, bool hash_prefixes,
                        struct err *e) {
    if (paths == hash_prefixes)
        return err_set(e, ERR_INVALID, "needs either paths or path_hash_prefixes");
    for (size_t i = 0; i < d->hash_prefix_count; i++)
        if (!valid_prefix(d->hash_prefixes[i]))
            return err_set(e, ERR_INVALID, "path_hash_prefixes: [%zu]: not lower-case hex digits",
                           i);
    return true;
}

static bool read_delegation(struct json_slice value, struct tuf_delegation *d, struct err *e) {
    struct tuf_strings paths = {0};
    struct tuf_strings prefixes = {0};
    struct tuf_member members[] = {
        TUF_MUST("name", read_role_name, d->role),
        TUF_MAY("terminating", tuf_read_bool, &d->terminating),
        TUF_MAY("paths", tuf_read_strings, &paths),
        TUF_MAY("path_hash_prefixes", tuf_read_strings, &prefixes),
    };
    bool read = tuf_read_members(value, members, TUF_COUNT(members), e);
    d->paths = paths.list;
    d->path_count = paths.count;
    d->hash_prefixes = prefixes.list;
    d->hash_prefix_count = prefixes.count;
    return read && tuf_read_signers(value, &d->signers, e) &&
           check_reach(d, members[2].given, members[3].given, e);
}

static bool add_delegation(struct json_slice value, void *out, struct err *e) {
    struct tuf_targets *t = out;
    t->delegations = tuf_grow(t->delegations, t->delegation_count, sizeof *t->delegations);
    struct tuf_delegation *added = &t->delegations[t->delegation_count++];
    if (!read_delegation(value, added, e)) return false;
    for (struct tuf_delegation *d = t->delegations; d < added; d++)
        if (strcmp(d->role, added->role) == 0)
            return err_set(e, ERR_INVALID, "role %s is there twice", d->role);
    return true;
}

static bool read_roles(struct json_slice value, void *out, struct err *e) {
    return tuf_read_list(value, TUF_ROLES_MAX, add_delegation, out, e);
}

static bool read_bits(struct json_slice value, void *out, struct err *e) {
    int64_t bits = 0;
    if (!json_slice_int(value, &bits) || bits < 1 || bits > TUF_BITS_MAX)
        return err_set(e, ERR_INVALID, "not a whole number from 1 to %d", TUF_BITS_MAX);
    *(int *)out = (int)bits;
    return true;
}

/* Leaves room for what follows it in the name of a role. */
static bool read_name_prefix(struct json_slice value, void *out, struct err *e) {
    size_t size = TUF_ROLE_NAME_SIZE - strlen("-") - TUF_BITS_MAX / 4;
    OWN_TEXT struct text prefix = TEXT_EMPTY;
    if (!json_slice_text(value, &prefix)) return err_set(e, ERR_INVALID, "not a string");
    return text_copy(out, size, prefix.data) ||
           err_set(e, ERR_INVALID, "more than %zu bytes", size - 1);
}

static bool read_succinct(struct json_slice value, void *out, struct err *e) {
    struct tuf_targets *t = out;
    t->delegations = tuf_grow(t->delegations, t->delegation_count, sizeof *t->delegations);
    struct tuf_delegation *d = &t->delegations[t->delegation_count++];
    struct tuf_member members[] = {
        TUF_MUST("bit_length", read_bits, &d->bits),
        TUF_MUST("name_prefix", read_name_prefix, d->role),
    };
    d->terminating = true;
    return tuf_read_members(value, members, TUF_COUNT(members), e) &&
           tuf_read_signers(value, &d->signers, e);
}

static bool read_delegations(struct json_slice value, void *out, struct err *e) {
    struct tuf_targets *t = out;
    struct tuf_member members[] = {
        TUF_MUST("keys", tuf_read_keys, &t->delegation_keys),
        TUF_MAY("roles", read_roles, t),
        TUF_MAY("succinct_roles", read_succinct, t),
    };
    if (!tuf_read_members(value, members, TUF_COUNT(members), e)) return false;
    return members[1].given != members[2].given ||
           err_set(e, ERR_INVALID, "needs either roles or succinct_roles");
}

bool tuf_targets_parse(const char *bytes, size_t length, struct tuf_targets *out, struct err *e) {
    struct tuf_member members[] = {
        TUF_MUST("targets", read_targets, out),
        TUF_MAY("delegations", read_delegations, out),
    };
    memset(out, 0, sizeof *out);
    if (tuf_read_file(bytes, length, TUF_TARGETS, &out->heading, members, TUF_COUNT(members), e))
        return true;
    tuf_targets_clear(out);
    return false;
}

const struct tuf_target *tuf_targets_find(const struct tuf_targets *t, const char *path) {
    const struct tuf_target wanted = {.path = (char *)path};
    if (t->count == 0) return NULL;
    return bsearch(&wanted, t->list, t->count, sizeof *t->list, compare_targets);
}

struct tuf_target *tuf_targets_put(struct tuf_targets *t, const char *path) {
    size_t place = t->count;
    struct tuf_target *there = (struct tuf_target *)tuf_targets_find(t, path);
    if (there != NULL) return there;
    while (place > 0 && strcmp(t->list[place - 1].path, path) > 0) place--;
    t->list = memory_resize(t->list, t->count + 1, sizeof *t->list);
    struct tuf_target *added = &t->list[place];
    memmove(added + 1, added, (t->count++ - place) * sizeof *added);
    *added = (struct tuf_target){.path = text_duplicate(path), .promise = {.length = -1}};
    return added;
}

bool tuf_targets_remove(struct tuf_targets *t, const char *path) {
    struct tuf_target *there = (struct tuf_target *)tuf_targets_find(t, path);
    if (there == NULL) return false;
    clear_target(there);
    size_t behind = (size_t)(t->list + --t->count - there);
    memmove(there, there + 1, behind * sizeof *there);
    return true;
}
