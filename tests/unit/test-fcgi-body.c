/*
 * fcgi/request: which bodies count as complete. The records come through a real libfcgi, from a socket pair; whatever is
 * missing, the body must not be taken for whole.
 */
#include <sys/socket.h>

#include "base/buf.h"
#include "fcgi/request.h"
#include "tests/unit/test.h"

enum { BEGIN = 1, PARAMS = 4, STDIN = 5 };

static void put_record(struct buf *b, int type, const void *p, size_t n)
{
	const char head[8] = { 1, (char)type, 0, 1, (char)(n >> 8), (char)n, 0, 0 };

	buf_put(b, head, sizeof head);
	buf_put(b, p, n);
}

static void put_head(struct buf *b, const char *length)
{
	struct buf params = BUF_INIT(BUF_UNBOUNDED);

	put_record(b, BEGIN, "\0\1\0\0\0\0\0\0", 8);
	if (length) {
		buf_putc(&params, 14);
		buf_putc(&params, (char)strlen(length));
		buf_puts(&params, "CONTENT_LENGTH");
		buf_puts(&params, length);
		put_record(b, PARAMS, params.data, params.len);
	}
	put_record(b, PARAMS, NULL, 0);
	buf_release(&params);
}

/* Reads the body of what was written; the writing side is closed behind it, or stays open. */
static int read_body(const struct buf *wire, bool close_behind, struct buf *out, struct err *e)
{
	struct timeval stall = { 0, 100000 };
	FCGX_Request fcgx;
	struct request rq;
	struct body_source body;
	int pair[2], rc;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], wire->data, wire->len), wire->len);
	if (close_behind)
		assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	assert_int_equal(FCGX_InitRequest(&fcgx, -1, FCGI_FAIL_ACCEPT_ON_INTR), 0);
	fcgx.ipcFd = pair[0]; /* as if it were kept from the request before */
	fcgx.keepConnection = 1;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
	rc = FCGX_Accept_r(&fcgx);
	if (rc != 0 || FCGX_GetError(fcgx.in)) { /* as worker.c does it */
		close(pair[1]);
		FCGX_Free(&fcgx, 1);
		return err_set(e, ERR_NONE, "no head");
	}
	assert_int_equal(request_parse(&rq, fcgx.envp, e), 0);
	body_source_init(&body, fcgx.in, &rq);
	rc = source_to_buf(&body.source, out, e);
	if (rc == 0) {
		char c;

		assert_int_equal(body.source.read(&body.source, &c, 1, e), 0); /* the end stays the end */
	}
	close(pair[1]);
	FCGX_Finish_r(&fcgx);
	return rc;
}

static void test_complete(void **state)
{
	static const char *const lengths[] = { NULL, "", "20000" };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct buf wire = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		char piece[10000];

		memset(piece, 'x', sizeof piece);
		put_head(&wire, lengths[i]);
		put_record(&wire, STDIN, piece, sizeof piece);
		put_record(&wire, STDIN, piece, 1);
		put_record(&wire, STDIN, piece, sizeof piece - 1);
		put_record(&wire, STDIN, NULL, 0);
		if (read_body(&wire, i == 0, &out, &e) != 0)
			fail_msg("%s", e.msg);
		assert_int_equal(out.len, 20000);
		buf_release(&wire);
		buf_release(&out);
	}
}

static void test_empty(void **state)
{
	struct buf wire = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	(void)state;
	put_head(&wire, "0");
	put_record(&wire, STDIN, NULL, 0);
	assert_int_equal(read_body(&wire, false, &out, &e), 0);
	assert_int_equal(out.len, 0);
	buf_release(&wire);
	buf_release(&out);
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (int with_length = 0; with_length < 2; with_length++) {
		struct buf wire = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		int heads = 0;

		put_head(&wire, with_length ? "10" : NULL);
		put_record(&wire, STDIN, "0123456", 7);
		put_record(&wire, STDIN, "789", 3);
		put_record(&wire, STDIN, NULL, 0);
		for (size_t cut = 0; cut < wire.len; cut++) {
			const struct buf part = { .data = wire.data, .len = cut };

			buf_reset(&out);
			e.kind = ERR_INTERNAL;
			if (read_body(&part, true, &out, &e) == 0)
				fail_msg("complete after %zu of %zu bytes", cut, wire.len);
			if (e.kind != ERR_NONE) {
				assert_int_equal(e.kind, ERR_BAD_REQUEST);
				heads++;
			}
		}
		assert_int_equal(heads, 8 + 7 + 8 + 3 + 8);
		buf_release(&wire);
		buf_release(&out);
	}
}

/* The end record came, but not all that was announced: the client left, and the web server passed on what it had. */
static void test_shorter_and_longer_than_announced(void **state)
{
	static const char *const lengths[] = { "9", "11", "0" };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct buf wire = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;

		put_head(&wire, lengths[i]);
		put_record(&wire, STDIN, "0123456789", 10);
		put_record(&wire, STDIN, NULL, 0);
		assert_int_equal(read_body(&wire, false, &out, &e), -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		assert_non_null(strstr(e.msg, "10 of "));
		buf_release(&wire);
		buf_release(&out);
	}
}

static void test_stalled(void **state)
{
	struct buf wire = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	(void)state;
	put_head(&wire, NULL);
	put_record(&wire, STDIN, "0123456789", 10);
	assert_int_equal(read_body(&wire, false, &out, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_REQUEST);
	assert_non_null(strstr(e.msg, "nothing came"));
	buf_release(&wire);
	buf_release(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_shorter_and_longer_than_announced),
		cmocka_unit_test(test_stalled),
	};

	FCGX_Init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
