/*
 * A client played by the rules of protocol.md §3.4, with a collection that fits into one struct: what it sends when it
 * syncs, and what it makes of the answers. A name, a time and a number stand for all that an object may hold.
 */
#ifndef TESTS_UNIT_DEVICE_H
#define TESTS_UNIT_DEVICE_H

#include "tests/unit/place.h"

enum thing_kind { CARD, NOTE, REVLOG, DECK, NOTETYPE, OPTIONS, TAG, CONF, CARD_GRAVE, NOTE_GRAVE, DECK_GRAVE };

struct thing {
	enum thing_kind kind;
	int64_t id;      /* 0: tags and configuration, which have a name */
	int64_t mod_s;
	int64_t usn;     /* -1: changed here, not sent yet */
	int64_t of, in;  /* a card's note and deck, a note's note type */
	int64_t v;       /* the content */
	char name[48];   /* of decks, note types, tags; key of configuration */
	char text[24];   /* configuration: the value */
};

enum { THINGS_MAX = 600 };

struct device {
	char name;
	int64_t ahead_ms; /* its clock against the server's */
	int64_t mod_ms, scm_ms, usn, crt_s;
	size_t n;
	struct thing things[THINGS_MAX];
};

/* A call on its way: the reply, or NULL when the sync is to fail, which `arg` has judged already. */
typedef const char *device_call(void *arg, struct device *d, const char *session_key, const char *method, const char *body);

enum device_result { DEVICE_IDLE, DEVICE_SYNCED, DEVICE_FAILED, DEVICE_FULL_SYNC };

int64_t device_now_ms(const struct device *d);
/* NULL when there is none. By id, or by name when id is 0; the other is then of no matter. */
struct thing *device_find(struct device *d, enum thing_kind kind, int64_t id, const char *name);
/* A new one with usn -1 and the present time. */
struct thing *device_add(struct device *d, enum thing_kind kind, int64_t id, const char *name);
/* Has been changed by its user. */
void device_touch(struct device *d, struct thing *t);
/* Deleted by its user: leaves a grave. (As older clients do it; the newest never send a deletion of one id twice.) */
void device_delete(struct device *d, struct thing *t);
/* Is a deck or note type of this name here already, other than `except`? */
bool device_has_name(struct device *d, enum thing_kind kind, const char *name, const struct thing *except);

void device_add_plus(struct thing *t);

/* A normal sync. DEVICE_FAILED: all is as it was before. DEVICE_FULL_SYNC: the user has to choose; nothing happened. */
enum device_result device_sync(struct device *d, const char *session_key, device_call *call, void *arg);
/* Its own collection for everybody, and the other way round. A scm of its own belongs to each upload. */
void device_upload(struct device *d, struct place *p, int64_t scm_ms);
void device_download(struct device *d, struct place *p);

/* For device_sync.c and device.c. A grave is kept once for each id; the first stays. */
void device_drop(struct device *d, struct thing *t);
void device_bury(struct device *d, enum thing_kind grave, int64_t id, int64_t usn);
enum thing_kind device_grave_of(enum thing_kind kind);
/* The payloads: all, or (`usn` not NULL) what waits to be sent, which then has this usn. chunk: true when there may be more. */
void device_print_changes(struct device *d, struct buf *out, const int64_t *usn, bool conf);
bool device_print_chunk(struct device *d, struct buf *out, const int64_t *usn, size_t max);

/* All but usns and graves as text, in an order of its own. */
void device_print(const struct device *d, struct buf *out);

#endif
