/* See spool.h. */
#include "core/spool.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "storage/home.h"

enum { PIECE_BYTES = 128 << 10 };

static int to_file(struct spool *s, struct home *h, struct err *e)
{
	char name[HOME_NAME_MAX];

	if (home_temp(h, name, &s->fd, e) != 0)
		return -1;
	if (unlinkat(home_dirfd(h), name, 0) != 0)
		return err_errno(e, "%s/%s", home_path(h), name);
	return 0;
}

/* Until the memory is full or the body ends. 1 there may be more, 0 that was all, -1. */
static int fill_memory(struct spool *s, struct source *body, struct err *e)
{
	while (s->bytes < SPOOL_MEMORY_BYTES) {
		ssize_t got = body->read(body, s->memory + s->bytes, (size_t)(SPOOL_MEMORY_BYTES - s->bytes), e);

		if (got <= 0)
			return (int)got;
		s->bytes += (uint64_t)got;
	}
	return 1;
}

int spool_receive(struct spool *s, struct home *h, struct source *body, uint64_t max, struct err *e)
{
	struct fd_sink sink;
	ssize_t got;
	int rc;

	s->memory = xmalloc(SPOOL_MEMORY_BYTES);
	rc = fill_memory(s, body, e);
	if (rc < 0 || (rc == 1 && to_file(s, h, e) != 0))
		return -1;
	if (s->fd >= 0) {
		fd_sink_init(&sink, s->fd);
		if (sink.sink.write(&sink.sink, s->memory, (size_t)s->bytes, e) != 0)
			return -1;
		/* From here on the memory is a piece's. */
		while ((got = body->read(body, s->memory, PIECE_BYTES, e)) > 0) {
			s->bytes += (uint64_t)got;
			if (s->bytes > max)
				break;
			if (sink.sink.write(&sink.sink, s->memory, (size_t)got, e) != 0)
				return -1;
		}
		if (got < 0)
			return -1;
		free(s->memory);
		s->memory = NULL;
	}
	if (s->bytes > max)
		return err_set(e, ERR_TOO_BIG, "more than %" PRIu64 " bytes", max);
	return 0;
}

int spool_read(const struct spool *s, uint64_t at, void *p, size_t n, struct err *e)
{
	char *to = p;

	assert(at <= s->bytes && n <= s->bytes - at);
	if (s->fd < 0) {
		memcpy(to, s->memory + at, n);
		return 0;
	}
	while (n) {
		ssize_t got = pread(s->fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? err_errno(e, "spooled body") : err_set(e, ERR_INTERNAL, "spooled body: cut short");
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

void spool_release(struct spool *s)
{
	free(s->memory);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct spool)SPOOL_INIT;
}
