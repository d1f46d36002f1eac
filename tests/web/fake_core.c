/*
 * A core that does as the request says, behind the real fcgi/: for what only a web server can show, a body that comes in
 * pieces, a reply that breaks off, a signal in the middle. Linked into tests/web/fake-worker in place of core/.
 *
 *   echo    the payload                        count   {"bytes","sha1"} of the payload, read as a stream
 *   stream  so many bytes, as a stream         broken  the same, but it fails half-way
 *   hold    {"pid"}, once the file go is there; makes the file held before it waits
 *   pid     {"pid"}                            unread  403 without reading the body
 *   refuse  fails with that error kind         grow    keeps so many MiB of memory
 *   try     {"name":true if this worker can do it…}
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/digest.h"
#include "base/json.h"
#include "core/call.h"
#include "storage/importer.h"

static int64_t number_of(const struct call *c)
{
	return strtoll(buf_str(&c->payload), NULL, 10);
}

static int put_pid(struct reply *r)
{
	buf_printf(&r->body, "{\"pid\":%d}", (int)getpid());
	return 0;
}

static int run_echo(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	(void)s, (void)h;
	return buf_append(&r->body, c->payload.data, c->payload.len, e);
}

static int run_pid(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	(void)s, (void)h, (void)c, (void)e;
	return put_pid(r);
}

static int run_count(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct sha1_state *sum = sha1_new();
	uint8_t digest[SHA1_BYTES];
	char hex[2 * SHA1_BYTES + 1], piece[50000];
	unsigned long long bytes = 0;
	ssize_t got;

	(void)s, (void)h;
	while ((got = c->body->read(c->body, piece, sizeof piece, e)) > 0) {
		sha1_add(sum, piece, (size_t)got);
		bytes += (unsigned long long)got;
	}
	sha1_end(sum, digest);
	if (got < 0)
		return -1;
	hex_of(digest, sizeof digest, hex);
	buf_printf(&r->body, "{\"bytes\":%llu,\"sha1\":\"%s\"}", bytes, hex);
	return 0;
}

static int run_unread(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	(void)s, (void)h, (void)c, (void)r;
	return err_set(e, ERR_BAD_LOGIN, "as told");
}

static int run_refuse(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	(void)s, (void)h, (void)r;
	return err_set(e, (enum err_kind)number_of(c), "as told");
}

static bool can_open(const char *folder, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int run_hold(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	const char *base = s->config->sync_base;

	(void)h, (void)c;
	if (!can_open(base, "held", O_CREAT | O_WRONLY))
		return err_errno(e, "%s/held", base);
	while (!can_open(base, "go", O_RDONLY))
		usleep(5000);
	return put_pid(r);
}

/* As the import child is started, but for what it does. */
static bool can_run(const char *program)
{
	char *argv[] = { (char *)program, (char *)"--version", NULL }, *nothing[] = { NULL };
	int status;
	pid_t child = fork();

	if (child == 0) {
		dup2(open("/dev/null", O_RDWR), STDOUT_FILENO);
		execve(program, argv, nothing);
		_exit(126);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int run_try(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct rlimit files = { 0, 0 }, core = { 1, 1 };
	const char *base = s->config->sync_base;

	(void)h, (void)c, (void)e;
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_CORE, &core);
	buf_printf(&r->body, "{\"write\":%d,\"itself\":%d,\"system files\":%d,\"beside\":%d,\"programs\":%d,\"sockets\":%d,"
		   "\"many files\":%d,\"dump\":%d}", can_open(base, "written", O_CREAT | O_RDWR), can_run("/proc/self/exe"),
		   can_open("/etc", "passwd", O_RDONLY), can_open(base, "../beside", O_CREAT | O_RDWR), can_run("/bin/true"),
		   socket(AF_UNIX, SOCK_STREAM, 0) >= 0, files.rlim_cur > 512, core.rlim_max > 0);
	return 0;
}

static int run_grow(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	static void *kept[64];
	static size_t n;
	size_t bytes = (size_t)number_of(c) << 20;

	(void)s, (void)h, (void)e;
	kept[n % 64] = xmalloc(bytes);
	memset(kept[n++ % 64], 1, bytes);
	return put_pid(r);
}

struct numbers {
	struct source source;
	uint64_t at, end, fails_at;
};

/* Hard to compress, and the same everywhere. */
static ssize_t numbers_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct numbers *s = (struct numbers *)source;

	if (s->at >= s->fails_at)
		return err_set(e, ERR_INTERNAL, "as told");
	if (n > 1000)
		n = 1000;
	if (n > s->end - s->at)
		n = (size_t)(s->end - s->at);
	for (size_t i = 0; i < n; i++, s->at++)
		((unsigned char *)p)[i] = (unsigned char)(s->at * s->at * 2654435761u >> 11);
	return (ssize_t)n;
}

