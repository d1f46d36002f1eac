/* See run.h. */
#include "tests/faults/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/home.h"

enum { HANGS_AFTER_S = 300 };

static pid_t start(void)
{
	pid_t child = fork();

	if (child == 0) {
		alarm(HANGS_AFTER_S);
		return 0;
	}
	if (child < 0) {
		perror("fork");
		exit(2);
	}
	return child;
}

/* The status of a child. With `watch` it, or the importing grandchild, is killed when the shim in the latter asks for that. */
static int wait_for(pid_t child, bool watch)
{
	int status;

	while (waitpid(child, &status, watch ? WNOHANG : 0) != child) {
		if (__atomic_exchange_n(&shim->kill_wanted, 0, __ATOMIC_SEQ_CST))
			kill(shim->mode == SHIM_KILL_CHILD ? shim->child : child, SIGKILL);
		usleep(watch ? 200 : 0);
	}
	return status;
}

void place_open(struct place *p)
{
	char path[200], why[512];
	struct client c;
	int status;
	pid_t child;

	snprintf(p->work, sizeof p->work, "%s/faults-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(p->work))
		exit(2);
	snprintf(p->base, sizeof p->base, "%s/base", p->work);
	snprintf(path, sizeof path, "%s/control", p->work);
	if (shim_create(path) != 0)
		exit(2);
	snprintf(shim->root, sizeof shim->root, "%s", p->base);
	snprintf(path, sizeof path, "%s/upload", p->work);
	child = start();
	if (child == 0) {
		shim->random = 7;
		clock_freeze_ms(CLIENT_T0_MS);
		client_make_template(&c, p->base, path);
		_exit(0);
	}
	status = wait_for(child, false);
	shim->random = 0;
	if (status != 0)
		exit(2);
	client_load_upload(path);
	image_load(&p->template, p->base);
	/* Counts that fit, from a server that is told others. */
	snprintf(shim->counts, sizeof shim->counts, "[[0,0,0],11,11,16,0,3,4,1]");
	p->before = (struct state)STATE_INIT;
	if (state_read(&p->before, p->base, why) != 0) {
		fprintf(stderr, "template: %s\n", why);
		exit(2);
	}
}

void place_close(struct place *p)
{
	image_release(&p->template);
	state_release(&p->before);
	remove_folder(p->work);
}

/* A fault of ours must not look like a mistake of the client: it would forget its login, or think of damage. */
static const char *wrong_kind(enum err_kind kind)
{
	switch (kind) {
	case ERR_BAD_LOGIN:
		return "as if the login was wrong";
	case ERR_BAD_REQUEST:
	case ERR_TOO_BIG:
	case ERR_NOT_FOUND:
	case ERR_BAD_METHOD:
	case ERR_VERSION:
		return "as if the request was wrong";
	default:
		return NULL;
	}
}

static void stderr_path(const struct place *p, char path[200])
{
	snprintf(path, 200, "%s/stderr", p->work);
}

static void work(struct place *p, const struct plan *plan)
{
	char path[200];
	struct client c;
	int rc;

	stderr_path(p, path);
	if (plan->kind == SHIM_MEMORY && dup2(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600), STDERR_FILENO) < 0)
		exit(2);
	shim->random = 12345;
	clock_freeze_ms(CLIENT_T0_MS + 1000000);
	shim->count = shim->fired = 0;
	shim->kind = plan->kind;
	shim->at = plan->at;
	shim->error = plan->error;
	shim->sticky = plan->sticky;
	shim->quiet = plan->op->quiet;
	shim->acks = 0;
	shim->key[0] = 0;
	shim->trace_len = 0;
	shim->tracing = plan->trace;
	shim->paused = false;
	shim->mode = plan->mode;
	rc = client_open(&c, p->base);
	if (rc == 0)
		rc = plan->op->run(&c);
	shim->mode = SHIM_OFF;
	snprintf(shim->message, sizeof shim->message, "%s", rc == 0 ? "" : c.e.msg);
	if (rc != 0 && wrong_kind(c.e.kind)) {
		snprintf(shim->message, sizeof shim->message, "%s: %s", wrong_kind(c.e.kind), c.e.msg);
		_exit(1);
	}
	/* A worker leaves for many reasons, orderly or not. Else it goes on with the handles that have seen the failure. */
	if (plan->mode == SHIM_COUNT || plan->at % 3 == 0) {
		client_close(&c);
	} else if (plan->at % 3 == 1 && rc != 0 && c.server.homes) {
		shim->acks++;
		if (plan->op->run(&c) != 0) {
			snprintf(shim->message, sizeof shim->message, "the same worker, again: %s", c.e.msg);
			_exit(1);
		}
		client_close(&c);
	}
	_exit(0);
}

/* One that finds no memory may end, if it says so; libarchive ends it with exit(). */
static bool ended_for_memory(const struct place *p, const struct plan *plan, int status)
{
	char path[200], text[4096] = "";
	ssize_t n = 0;
	int fd;

	if (plan->kind != SHIM_MEMORY || status == 0 || shim->message[0])
		return false;
	stderr_path(p, path);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	snprintf(shim->message, sizeof shim->message, "%s", text);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGABRT && strstr(text, "ankisync: out of memory");
	return strstr(text, "libarchive") && strstr(text, "Out of memory");
}

