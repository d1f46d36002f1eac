/* See users.h. */
#include "core/users.h"

#include "base/clock.h"
#include "storage/home.h"
#include "storage/session.h"

static void remove_home(struct server *s, const char *uid)
{
	struct home *h;

	if (homes_get(s->homes, slice_of(uid), &h, NULL) == 1 && home_lock(h, NULL) == 0) {
		home_remove(h, NULL);
		home_unlock(h);
	}
}

int users_create(struct server *s, struct account *list, size_t n, struct err *e)
{
	size_t homes = 0;

	for (; homes < n; homes++) {
		struct home *h;

		if (homes_create(s->homes, &h, e) != 0)
			goto out;
		snprintf(list[homes].uid, sizeof list[homes].uid, "%s", home_uid(h));
		list[homes].created_s = clock_now_s();
	}
	if (accounts_begin(s->accounts, e) != 0)
		goto out;
	for (size_t i = 0; i < n; i++)
		if (accounts_add(s->accounts, &list[i], e) != 0) {
			err_add(e, "user \"%s\"", list[i].name);
			goto out;
		}
	/* A commit that failed may be found done after all: then its homes must be there. Else they hold nothing. */
	return accounts_commit(s->accounts, e);
out:
	accounts_rollback(s->accounts);
	for (size_t i = 0; i < homes; i++)
		remove_home(s, list[i].uid);
	return -1;
}

/* 1 with the home, locked; 0 there is none; -1. */
static int lock_home(struct server *s, const char *uid, struct home **h, struct err *e)
{
	int rc = homes_get(s->homes, slice_of(uid), h, e);

	return rc == 1 && home_lock(*h, e) != 0 ? -1 : rc;
}

/* Whoever is syncing hears at the next request that the key has ended: that sync is over, too. */
static int end_keys(struct home *h, struct err *e)
{
	return home_keys_end(h, e) != 0 || session_end(h, e) != 0 ? -1 : 0;
}

static int no_home(const char *uid, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "the user's folder users/%.2s/%s is missing: put it back from a backup, or delete the user", uid, uid);
}

int users_set_hash(struct server *s, const char *uid, const char *hash, const uint8_t origin[ACCOUNT_DIGEST_BYTES],
		   struct err *e)
{
	struct home *h;
	int rc = lock_home(s, uid, &h, e);

	if (rc == 0)
		return no_home(uid, e);
	if (rc < 0)
		return -1;
	rc = accounts_set_hash(s->accounts, uid, hash, origin, e);
	if (rc == 0)
		rc = end_keys(h, e);
	home_unlock(h);
	return rc;
}

/* Does the sync that is going on belong to this key? */
static int end_session_of(struct home *h, const uint8_t hash[ACCOUNT_DIGEST_BYTES], struct err *e)
{
	struct session session;

	if (session_load(h, &session, e) != 0)
		return -1;
	return memcmp(session.owner, hash, sizeof session.owner) == 0 ? session_end(h, e) : 0;
}

static int revoke_one(struct server *s, struct home *h, const uint8_t hash[ACCOUNT_DIGEST_BYTES], struct err *e)
{
	char uid[ACCOUNT_UID_MAX + 1];
	int old = accounts_key_find(s->accounts, hash, uid, e), own;

	if (old == 1)
		old = strcmp(uid, home_uid(h)) == 0 ? accounts_key_end(s->accounts, hash, e) : 0;
	own = old < 0 ? -1 : home_key_end(h, hash, e);
	if (own < 0 || (old == 0 && own == 0))
		return own;
	return end_session_of(h, hash, e) == 0 ? 1 : -1;
}

int users_revoke(struct server *s, const char *uid, const uint8_t hash[ACCOUNT_DIGEST_BYTES], struct err *e)
{
	struct home *h;
	int rc = lock_home(s, uid, &h, e);

	if (rc == 0)
		return no_home(uid, e);
	if (rc < 0)
		return -1;
	if (hash)
		rc = revoke_one(s, h, hash, e);
	else
		rc = accounts_keys_end(s->accounts, uid, e) == 0 && end_keys(h, e) == 0 ? 1 : -1;
	home_unlock(h);
	return rc;
}

int users_set_state(struct server *s, const char *uid, enum account_state state, struct err *e)
{
	struct home *h;
	int there = lock_home(s, uid, &h, e), rc;

	if (there < 0)
		return -1;
	rc = accounts_set_state(s->accounts, uid, state, e);
	if (there && rc == 0 && state != ACCOUNT_ENABLED)
		rc = end_keys(h, e);
	if (there)
		home_unlock(h);
	return rc;
}

int users_remove(struct server *s, const char *uid, struct err *e)
{
	struct home *h;
	int there = lock_home(s, uid, &h, e), rc;

	if (there < 0)
		return -1;
	/* The name stays, so that a removal that died here can be found and finished. */
	rc = accounts_set_state(s->accounts, uid, ACCOUNT_LEAVING, e);
	/* The keys first: the folder may take long, or stay in part. */
	if (there && rc == 0 && (home_keys_end(h, e) != 0 || home_remove(h, e) != 0))
		rc = -1;
	if (there)
		home_unlock(h);
	/* Also what an earlier removal left that died half-way, whoever's it was. */
	if (rc == 0)
		rc = homes_sweep(s->homes, e);
	return rc == 0 ? accounts_delete(s->accounts, uid, e) : -1;
}
