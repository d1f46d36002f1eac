/* core/login and core/users, from memory: keys, refusals, other servers' hashes and keys, slowing down, and what ends keys. */
#include "core/login.h"
#include "tests/unit/test.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "core/password.h"
#include "core/throttle.h"
#include "core/users.h"

static char dir[] = "/tmp/test-login-XXXXXX";
static char base[64];

struct fixture {
	struct config config;
	struct server server;
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void open_server(struct fixture *f)
{
	const struct homes_options o = { .base = base, .kept_generations = 3, .workers = 4, .lock_ms = 60000 };

	f->config = (struct config){ .sync_base = base, .workers = 4, .lock_seconds = 5 };
	f->server = (struct server){ .config = &f->config };
	f->server.accounts = accounts_open(base, false, false, NULL);
	f->server.homes = homes_open(&o, NULL);
	assert_true(f->server.accounts && f->server.homes);
}

static int fresh(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	open_server(f);
	*state = f;
	return 0;
}

static void close_server(struct fixture *f)
{
	homes_close(f->server.homes);
	accounts_close(f->server.accounts);
}

static int gone(void **state)
{
	close_server(*state);
	free(*state);
	return 0;
}

/* A user with this hash, or with one made of "secret". */
static struct account add(struct fixture *f, const char *name, const char *hash)
{
	static char of_secret[PASSWORD_HASH_SIZE];
	struct account a = { .state = ACCOUNT_ENABLED };
	struct err e = ERR_INIT;

	if (!*of_secret)
		assert_int_equal(password_hash(SLICE("secret"), of_secret, NULL), 0);
	snprintf(a.name, sizeof a.name, "%s", name);
	snprintf(a.hash, sizeof a.hash, "%s", hash ? hash : of_secret);
	if (users_create(&f->server, &a, 1, &e) != 0)
		fail_msg("%s", e.msg);
	return a;
}

/* One call of hostKey. The kind of its error, ERR_NONE with the key in `key`. */
static enum err_kind call(struct fixture *f, struct slice body, const char *address, char key[128])
{
	struct call c = { .version = 11, .client = SLICE("test"), .payload = BUF_INIT(LOGIN_BODY_MAX), .address = slice_of(address) };
	struct reply r = { .body = BUF_INIT(65536) };
	struct json_object *o;
	struct err e = ERR_INIT;
	struct slice s;

	buf_put(&c.payload, body.p, body.len);
	if (login_host_key(&f->server, NULL, &c, &r, &e) == 0) {
		assert_int_equal(e.kind, ERR_NONE);
		assert_int_equal(json_parse_object(buf_slice(&r.body), &JSON_LIMITS_SMALL, &o, NULL), 0);
		assert_int_equal(json_need_str(o, "key", &s, NULL), 0);
		snprintf(key, 128, "%.*s", (int)s.len, s.p);
		json_object_put(o);
		assert_true(strlen(c.user) >= 10 && strncmp(c.user, key, strlen(c.user)) == 0);
	} else {
		assert_int_not_equal(e.kind, ERR_NONE);
		assert_int_equal(r.body.len, 0);
		assert_int_equal(c.user[0], 0);
	}
	/* The password is not left in memory. */
	for (size_t i = 0; i < c.payload.len; i++)
		assert_int_equal(c.payload.data[i], 0);
	buf_release(&c.payload);
	buf_release(&r.body);
	return e.kind;
}

static enum err_kind login_at(struct fixture *f, const char *address, const char *name, const char *password, char key[128])
{
	struct buf b = BUF_INIT(LOGIN_BODY_MAX);
	enum err_kind kind;

