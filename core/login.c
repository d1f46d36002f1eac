/* See login.h. */
#include "core/login.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "core/password.h"
#include "core/report.h"
#include "core/throttle.h"
#include "storage/accounts.h"

enum {
	SECRET_CHARS = 32, /* of 36 letters and digits: 165 bits */
	HASH_WAIT_MS = 2000,
	TRIES = 3,         /* when the password is changed while we look at it */
};

struct attempt {
	struct slice name, password;
	bool crowd;               /* THROTTLE_CROWD */
	struct throttle *throttle; /* NULL: switched off */
};

static int refuse(const struct attempt *a, const char *why, struct err *e)
{
	return err_set(e, a->crowd ? ERR_BUSY : ERR_BAD_LOGIN, "login: %s", why);
}

/* A place to hash: at once, or after waiting where waiting does no harm. */
static int take_slot(struct server *s, const struct attempt *a, struct password_slot *slot, struct err *e)
{
	const struct config *c = s->config;
	struct err busy = ERR_INIT;

	if (password_slot_take(slot, c->sync_base, c->workers, a->crowd, 0, &busy) == 0)
		return 0;
	if (busy.kind == ERR_BUSY) {
		int wait = a->throttle ? throttle_wait(a->throttle, e) : 1;

		if (wait < 0)
			return -1;
		if (wait)
			return password_slot_take(slot, c->sync_base, c->workers, a->crowd, HASH_WAIT_MS, e);
	}
	*e = busy;
	return -1;
}

/*
 * Is it the password of this account (NULL: of nobody, at the same cost)? 1, 0 or -1. If the hash is an old one, a new one
 * is made in `renewed` ("" otherwise).
 */
static int check_password(struct server *s, const struct attempt *a, const struct account *account,
			  char renewed[PASSWORD_HASH_SIZE], struct err *e)
{
	struct password_slot slot = PASSWORD_SLOT_INIT;
	int rc = 0;

	renewed[0] = 0;
	if (take_slot(s, a, &slot, e) != 0)
		return -1;
	if (account)
		rc = password_verify(a->name, a->password, account->hash, e);
	else
		password_verify_nobody(a->password);
	if (rc == 1 && password_hash_is_old(account->hash) && password_hash(a->password, renewed, e) != 0)
		rc = -1;
	password_slot_leave(&slot);
	return rc;
}

static void reply_key(struct reply *r, const char *uid, const char *secret)
{
	struct buf key = BUF_INIT(BUF_UNBOUNDED);

	buf_printf(&key, "%s.%s", uid, secret);
	buf_puts(&r->body, "{");
	json_put_key(&r->body, "key");
	json_put_str(&r->body, buf_slice(&key));
	buf_puts(&r->body, "}");
	explicit_bzero(key.data, key.len);
	buf_release(&key);
}

/*
 * Under the user's lock, as whatever ends keys holds it too: if the account still is as it was when its password was found
 * right, a new key. 1 given, 0 the account changed, -1.
 */
static int give_key(struct server *s, struct call *c, const struct account *account, const char *renewed, struct reply *r,
		    struct err *e)
{
	char secret[SECRET_CHARS + 1];
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct account now;
	struct home *h;
	int rc = homes_get(s->homes, slice_of(account->uid), &h, e);

	if (rc == 0)
		return err_set(e, ERR_DAMAGED, "the user's folder users/%.2s/%s is missing", account->uid, account->uid);
	if (rc < 0 || home_lock(h, e) != 0)
		return -1;
	rc = accounts_find_uid(s->accounts, slice_of(account->uid), &now, e);
	if (rc != 1)
		goto out;
	rc = now.state == account->state && strcmp(now.hash, account->hash) == 0 && strcmp(now.name, account->name) == 0;
	if (rc != 1)
		goto out;
	random_name(secret, SECRET_CHARS);
	sha256(slice_of(secret), hash);
	if ((*renewed && accounts_renew_hash(s->accounts, account->uid, account->hash, renewed, e) < 0) ||
	    home_key_add(h, hash, c->client, clock_now_s(), e) != 0) {
		rc = -1;
		goto out;
	}
	reply_key(r, account->uid, secret);
	snprintf(c->user, sizeof c->user, "%s", account->uid);
	if (report_begin(s, h, c, LOG_LEVEL_INFO, "login")) {
		if (*renewed)
			log_put("hash", SLICE("renewed"));
		log_end();
	}
out:
	explicit_bzero(secret, sizeof secret);
	home_unlock(h);
	return rc;
}

