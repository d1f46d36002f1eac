/* What home.c, keys.c and generations.c share. Nobody else includes this. */
#ifndef STORAGE_HOME_PRIV_H
#define STORAGE_HOME_PRIV_H

#include <limits.h>
#include <sys/stat.h>

#include "storage/home.h"
#include "storage/sql.h"

enum { UID_MIN_CHARS = 10, UID_MAX_CHARS = 32, SLOTS_MAX = 64, KEYS_KNOWN = 4 };

enum user_stmt {
	USER_KEY_FIND,
	USER_KEY_ADD,
	USER_KEY_END,
	USER_KEYS_END,
	USER_KEY_LIST,
	USER_KEY_COUNT,
	USER_SET_CURRENT,
	USER_NO_CURRENT,
	USER_GENERATION_ADD,
	USER_GENERATION_MAX,
	USER_GENERATION_LIST,
	USER_GENERATION_DROP,
	USER_NAME_NOTE,
	USER_NAMES_SINCE,
	USER_NAMES_FORGET,
	USER_STMTS
};
extern const char *const user_stmt_text[USER_STMTS];

struct home {
	struct homes *owner;
	char uid[UID_MAX_CHARS + 1];  /* "" when this place in the cache is free */
	char path[PATH_MAX];
	int dirfd;
	int lock_fd;                  /* open for as long as the home is cached */
	int slot_fd[SLOTS_MAX];       /* -1: not opened yet */
	int slot;                     /* the one we hold, -1 none */
	bool locked;
	int64_t current;              /* generation as user.db says, -1 unknown; forgotten with the lock */
	int64_t current_read;         /* the same, not settled yet (generations.c) */
	int64_t settled;              /* files up to this number are in the way of no power loss (generations.c) */
	bool temps_swept;             /* since the home was opened here */
	/* Was it looked at, under this lock, whether the path still leads to what is open? */
	bool user_seen, collection_seen, session_seen;
	uint8_t known_keys[KEYS_KNOWN][HOME_KEY_HASH_BYTES]; /* home_key_known; all 0: none */
	unsigned next_key;
	struct sql user;              /* user.db; db NULL when not open */
	dev_t user_dev;
	ino_t user_ino;
	struct collection *collection;
	int64_t collection_generation;
	int session_fd;               /* session.c; -1 when not open */
	struct media *media;          /* media.h; NULL when not open */
	int64_t media_swept_s;        /* as of the last look at media.db, 0 never looked */
	int64_t used_ms;              /* monotonic */
};

/* user.db, opened when it is not, and anew when the file behind the name is another one. NULL with *e set; never made. */
struct sql *home_user_db(struct home *h, struct err *e);
int home_make_user_db(struct home *h, struct err *e); /* in a new home */
/* Temporary files whose owner is dead go. */
void home_sweep_temps(struct home *h);
void home_close_collection(struct home *h);
void home_close_media(struct home *h);
void home_close_session(struct home *h);
/* The lock alone, if nobody has it right now; home_unlock lets it go. */
bool home_try_lock(struct home *h);
bool home_rollback_journal(const struct home *h);
int home_kept_generations(const struct home *h);
void home_file(const struct home *h, const char *name, char path[PATH_MAX]);

#endif