	buf_puts(&b, "{");
	json_put_key(&b, "u");
	json_put_str(&b, slice_of(name));
	json_put_key(&b, "p");
	json_put_str(&b, slice_of(password));
	buf_puts(&b, "}");
	kind = call(f, buf_slice(&b), address, key);
	buf_release(&b);
	return kind;
}

static enum err_kind login(struct fixture *f, const char *name, const char *password, char key[128])
{
	return login_at(f, "10.0.0.1", name, password, key);
}

/* Whose key is it? "" when nobody's. */
static const char *owner(struct fixture *f, const char *key)
{
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct err e = ERR_INIT;
	struct home *h;

	if (login_key(&f->server, slice_of(key), &h, hash, &e) != 0) {
		assert_int_equal(e.kind, ERR_BAD_LOGIN);
		return "";
	}
	assert_int_equal(home_lock(h, NULL), 0);
	assert_int_equal(login_key_again(&f->server, h, hash, NULL), 0);
	home_unlock(h);
	return home_uid(h);
}

static void test_each_login_has_its_key(void **state)
{
	struct account alice = add(*state, "alice", NULL), bob = add(*state, "bob", NULL);
	char one[128], two[128], bobs[128], mixed[256];

	assert_int_equal(login(*state, "alice", "secret", one), ERR_NONE);
	assert_int_equal(login(*state, "alice", "secret", two), ERR_NONE);
	assert_int_equal(login(*state, "bob", "secret", bobs), ERR_NONE);
	assert_string_not_equal(one, two);
	assert_true(strlen(strchr(one, '.') + 1) >= 32);
	assert_string_equal(owner(*state, one), alice.uid);
	assert_string_equal(owner(*state, two), alice.uid);
	assert_string_equal(owner(*state, bobs), bob.uid);
	/* One's uid with another's secret opens nothing. */
	snprintf(mixed, sizeof mixed, "%s%s", alice.uid, strchr(bobs, '.'));
	assert_string_equal(owner(*state, mixed), "");
}

static void test_refusals(void **state)
{
	static const char *const rows[][2] = {
		{ "alice", "secret " }, { "alice", "Secret" }, { "alice", "" }, { "Alice", "secret" }, { "alice ", "secret" },
		{ " alice", "secret" }, { "nobody", "secret" }, { "", "secret" },   { "", "" },
	};
	struct buf b = BUF_INIT(LOGIN_BODY_MAX);
	char key[128];

	add(*state, "alice", NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(login(*state, rows[i][0], rows[i][1], key), ERR_BAD_LOGIN);
	assert_int_equal(call(*state, SLICE("{\"u\":\"alice\\u0000\",\"p\":\"secret\"}"), "", key), ERR_BAD_LOGIN);
	assert_int_equal(call(*state, SLICE("{\"u\":\"alice\",\"p\":\"secret\\u0000\"}"), "", key), ERR_BAD_LOGIN);
	buf_puts(&b, "{\"u\":\"alice\",\"p\":\"");
	for (int i = 0; i < 60000; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\"}");
	assert_int_equal(call(*state, buf_slice(&b), "", key), ERR_BAD_LOGIN);
	buf_release(&b);
}

static void test_bad_bodies(void **state)
{
	static const char *const rows[] = {
		"", "{}", "null", "[]", "\"alice\"", "{\"u\":\"alice\"}", "{\"p\":\"secret\"}", "{\"u\":\"alice\",\"p\":1}",
		"{\"u\":null,\"p\":\"secret\"}", "{\"u\":[\"alice\"],\"p\":\"secret\"}", "{\"u\":\"alice\",\"p\":\"secret\"",
	};
	char key[128];

	add(*state, "alice", NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(call(*state, slice_of(rows[i]), "", key), ERR_BAD_REQUEST);
	assert_int_equal(call(*state, SLICE(" {\"x\":[],\"p\":\"secret\",\"u\":\"alice\"} "), "", key), ERR_NONE);
}

static void test_bad_keys(void **state)
{
	struct account alice = add(*state, "alice", NULL);
	char key[128], text[160];
	static const char *const rows[] = {
		"", ".", "..", "a.b", "../../x.y", "0000000000000000000000000000000000000000", "/etc/passwd.x", "\xff.\xff",
		"aaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};

	assert_int_equal(login(*state, "alice", "secret", key), ERR_NONE);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(owner(*state, rows[i]), "");
	assert_string_equal(owner(*state, alice.uid), "");
	snprintf(text, sizeof text, "%s.", alice.uid);
	assert_string_equal(owner(*state, text), "");
	assert_string_equal(owner(*state, strchr(key, '.') + 1), "");
	snprintf(text, sizeof text, "%sx", key);
	assert_string_equal(owner(*state, text), "");
	key[strlen(key) - 1] = 0;
	assert_string_equal(owner(*state, key), "");
}

static void test_old_hashes_are_renewed(void **state)
{
	static const struct {
		const char *name, *password, *hash;
	} rows[] = {
		{ "carl", "correct horse",
		  "$pbkdf2-sha256$i=10000,l=32$AAECAwQFBgcICQoLDA0ODw$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8" },
		{ "alice", "correct horse", "269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdef" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture *f = *state;
		struct account a = add(f, rows[i].name, rows[i].hash), now;
		char first[128], second[128];

		assert_int_equal(login(f, rows[i].name, "wrong", first), ERR_BAD_LOGIN);
		assert_int_equal(accounts_find_uid(f->server.accounts, slice_of(a.uid), &now, NULL), 1);
		assert_string_equal(now.hash, rows[i].hash);
		assert_int_equal(login(f, rows[i].name, rows[i].password, first), ERR_NONE);
		assert_int_equal(accounts_find_uid(f->server.accounts, slice_of(a.uid), &now, NULL), 1);
		assert_false(password_hash_is_old(now.hash));
		assert_int_equal(login(f, rows[i].name, rows[i].password, second), ERR_NONE);
		assert_string_equal(owner(f, first), a.uid);
	}
}

static void test_keys_of_other_servers(void **state)
{
	static const char key[] = "b1780086516c97daa30ec357bb97d488f7942493";
	struct fixture *f = *state;
	struct account alice = add(f, "alice", NULL);
	uint8_t hash[SHA256_BYTES];
	char own[128];

	sha256(slice_of(key), hash);
	assert_string_equal(owner(f, key), "");
	assert_int_equal(accounts_key_add(f->server.accounts, hash, alice.uid, NULL), 0);
	assert_string_equal(owner(f, key), alice.uid);
	assert_string_equal(owner(f, "b1780086516c97daa30ec357bb97d488f7942494"), "");
	assert_int_equal(login(f, "alice", "secret", own), ERR_NONE);
	assert_string_equal(owner(f, key), alice.uid);
	/* As a secret behind a uid it is nothing. */
	char mixed[128];
	snprintf(mixed, sizeof mixed, "%s.%s", alice.uid, key);
	assert_string_equal(owner(f, mixed), "");
	assert_int_equal(users_set_hash(&f->server, alice.uid, alice.hash, NULL, NULL), 0);
	assert_string_equal(owner(f, key), "");
}

static void test_what_ends_keys(void **state)
{
	struct fixture *f = *state;
	struct account alice = add(f, "alice", NULL), bob = add(f, "bob", NULL);
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct err e = ERR_INIT;
	struct home *h;
	char a[128], b[128], again[128];

	assert_int_equal(login(f, "alice", "secret", a), ERR_NONE);
	assert_int_equal(login(f, "bob", "secret", b), ERR_NONE);
	assert_int_equal(login_key(&f->server, slice_of(a), &h, hash, NULL), 0);
	assert_int_equal(users_set_hash(&f->server, alice.uid, alice.hash, NULL, NULL), 0);
	assert_string_equal(owner(f, a), "");
	assert_string_equal(owner(f, b), bob.uid);
	/* Whoever found the key before waits for the lock and asks again. */
	assert_int_equal(homes_get(f->server.homes, slice_of(alice.uid), &h, NULL), 1);
	assert_int_equal(home_lock(h, NULL), 0);
	assert_int_equal(login_key_again(&f->server, h, hash, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_LOGIN);
	home_unlock(h);

	assert_int_equal(users_set_state(&f->server, bob.uid, ACCOUNT_DISABLED, NULL), 0);
	assert_string_equal(owner(f, b), "");
	assert_int_equal(login(f, "bob", "secret", again), ERR_BAD_LOGIN);
	assert_int_equal(users_set_state(&f->server, bob.uid, ACCOUNT_ENABLED, NULL), 0);
	assert_string_equal(owner(f, b), "");
	assert_int_equal(login(f, "bob", "secret", again), ERR_NONE);
}

static bool has_folder(const char *uid)
{
	char path[160];

	snprintf(path, sizeof path, "%s/users/%.2s/%s", base, uid, uid);
	return access(path, F_OK) == 0;
}

static void test_remove(void **state)
{
	struct fixture *f = *state;
	struct account alice = add(f, "alice", NULL), bob = add(f, "bob", NULL), found;
	struct err e = ERR_INIT;
	char a[128], b[128];

	assert_int_equal(login(f, "alice", "secret", a), ERR_NONE);
	assert_int_equal(login(f, "bob", "secret", b), ERR_NONE);
	assert_true(has_folder(alice.uid));
	assert_int_equal(users_remove(&f->server, alice.uid, NULL), 0);
	assert_false(has_folder(alice.uid));
	assert_string_equal(owner(f, a), "");
	assert_int_equal(accounts_find(f->server.accounts, SLICE("alice"), &found, NULL), 0);
	assert_int_equal(users_remove(&f->server, alice.uid, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);

	/* Died half-way: before the folder went, and after. */
	assert_int_equal(accounts_set_state(f->server.accounts, bob.uid, ACCOUNT_LEAVING, NULL), 0);
	assert_int_equal(login(f, "bob", "secret", b), ERR_BAD_LOGIN);
	assert_int_equal(users_remove(&f->server, bob.uid, NULL), 0);
	assert_false(has_folder(bob.uid));
	alice = add(f, "alice", NULL);
	char path[160];
	snprintf(path, sizeof path, "%s/users/%.2s/%s", base, alice.uid, alice.uid);
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(users_remove(&f->server, alice.uid, NULL), 0);
	assert_int_equal(accounts_find(f->server.accounts, SLICE("alice"), &found, NULL), 0);
}

static int count_folders(void)
{
	char pattern[128];
	int n = 0;
	FILE *p;

	snprintf(pattern, sizeof pattern, "find %s/users -mindepth 2 -maxdepth 2 | wc -l", base);
	p = popen(pattern, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%d", &n), 1);
	pclose(p);
	return n;
}

static void test_create_all_or_none(void **state)
{
	struct fixture *f = *state;
	struct account list[3] = { { .name = "bob", .hash = "x" }, { .name = "alice", .hash = "x" }, { .name = "carl", .hash = "x" } };
	struct account found;
	struct err e = ERR_INIT;

	add(f, "alice", NULL);
	assert_int_equal(users_create(&f->server, list, 3, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.msg, "alice"));
	assert_int_equal(accounts_find(f->server.accounts, SLICE("bob"), &found, NULL), 0);
	assert_int_equal(count_folders(), 1);
	snprintf(list[1].name, sizeof list[1].name, "dora");
	assert_int_equal(users_create(&f->server, list, 3, &e), 0);
	assert_int_equal(count_folders(), 4);
	assert_int_equal(accounts_find(f->server.accounts, SLICE("dora"), &found, NULL), 1);
	assert_true(has_folder(found.uid));
}

/* Renamed, and not all removed: the next removal takes the rest with it, its own or another user's. */
static void test_removal_that_died(void **state)
{
	struct fixture *f = *state;
	char from[160], to[160], inside[170];

	for (int own = 0; own < 2; own++) {
		struct account alice = add(f, "alice", NULL), bob = add(f, "bob", NULL), found;

		snprintf(from, sizeof from, "%s/users/%.2s/%s", base, alice.uid, alice.uid);
		snprintf(to, sizeof to, "%s/users/%.2s/gone-%s", base, alice.uid, alice.uid);
		assert_int_equal(accounts_set_state(f->server.accounts, alice.uid, ACCOUNT_LEAVING, NULL), 0);
		assert_int_equal(rename(from, to), 0);
		snprintf(inside, sizeof inside, "%s/lock", to);
		assert_int_equal(unlink(inside), 0);
		assert_int_equal(users_remove(&f->server, own ? alice.uid : bob.uid, NULL), 0);
		assert_int_not_equal(access(to, F_OK), 0);
		/* And again, until the account is gone. */
		assert_int_equal(users_remove(&f->server, own ? bob.uid : alice.uid, NULL), 0);
		assert_int_equal(accounts_find(f->server.accounts, SLICE("alice"), &found, NULL), 0);
		assert_int_equal(count_folders(), 0);
	}
}

/* Files cannot grow: nothing of the new home stays, and nobody is added. */
static void test_home_that_cannot_be_made(void **state)
{
	struct fixture *f = *state;
	struct account list[2] = { { .name = "bob", .hash = "x" }, { .name = "carl", .hash = "x" } }, found;
	struct rlimit most, now;
	struct err e = ERR_INIT;
	int refused = 0;

	add(f, "alice", NULL);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &most), 0);
	for (now = most, now.rlim_cur = 0; now.rlim_cur < 1 << 20; now.rlim_cur += 4096) {
		int rc;

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
		rc = users_create(&f->server, list, 2, &e);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
		if (rc == 0)
			break;
		refused++;
		assert_int_equal(count_folders(), 1);
		assert_int_equal(accounts_find(f->server.accounts, SLICE("bob"), &found, NULL), 0);
	}
	assert_true(refused > 0);
	assert_int_equal(count_folders(), 3);
}

static void test_slowed(void **state)
{
	struct fixture *f = *state;
	char key[128], name[16];

	clock_freeze_ms(1700000000000);
	f->config.login_throttle = true;
	add(f, "alice", NULL);
	add(f, "bob", NULL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(login(f, "alice", "wrong", key), ERR_BAD_LOGIN);
	assert_int_equal(login(f, "alice", "wrong", key), ERR_BUSY);
	assert_int_equal(login(f, "alice", "secret", key), ERR_BUSY);
	/* The other pairs of this account and of this address are not. */
	assert_int_equal(login_at(f, "10.0.0.2", "alice", "secret", key), ERR_NONE);
	assert_int_equal(login(f, "bob", "secret", key), ERR_NONE);
	clock_freeze_ms(1700000060000);
	assert_int_equal(login(f, "alice", "secret", key), ERR_NONE);
	assert_int_equal(login(f, "alice", "wrong", key), ERR_BAD_LOGIN);

	/* An address that failed a hundred times: failures are 503 from here on, a right password still passes. */
	for (int i = 0; i < 100; i++) {
		struct throttle t = THROTTLE_INIT;

		snprintf(name, sizeof name, "x%d", i);
		assert_int_equal(throttle_open(&t, base, NULL), 0);
		assert_true(throttle_try(&t, SLICE("10.0.0.3"), slice_of(name), NULL) >= 0);
		throttle_close(&t);
	}
	assert_int_equal(login_at(f, "10.0.0.3", "nobody", "secret", key), ERR_BUSY);
	assert_int_equal(login_at(f, "10.0.0.3", "alice", "secret", key), ERR_NONE);
	assert_int_equal(login_at(f, "10.0.0.3", "bob", "wrong", key), ERR_BUSY);
	assert_int_equal(login_at(f, "10.0.0.3", "bob", "secret", key), ERR_BUSY);
	assert_int_equal(login_at(f, "10.0.0.4", "bob", "secret", key), ERR_NONE);

	/* Switched off: as often as one likes. */
	f->config.login_throttle = false;
	for (int i = 0; i < 12; i++)
		assert_int_equal(login(f, "alice", "wrong", key), ERR_BAD_LOGIN);
	clock_freeze_ms(0);
}

static void test_too_many_hash(void **state)
{
	struct fixture *f = *state;
	struct password_slot slots[2] = { PASSWORD_SLOT_INIT, PASSWORD_SLOT_INIT };
	struct throttle t = THROTTLE_INIT;
	char key[128];

	f->config.login_throttle = true;
	add(f, "alice", NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(password_slot_take(&slots[i], base, 4, false, 0, NULL), 0);
	assert_int_equal(throttle_open(&t, base, NULL), 0);
	while (throttle_wait(&t, NULL) == 1)
		;
	throttle_close(&t);
	/* No place, and no more waiting: busy, and that was not a failure. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(login(f, "alice", "secret", key), ERR_BUSY);
	password_slot_leave(&slots[1]);
	assert_int_equal(login(f, "alice", "secret", key), ERR_NONE);
	password_slot_leave(&slots[0]);
}

/* Whoever comes for the lock takes a slot first: slot-0 is our own, and the second one is made when it is needed. */
static void wait_for_waiter(const char *uid)
{
	char path[160];

	snprintf(path, sizeof path, "%s/users/%.2s/%s/slot-1", base, uid, uid);
	for (int i = 0; access(path, F_OK) != 0; i++) {
		if (i == 60000)
			_exit(3);
		usleep(1000);
	}
}

/* The password is changed after it was found right and before the lock is had: the old one gives no key. */
static void test_changed_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct account alice = add(f, "alice", NULL);
	char hash[PASSWORD_HASH_SIZE], key[128], byte = 'x';
	int ready[2], status;
	struct home *h;
	int64_t keys;
	pid_t child;

	assert_int_equal(password_hash(SLICE("new secret"), hash, NULL), 0);
	close_server(f);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		open_server(f);
		if (homes_get(f->server.homes, slice_of(alice.uid), &h, NULL) != 1 || home_lock(h, NULL) != 0)
			_exit(1);
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		wait_for_waiter(alice.uid);
		if (accounts_set_hash(f->server.accounts, alice.uid, hash, NULL, NULL) != 0 || home_keys_end(h, NULL) != 0)
			_exit(1);
		home_unlock(h);
		_exit(0);
	}
	open_server(f);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(login(f, "alice", "secret", key), ERR_BAD_LOGIN);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(homes_get(f->server.homes, slice_of(alice.uid), &h, NULL), 1);
	assert_int_equal(home_lock(h, NULL), 0);
	assert_int_equal(home_key_count(h, &keys, NULL), 0);
	home_unlock(h);
	assert_int_equal(keys, 0);
	assert_int_equal(login(f, "alice", "new secret", key), ERR_NONE);
	close(ready[0]);
	close(ready[1]);
}

/* In place of the libraries' functions: they are counted, by what each costs. */
static struct {
	int hashes;
	uint64_t blocks; /* KiB times rounds */
} work;

int __real_argon2id_hash_raw(uint32_t t, uint32_t m, uint32_t p, const void *pwd, size_t pwd_len, const void *salt, size_t salt_len,
			     void *tag, size_t tag_len);
int __wrap_argon2id_hash_raw(uint32_t t, uint32_t m, uint32_t p, const void *pwd, size_t pwd_len, const void *salt, size_t salt_len,
			     void *tag, size_t tag_len);
int __wrap_argon2id_hash_raw(uint32_t t, uint32_t m, uint32_t p, const void *pwd, size_t pwd_len, const void *salt, size_t salt_len,
			     void *tag, size_t tag_len)
{
	work.hashes++;
	work.blocks += (uint64_t)t * m;
	return __real_argon2id_hash_raw(t, m, p, pwd, pwd_len, salt, salt_len, tag, tag_len);
}

int __real_PKCS5_PBKDF2_HMAC(const char *pass, int pass_len, const unsigned char *salt, int salt_len, int rounds, const EVP_MD *md,
			     int tag_len, unsigned char *tag);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int pass_len, const unsigned char *salt, int salt_len, int rounds, const EVP_MD *md,
			     int tag_len, unsigned char *tag);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int pass_len, const unsigned char *salt, int salt_len, int rounds, const EVP_MD *md,
			     int tag_len, unsigned char *tag)
{
	work.hashes++;
	return __real_PKCS5_PBKDF2_HMAC(pass, pass_len, salt, salt_len, rounds, md, tag_len, tag);
}

/* Whether a user exists, is disabled, or was taken over from a Python server: a refusal costs the same. */
static void test_refusals_cost_the_same(void **state)
{
	static const char python[] = "269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdef";
	static const char *const rows[][2] = {
		{ "alice", "wrong" }, { "nobody", "wrong" }, { "", "wrong" }, { "carl", "secret" }, { "carl", "wrong" }, { "dora", "wrong" },
		{ "alice", "" }, { "nobody", "" },
	};
	struct fixture *f = *state;
	struct account carl;
	char key[128], longer[PASSWORD_MAX_BYTES + 2];

	add(f, "alice", NULL);
	carl = add(f, "carl", NULL);
	add(f, "dora", python);
	assert_int_equal(users_set_state(&f->server, carl.uid, ACCOUNT_DISABLED, NULL), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		memset(&work, 0, sizeof work);
		assert_int_equal(login(f, rows[i][0], rows[i][1], key), ERR_BAD_LOGIN);
		assert_int_equal(work.hashes, 1);
		assert_int_equal(work.blocks, 2 * 19 * 1024);
	}
	/* A password that is longer than any can be costs nothing, whoever it is for. */
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	memset(&work, 0, sizeof work);
	assert_int_equal(login(f, "alice", longer, key), ERR_BAD_LOGIN);
	assert_int_equal(login(f, "nobody", longer, key), ERR_BAD_LOGIN);
	assert_int_equal(work.hashes, 0);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(base, sizeof base, "%s/base", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Whoever looks at the empty folder of a disk that is not mounted must not send the clients away. */
static void test_no_user_at_all(void **state)
{
	struct fixture *f = *state;
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct err e = ERR_INIT;
	struct home *h;

	assert_int_equal(login_key(&f->server, SLICE("abcdefghijkl.secret"), &h, hash, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(login_key(&f->server, SLICE("0123456789abcdef"), &h, hash, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	add(f, "alice", NULL);
	assert_int_equal(login_key(&f->server, SLICE("abcdefghijkl.secret"), &h, hash, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_LOGIN);
	assert_int_equal(login_key(&f->server, SLICE("0123456789abcdef"), &h, hash, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_LOGIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_login_has_its_key, fresh, gone),
		cmocka_unit_test_setup_teardown(test_refusals, fresh, gone),
		cmocka_unit_test_setup_teardown(test_bad_bodies, fresh, gone),
		cmocka_unit_test_setup_teardown(test_bad_keys, fresh, gone),
		cmocka_unit_test_setup_teardown(test_no_user_at_all, fresh, gone),
		cmocka_unit_test_setup_teardown(test_old_hashes_are_renewed, fresh, gone),
		cmocka_unit_test_setup_teardown(test_keys_of_other_servers, fresh, gone),
		cmocka_unit_test_setup_teardown(test_what_ends_keys, fresh, gone),
		cmocka_unit_test_setup_teardown(test_remove, fresh, gone),
		cmocka_unit_test_setup_teardown(test_create_all_or_none, fresh, gone),
		cmocka_unit_test_setup_teardown(test_slowed, fresh, gone),
		cmocka_unit_test_setup_teardown(test_too_many_hash, fresh, gone),
		cmocka_unit_test_setup_teardown(test_changed_meanwhile, fresh, gone),
		cmocka_unit_test_setup_teardown(test_refusals_cost_the_same, fresh, gone),
		cmocka_unit_test_setup_teardown(test_removal_that_died, fresh, gone),
		cmocka_unit_test_setup_teardown(test_home_that_cannot_be_made, fresh, gone),
	};

	log_open("stderr", "text", LOG_LEVEL_WARN, NULL);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