/* 0 with the key in *r; ERR_BAD_LOGIN; or any other error. *wrong: the password was looked at and is not right. */
static int log_in(struct server *s, struct call *c, const struct attempt *a, struct reply *r, bool *wrong, struct err *e)
{
	for (int i = 0; i < TRIES; i++) {
		char renewed[PASSWORD_HASH_SIZE];
		struct account account;
		int found = accounts_find(s->accounts, a->name, &account, e), rc;

		if (found < 0)
			return -1;
		rc = check_password(s, a, found ? &account : NULL, renewed, e);
		if (rc < 0)
			return -1;
		*wrong = rc == 0 || account.state != ACCOUNT_ENABLED;
		if (*wrong)
			return refuse(a, !found ? "no such user" : rc == 0 ? "wrong password" : "right password, but disabled", e);
		rc = give_key(s, c, &account, renewed, r, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return err_set(e, ERR_BUSY, "login: the account was changed %d times at this moment", TRIES);
}

static int throttled(struct server *s, struct call *c, struct attempt *a, struct reply *r, struct err *e)
{
	struct throttle throttle = THROTTLE_INIT;
	bool wrong = false;
	int answer, rc = -1;

	if (throttle_open(&throttle, s->config->sync_base, e) != 0)
		return -1;
	answer = throttle_try(&throttle, c->address, a->name, e);
	if (answer < 0)
		goto out;
	if (answer == THROTTLE_SLOWED) {
		err_set(e, ERR_BUSY, "login: slowed after too many wrong passwords for this name from this address");
		goto out;
	}
	a->crowd = answer == THROTTLE_CROWD;
	a->throttle = &throttle;
	rc = log_in(s, c, a, r, &wrong, e);
	if (rc == 0)
		rc = throttle_right(&throttle, c->address, a->name, e);
	else if (!wrong)
		throttle_undo(&throttle, c->address, a->name, NULL);
out:
	throttle_close(&throttle);
	return rc;
}

static void wipe(struct slice s)
{
	/* Memory of json-c's string and of the payload, which nobody reads after this. */
	if (s.len)
		explicit_bzero((char *)(uintptr_t)s.p, s.len);
}

int login_host_key(struct server *s, struct home *unused, struct call *c, struct reply *r, struct err *e)
{
	struct attempt a = { .password = { NULL, 0 } };
	struct json_object *o = NULL;
	bool wrong;
	int rc = -1;

	(void)unused;
	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0 ||
	    json_need_str(o, "u", &a.name, e) != 0 || json_need_str(o, "p", &a.password, e) != 0)
		goto out;
	snprintf(c->name, sizeof c->name, "%.*s", (int)a.name.len, a.name.len ? a.name.p : "");
	rc = s->config->login_throttle ? throttled(s, c, &a, r, e) : log_in(s, c, &a, r, &wrong, e);
out:
	wipe(a.password);
	wipe(buf_slice(&c->payload));
	json_object_put(o);
	return rc;
}

/*
 * A client forgets its login when it hears that nobody knows its key. A server without any user has given no key out: it
 * looks at an empty folder where a disk should be mounted.
 */
static int refuse_key(struct server *s, struct err *e)
{
	int rc = accounts_any(s->accounts, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_BUSY, "a key, but no user at all in %s: is the right disk mounted?", s->config->sync_base);
	return err_set(e, ERR_BAD_LOGIN, "nobody has this key: it has ended, or another server made it");
}

int login_key(struct server *s, struct slice key, struct home **h, uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e)
{
	const char *dot = key.len ? memchr(key.p, '.', key.len) : NULL;
	char legacy_uid[ACCOUNT_UID_MAX + 1];
	struct slice uid;
	int rc;

	if (dot) {
		uid = (struct slice){ key.p, (size_t)(dot - key.p) };
		sha256((struct slice){ dot + 1, key.len - uid.len - 1 }, hash);
	} else {
		sha256(key, hash);
		rc = accounts_key_find(s->accounts, hash, legacy_uid, e);
		if (rc < 0)
			return -1;
		uid = rc ? slice_of(legacy_uid) : SLICE("");
	}
	rc = uid.len ? homes_get(s->homes, uid, h, e) : 0;
	if (rc == 1 && dot && !home_key_known(*h, hash))
		rc = home_key_find(*h, hash, e);
	if (rc == 0)
		return refuse_key(s, e);
	return rc < 0 ? -1 : 0;
}

int login_key_again(struct server *s, struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e)
{
	char uid[ACCOUNT_UID_MAX + 1];
	int rc = home_key_find(h, hash, e);

	if (rc == 0) {
		rc = accounts_key_find(s->accounts, hash, uid, e);
		if (rc == 1 && strcmp(uid, home_uid(h)) != 0)
			rc = 0;
	}
	if (rc == 0)
		return err_set(e, ERR_BAD_LOGIN, "this key has ended");
	return rc < 0 ? -1 : 0;
}
