/*
 * One request and its reply, without HTTP: what the border (fcgi/) hands to the sync rules. A call runs from memory in a
 * test as well.
 */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "base/stream.h"

struct home;
struct homes;
struct accounts;

/* What a worker keeps between requests: settings and caches only (design.md §3). */
struct server {
	const struct config *config;
	struct accounts *accounts;
	struct homes *homes;
};

/* `config` is borrowed. 0, or -1 with nothing left open. */
int server_open(struct server *s, const struct config *config, struct err *e);
void server_close(struct server *s);
/* After a reply has left, and whenever the worker is idle: checkpoints that are due, handles that nobody used for a minute. */
void server_rest(struct server *s);

enum call_area { AREA_SYNC = 1, AREA_MSYNC = 2 };

struct call {
	int version;              /* 8..11; 10 for forms, whose true version only `meta` tells */
	struct slice key;         /* host key, "" when absent */
	struct slice session_key; /* "" when absent */
	struct slice client;      /* the client's own words about itself */
	struct slice address;     /* of the client, as text */
	struct source *body;      /* the payload, decoded while it is read; complete only when read returned 0 */
	struct buf payload;       /* filled by call_run for methods that do not stream; max set by it */
	/* Filled while the call runs. */
	uint8_t key_hash[32];     /* for call_key_again */
	char user[64];            /* uid, "" before the key was found */
	/* For the log (report.h). */
	char name[256];           /* the user's, or the one that was tried; "" unless somebody asked */
	char client_text[64];     /* where `client` is when it was found out */
};

/* For level_max. Of hashes and names little goes; files of media are compressed already. */
enum { LEVEL_HASHES = 1, LEVEL_FILES = -1 };

struct reply {
	struct buf body;          /* the payload, not compressed */
	/* Or a stream (download, media): read to its end after the handler returned and every lock was let go. */
	struct source *stream;
	uint64_t stream_bytes;    /* exactly what the stream will give */
	int level_max;            /* of zstd, where a higher one costs more time than it gains; 0: as configured */
	void (*stream_end)(struct reply *r); /* frees the stream; may be NULL */
	void *stream_owner;
};

void reply_init(struct reply *r);
void reply_release(struct reply *r);

/* A method of the protocol: a row of the table in core/methods.c. */
typedef int call_fn(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e);
struct method {
	const char *name;
	enum call_area area;
	unsigned flags;
	size_t max_body; /* bytes of payload, for methods that do not stream; 0: 3 × MAX_SYNC_PAYLOAD_MEGS */
	call_fn *run;
};
#define METHOD_NO_KEY 1u  /* h is NULL */
#define METHOD_LOCKED 2u  /* run under the user's lock, after the payload was read */
#define METHOD_STREAM 4u  /* the handler reads the body itself */
#define METHOD_SESSION 8u /* an absent session key is a 409 */
#define METHOD_NO_BODY 16u /* whatever the body holds is read and ignored, also when it is not JSON */

/* NULL when there is none. `any_area` serves old clients that call bare names (design.md §3, "route"). */
const struct method *method_find(enum call_area area, struct slice name);
const struct method *method_find_any(struct slice name);

/*
 * Is the call's key still one of this home? For handlers that take the lock themselves, as soon as they have it. 0, or -1
 * with ERR_BAD_LOGIN.
 */
int call_key_again(struct server *s, struct home *h, struct call *c, struct err *e);

/* Bytes that one request's payload, and all payloads of one sync, may have: 3 × MAX_SYNC_PAYLOAD_MEGS (protocol.md §1.1). */
uint64_t server_max_payload(const struct server *s);
/* Bytes that the payload of this method may have. */
uint64_t call_max_payload(const struct server *s, const struct method *m);

/*
 * key -> slot -> body -> lock -> key again -> handler (design.md §3). 0 with *r filled, or -1 with *e. Nothing stays
 * locked. The caller sends r->stream, if there is one, and calls reply_release.
 */
int call_run(struct server *s, const struct method *m, struct call *c, struct reply *r, struct err *e);

#endif
