#include "master/instances.h"

#include "lib/text.h"

#include <stdio.h>
#include <string.h>

static size_t find(const struct instances *s, const char *id) {
    size_t i = 0;
    while (i < s->count && strcmp(s->seen[i].id, id) != 0) i++;
    return i;
}

/* Makes place i the first one. */
static void move_to_front(struct instances *s, size_t i) {
    struct instance moved = s->seen[i];
    memmove(&s->seen[1], &s->seen[0], i * sizeof s->seen[0]);
    s->seen[0] = moved;
}

void instances_forget(struct instances *s) {
    free(s->seen);
    *s = (struct instances){.count = 0};
}

/* False when the one that makes room was here a moment ago. */
static bool add(struct instances *s, const char *id, int64_t greeting, int64_t now_ms) {
    bool full = s->count == INSTANCES_REMEMBERED;
    if (!full) s->seen = memory_resize(s->seen, ++s->count, sizeof *s->seen);
    struct instance *place = &s->seen[s->count - 1];
    bool fine = !full || now_ms - place->at_ms >= INSTANCES_FORGOTTEN_MS;
    snprintf(place->id, sizeof place->id, "%s", id);
    place->greeting = greeting;
    place->at_ms = now_ms;
    move_to_front(s, s->count - 1);
    return fine;
}

bool instances_greet(struct instances *s, const char *instance, int64_t greeting, int64_t now_ms) {
    size_t i = find(s, instance);
    if (i == s->count) return add(s, instance, greeting, now_ms);
    bool told = instance[0] != '\0';
    bool fine = !told || (i == 0 && greeting > s->seen[i].greeting);
    if (greeting > s->seen[i].greeting) s->seen[i].greeting = greeting;
    s->seen[i].at_ms = now_ms;
    move_to_front(s, i);
    return fine;
}
