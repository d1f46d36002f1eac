/*
 * A server in memory with one account on a real home in /dev/shm, or below /tmp: methods are called as the border calls
 * them, with clients played by hand. The clock stands still.
 */
#ifndef TESTS_UNIT_PLACE_H
#define TESTS_UNIT_PLACE_H

#include <limits.h>

#include "core/call.h"
#include "storage/home.h"
#include "storage/sql.h"
#include "tests/unit/vectors.h"

struct place {
	char base[64];
	struct config config;
	struct server server;
	int version; /* of the calls: 11 unless changed */
	const char *client, *address; /* may be NULL */
	char key[128], uid[64], path[PATH_MAX];
	struct buf reply;
	enum err_kind kind; /* of the last call, ERR_NONE when it succeeded */
};

#define PLACE_NOW_MS INT64_C(1800000000000)

/* For cmocka: *state becomes a struct place. */
int place_setup(void **state);
int place_teardown(void **state);

struct home *place_home(struct place *p);
/* Call a method; the reply's text, or NULL with p->kind set. */
const char *place_call(struct place *p, const char *session_key, const char *method, const char *body);
/* The reply is `want`; the call fails with `kind`. */
void place_must(struct place *p, const char *session_key, const char *method, const char *body, const char *want);
void place_must_fail(struct place *p, const char *session_key, const char *method, const char *body, enum err_kind kind);
/* A look at the collection's file from outside, and one value from it as text, in a buffer that the next call reuses. */
void place_file(struct place *p, struct sql *s);
const char *place_query(struct place *p, const char *text);

#define META "{\"v\":11,\"cv\":\"test\"}"
#define NO_CHANGES "{\"changes\":{\"models\":[],\"decks\":[[],[]],\"tags\":[]}}"
#define NOTHING_NEW "{\"models\":[],\"decks\":[[],[]],\"tags\":[]}"
#define NO_GRAVES "{\"cards\":[],\"decks\":[],\"notes\":[]}"
/* Deck 1 and option group 1 of a new collection are at usn 0, so a client that has seen everything is at 1 or more. */

/* An account with an empty collection at usn 1. */
void place_begin_account(struct place *p);
/* The method `start` of a client that is newer than the server. */
void place_start_sync(struct place *p, const char *key, int64_t min_usn);

#endif
