/*
 * See importer.h. The child answers on its standard output with one line: numbers when it ends with status 0, else a
 * message whose kind is the status.
 */
#include "storage/importer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/sandbox.h"
#include "base/utf8.h"
#include "storage/import_file.h"

#define RESULT_FORMAT(type) \
	"schema=%" type " cards=%" type " notes=%" type " revlog=%" type " notetypes=%" type " decks=%" type \
	" deck_configs=%" type " mended=%" type "\n"

enum {
	CHILD_MEMORY_BYTES = 256 << 20, /* address space; SQLite itself is held to 96 MiB of it (sql_open) */
	CHILD_FILES = 16,
	STATUS_NOT_STARTED = 127,
};

/* In the new process, until exec: async-signal-safe calls only. */
static void __attribute__((noreturn)) start_child(pid_t parent, int answer_fd, const char *src, const char *dst, int seconds)
{
	char *argv[] = { (char *)"ankisync-import", (char *)IMPORTER_OPTION, (char *)src, (char *)dst, NULL };
	/* Passwords of first users stand in the environment (SYNC_USER1): not for this process. */
	char *nothing[] = { NULL };
	const struct rlimit cpu = { (rlim_t)seconds, (rlim_t)seconds };
	sigset_t none;
	int null;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_NOT_STARTED);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(answer_fd, STDOUT_FILENO) < 0)
		_exit(STATUS_NOT_STARTED);
	/* Whatever a library has open without CLOEXEC: connections, and locks that would outlive the parent. */
	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) != 0)
		for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
			close(fd);
	setrlimit(RLIMIT_CPU, &cpu);
#ifdef ANKISYNC_SANITIZE
	(void)nothing;
	execve("/proc/self/exe", argv, environ);
#else
	execve("/proc/self/exe", argv, nothing);
#endif
	_exit(STATUS_NOT_STARTED);
}

/* Everything that the child writes, until it closes its end. false when that takes longer than until `deadline`. */
static bool read_answer(int fd, struct buf *answer, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - clock_mono_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char piece[512];
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&p, 1, (int)(left < 1000 ? left : 1000)) <= 0)
			continue;
		n = read(fd, piece, sizeof piece);
		if (n == 0 || (n < 0 && errno != EINTR))
			return true;
		if (n > 0)
			buf_put(answer, piece, (size_t)n);
	}
}

/* A child that has closed its output ends at once; one that was taken over may not. */
static bool wait_until(pid_t child, int *status, int64_t deadline)
{
	long pause_us = 100;

	for (;;) {
		if (waitpid(child, status, WNOHANG) == child)
			return true;
		if (clock_mono_ms() >= deadline)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = pause_us * 1000 }, NULL);
		if (pause_us < 20000)
			pause_us *= 2;
	}
}

/* What the child says may hold bytes of the file. It becomes one line of UTF-8 that fits into a message whole. */
static void clean(struct slice text, struct buf *out)
{
	for (size_t at = 0, used; at < text.len && text.p[at] != '\n'; at += used) {
		uint32_t code = utf8_decode(text.p + at, text.len - at, &used);

		if (code >= 0x20 && code != 0x7f)
			utf8_put(out, code);
		if (out->overflow)
			break;
	}
}

static int understand(int status, bool in_time, int seconds, const struct buf *answer, struct import_result *r, struct err *e)
{
	struct buf words = BUF_INIT(sizeof e->msg - 1);

	if (!in_time)
		return err_set(e, ERR_REFUSED, "The collection could not be checked within %d seconds. "
			       "The administrator can allow more time (UPLOAD_SECONDS).", seconds);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_REFUSED, "The collection could not be checked: it is damaged, or takes too much memory or time "
			       "(signal %d). Please use Tools > Check Database in Anki, then sync again.", WTERMSIG(status));
	if (WEXITSTATUS(status) == ERR_NONE) {
		if (sscanf(buf_str(answer), RESULT_FORMAT(SCNd64), &r->schema, &r->cards, &r->notes, &r->revlog, &r->notetypes,
			   &r->decks, &r->deck_configs, &r->mended) == 8)
			return 0;
		return err_set(e, ERR_INTERNAL, "import: no result");
	}
	switch (WEXITSTATUS(status)) {
	case ERR_REFUSED:
	case ERR_FULL:
	case ERR_CUT_OFF:
	case ERR_INTERNAL:
		clean(buf_slice(answer), &words);
		err_set(e, (enum err_kind)WEXITSTATUS(status), "%s", buf_str(&words));
		buf_release(&words);
		return -1;
	default:
		return err_set(e, ERR_INTERNAL, "import: the child ended with status %d", WEXITSTATUS(status));
	}
}

