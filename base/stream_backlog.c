/* Bytes that are kept until they are read again (stream.h). */
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHECK_BYTES = 8 << 20 }; /* between two looks at the disk */

/* Not every file system has O_TMPFILE (network and cluster ones): a name for the blink of an eye does as well. */
static int nameless_file(const char *dir, struct err *e)
{
	char path[PATH_MAX];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return err_errno(e, "%s", dir);
	if ((size_t)snprintf(path, sizeof path, "%s/backlog-XXXXXX", dir) >= sizeof path)
		return err_set(e, ERR_INTERNAL, "%s: path too long", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "%s", path);
	unlink(path);
	return fd;
}

static int check_disk(struct backlog *s, struct err *e)
{
	struct statvfs fs;
	uint64_t available;

	if (s->keep_free == 0)
		return 0;
	if (fstatvfs(s->fd, &fs) != 0)
		return err_errno(e, "%s", s->dir);
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	s->checked = s->bytes + CHECK_BYTES;
	if (available >= s->keep_free)
		return 0;
	return err_set(e, ERR_FULL, "%s: %" PRIu64 " MiB are free, %" PRIu64 " must stay so", s->dir, available >> 20,
		       s->keep_free >> 20);
}

static int put(struct backlog *s, const char *p, size_t n, struct err *e)
{
	while (n) {
		ssize_t done = write(s->fd, p, n);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(e, "%s: backlog", s->dir);
		}
		p += done;
		n -= (size_t)done;
		s->bytes += (uint64_t)done;
	}
	return 0;
}

static int begin_file(struct backlog *s, struct err *e)
{
	s->fd = nameless_file(s->dir, e);
	if (s->fd < 0)
		return -1;
	s->bytes = 0;
	return check_disk(s, e) != 0 ? -1 : put(s, s->head.data, s->head.len, e);
}

static int backlog_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct backlog *s = (struct backlog *)((char *)sink - offsetof(struct backlog, sink));

	if (s->fd < 0 && s->head.len + n <= s->in_memory) {
		buf_put(&s->head, p, n);
		s->bytes += n;
		return 0;
	}
	if (s->fd < 0 && begin_file(s, e) != 0)
		return -1;
	if (s->bytes >= s->checked && check_disk(s, e) != 0)
		return -1;
	return put(s, p, n, e);
}

static ssize_t backlog_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct backlog *s = (struct backlog *)((char *)source - offsetof(struct backlog, source));
	ssize_t got;

	if (n > s->bytes - s->at)
		n = (size_t)(s->bytes - s->at);
	if (n == 0)
		return 0;
	if (s->fd < 0) {
		memcpy(p, s->head.data + s->at, n);
		s->at += n;
		return (ssize_t)n;
	}
	do
		got = pread(s->fd, p, n, (off_t)s->at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_errno(e, "%s: backlog", s->dir);
	if (got == 0)
		return err_set(e, ERR_INTERNAL, "%s: backlog: shorter than written", s->dir);
	s->at += (uint64_t)got;
	return got;
}

void backlog_init(struct backlog *s, const char *dir, size_t in_memory, uint64_t keep_free)
{
	*s = (struct backlog){
		.sink = { backlog_write },
		.source = { backlog_read },
		.dir = dir,
		.in_memory = in_memory,
		.keep_free = keep_free,
		.head = BUF_INIT(in_memory),
		.fd = -1,
	};
}

struct source *backlog_source(struct backlog *s)
{
	s->at = 0;
	return &s->source;
}

void backlog_release(struct backlog *s)
{
	if (s->head.data)
		explicit_bzero(s->head.data, s->head.len);
	buf_release(&s->head);
	if (s->dir && s->fd >= 0)
		close(s->fd);
	*s = (struct backlog){ .fd = -1 };
}
