#include "agent/settings.h"

#include "tests/unit/agent/agent_fixture.h"

#include "lib/labels.h"

static struct settings settings;

static bool load_words(const char *const *words) {
    char *argv[16] = {(char[]){"grid-agent"}};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) argv[argc] = text_duplicate(words[argc - 1]);
    settings_clear(&settings);
    bool loaded = settings_load(&settings, argc, argv, &place.e);
    for (int i = 1; i < argc; i++) free(argv[i]);
    return loaded;
}
#define load(...) load_words((const char *const[]){__VA_ARGS__, NULL})

static int forget(void **unused) {
    settings_clear(&settings);
    unsetenv("GRID_TOKEN");
    return teardown_place(unused);
}

static const char *config(const char *text) {
    const char *path = in_place("agent.ini");
    write_file(path, text, strlen(text));
    return path;
}

static void defaults_are_those_of_the_reference(void **unused) {
    (void)unused;
    assert_ok(load_words((const char *const[]){NULL}));
    assert_string_equal(settings.state, "./grid-agent-state");
    assert_int_equal(settings.nodes, 1);
    assert_int_equal(settings.first_port, 7100);
    assert_int_equal(settings.last_port, 7199);
    assert_true(settings.auto_download);
    assert_false(settings.stop_nodes);
    assert_string_equal(settings.labels, "");
    assert_string_equal(settings.master, "");
}

static void the_configuration_file_of_the_reference_works(void **unused) {
    (void)unused;
    const char *path = config("[agent]\n"
                              "agent_id = \"agent-1\"          # default: host name\n"
                              "master_host = \"localhost:7000\"\n"
                              "join = \"\"\n"
                              "platform = \"process\"\n"
                              "auto_download_binary = false\n"
                              "nodes = 3\n"
                              "node_ports = 7300-7310\n"
                              "labels = rack=b, role=edge\n"
                              "[storage]\n"
                              "binary_path = \"/opt/storage server\"\n"
                              "master_binary_url = \"http://localhost:7001\"\n");
    assert_ok(load("--config", path));
    assert_string_equal(settings.agent_id, "agent-1");
    assert_string_equal(settings.master, "localhost:7000");
    assert_string_equal(settings.token, "");
    assert_false(settings.auto_download);
    assert_int_equal(settings.nodes, 3);
    assert_int_equal(settings.first_port, 7300);
    assert_string_equal(settings.labels, "rack=b,role=edge");
    assert_string_equal(settings.binary_path, "/opt/storage server");
    assert_string_equal(settings.master_binary_url, "http://localhost:7001");
}

static void a_flag_beats_the_file(void **unused) {
    (void)unused;
    const char *path = config("[agent]\nagent_id = from-file\nnodes = 2\n");
    assert_ok(load("--config", path, "--id", "from-flag"));
    assert_string_equal(settings.agent_id, "from-flag");
    assert_int_equal(settings.nodes, 2);
}

static void unknown_keys_are_refused_with_file_and_line(void **unused) {
    (void)unused;
    const char *path = config("[agent]\nnodes = 1\nnodez = 2\n");
    assert_false(load("--config", path));
    assert_err(ERR_USAGE, "nodez");
    assert_err(ERR_USAGE, "3");
    assert_err(ERR_USAGE, "agent.ini");
}

static void labels_may_be_repeated(void **unused) {
    (void)unused;
    assert_ok(load("--label", "rack=b", "--label", "zone=z,role=edge"));
    assert_string_equal(settings.labels, "rack=b,role=edge,zone=z");
    assert_false(load("--label", "rack=b", "--label", "rack=c"));
    assert_err(ERR_USAGE, "rack");
}

static void mistakes_name_the_option(void **unused) {
    (void)unused;
    assert_false(load("--nodes", "0"));
    assert_err(ERR_USAGE, "--nodes");
    assert_false(load("--nodes", "5", "--node-ports", "7100-7102"));
    assert_err(ERR_USAGE, "--node-ports");
    assert_false(load("--node-ports", "7199-7100"));
    assert_err(ERR_USAGE, "--node-ports");
    assert_false(load("--id", "no spaces here"));
    assert_false(load("--master", "host:99999"));
    assert_err(ERR_INVALID, "--master");
    assert_false(load("--master-binary-url", "ftp://x"));
    assert_err(ERR_USAGE, "--master-binary-url");
    assert_false(load("--platform", "docker"));
    assert_err(ERR_USAGE, "docker");
    assert_false(load("surprise"));
    assert_err(ERR_USAGE, "surprise");
}

static void the_secret_comes_from_the_environment_and_leaves_it(void **unused) {
    (void)unused;
    setenv("GRID_TOKEN", "gj_0123456789abcdef.secret", 1);
    assert_ok(load("--nodes", "1"));
    assert_string_equal(settings.token, "gj_0123456789abcdef.secret");
    assert_null(getenv("GRID_TOKEN"));
}

static void the_secret_comes_from_a_file(void **unused) {
    (void)unused;
    const char *path = in_place("token");
    write_file(path, "  grid://somewhere \n", 19);
    assert_ok(load("--token-file", path));
    assert_string_equal(settings.token, "grid://somewhere");
    write_file(path, "\n\n", 2);
    assert_false(load("--token-file", path));
    assert_err(ERR_USAGE, "--token-file");
    assert_false(load("--token-file", "/nonexistent/token"));
    assert_err(ERR_NOT_FOUND, "--token-file");
}

static void the_state_of_a_master_is_never_taken_for_its_own(void **unused) {
    (void)unused;
    setenv("GRID_STATE", place.directory, 1);
    assert_ok(load("--nodes", "1"));
    assert_string_equal(settings.state, place.directory);
    write_file(in_place("grid.db"), "", 0);
    assert_ok(load("--nodes", "1"));
    assert_string_equal(settings.state, "./grid-agent-state");
    setenv("GRID_STATE", "/elsewhere", 1);
    setenv("GRID_AGENT_STATE", "/mine", 1);
    assert_ok(load("--nodes", "1"));
    assert_string_equal(settings.state, "/mine");
    unsetenv("GRID_AGENT_STATE");
    unsetenv("GRID_STATE");
}

static void port_ranges(void **unused) {
    (void)unused;
    int first = 0;
    int last = 0;
    assert_ok(settings_parse_ports("7100", &first, &last, &place.e));
    assert_int_equal(last, 7100);
    static const char *const wrong[] = {"",           "0",          "1-",  "-1",
                                        "7100-70000", "7100-7199x", "a-b", "7100--7199"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(settings_parse_ports(wrong[i], &first, &last, &place.e));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_place, forget)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_reference),
        TEST(the_configuration_file_of_the_reference_works),
        TEST(a_flag_beats_the_file),
        TEST(unknown_keys_are_refused_with_file_and_line),
        TEST(labels_may_be_repeated),
        TEST(mistakes_name_the_option),
        TEST(the_secret_comes_from_the_environment_and_leaves_it),
        TEST(the_state_of_a_master_is_never_taken_for_its_own),
        TEST(the_secret_comes_from_a_file),
        TEST(port_ranges),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
