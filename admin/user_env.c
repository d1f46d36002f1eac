/*
 * `user import-env`: the users that the environment names in the manner of the official server (migration-facts.md §4.1).
 * Runs at every start of a server that is set up that way, so unchanged users must cost next to nothing: for each of them
 * accounts.db remembers a digest of the whole value. A plain digest of a password would undo what argon2 is there for, so it
 * is keyed with SYNC_BASE/env.key, which belongs into no backup. Without that key, or with another one, the password itself
 * is compared, and all is as before, only slower.
 */
#include <errno.h>
#include <fcntl.h>
#include <sysexits.h>

#include "admin/secret.h"
#include "admin/user.h"
#include "base/digest.h"
#include "core/password.h"
#include "core/users.h"

enum { KEY_BYTES = 32 };

struct entry {
	int number;            /* SYNC_USERn */
	struct slice password; /* or hash; into the environment */
	struct account account;
	bool known;
	uint8_t origin[ACCOUNT_DIGEST_BYTES];
};

struct import {
	bool hashed; /* PASSWORDS_HASHED */
	uint8_t key[KEY_BYTES];
	struct entry *entries;
	size_t n;
	size_t added, changed;
};

/* 1 read, 0 there is none, or an incomplete one; -1. */
static int read_key(const char *path, uint8_t key[KEY_BYTES], struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", path);
	n = read(fd, key, KEY_BYTES);
	if (n < 0)
		err_errno(e, "%s", path);
	close(fd);
	return n < 0 ? -1 : n == KEY_BYTES;
}

/* Whole under its name: of two who make it at the same time one wins, and both read that one. */
static int make_key(const char *path, struct err *e)
{
	uint8_t key[KEY_BYTES];
	char temp[4200], random[11];
	int fd, rc = -1;

	random_name(random, sizeof random - 1);
	snprintf(temp, sizeof temp, "%s-%s", path, random);
	random_bytes(key, sizeof key);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "%s", temp);
	if (write(fd, key, sizeof key) != sizeof key || fsync(fd) != 0)
		err_errno(e, "%s", temp);
	else if (link(temp, path) != 0 && errno != EEXIST)
		err_errno(e, "%s", path);
	else
		rc = 0;
	close(fd);
	unlink(temp);
	return rc;
}

static int get_key(const char *base, uint8_t key[KEY_BYTES], struct err *e)
{
	char path[4096];
	int rc;

	snprintf(path, sizeof path, "%s/env.key", base);
	rc = read_key(path, key, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (make_key(path, e) != 0)
		return -1;
	rc = read_key(path, key, e);
	if (rc == 0)
		err_set(e, ERR_DAMAGED, "%s is not %d bytes long; remove it", path, KEY_BYTES);
	return rc == 1 ? 0 : -1;
}

static void digest(const struct import *im, const char *value, uint8_t out[ACCOUNT_DIGEST_BYTES])
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	size_t n = strlen(value);

	buf_room(&b, KEY_BYTES + n);
	buf_put(&b, im->key, KEY_BYTES);
	buf_put(&b, value, n);
	sha256(buf_slice(&b), out);
	secret_wipe(&b);
}

/* Value of SYNC_USERn into an entry. The message names the variable, never what is in it. 0 or an exit code. */
static int take_value(struct admin *a, struct import *im, int number, const char *value)
{
	struct entry *at = &im->entries[im->n];
	const char *colon = strchr(value, ':');
	struct slice name = { value, colon ? (size_t)(colon - value) : 0 };
	struct err e = ERR_INIT;
	int rc;

	if (!colon)
		return fail_with(EX_DATAERR, "SYNC_USER%d has no colon between name and password; nothing was changed", number);
	*at = (struct entry){ .number = number, .password = slice_of(colon + 1) };
	if (account_name_check(name, &e) != 0 ||
	    (im->hashed ? password_hash_check(at->password, &e) : secret_check(at->password, &e)) != 0)
		return fail_with(EX_DATAERR, "SYNC_USER%d: %s; nothing was changed", number, e.msg);
	rc = accounts_find(a->server.accounts, name, &at->account, &e);
	if (rc < 0)
		return say_error(&e);
	at->known = rc == 1;
	memcpy(at->account.name, name.p, name.len);
	for (size_t i = 0; i < im->n; i++)
		if (strcmp(im->entries[i].account.name, at->account.name) == 0)
			return fail_with(EX_DATAERR, "SYNC_USER%d and SYNC_USER%d are both \"%s\"; nothing was changed",
					 im->entries[i].number, number, at->account.name);
	if (at->known && at->account.state == ACCOUNT_LEAVING)
		return fail_with(EX_DATAERR, "SYNC_USER%d: user \"%s\" is being deleted; to finish that: ankisync-admin user del %s",
				 number, at->account.name, at->account.name);
	digest(im, value, at->origin);
	im->n++;
	return 0;
}

