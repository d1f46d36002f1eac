/*
 * A user's home: the one folder that holds all of a user (design.md §4), its lock, its keys, and its collection's
 * generations. Handles are cached per worker; whatever was learnt under the lock is forgotten when it is let go.
 *
 *   lock  user.db  session  col-<generation>.anki2  media.db  media/
 */
#ifndef STORAGE_HOME_H
#define STORAGE_HOME_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { HOME_UID_CHARS = 12, HOME_KEY_HASH_BYTES = 32, HOME_NAME_MAX = 64 };

struct homes_options {
	const char *base;       /* SYNC_BASE */
	int kept_generations;
	int workers;            /* slots per user: max(1, workers / 2) */
	int lock_ms;            /* how long home_lock waits */
	bool shared;            /* keep no handle between requests */
	bool rollback_journal;
};

struct homes;
struct home;
struct collection;

/* Makes `base` and `base`/users (0700) when they are not there. NULL with *e when that fails or others may read them. */
struct homes *homes_open(const struct homes_options *o, struct err *e);
void homes_close(struct homes *hs);
/* No step of a statement may take longer, in any database of this process (sql_limit_steps); 0: no limit. */
void homes_limit_steps(int64_t ms);
/* Checkpoints that are due, and handles unused for `idle_ms` (or a little longer: homes other than the last one have time). */
void homes_rest(struct homes *hs, int64_t idle_ms);

/*
 * The home of a uid: 1 found (owned by hs, valid until the next homes_* call), 0 no such user, -1 (ERR_CUT_OFF when there is
 * no folder of users at all). Any text is a safe uid.
 */
int homes_get(struct homes *hs, struct slice uid, struct home **h, struct err *e);
/* A new, empty home under a fresh uid. On disk, durably, when it returns 0; else nothing of it stays. */
int homes_create(struct homes *hs, struct home **h, struct err *e);

const char *home_uid(const struct home *h);
const char *home_path(const struct home *h); /* absolute folder */
int home_dirfd(const struct home *h);

/*
 * Take a slot of this user and then the user's lock (both are let go by home_unlock). ERR_BUSY when all slots are taken or
 * the lock is not had in time, or the home was just set back from a backup; ERR_BAD_LOGIN when the user was deleted
 * meanwhile. Not recursive. The first time since the home was opened, temporary files whose owner is dead go (hardening.md,
 * I10): homes unused for a minute are closed, and a worker that follows a dead one has none open.
 */
int home_lock(struct home *h, struct err *e);
void home_unlock(struct home *h); /* accepts an unlocked home */
bool home_is_locked(const struct home *h);
/* A slot alone, before anything that may keep the worker busy (receiving a body). home_unlock lets it go too. */
int home_slot(struct home *h, struct err *e);

/* Keys: only the SHA-256 of the secret is kept. find works without the lock as well; the others need it. */
int home_key_find(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e); /* 1, 0, -1 */
/*
 * Did this process find the key when it last looked under the lock? A memory, and no answer: the key may have ended since.
 * Enough for whoever asks again under the lock before anything comes of it.
 */
bool home_key_known(const struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES]);
int home_key_add(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct slice client, int64_t now_s, struct err *e);
int home_key_end(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e); /* 1, 0 there is none, -1 */
int home_keys_end(struct home *h, struct err *e); /* all of them */
/* The oldest first. `client` is what the device said about itself when it logged in. fn returns 0 to go on. */
struct home_key {
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct slice client; /* borrowed */
	int64_t made_s;
};
typedef int home_key_fn(const struct home_key *key, void *arg, struct err *e);
int home_keys_each(struct home *h, home_key_fn *fn, void *arg, struct err *e);
int home_key_count(struct home *h, int64_t *count, struct err *e);

/* Current generation of the collection, 0 for an account that never received one. Needs the lock. */
int home_generation(struct home *h, int64_t *generation, struct err *e);
/*
 * The current collection, opened or from the cache: 1; 0 for generation 0; -1 (ERR_DAMAGED when the row has no file).
 * Needs the lock; valid until home_unlock.
 */
int home_collection(struct home *h, struct collection **c, struct err *e);

/* The file of a generation. */
void home_generation_path(const struct home *h, int64_t generation, char path[PATH_MAX]);

/*
 * A new temporary file in the home ("tmp-…", 0600, read-write, flock held on *fd until it is closed). Needs no lock.
 * Temporary files without a flock are swept by home_install and by the first home_lock.
 */
int home_temp(struct home *h, char name[HOME_NAME_MAX], int *fd, struct err *e);
/*
 * Make the finished, fsynced file `name` (schema 18, made by us) the current collection: rename to col-<n+1>.anki2, fsync
 * the folder, one durable row in user.db; then old generations beyond the kept ones and stray temporary files go. Needs the
 * lock. After 0 the new generation is current; after -1 the old one is, and `name` may still be there.
 */
int home_install(struct home *h, const char *name, int64_t *generation, struct err *e);
/*
 * A new, empty collection for an account that never received one, when somebody downloads or begins a normal sync by hand.
 * Does nothing when there is one. Needs the lock.
 */
int home_first_collection(struct home *h, struct err *e);
/* Generations that are there, newest first: up to `max` numbers into list; *n how many. Needs the lock. */
int home_generations(struct home *h, int64_t *list, size_t max, size_t *n, struct err *e);

/*
 * Names that objects of the current collection had before. A client that has not seen a renaming yet still holds the old
 * name, and gets the row that frees a name before the row that takes it (design.md §5, "Names").
 * note: these objects lose their names by the commit that stamps `usn`. To be called before that commit, durable when it
 * returns 0; notes of a commit that failed do no harm.
 * each: the names that were lost since a client was at min_usn, in no order; one id may come several times. fn returns 0 to
 * go on.
 */
struct home_old_name {
	int64_t id;
	struct slice name; /* borrowed */
};
int home_names_note(struct home *h, int kind, int64_t usn, const struct home_old_name *list, size_t n, struct err *e);
typedef int home_name_fn(int64_t id, struct slice name, void *arg, struct err *e);
int home_names_each(struct home *h, int kind, int64_t min_usn, home_name_fn *fn, void *arg, struct err *e);

/*
 * Remove the user's folder with all that is in it. Needs the lock; afterwards *h serves for home_unlock only. A removal that
 * died leaves a folder that is no home any more; homes_sweep removes what is left of all such. Needs no lock.
 */
int home_remove(struct home *h, struct err *e);
int homes_sweep(struct homes *hs, struct err *e);

#endif
