#include "cli/terminal.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>

#define EXIT_INTERRUPTED 130

/* Read by the signal handler. */
static const char *volatile interrupt_words;
static const char *volatile interrupt_path;
static volatile sig_atomic_t echo_is_off;
static struct termios echo_saved;

static void interrupted(int signal_number) {
    (void)signal_number;
    if (echo_is_off) tcsetattr(STDIN_FILENO, TCSANOW, &echo_saved);
    if (interrupt_path != NULL) unlink(interrupt_path);
    const char *words = interrupt_words;
    if (words != NULL && write(STDERR_FILENO, words, strlen(words)) < 0) _exit(EXIT_INTERRUPTED);
    _exit(EXIT_INTERRUPTED);
}

void terminal_setup(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    struct sigaction action = {.sa_handler = interrupted};
    sigaction(SIGINT, &action, NULL);
}

void terminal_on_interrupt(const char *words, const char *remove_path) {
    interrupt_words = words;
    interrupt_path = remove_path;
}

bool terminal_utf8(const char *lc_all, const char *lc_ctype, const char *lang) {
    const char *const values[] = {lc_all, lc_ctype, lang};
    for (size_t i = 0; i < 3; i++)
        if (values[i] != NULL && values[i][0] != '\0')
            return strcasestr(values[i], "utf-8") != NULL || strcasestr(values[i], "utf8") != NULL;
    return true;
}

static bool colour_wanted(void) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return (no_color == NULL || no_color[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

void terminal_style(int fd, struct output_style *out) {
    struct winsize size;
    *out = (struct output_style){0};
    out->utf8 = terminal_utf8(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG"));
    if (!isatty(fd)) return;
    out->colour = colour_wanted();
    out->width = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool terminal_present(void) {
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool terminal_confirm(const char *question) {
    char answer[16] = "";
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL) {
        fputc('\n', stderr);
        return false;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static void hide_echo(void) {
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &echo_saved) != 0) return;
    struct termios hidden = echo_saved;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    echo_is_off = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
}

static void restore_echo(void) {
    if (!echo_is_off) return;
    tcsetattr(STDIN_FILENO, TCSANOW, &echo_saved);
    echo_is_off = 0;
    fputc('\n', stderr);
}

/* Byte by byte, so that stdio keeps no copy of the secret. */
static ssize_t read_line(char *out, size_t size) {
    size_t length = 0;
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') {
        if (length + 1 >= size) return -1;
        out[length++] = byte;
    }
    while (length > 0 && (out[length - 1] == '\r' || out[length - 1] == ' ')) length--;
    out[length] = '\0';
    return (ssize_t)length;
}

bool terminal_secret(const char *prompt, char *out, size_t size, struct err *e) {
    hide_echo();
    if (echo_is_off) fprintf(stderr, "%s: ", prompt);
    ssize_t length = read_line(out, size);
    restore_echo();
    if (length < 0)
        return err_set(e, ERR_TOO_LARGE, "the %s is longer than %zu characters", prompt, size - 1);
    if (length == 0) return err_set(e, ERR_INVALID, "no %s was given", prompt);
    return true;
}