static int take_environment(struct admin *a, struct import *im)
{
	size_t cap = 0;
	int rc = 0;

	for (int number = 1; rc == 0; number++) {
		char variable[32];
		const char *value;

		snprintf(variable, sizeof variable, "SYNC_USER%d", number);
		value = getenv(variable);
		if (!value)
			break;
		if (im->n == cap)
			im->entries = xrealloc(im->entries, (cap += cap / 2 + 64) * sizeof *im->entries);
		rc = take_value(a, im, number, value);
	}
	if (rc == 0 && im->n == 0)
		return fail_with(EX_DATAERR, "SYNC_USER1 is not set: there are no users to take over");
	return rc;
}

static int hash_of(const struct import *im, const struct entry *at, char hash[PASSWORD_HASH_SIZE], struct err *e)
{
	if (!im->hashed)
		return password_hash(at->password, hash, e);
	if (at->password.len >= PASSWORD_HASH_SIZE)
		return err_set(e, ERR_TOO_BIG, "SYNC_USER%d: the hash is too long", at->number);
	memcpy(hash, at->password.p, at->password.len);
	hash[at->password.len] = 0;
	return 0;
}

static int add_new(struct admin *a, struct import *im, struct err *e)
{
	struct account *list = xcalloc(im->n, sizeof *list);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < im->n && rc == 0; i++) {
		const struct entry *at = &im->entries[i];

		if (at->known)
			continue;
		memcpy(list[n].name, at->account.name, sizeof list[n].name);
		memcpy(list[n].origin, at->origin, sizeof list[n].origin);
		list[n].has_origin = true;
		rc = hash_of(im, at, list[n++].hash, e);
	}
	if (rc == 0 && n)
		rc = users_create(&a->server, list, n, e);
	im->added = n;
	free(list);
	return rc;
}

/* The digest is another one. Is the password? 1, 0 or -1. */
static int same_password(const struct import *im, const struct entry *at, struct err *e)
{
	if (im->hashed)
		return slice_eq_str(at->password, at->account.hash);
	return password_verify(slice_of(at->account.name), at->password, at->account.hash, e);
}

static int update(struct admin *a, struct import *im, const struct entry *at, struct err *e)
{
	char hash[PASSWORD_HASH_SIZE];
	int same;

	if (at->account.has_origin && memcmp(at->account.origin, at->origin, sizeof at->origin) == 0)
		return 0;
	same = same_password(im, at, e);
	if (same < 0)
		return -1;
	if (same)
		return accounts_set_origin(a->server.accounts, at->account.uid, at->origin, e);
	im->changed++;
	if (hash_of(im, at, hash, e) != 0)
		return -1;
	return users_set_hash(&a->server, at->account.uid, hash, at->origin, e);
}

int user_import_env(struct admin *a, const struct args *args)
{
	struct import im = { .hashed = getenv("PASSWORDS_HASHED") != NULL };
	struct err e = ERR_INIT;
	int rc = admin_open(a);

	if (rc == 0 && get_key(a->config.sync_base, im.key, &e) != 0)
		rc = say_error(&e);
	if (rc == 0)
		rc = take_environment(a, &im);
	if (rc != 0)
		goto out;
	rc = add_new(a, &im, &e);
	for (size_t i = 0; i < im.n && rc == 0; i++)
		if (im.entries[i].known)
			rc = update(a, &im, &im.entries[i], &e);
	if (rc != 0)
		rc = say_error(&e);
	else if (args->json)
		printf("{\"added\":%zu,\"changed\":%zu,\"unchanged\":%zu}\n", im.added, im.changed, im.n - im.added - im.changed);
	else
		printf("users from the environment: %zu added, %zu with a new password, %zu unchanged\n", im.added, im.changed,
		       im.n - im.added - im.changed);
out:
	explicit_bzero(im.key, sizeof im.key);
	free(im.entries);
	return rc;
}