static void free_stream(struct reply *r)
{
	free(r->stream_owner);
}

static int make_stream(struct call *c, struct reply *r, bool broken)
{
	struct numbers *s = xcalloc(1, sizeof *s);

	s->source.read = numbers_read;
	s->end = (uint64_t)number_of(c);
	s->fails_at = broken ? s->end / 2 : UINT64_MAX;
	r->stream = &s->source;
	r->stream_bytes = s->end;
	r->stream_end = free_stream;
	r->stream_owner = s;
	return 0;
}

static int run_stream(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	(void)s, (void)h, (void)e;
	return make_stream(c, r, false);
}

static int run_broken(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	(void)s, (void)h, (void)e;
	return make_stream(c, r, true);
}

static const struct method methods[] = {
	{ "echo", AREA_SYNC, 0, 0, run_echo },
	{ "count", AREA_SYNC, METHOD_STREAM, 0, run_count },
	{ "stream", AREA_SYNC, 0, 64, run_stream },
	{ "broken", AREA_SYNC, 0, 64, run_broken },
	{ "hold", AREA_SYNC, 0, 64, run_hold },
	{ "pid", AREA_SYNC, 0, 64, run_pid },
	{ "refuse", AREA_SYNC, 0, 64, run_refuse },
	{ "unread", AREA_SYNC, METHOD_STREAM, 0, run_unread },
	{ "grow", AREA_SYNC, 0, 64, run_grow },
	{ "try", AREA_SYNC, 0, 64, run_try },
};

const struct method *method_find(enum call_area area, struct slice name)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (methods[i].area == area && slice_eq_str(name, methods[i].name))
			return &methods[i];
	}
	return NULL;
}

const struct method *method_find_any(struct slice name)
{
	return method_find(AREA_SYNC, name);
}

uint64_t server_max_payload(const struct server *s)
{
	return (uint64_t)s->config->max_payload_megs * 3 << 20;
}

uint64_t call_max_payload(const struct server *s, const struct method *m)
{
	return m->max_body ? m->max_body : server_max_payload(s);
}

int call_run(struct server *s, const struct method *m, struct call *c, struct reply *r, struct err *e)
{
	if (!(m->flags & METHOD_STREAM)) {
		buf_init(&c->payload, call_max_payload(s, m));
		if (source_to_buf(c->body, &c->payload, e) != 0)
			return -1;
	}
	return m->run(s, NULL, c, r, e);
}

void reply_init(struct reply *r)
{
	*r = (struct reply){ .body = BUF_INIT(BUF_UNBOUNDED) };
}

void reply_release(struct reply *r)
{
	if (r->stream_end)
		r->stream_end(r);
	r->stream_end = NULL;
	buf_release(&r->body);
}

int server_open(struct server *s, const struct config *config, struct err *e)
{
	*s = (struct server){ .config = config };
	return mkdir(config->sync_base, 0700) == 0 || errno == EEXIST ? 0 : err_errno(e, "%s", config->sync_base);
}

void server_close(struct server *s)
{
	(void)s;
}

void server_rest(struct server *s)
{
	(void)s;
}

int importer_main(int argc, char **argv)
{
	/* No upload reaches this core. */
	fprintf(stderr, "%s: no importer in here\n", argc ? argv[0] : "fake-worker");
	return 1;
}
