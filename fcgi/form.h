/*
 * Requests of clients before 2023 (protocol 8 to 10): multipart forms, whose parts come in any order, and one GET with a
 * query (protocol.md §1.2). What they say ends up in the same struct call as a header anki-sync.
 */
#ifndef FCGI_FORM_H
#define FCGI_FORM_H

#include "base/stream.h"
#include "core/call.h"

enum { FORM_WORD_MAX = 1024 };

struct form {
	/* Parts, by what they are for. Each `max` is FORM_WORD_MAX. */
	struct buf key;       /* k, on msync sk */
	struct buf session;   /* s */
	struct buf packed;    /* c: `data` is gzip, unless "0" or absent */
	struct buf client;    /* v: needed by `begin`, a word about the client elsewhere */
	struct backlog data;
	unsigned seen;        /* which parts came */
	bool too_big;         /* there was more of `data`: reading the payload will say so */
	uint64_t max_data;
	/* The payload, while it is read. */
	struct source payload, *decoded;
	struct gzip_source *gzip;
	struct mem_source small;
	struct buf made_up;
};

/* `dir` and `keep_free` as for struct backlog, where `data` waits. release accepts a zeroed struct. */
void form_init(struct form *f, const char *dir, uint64_t keep_free);
void form_release(struct form *f);

/*
 * Read a form to its end. Only then is it known who sent it, so `data` waits: up to max_data bytes of it, of the rest is only
 * remembered that it was there. 0, or -1: ERR_BAD_REQUEST (no form, cut off, a part twice), ERR_TOO_BIG (a word longer than
 * FORM_WORD_MAX, or in all more than twice max_data), ERR_FULL.
 */
int form_read(struct form *f, struct slice content_type, struct source *body, uint64_t max_data, struct err *e);

/* Read the query of `GET begin?k=…&v=…`. 0, or -1 with ERR_BAD_REQUEST when k is missing. */
int form_read_query(struct form *f, struct slice query, struct err *e);

/*
 * Fill version, key, session_key, client and body of *c, which borrows from *f. The body is `data` unpacked, at most
 * max_payload bytes. `begin` gets its object made from the part v. Where `data` is empty or absent, as some clients leave it
 * out when there is nothing to say, the body is `{}`; for methods that take a file it is empty.
 */
void form_call(struct form *f, const struct method *m, uint64_t max_payload, struct call *c);

#endif
