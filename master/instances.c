#include "master/instances.h"

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

static void add(struct instances *s, const char *id, int64_t greeting) {
    if (s->count < INSTANCES_REMEMBERED) s->count++;
    struct instance *place = &s->seen[s->count - 1];
    snprintf(place->id, sizeof place->id, "%s", id);
    place->greeting = greeting;
    move_to_front(s, s->count - 1);
}

bool instances_greet(struct instances *s, const char *instance, int64_t greeting) {
    if (instance[0] == '\0') return true;
    size_t i = find(s, instance);
    if (i == s->count) {
        add(s, instance, greeting);
        return true;
    }
    bool fine = i == 0 && greeting > s->seen[i].greeting;
    if (greeting > s->seen[i].greeting) s->seen[i].greeting = greeting;
    move_to_front(s, i);
    return fine;
}
