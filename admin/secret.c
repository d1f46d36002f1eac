/* See secret.h. */
#include "admin/secret.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>

#include "base/digest.h"
#include "base/utf8.h"
#include "core/password.h"

enum { RANDOM_CHARS = 20 };

void secret_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

int secret_check(struct slice password, struct err *e)
{
	if (password.len == 0)
		return err_set(e, ERR_BAD_REQUEST, "the password is empty");
	if (password.len > PASSWORD_MAX_BYTES)
		return err_set(e, ERR_BAD_REQUEST, "the password has more than %d bytes", PASSWORD_MAX_BYTES);
	if (!utf8_valid(password))
		return err_set(e, ERR_BAD_REQUEST, "the password is not UTF-8: no client could send it");
	for (size_t i = 0; i < password.len; i++)
		if (!password.p[i] || password.p[i] == '\n' || password.p[i] == '\r')
			return err_set(e, ERR_BAD_REQUEST, "the password has a NUL or more than one line");
	return 0;
}

/* Cut one end of line. */
static void cut_newline(struct buf *b)
{
	if (b->len && b->data[b->len - 1] == '\n')
		buf_truncate(b, b->len - 1);
	if (b->len && b->data[b->len - 1] == '\r')
		buf_truncate(b, b->len - 1);
}

int secret_read(FILE *from, const char *name, struct buf *out, struct err *e)
{
	char *room = buf_room(out, PASSWORD_MAX_BYTES + 3);
	size_t n;

	/* No second copy in stdio's memory. */
	setvbuf(from, NULL, _IONBF, 0);
	n = room ? fread(room, 1, PASSWORD_MAX_BYTES + 3, from) : 0;
	if (ferror(from))
		return err_errno(e, "%s", name);
	out->len += n;
	out->data[out->len] = 0;
	cut_newline(out);
	if (secret_check(buf_slice(out), e) != 0)
		return err_add(e, "%s", name);
	return 0;
}

int secret_read_file(const char *path, struct buf *out, struct err *e)
{
	FILE *f = fopen(path, "re");
	int rc;

	if (!f)
		return err_errno(e, "%s", path);
	rc = secret_read(f, path, out, e);
	fclose(f);
	return rc;
}

void secret_random(struct buf *out)
{
	char text[RANDOM_CHARS + 1];

	random_name(text, RANDOM_CHARS);
	buf_put(out, text, RANDOM_CHARS);
	explicit_bzero(text, sizeof text);
}

/* --- the terminal --- */

static volatile sig_atomic_t interrupted_by;

static void on_signal(int sig)
{
	interrupted_by = sig;
}

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
enum { CAUGHT = sizeof caught / sizeof *caught };

/* A line, without its end, byte by byte so that nothing stays in stdio's memory. -1: end of input or interrupted. */
static int read_line(int fd, struct buf *out)
{
	char c;

	buf_reset(out);
	if (!buf_room(out, PASSWORD_MAX_BYTES + 3))
		return -1;
	while (!interrupted_by) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		if (c == '\n')
			return 0;
		if (out->len < PASSWORD_MAX_BYTES + 2)
			buf_putc(out, c);
	}
	return -1;
}

/* The prompt and one hidden line. The echo is on again whatever happens, also when a signal ends us. */
static int ask_hidden(FILE *tty, const char *prompt, struct buf *out, struct err *e)
{
	struct sigaction old[CAUGHT], action = { .sa_handler = on_signal };
	struct termios before, silent;
	int rc;

	if (tcgetattr(fileno(tty), &before) != 0)
		return err_errno(e, "terminal");
	interrupted_by = 0;
	for (int i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &action, &old[i]);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	tcsetattr(fileno(tty), TCSAFLUSH, &silent);
	fputs(prompt, tty);
	fflush(tty);
	rc = read_line(fileno(tty), out);
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	fputc('\n', tty);
	fflush(tty);
	for (int i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &old[i], NULL);
	if (interrupted_by) {
		secret_wipe(out);
		raise(interrupted_by);
	}
	return rc == 0 ? 0 : err_set(e, ERR_BAD_REQUEST, "no password was entered");
}

static FILE *open_terminal(void)
{
	FILE *tty = fopen("/dev/tty", "r+e");

	if (tty)
		setvbuf(tty, NULL, _IONBF, 0);
	return tty;
}

int secret_ask(const char *user, struct buf *out, struct err *e)
{
	struct buf again = BUF_INIT(PASSWORD_MAX_BYTES + 4);
	char prompt[300];
	FILE *tty = open_terminal();
	int rc = -1;

	if (!tty)
		return err_set(e, ERR_NOT_FOUND, "there is no terminal to ask for the password: use --password-stdin,"
			       " --password-file FILE or --random");
	snprintf(prompt, sizeof prompt, "Password for %s: ", user);
	if (ask_hidden(tty, prompt, out, e) != 0 || secret_check(buf_slice(out), e) != 0)
		goto out;
	if (ask_hidden(tty, "The same again: ", &again, e) != 0)
		goto out;
	if (slice_eq(buf_slice(out), buf_slice(&again)))
		rc = 0;
	else
		err_set(e, ERR_BAD_REQUEST, "the two passwords differ");
out:
	secret_wipe(&again);
	fclose(tty);
	return rc;
}

int terminal_confirm(const char *question)
{
	FILE *tty = open_terminal();
	char line[16];
	int rc;

	if (!tty)
		return -1;
	fprintf(tty, "%s [y/N] ", question);
	fflush(tty);
	rc = fgets(line, sizeof line, tty) && (line[0] == 'y' || line[0] == 'Y');
	fclose(tty);
	return rc;
}