int import_run(const char *src, const char *dst, int seconds, struct import_result *r, struct err *e)
{
	struct buf answer = BUF_INIT(4096);
	int ends[2] = { -1, -1 }, status, rc;
	pid_t parent = getpid(), child;
	int64_t deadline;
	bool in_time;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(e, "import: pipe");
	child = fork();
	if (child == 0)
		start_child(parent, ends[1], src, dst, seconds);
	close(ends[1]);
	if (child < 0) {
		rc = err_errno(e, "import: fork");
		close(ends[0]);
		return rc;
	}
	deadline = clock_mono_ms() + 1000 * (int64_t)seconds;
	in_time = read_answer(ends[0], &answer, deadline);
	close(ends[0]);
	if (!wait_until(child, &status, in_time ? deadline : 0)) {
		in_time = false;
		kill(child, SIGKILL);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	}
	rc = understand(status, in_time, seconds, &answer, r, e);
	buf_release(&answer);
	return rc;
}

static int limit(int resource, const char *name, rlim_t value, struct err *e)
{
	const struct rlimit r = { value, value };

	return setrlimit((__rlimit_resource_t)resource, &r) == 0 ? 0 : err_errno(e, "%s", name);
}

/* A crafted file may want to grow: rows can share the pages that they are read from. */
static int set_limits(const char *src, struct err *e)
{
	struct stat st;

	if (stat(src, &st) != 0)
		return err_errno(e, "%s", src);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG instead */
#ifndef ANKISYNC_SANITIZE
	if (limit(RLIMIT_AS, "RLIMIT_AS", CHILD_MEMORY_BYTES, e) != 0)
		return -1;
#endif
	/* Indexes that the file came without need room too. */
	if (limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", 4 * (rlim_t)st.st_size + ((rlim_t)64 << 20), e) != 0)
		return -1;
	if (limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", CHILD_FILES, e) != 0)
		return -1;
	return limit(RLIMIT_CORE, "RLIMIT_CORE", 0, e);
}

/* SQLite's temporary files (sorting) belong into the user's folder, and a URI is what opens a foreign file as immutable. */
static int set_sqlite(const char *dst, struct err *e)
{
	const char *slash = strrchr(dst, '/');
	char seeded;

	if (!slash)
		return err_set(e, ERR_INTERNAL, "%s: not an absolute path", dst);
	if (sqlite3_config(SQLITE_CONFIG_URI, 1) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
		return err_set(e, ERR_INTERNAL, "SQLite cannot be configured");
	sqlite3_temp_directory = sqlite3_mprintf("%.*s", (int)(slash - dst), dst);
	sqlite3_randomness(1, &seeded); /* reads /dev/urandom, once */
	return 0;
}

/* From here on there is one file to read, and one folder to work in. */
static int give_up_rights(const char *src, const char *folder, struct err *e)
{
	struct sandbox box;
	int rc = -1;

	if (sandbox_begin(&box, e) == 0 && sandbox_allow(&box, src, SANDBOX_READ, e) == 0 &&
	    sandbox_allow(&box, folder, SANDBOX_READ | SANDBOX_WRITE | SANDBOX_REMOVE, e) == 0 && sandbox_enter(&box, e) >= 0)
		rc = sandbox_calls(SANDBOX_ALONE, e) < 0 ? -1 : 0;
	sandbox_end(&box);
	return rc;
}

int importer_main(int argc, char **argv)
{
	struct import_result r = { 0 };
	struct err e = ERR_INIT;

	if (argc != 4) {
		fprintf(stderr, "usage: %s " IMPORTER_OPTION " SRC DST\n", argc ? argv[0] : "ankisync-import");
		return ERR_INTERNAL;
	}
	if (set_limits(argv[2], &e) != 0 || set_sqlite(argv[3], &e) != 0 ||
	    give_up_rights(argv[2], sqlite3_temp_directory, &e) != 0 || import_file(argv[2], argv[3], &r, &e) != 0) {
		printf("%s\n", e.msg);
		return (int)e.kind;
	}
	printf(RESULT_FORMAT(PRId64), r.schema, r.cards, r.notes, r.revlog, r.notetypes, r.decks, r.deck_configs, r.mended);
	return fflush(stdout) == 0 ? 0 : ERR_INTERNAL;
}