void run_worker(struct place *p, const struct plan *plan)
{
	int status;
	pid_t child;

	image_write(&p->template, p->base);
	shim->kill_wanted = 0;
	shim->message[0] = 0;
	shim->fired_what[0] = 0;
	child = start();
	if (child == 0)
		work(p, plan);
	status = wait_for(child, plan->mode == SHIM_KILL || plan->mode == SHIM_KILL_CHILD);
	shim->mode = SHIM_OFF;
	shim->random = 0;
	snprintf(p->key, sizeof p->key, "%s", shim->key);
	if (ended_for_memory(p, plan, status))
		status = 0;
	if (plan->mode == SHIM_KILL ? !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) : status != 0)
		snprintf(shim->message + strlen(shim->message), 200, " (worker ended with status %x)", (unsigned)status);
	else if (plan->mode != SHIM_COUNT && plan->mode != SHIM_SLOW)
		shim->message[0] = 0;
}

void run_clean(struct place *p, const struct operation *op, enum shim_kind kind, bool trace, struct state *after, uint64_t *calls)
{
	const struct plan plan = { .op = op, .mode = SHIM_COUNT, .kind = kind, .trace = trace };
	char why[512] = "";

	run_worker(p, &plan);
	*after = (struct state)STATE_INIT;
	if (shim->message[0] || shim->acks != 1 || state_read(after, p->base, why) != 0) {
		fprintf(stderr, "%s without a fault: %d acks, %s%s\n", op->name, shim->acks, shim->message, why);
		exit(2);
	}
	*calls = shim->count;
}

/* --- the look at what is left, in a process of its own --- */

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(shim->message, sizeof shim->message, fmt, ap);
	va_end(ap);
	_exit(1);
}

static void read_or_fail(struct state *s, const char *base, const char *when)
{
	char why[512];

	*s = (struct state)STATE_INIT;
	if (state_read(s, base, why) != 0)
		fail("%s: %s", when, why);
}

static void check_found(const struct place *p, const struct operation *op, const struct state *found, const struct state *after,
			int acks)
{
	char text[512];

	if (acks > 1) { /* a second try was answered, with other usns and keys */
		if (op->flags & OPERATION_NO_CHANGE || same(&found->content, &after->content))
			return;
		state_difference(&found->content, &after->content, text);
		fail("answered at the second try, but lost: %s", text);
	}
	if (same(&found->exact, &after->exact))
		return;
	if (acks == 0 && (same(&found->exact, &p->before.exact) || op->flags & OPERATION_IN_STEPS))
		return;
	if (acks && op->flags & OPERATION_NO_CHANGE)
		return;
	state_difference(&found->exact, acks ? &after->exact : &p->before.exact, text);
	fail(acks ? "answered, but lost: %s" : "neither as before nor as after: %s", text);
}

static void check_growth(const struct state *found, const struct state *now, int u)
{
	if (now->generation[u] != found->generation[u] || (now->usn[u] > found->usn[u] && now->mod[u] > found->mod[u]))
		return;
	fail("usn %lld, mod %lld after usn %lld, mod %lld", (long long)now->usn[u], (long long)now->mod[u], (long long)found->usn[u],
	     (long long)found->mod[u]);
}

static void check(struct place *p, const struct operation *op, const struct state *after, int acks, bool whole)
{
	struct state found, again, end;
	struct client c;
	char text[512];
	int u = strncmp(op->name, "user-", 5) == 0 ? 1 : 0;

	clock_freeze_ms(CLIENT_T0_MS + 2000000);
	/* The server first, as in life: it may have to repair something. */
	if (whole && client_open(&c, p->base) != 0)
		fail("server: %s", c.e.msg);
	read_or_fail(&found, p->base, "found");
	check_found(p, op, &found, after, acks);
	if (!whole)
		_exit(0);
	if (acks && p->key[0]) {
		snprintf(c.key[0], sizeof c.key[0], "%s", p->key);
		if (client_next_sync(&c, 0) != 0)
			fail("with the key that was given out: %s", c.e.msg);
	}
	if (!acks || op->flags & OPERATION_NO_CHANGE) {
		if (op->run(&c) != 0) /* a sync that was committed unheard ends as a conflict when it is repeated with old counts */
			fail("again: %s", c.e.msg);
		read_or_fail(&again, p->base, "again");
		if (!(op->flags & OPERATION_NO_CHANGE) && !same(&again.content, &after->content)) {
			state_difference(&again.content, &after->content, text);
			fail("done again: %s", text);
		}
		if (strncmp(op->name, "upload", 6) == 0 && again.strays)
			fail("%d temporary files after an upload", again.strays);
		if (again.gone && strcmp(op->name, "user-del") == 0)
			fail("a folder of a deleted user stayed");
		state_release(&found);
		found = again;
	}
	if (client_next_sync(&c, u) != 0)
		fail("next sync: %s", c.e.msg);
	if (u == 0 && client_sweep(&c, 0) != 0)
		fail("sweep: %s", c.e.msg);
	read_or_fail(&end, p->base, "after the next sync");
	check_growth(&found, &end, u);
	client_close(&c);
	_exit(0);
}

int run_check(struct place *p, const struct operation *op, const struct state *after, int acks, bool whole)
{
	pid_t child = start();
	int status;

	if (child == 0)
		check(p, op, after, acks, whole);
	status = wait_for(child, false);
	if (status == 0)
		return 0;
	if (WIFSIGNALED(status))
		snprintf(shim->message, sizeof shim->message, "the check died of signal %d", WTERMSIG(status));
	return -1;
}
