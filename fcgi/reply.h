/* Replies on their way to the web server: head, statuses, compression. */
#ifndef FCGI_REPLY_H
#define FCGI_REPLY_H

#include "base/stream.h"
#include "core/call.h"

/* What clients make of a status: protocol.md §2.3. */
int reply_status(enum err_kind kind);

/* An error: the three digits as text. `allow` only for 405, else NULL. `head`: without the body. */
int reply_error(struct sink *out, int status, const char *allow, bool head, struct err *e);

/* 200 with a page of ours. */
int reply_page(struct sink *out, const char *type, struct slice body, bool head, struct err *e);

enum reply_end {
	REPLY_SENT,
	REPLY_NOT_BEGUN, /* nothing was written yet: an error can still be sent */
	REPLY_GONE,      /* the web server, or the client behind it, takes no more. After a commit that is nothing special */
	REPLY_BROKEN,    /* the stream failed half-way: the connection must be cut, or the client takes the rest for all */
};

/*
 * 200 with the body or the stream of *r: to version 11 as one zstd frame with anki-original-size in the head, to others
 * plain. Sets *e unless REPLY_SENT.
 */
enum reply_end reply_send(struct sink *out, struct reply *r, int version, int level, struct err *e);

#endif
