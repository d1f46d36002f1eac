/* The noun `session`: which devices are logged in, what they are doing, and how to lock one out. */
#include <sysexits.h>

#include "admin/print.h"
#include "admin/user.h"
#include "base/digest.h"
#include "core/users.h"
#include "storage/home.h"
#include "storage/session.h"

enum { SHOWN_DIGITS = 10, LEAST_DIGITS = 4, HEX_DIGITS = 2 * HOME_KEY_HASH_BYTES };

/* A key of this server, or one that was taken over from another one (then nothing else is known of it). */
struct key {
	uint8_t hash[HOME_KEY_HASH_BYTES];
	char hex[HEX_DIGITS + 1];
	char client[128];
	int64_t made_s, used_s; /* used_s 0: not known */
	bool old;
};

struct keys {
	struct key *list;
	size_t n;
	struct session session;
};

static struct key *add_key(struct keys *k, const uint8_t hash[HOME_KEY_HASH_BYTES])
{
	const struct session_device *device = session_device(&k->session, hash);
	struct key *key;

	k->list = xrealloc(k->list, (k->n + 1) * sizeof *k->list);
	key = &k->list[k->n++];
	*key = (struct key){ .used_s = device ? device->used_s : 0 };
	memcpy(key->hash, hash, sizeof key->hash);
	hex_of(hash, HOME_KEY_HASH_BYTES, key->hex);
	if (device)
		snprintf(key->client, sizeof key->client, "%s", device->client);
	return key;
}

static int add_own(const struct home_key *from, void *arg, struct err *e)
{
	struct key *key = add_key(arg, from->hash);

	(void)e;
	key->made_s = from->made_s;
	if (!*key->client)
		snprintf(key->client, sizeof key->client, "%.*s", (int)from->client.len, from->client.len ? from->client.p : "");
	return 0;
}

static int add_old(const uint8_t hash[ACCOUNT_DIGEST_BYTES], void *arg, struct err *e)
{
	(void)e;
	add_key(arg, hash)->old = true;
	return 0;
}

/* All of a user, under the lock for as long as it takes to read them. 0 or an exit code. */
static int keys_read(struct admin *a, const struct account *account, struct keys *k)
{
	struct err e = ERR_INIT;
	struct home *h;
	int rc = homes_get(a->server.homes, slice_of(account->uid), &h, &e);

	*k = (struct keys){ .n = 0 };
	if (rc == 0)
		return fail_with(EX_DATAERR, "user \"%s\" has an account, but no folder; see: ankisync-admin user show %s", account->name,
				 account->name);
	if (rc < 0 || home_lock(h, &e) != 0)
		return say_error(&e);
	rc = session_load(h, &k->session, &e);
	if (rc == 0)
		rc = home_keys_each(h, add_own, k, &e);
	home_unlock(h);
	if (rc == 0)
		rc = accounts_keys_each(a->server.accounts, account->uid, add_old, k, &e);
	return rc == 0 ? 0 : say_error(&e);
}

static void keys_release(struct keys *k)
{
	free(k->list);
	k->list = NULL;
}

static bool is_syncing(const struct keys *k, const struct key *key)
{
	return k->session.state == SESSION_OPEN && memcmp(k->session.owner, key->hash, sizeof k->session.owner) == 0;
}

/* --- list --- */

struct listing {
	struct admin *admin;
	struct buf out;
	bool json;
	size_t users, keys;
	int rc; /* exit code */
};

static void put_time(struct buf *b, const char *name, int64_t unix_s)
{
	json_put_key(b, name);
	if (unix_s)
		json_put_int(b, unix_s);
	else
		buf_puts(b, "null");
}

