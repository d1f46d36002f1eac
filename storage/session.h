/*
 * The file `session` of a user: the normal sync that is going on, what `meta` told to whom, and the sanity counts
 * (design.md §5). A cache that may be lost at any time: the client then gets 409 and syncs again. So it is never fsynced,
 * and whatever does not fit together counts as "no session". Everything here needs the user's lock.
 *
 * Layout: one header of fixed size with a checksum, then records (type, length, checksum, bytes) up to `end` of the header.
 * A record is written first and the header after it, so a worker that dies in between has added nothing.
 */
#ifndef STORAGE_SESSION_H
#define STORAGE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/changes.h"
#include "storage/collection.h"
#include "storage/home.h"

enum { SESSION_KEY_MAX = 63, SESSION_RING = 8, SESSION_ANSWER_MAX = 400, SESSION_DEVICES = 8, SESSION_KEY_HEAD = 8 };

enum session_state {
	SESSION_NONE,      /* no sync is going on (ended, aborted, never begun) */
	SESSION_OPEN,      /* start was answered */
	SESSION_COMMITTED, /* sanityCheck2 or finish has committed: only repeated questions are answered */
	SESSION_BAD,       /* sanityCheck2 said bad: nothing was kept */
};

struct session_stamp { /* which collection, in which state */
	int64_t generation, usn, mod_ms, scm_ms;
};

struct session_told {
	char key[SESSION_KEY_MAX + 1];
	struct session_stamp stamp; /* mod_ms is not compared */
};

/* Who was here last, by host key: for the log and for lists, nothing depends on it. */
struct session_device {
	uint8_t key[SESSION_KEY_HEAD]; /* the first bytes of the SHA-256 of its secret */
	int64_t used_s;                /* to five minutes; 0: a free place */
	char client[48];               /* what it said about itself in `meta` */
};

struct session_moved { /* for the log */
	int64_t cards, notes, revlog, graves, decks, notetypes, options, tags;
	int64_t bytes; /* of payloads, not compressed */
};

struct session {
	int64_t state; /* enum session_state */
	char key[SESSION_KEY_MAX + 1];
	struct session_stamp stamp; /* the collection at `start` */
	int64_t min_usn;
	int64_t client_is_newer;
	int64_t changes_s;          /* time of applyChanges, 0 before: mtimes chosen in its reply, chosen again at the commit */
	struct cursor cursor;
	uint64_t end;               /* of the records */
	int64_t committed_mod_ms;
	uint8_t owner[SESSION_KEY_HEAD]; /* whose host key began it */
	int64_t began_ms;           /* Unix time */
	struct session_moved in, out;
	char answer[SESSION_ANSWER_MAX]; /* what sanityCheck2 said, "" before */
	int64_t ring_next;
	struct session_told ring[SESSION_RING];
	struct session_device devices[SESSION_DEVICES];
	struct session_stamp counts_stamp; /* generation 0: no counts */
	struct counts counts;
};

/* Read the header; a file that is missing, short or damaged gives an empty session (0). -1 only for I/O errors. */
int session_load(struct home *h, struct session *s, struct err *e);
/* Write the header (the records stay as they are). */
int session_save(struct home *h, const struct session *s, struct err *e);

/* Note that the holder of this host key is here, in *s alone. Whether that changed anything worth saving. */
bool session_note_device(struct session *s, const uint8_t key_hash[HOME_KEY_HASH_BYTES], struct slice client, int64_t now_s);
/* What is known of a host key (its first SESSION_KEY_HEAD bytes), or NULL. */
const struct session_device *session_device(const struct session *s, const uint8_t *key_hash);

/* meta: note what this key was told. A key that does not fit is not noted. Saves. */
int session_note_meta(struct home *h, struct session *s, struct slice key, const struct session_stamp *stamp, struct err *e);
/* What meta told this key last, or NULL. */
const struct session_told *session_told(const struct session *s, struct slice key);

/*
 * start: whoever had a session has lost it. Records are dropped; owner, in and out are as the caller set them. Saves.
 * ERR_BAD_REQUEST when the key is empty or too long.
 */
int session_begin(struct home *h, struct session *s, struct slice key, const struct session_stamp *stamp, int64_t min_usn,
		  bool client_is_newer, struct err *e);
/* End whatever sync is going on, keeping ring and counts (upload, download, abort). */
int session_end(struct home *h, struct err *e);
/* ERR_CONFLICT unless `key` is the current one. */
int session_check(const struct session *s, struct slice key, struct err *e);

/* Records. Types are the letters below. add appends and moves s->end (in memory: session_save makes it count). */
enum session_record { RECORD_GRAVES = 'g', RECORD_CHANGES = 'c', RECORD_ROWS = 'r', RECORD_SHAPES = 's' };
/* ERR_TOO_BIG when all records together would exceed max_bytes. */
int session_add(struct home *h, struct session *s, enum session_record type, struct slice bytes, uint64_t max_bytes, struct err *e);
/* Call fn for every record of `type` (0: all), in order. ERR_CONFLICT when the file does not hold what the header promises. */
typedef int record_fn(enum session_record type, struct slice bytes, void *arg, struct err *e);
int session_each(struct home *h, const struct session *s, int type, record_fn *fn, void *arg, struct err *e);

#endif
