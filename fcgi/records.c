/* See records.h. The layout of a record is the FastCGI specification's, section 3.3. */
#include "fcgi/records.h"

#include <errno.h>
#include <sys/uio.h>

enum { VERSION_1 = 1, TYPE_END_REQUEST = 3, TYPE_STDOUT = 6, CONTENT_MAX = 65528 /* no padding needed */ };

static void put_head(char head[RECORD_HEAD_BYTES], char type, int request_id, size_t n)
{
	head[0] = VERSION_1;
	head[1] = type;
	head[2] = (char)(request_id >> 8);
	head[3] = (char)request_id;
	head[4] = (char)(n >> 8);
	head[5] = (char)n;
	head[6] = head[7] = 0;
}

static int write_all(struct record_sink *s, struct iovec *v, int n, struct err *e)
{
	while (n && !s->failed) {
		ssize_t put = writev(s->fd, v, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			s->failed = true;
			break;
		}
		while (n && (size_t)put >= v->iov_len) {
			put -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n) {
			v->iov_base = (char *)v->iov_base + put;
			v->iov_len -= (size_t)put;
		}
	}
	return s->failed ? err_set(e, ERR_INTERNAL, "the web server takes no more") : 0;
}

int record_sink_flush(struct record_sink *s, struct err *e)
{
	struct iovec v = { s->gather, RECORD_HEAD_BYTES + s->gathered };

	if (s->gathered == 0)
		return 0;
	put_head(s->gather, TYPE_STDOUT, s->request_id, s->gathered);
	s->gathered = 0;
	return write_all(s, &v, 1, e);
}

int record_sink_end(struct record_sink *s, struct err *e)
{
	char *end = s->gather;
	struct iovec v = { s->gather, 0 };

	if (s->gathered) {
		put_head(end, TYPE_STDOUT, s->request_id, s->gathered);
		end += RECORD_HEAD_BYTES + s->gathered;
	}
	s->gathered = 0;
	put_head(end, TYPE_STDOUT, s->request_id, 0);
	put_head(end + RECORD_HEAD_BYTES, TYPE_END_REQUEST, s->request_id, RECORD_HEAD_BYTES);
	memset(end + 2 * RECORD_HEAD_BYTES, 0, RECORD_HEAD_BYTES); /* "complete", and an exit status of 0 */
	v.iov_len = (size_t)(end + RECORD_END_BYTES - s->gather);
	return write_all(s, &v, 1, e);
}

/* Large pieces go as they are, without being copied. */
static int write_large(struct record_sink *s, const char *p, size_t n, struct err *e)
{
	char head[RECORD_HEAD_BYTES];

	while (n) {
		size_t part = n < CONTENT_MAX ? n : CONTENT_MAX;
		struct iovec v[] = { { head, sizeof head }, { (void *)(uintptr_t)p, part } };

		put_head(head, TYPE_STDOUT, s->request_id, part);
		if (write_all(s, v, 2, e) != 0)
			return -1;
		p += part;
		n -= part;
	}
	return 0;
}

static int record_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct record_sink *s = (struct record_sink *)sink;

	if (n > RECORD_GATHER_BYTES - s->gathered && record_sink_flush(s, e) != 0)
		return -1;
	if (n > RECORD_GATHER_BYTES)
		return write_large(s, p, n, e);
	memcpy(s->gather + RECORD_HEAD_BYTES + s->gathered, p, n);
	s->gathered += n;
	return 0;
}

void record_sink_init(struct record_sink *s, const FCGX_Request *request)
{
	s->sink = (struct sink){ record_write };
	s->fd = request->ipcFd;
	s->request_id = request->requestId;
	s->gathered = 0;
	s->failed = false;
}