static void put_keys(struct buf *b, const struct account *account, const struct keys *k)
{
	buf_putc(b, '{');
	put_text(b, "user", account->name);
	put_text(b, "uid", account->uid);
	json_put_key(b, "keys");
	buf_putc(b, '[');
	for (size_t i = 0; i < k->n; i++) {
		const struct key *key = &k->list[i];

		buf_puts(b, i ? ",{" : "{");
		put_text(b, "key", key->hex);
		put_time(b, "made", key->made_s);
		put_time(b, "used", key->used_s);
		put_text(b, "client", key->client);
		put_flag(b, "of_another_server", key->old);
		put_time(b, "sync_began", is_syncing(k, key) ? k->session.began_ms / 1000 : 0);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

static void print_keys(const struct account *account, const struct keys *k)
{
	char made[32], used[32], began[32];

	for (size_t i = 0; i < k->n; i++) {
		const struct key *key = &k->list[i];

		printf("%.*s  ", SHOWN_DIGITS, key->hex);
		print_name(slice_of(account->name));
		printf("  made %s", key->old ? "by another server" : local_time(key->made_s, made));
		if (key->used_s)
			printf("  used %s", local_time(key->used_s, used));
		if (*key->client) {
			printf("  ");
			print_name(slice_of(key->client));
		}
		if (is_syncing(k, key))
			printf("  (a sync began %s)", local_time(k->session.began_ms / 1000, began));
		putchar('\n');
	}
}

static int list_one(void *context, const struct account *account, struct err *e)
{
	struct listing *l = context;
	struct keys k;

	(void)e;
	if (account->state == ACCOUNT_LEAVING)
		return 0;
	l->rc = keys_read(l->admin, account, &k);
	if (l->rc == 0 && l->json) {
		if (l->users)
			buf_putc(&l->out, ',');
		put_keys(&l->out, account, &k);
	} else if (l->rc == 0) {
		print_keys(account, &k);
	}
	l->users++;
	l->keys += k.n;
	keys_release(&k);
	return l->rc == 0 ? 0 : -1;
}

static int list_all(struct listing *l)
{
	struct err e = ERR_INIT;
	int rc = admin_open(l->admin);

	if (rc == 0 && accounts_list(l->admin->server.accounts, list_one, l, &e) != 0)
		rc = l->rc ? l->rc : say_error(&e);
	return rc;
}

static int session_list(struct admin *a, const struct args *args)
{
	struct listing l = { .admin = a, .out = BUF_INIT(BUF_UNBOUNDED), .json = args->json };
	struct account account;
	int rc;

	if (args->n_words == 0) {
		rc = list_all(&l);
	} else {
		rc = user_find_staying(a, args->words[0], &account);
		if (rc == 0 && list_one(&l, &account, NULL) != 0)
			rc = l.rc;
	}
	if (rc == 0 && l.json)
		printf("[%s]\n", buf_str(&l.out));
	else if (rc == 0 && l.keys == 0)
		note("no device is logged in");
	buf_release(&l.out);
	return rc;
}

/* --- revoke --- */

enum { REVOKE_ALL };
static const struct flag revoke_flags[] = {
	[REVOKE_ALL] = { "--all", NULL, "all keys of the user" },
	{ NULL },
};

/* The one key that begins with these digits. 0 or an exit code. */
static int find_key(const struct keys *k, const char *user, const char *digits, const struct key **found)
{
	size_t n = strlen(digits);

	*found = NULL;
	if (n < LEAST_DIGITS || n > HEX_DIGITS || strspn(digits, "0123456789abcdef") != n)
		return fail_with(EX_DATAERR, "\"%s\" is no key; keys are %d to %d digits, as in: ankisync-admin session list %s", digits,
				 LEAST_DIGITS, HEX_DIGITS, user);
	for (size_t i = 0; i < k->n; i++) {
		if (strncmp(k->list[i].hex, digits, n) != 0)
			continue;
		if (*found)
			return fail_with(EX_DATAERR, "several keys of \"%s\" begin with %s; give more digits (session list --json has all)",
					 user, digits);
		*found = &k->list[i];
	}
	if (!*found)
		return fail_with(EX_DATAERR, "user \"%s\" has no key %s; which there are: ankisync-admin session list %s", user, digits, user);
	return 0;
}

static int session_revoke(struct admin *a, const struct args *args)
{
	bool all = args->flags[REVOKE_ALL] != NULL;
	const struct key *key = NULL;
	struct account account;
	struct err e = ERR_INIT;
	struct keys k;
	size_t n;
	int rc;

	if (all == (args->n_words == 2))
		return fail_with(EX_USAGE, "session revoke takes a KEY, or --all; which there are: ankisync-admin session list %s",
				 args->words[0]);
	rc = user_find_staying(a, args->words[0], &account);
	if (rc != 0)
		return rc;
	rc = keys_read(a, &account, &k);
	if (rc == 0 && !all)
		rc = find_key(&k, account.name, args->words[1], &key);
	if (rc != 0)
		goto out;
	n = all ? k.n : 1;
	/* One that somebody else has revoked just now is revoked. */
	if (users_revoke(&a->server, account.uid, all ? NULL : key->hash, &e) < 0)
		rc = say_error(&e);
	else if (args->json)
		printf("{\"revoked\":%zu}\n", n);
	else if (all)
		printf("%zu keys revoked\n", n);
out:
	keys_release(&k);
	return rc;
}

const struct verb session_verbs[] = {
	{ "session", "list", "[USER]", 0, 1, WORDS_USERS, NULL, "List the keys that devices hold: key, user, when made and used, client",
	  session_list },
	{ "session", "revoke", "USER [KEY]", 1, 2, WORDS_USERS, revoke_flags,
	  "End a key, or all: that device must log in again; its running sync ends", session_revoke },
	{ NULL },
};
