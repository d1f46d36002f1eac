/*
 * accounts.db: who may log in. Names and uids, password hashes, states, limits, and the keys that were taken over from
 * other servers. Asked at login and by the admin only. These functions are all that the rest knows of it, so that another
 * database can take its place (design.md §10).
 *
 * Any process may use it at any time: each function is one transaction of its own, except between accounts_begin and
 * accounts_commit. Whoever ends a user's keys or removes a user holds that user's lock (storage/home.h) and changes
 * accounts.db first (design.md §8).
 */
#ifndef STORAGE_ACCOUNTS_H
#define STORAGE_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { ACCOUNT_NAME_MAX = 255, ACCOUNT_UID_MIN = 10, ACCOUNT_UID_MAX = 63, ACCOUNT_HASH_MAX = 511, ACCOUNT_DIGEST_BYTES = 32 };

enum account_state {
	ACCOUNT_ENABLED = 0,
	ACCOUNT_DISABLED = 1, /* keeps everything, may not log in */
	ACCOUNT_LEAVING = 2,  /* being deleted: somebody began and must finish it; may not log in, keeps the name taken */
};

struct account {
	char name[ACCOUNT_NAME_MAX + 1];
	char uid[ACCOUNT_UID_MAX + 1];
	char hash[ACCOUNT_HASH_MAX + 1]; /* PHC string, or the 80 digits of the Python servers (core/password.h) */
	enum account_state state;
	int64_t limit_bytes; /* what the home may hold; 0: no limit */
	int64_t created_s;
	bool has_origin;
	uint8_t origin[ACCOUNT_DIGEST_BYTES]; /* which SYNC_USERn value the hash came from; valid if has_origin */
};

struct accounts;

/*
 * The database below `base` (SYNC_BASE; both are made when they are not there, 0700 and 0600). The handle opens the file
 * when it is first needed and again when another file has taken its place; with `shared` it keeps nothing between calls.
 * NULL with *e when that fails or when the folder is not ours (the message says whose it is), and when the file is missing
 * although there are homes: a lost one is never made anew.
 */
struct accounts *accounts_open(const char *base, bool rollback_journal, bool shared, struct err *e);
void accounts_close(struct accounts *a); /* accepts NULL */

/*
 * 0 when this can be a name: UTF-8, 1 to 255 bytes, no control character, no colon, no space at either end. Else -1 with
 * ERR_BAD_REQUEST. Names are compared byte by byte.
 */
int account_name_check(struct slice name, struct err *e);

/* 1 found, 0 no such user, -1. Any bytes may be asked for. */
int accounts_find(struct accounts *a, struct slice name, struct account *found, struct err *e);
int accounts_find_uid(struct accounts *a, struct slice uid, struct account *found, struct err *e);
/* Is there any? 1, 0, -1. */
int accounts_any(struct accounts *a, struct err *e);
/* By name, in bytewise order. Ends early when `each` returns other than 0, and returns that. */
typedef int account_fn(void *context, const struct account *account, struct err *e);
int accounts_list(struct accounts *a, account_fn *each, void *context, struct err *e);

/* Several changes at once: all or nothing. The user's lock comes first, this second. */
int accounts_begin(struct accounts *a, struct err *e);
int accounts_commit(struct accounts *a, struct err *e);
void accounts_rollback(struct accounts *a); /* does nothing outside */

/* Name and uid must be new: else ERR_CONFLICT. The home is there before its account is. */
int accounts_add(struct accounts *a, const struct account *account, struct err *e);
/* A new password: keys from other servers end with it. `origin` may be NULL: what is there stays. */
int accounts_set_hash(struct accounts *a, const char *uid, const char *hash,
		      const uint8_t origin[ACCOUNT_DIGEST_BYTES], struct err *e);
/* The same password in another scheme, if the hash still is `old`: no key ends. 1 renewed, 0 somebody was faster, -1. */
int accounts_renew_hash(struct accounts *a, const char *uid, const char *old, const char *hash, struct err *e);
/* The hash is known to come from this value. */
int accounts_set_origin(struct accounts *a, const char *uid, const uint8_t origin[ACCOUNT_DIGEST_BYTES], struct err *e);
/* In every state but ACCOUNT_ENABLED keys from other servers end. */
int accounts_set_state(struct accounts *a, const char *uid, enum account_state state, struct err *e);
int accounts_set_limit(struct accounts *a, const char *uid, int64_t limit_bytes, struct err *e); /* 0: none */
int accounts_rename(struct accounts *a, const char *uid, struct slice name, struct err *e); /* ERR_CONFLICT: taken */
/* The last step of a removal: account and keys from other servers. The home is gone before. */
int accounts_delete(struct accounts *a, const char *uid, struct err *e);

/*
 * Keys that other servers gave out and that know no uid. Only the SHA-256 of the whole key is kept (it may be a function of
 * the password: migration-facts.md §4.2). find: 1 with the uid, 0, -1.
 */
int accounts_key_add(struct accounts *a, const uint8_t hash[ACCOUNT_DIGEST_BYTES], const char *uid, struct err *e);
int accounts_key_find(struct accounts *a, const uint8_t hash[ACCOUNT_DIGEST_BYTES], char uid[ACCOUNT_UID_MAX + 1],
		      struct err *e);
int accounts_key_end(struct accounts *a, const uint8_t hash[ACCOUNT_DIGEST_BYTES], struct err *e); /* 1, 0 there is none, -1 */
int accounts_keys_end(struct accounts *a, const char *uid, struct err *e);
typedef int account_key_fn(const uint8_t hash[ACCOUNT_DIGEST_BYTES], void *arg, struct err *e);
int accounts_keys_each(struct accounts *a, const char *uid, account_key_fn *fn, void *arg, struct err *e);
int accounts_key_count(struct accounts *a, const char *uid, int64_t *n, struct err *e);

#endif
