/*
 * libFuzzer: forms of old clients, from the content type and the wire to the payload that core would read.
 *
 * The input: one byte that says how the wire is cut into pieces and what the method is, the content type up to the first line
 * feed, then the wire. Whatever comes, nothing may be read or written out of bounds, an error has a kind, and the outcome does
 * not depend on the pieces in which the wire arrives.
 */
#include "fcgi/form.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

enum { MAX_PAYLOAD = 1 << 20 };

struct outcome {
	int read;
	enum err_kind kind;
	struct buf key, session, client, payload;
};

static void keep(struct buf *b, struct slice s)
{
	buf_init(b, BUF_UNBOUNDED);
	if (s.len)
		buf_set(b, s.p, s.len);
}

static void run(struct outcome *o, struct slice type, struct slice wire, size_t step, const struct method *m)
{
	struct pieces pieces;
	struct call c = { 0 };
	struct form f;
	struct err e = ERR_INIT;

	pieces_init(&pieces, wire, step);
	form_init(&f, "/tmp", 0);
	o->read = form_read(&f, type, &pieces.source, MAX_PAYLOAD, &e);
	buf_init(&o->payload, MAX_PAYLOAD);
	if (o->read == 0) {
		form_call(&f, m, MAX_PAYLOAD, &c);
		assert(c.body && c.version == 10);
		if (source_to_buf(c.body, &o->payload, &e) != 0)
			assert(e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG);
	} else {
		assert(e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG);
	}
	o->kind = e.kind;
	keep(&o->key, c.key);
	keep(&o->session, c.session_key);
	keep(&o->client, c.client);
	form_release(&f);
}

static void outcome_release(struct outcome *o)
{
	buf_release(&o->key);
	buf_release(&o->session);
	buf_release(&o->client);
	buf_release(&o->payload);
}

static void query(struct slice text)
{
	struct form f;
	struct err e = ERR_INIT;

	form_init(&f, "/tmp", 0);
	if (form_read_query(&f, text, &e) != 0)
		assert(e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG);
	form_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct method methods[] = {
		{ .name = "meta", .area = AREA_SYNC },
		{ .name = "upload", .area = AREA_SYNC, .flags = METHOD_STREAM },
		{ .name = "begin", .area = AREA_MSYNC },
	};
	const struct method *m;
	struct slice type, wire;
	struct outcome whole, parts;
	const char *line;

	if (size < 1)
		return 0;
	m = &methods[data[0] % 3];
	type = (struct slice){ (const char *)data + 1, size - 1 };
	query(type);
	line = type.len ? memchr(type.p, '\n', type.len) : NULL;
	if (!line)
		return 0;
	wire = (struct slice){ line + 1, type.len - (size_t)(line + 1 - type.p) };
	type.len = (size_t)(line - type.p);
	run(&whole, type, wire, 0, m);
	run(&parts, type, wire, 1 + data[0] / 3, m);
	assert(whole.read == parts.read && whole.kind == parts.kind);
	assert(slice_eq(buf_slice(&whole.key), buf_slice(&parts.key)));
	assert(slice_eq(buf_slice(&whole.session), buf_slice(&parts.session)));
	assert(slice_eq(buf_slice(&whole.client), buf_slice(&parts.client)));
	assert(slice_eq(buf_slice(&whole.payload), buf_slice(&parts.payload)));
	outcome_release(&whole);
	outcome_release(&parts);
	return 0;
}
