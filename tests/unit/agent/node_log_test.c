#include "agent/node_log.h"

#include "tests/unit/agent/agent_fixture.h"

static struct text tail;

static const char *tail_since(int64_t begin, size_t max_bytes) {
    text_clear(&tail);
    text_add(&tail, "");
    node_log_tail(place.directory, begin, max_bytes, &tail);
    return tail.data;
}

static const char *tail_of(size_t max_bytes) {
    return tail_since(NODE_LOG_ALL, max_bytes);
}

static int64_t rotate(int64_t max_bytes) {
    int64_t cut_bytes = -1;
    assert_ok(node_log_rotate(place.directory, max_bytes, &cut_bytes, &place.e));
    return cut_bytes;
}

static int teardown(void **unused) {
    text_fini(&tail);
    return teardown_place(unused);
}

static void write_log(const char *words) {
    OWN_FD int fd = node_log_open(place.directory, &place.e);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, words, strlen(words)), strlen(words));
}

static void a_log_that_is_not_there_is_empty(void **unused) {
    (void)unused;
    assert_string_equal(tail_of(100), "");
    (void)rotate(10);
}

static void the_tail_is_whole_lines(void **unused) {
    (void)unused;
    write_log("one\ntwo\nthree\n");
    assert_string_equal(tail_of(1000), "one\ntwo\nthree\n");
    assert_string_equal(tail_of(11), "two\nthree\n");
    assert_string_equal(tail_of(9), "three\n");
    assert_string_equal(tail_of(6), "three\n");
    assert_string_equal(tail_of(0), "");
}

static void a_rotated_log_goes_on_in_the_same_descriptor(void **unused) {
    (void)unused;
    OWN_FD int fd = node_log_open(place.directory, &place.e); /* the node's */
    assert_int_equal(write(fd, "before\n", 7), 7);
    (void)rotate(7);
    assert_int_not_equal(access(in_place("log.1"), F_OK), 0);
    (void)rotate(6);
    assert_int_equal(write(fd, "after\n", 6), 6);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 6); /* O_APPEND: no hole where the old lines were */
    assert_string_equal(tail_of(1000), "before\nafter\n");
    assert_string_equal(tail_of(6), "after\n");
    (void)rotate(1);
    assert_string_equal(tail_of(1000), "after\n");
}

static void the_lines_of_one_process_are_told_from_those_before(void **unused) {
    (void)unused;
    assert_int_equal(node_log_end(place.directory), 0);
    write_log("former\n");
    int64_t begin = node_log_end(place.directory);
    assert_string_equal(tail_since(begin, 100), "");
    write_log("mine\n");
    assert_string_equal(tail_since(begin, 100), "mine\n");
    begin -= rotate(5);
    assert_string_equal(tail_since(begin, 100), "mine\n");
    write_log("more\n");
    assert_string_equal(tail_since(begin, 100), "mine\nmore\n");
    assert_string_equal(tail_since(begin, 7), "more\n");
    begin -= rotate(4);
    assert_string_equal(tail_since(begin, 100), "more\n");
}

static void a_link_in_place_of_the_log_is_not_followed(void **unused) {
    (void)unused;
    write_file(in_place("secret"), "secret\n", 7);
    assert_int_equal(symlink("secret", in_place("log")), 0);
    assert_int_equal(node_log_open(place.directory, &place.e), -1);
    assert_string_equal(tail_of(100), "");
    (void)rotate(1);
    assert_int_not_equal(access(in_place("log.1"), F_OK), 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_place, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_log_that_is_not_there_is_empty),
        TEST(the_tail_is_whole_lines),
        TEST(a_rotated_log_goes_on_in_the_same_descriptor),
        TEST(the_lines_of_one_process_are_told_from_those_before),
        TEST(a_link_in_place_of_the_log_is_not_followed),
    };
    return cmocka_run_group_tests_name("node_log", tests, NULL, NULL);
}
