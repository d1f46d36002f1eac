/* storage/accounts: names, what is unique, what ends keys, transactions, and files that are made, replaced or not ours. */
#include "storage/accounts.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "storage/base_dir.h"

static char dir[] = "/tmp/test-accounts-XXXXXX";
static char base[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int fresh(void **state)
{
	nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	*state = accounts_open(base, false, false, NULL);
	return *state ? 0 : -1;
}

static int gone(void **state)
{
	accounts_close(*state);
	return 0;
}

static struct account account(const char *uid, const char *name)
{
	struct account a = { .hash = "$hash", .created_s = 7, .limit_bytes = 9 };

	snprintf(a.uid, sizeof a.uid, "%s", uid);
	snprintf(a.name, sizeof a.name, "%s", name);
	return a;
}

static int add(struct accounts *a, const char *uid, const char *name)
{
	struct account row = account(uid, name);

	return accounts_add(a, &row, NULL);
}

static void test_names(void **state)
{
	static const struct {
		struct slice name;
		bool good;
	} rows[] = {
		{ SLICE("alice"), true },
		{ SLICE("a"), true },
		{ SLICE("Zo\xc3\xab M\xc3\xbcller"), true },
		{ SLICE("\xe6\x97\xa5\xe6\x9c\xac"), true },
		{ SLICE("a@b.example/../x"), true },
		{ SLICE(""), false },
		{ SLICE(" alice"), false },
		{ SLICE("alice "), false },
		{ SLICE(" "), false },
		{ SLICE("al:ice"), false },
		{ SLICE("al\nice"), false },
		{ SLICE("al\0ice"), false },
		{ SLICE("al\x7fice"), false },
		{ SLICE("al\xc2\x85ice"), false },
		{ SLICE("al\xffice"), false },
		{ SLICE("\xed\xa0\x80"), false },
	};
	char longest[ACCOUNT_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;

		if ((account_name_check(rows[i].name, &e) == 0) != rows[i].good)
			fail_msg("row %zu", i);
		assert_int_equal(e.kind, rows[i].good ? ERR_NONE : ERR_BAD_REQUEST);
	}
	memset(longest, 'x', sizeof longest);
	assert_int_equal(account_name_check((struct slice){ longest, ACCOUNT_NAME_MAX }, NULL), 0);
	assert_int_equal(account_name_check((struct slice){ longest, ACCOUNT_NAME_MAX + 1 }, NULL), -1);
}

static void test_find(void **state)
{
	struct account row = account("uid1", "Alice"), found;

	row.has_origin = true;
	memset(row.origin, 7, sizeof row.origin);
	assert_int_equal(accounts_add(*state, &row, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("Alice"), &found, NULL), 1);
	assert_string_equal(found.uid, "uid1");
	assert_string_equal(found.hash, "$hash");
	assert_int_equal(found.state, ACCOUNT_ENABLED);
	assert_int_equal(found.created_s, 7);
	assert_int_equal(found.limit_bytes, 9);
	assert_true(found.has_origin);
	assert_memory_equal(found.origin, row.origin, sizeof row.origin);
	assert_int_equal(accounts_find_uid(*state, SLICE("uid1"), &found, NULL), 1);
	assert_string_equal(found.name, "Alice");
	assert_int_equal(accounts_find(*state, SLICE("alice"), &found, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("Alice\0"), &found, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("Alice "), &found, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE(""), &found, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("\xff"), &found, NULL), 0);
}

static void test_unique(void **state)
{
	struct account row = account("uid2", "alice");
	struct err e = ERR_INIT;

	assert_int_equal(add(*state, "uid1", "alice"), 0);
	assert_int_equal(accounts_add(*state, &row, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	row = account("uid1", "bob");
	assert_int_equal(accounts_add(*state, &row, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	row = account("uid3", "b:ob");
	assert_int_equal(accounts_add(*state, &row, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_REQUEST);
	assert_int_equal(add(*state, "uid2", "bob"), 0);
	assert_int_equal(accounts_rename(*state, "uid2", SLICE("alice"), &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(accounts_rename(*state, "uid2", SLICE("bobby"), &e), 0);
	assert_int_equal(accounts_find(*state, SLICE("bob"), &row, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("bobby"), &row, NULL), 1);
}

static int count_keys(struct accounts *a, const char *uid)
{
	int64_t n = -1;

	assert_int_equal(accounts_key_count(a, uid, &n, NULL), 0);
	return (int)n;
}

static void test_legacy_keys(void **state)
{
	static const uint8_t k1[ACCOUNT_DIGEST_BYTES] = { 1 }, k2[ACCOUNT_DIGEST_BYTES] = { 2 }, k3[ACCOUNT_DIGEST_BYTES] = { 3 };
	const uint8_t origin[ACCOUNT_DIGEST_BYTES] = { 9 };
	char uid[ACCOUNT_UID_MAX + 1];
	struct account found;

	assert_int_equal(add(*state, "uid1", "alice"), 0);
	assert_int_equal(add(*state, "uid2", "bob"), 0);
	for (int i = 0; i < 2; i++) { /* a second import changes nothing */
		assert_int_equal(accounts_key_add(*state, k1, "uid1", NULL), 0);
		assert_int_equal(accounts_key_add(*state, k2, "uid1", NULL), 0);
		assert_int_equal(accounts_key_add(*state, k3, "uid2", NULL), 0);
	}
	assert_int_equal(accounts_key_find(*state, k2, uid, NULL), 1);
	assert_string_equal(uid, "uid1");
	assert_int_equal(count_keys(*state, "uid1"), 2);

	/* The same password in other words: keys stay. */
	assert_int_equal(accounts_renew_hash(*state, "uid1", "$other", "$new", NULL), 0);
	assert_int_equal(accounts_renew_hash(*state, "uid1", "$hash", "$new", NULL), 1);
	assert_int_equal(count_keys(*state, "uid1"), 2);
	/* Another password, a disabled or a deleted user: keys end, others' stay. */
	assert_int_equal(accounts_set_hash(*state, "uid1", "$newer", NULL, NULL), 0);
	assert_int_equal(count_keys(*state, "uid1"), 0);
	assert_int_equal(accounts_key_find(*state, k1, uid, NULL), 0);
	assert_int_equal(count_keys(*state, "uid2"), 1);
	assert_int_equal(accounts_set_state(*state, "uid2", ACCOUNT_DISABLED, NULL), 0);
	assert_int_equal(count_keys(*state, "uid2"), 0);
	assert_int_equal(accounts_key_add(*state, k3, "uid2", NULL), 0);
	assert_int_equal(accounts_set_state(*state, "uid2", ACCOUNT_ENABLED, NULL), 0);
	assert_int_equal(count_keys(*state, "uid2"), 1);
	assert_int_equal(accounts_delete(*state, "uid2", NULL), 0);
	assert_int_equal(count_keys(*state, "uid2"), 0);
	assert_int_equal(accounts_find(*state, SLICE("bob"), &found, NULL), 0);

	/* Where a hash came from stays until another value comes. */
	assert_int_equal(accounts_set_hash(*state, "uid1", "$a", origin, NULL), 0);
	assert_int_equal(accounts_set_hash(*state, "uid1", "$b", NULL, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("alice"), &found, NULL), 1);
	assert_string_equal(found.hash, "$b");
	assert_true(found.has_origin && memcmp(found.origin, origin, sizeof origin) == 0);
}

static void test_missing(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(accounts_set_hash(*state, "nobody", "$x", NULL, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(accounts_set_state(*state, "nobody", ACCOUNT_DISABLED, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(accounts_delete(*state, "nobody", &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void test_all_or_nothing(void **state)
{
	struct account row;

	assert_int_equal(add(*state, "uid1", "alice"), 0);
	assert_int_equal(accounts_begin(*state, NULL), 0);
	assert_int_equal(add(*state, "uid2", "bob"), 0);
	assert_int_equal(add(*state, "uid3", "alice"), -1);
	accounts_rollback(*state);
	assert_int_equal(accounts_find(*state, SLICE("bob"), &row, NULL), 0);
	assert_int_equal(accounts_begin(*state, NULL), 0);
	assert_int_equal(add(*state, "uid2", "bob"), 0);
	assert_int_equal(accounts_commit(*state, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("bob"), &row, NULL), 1);
}

struct seen {
	struct accounts *a;
	struct buf names;
};

static int note_name(void *context, const struct account *row, struct err *e)
{
	struct seen *s = context;
	struct account same;

	/* It may ask while the list is read. */
	assert_int_equal(accounts_find_uid(s->a, slice_of(row->uid), &same, e), 1);
	buf_puts(&s->names, row->name);
	return strcmp(row->name, "stop") == 0 ? 5 : 0;
}

static void test_list(void **state)
{
	struct seen s = { *state, BUF_INIT(64) };

	assert_int_equal(add(*state, "uid3", "b"), 0);
	assert_int_equal(add(*state, "uid1", "a"), 0);
	assert_int_equal(add(*state, "uid2", "B"), 0);
	assert_int_equal(accounts_list(*state, note_name, &s, NULL), 0);
	assert_string_equal(buf_str(&s.names), "Bab");
	assert_int_equal(add(*state, "uid4", "stop"), 0);
	assert_int_equal(add(*state, "uid5", "x"), 0);
	buf_reset(&s.names);
	assert_int_equal(accounts_list(*state, note_name, &s, NULL), 5);
	assert_string_equal(buf_str(&s.names), "Babstop");
	buf_release(&s.names);
}

static void move(const char *from, const char *to, const char *end)
{
	char a[96], b[96];

	snprintf(a, sizeof a, "%s%s", from, end);
	snprintf(b, sizeof b, "%s%s", to, end);
	assert_int_equal(rename(a, b), 0);
}

static void test_files(void **state)
{
	struct accounts *other;
	struct account row;
	struct stat st;
	char path[80], aside[80], link_path[80];

	snprintf(path, sizeof path, "%s/accounts.db", base);
	snprintf(aside, sizeof aside, "%s/aside", base);
	snprintf(link_path, sizeof link_path, "%s/link", dir);
	assert_int_equal(stat(base, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);

	/* Another process, also with nothing kept open, also by way of a symbolic link. */
	assert_int_equal(symlink(base, link_path), 0);
	other = accounts_open(link_path, false, true, NULL);
	assert_non_null(other);
	assert_int_equal(add(other, "uid1", "alice"), 0);
	assert_int_equal(accounts_find(*state, SLICE("alice"), &row, NULL), 1);
	assert_int_equal(unlink(link_path), 0);

	/* A file in its place, as after a restored backup, is seen at the next call. */
	move(path, aside, "");
	move(path, aside, "-wal");
	move(path, aside, "-shm");
	assert_int_equal(accounts_find(*state, SLICE("alice"), &row, NULL), -1);
	accounts_close(other);
	other = accounts_open(base, false, false, NULL);
	assert_non_null(other);
	assert_int_equal(add(other, "uid2", "bob"), 0);
	assert_int_equal(accounts_find(*state, SLICE("alice"), &row, NULL), 0);
	assert_int_equal(accounts_find(*state, SLICE("bob"), &row, NULL), 1);
	accounts_close(other);
}

static void test_not_ours(void **state)
{
	char path[80];
	struct err e = ERR_INIT;

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof path, "%s/accounts.db", base);
	accounts_close(*state);
	*state = NULL;
	assert_int_equal(chown(path, 1, 1), 0);
	assert_null(accounts_open(base, false, false, &e));
	assert_non_null(strstr(e.msg, "accounts.db belongs to user \"daemon\", but this runs as \"root\""));
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(base, 1, 1), 0);
	assert_null(accounts_open(base, false, false, &e));
	assert_non_null(strstr(e.msg, "belongs to user \"daemon\", but this runs as \"root\""));
	assert_int_equal(chown(base, 0, 0), 0);
}

static void test_open_to_others(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(chmod(base, 0750), 0);
	assert_null(accounts_open(base, false, false, &e));
	assert_non_null(strstr(e.msg, "may be read by others (mode 750): chmod 700 it"));
	assert_int_equal(chmod(base, 0700), 0);

	/* One that nobody has filled is shut instead. */
	accounts_close(*state);
	nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(base, 0700), 0);
	assert_int_equal(chmod(base, 0755), 0);
	*state = accounts_open(base, false, false, NULL);
	assert_non_null(*state);
	assert_int_equal(stat(base, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_makes_parents(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	umask(077);
	snprintf(path, sizeof path, "%s/p/q/r", base);
	assert_int_equal(base_dir_make(path, NULL), 0);
	assert_int_equal(base_dir_make(path, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof path, "%s/p/q", base);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	snprintf(path, sizeof path, "%s/accounts.db/x", base);
	assert_int_equal(base_dir_make(path, NULL), -1);
	snprintf(path, sizeof path, "%s/accounts.db", base);
	assert_int_equal(base_dir_make(path, NULL), -1);
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

/* A lost one is never made anew where there are users, nor beside a journal of its own. */
static void test_lost(void **state)
{
	static const char *const folders[] = { "users", "users/ab", "users/ab/abcdefghijkl" };
	struct err e = ERR_INIT;
	char path[128];
	int fd;

	(void)state;
	nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(base_dir_make(base, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		struct accounts *a = accounts_open(base, false, false, NULL);

		assert_non_null(a);
		accounts_close(a);
		snprintf(path, sizeof path, "%s/accounts.db", base);
		assert_int_equal(unlink(path), 0);
		snprintf(path, sizeof path, "%s/%s", base, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_null(accounts_open(base, false, false, &e));
		assert_int_equal(e.kind, ERR_DAMAGED);
		assert_non_null(strstr(e.msg, i == 0 ? "users/ab/abcdefghijkl is there" : "accounts.db-wal is there"));
		assert_non_null(strstr(e.msg, "from a backup"));
		snprintf(path, sizeof path, "%s/accounts.db-wal", base);
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	snprintf(path, sizeof path, "%s/accounts.db", base);
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_find, fresh, gone),
		cmocka_unit_test_setup_teardown(test_unique, fresh, gone),
		cmocka_unit_test_setup_teardown(test_legacy_keys, fresh, gone),
		cmocka_unit_test_setup_teardown(test_missing, fresh, gone),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, fresh, gone),
		cmocka_unit_test_setup_teardown(test_list, fresh, gone),
		cmocka_unit_test_setup_teardown(test_files, fresh, gone),
		cmocka_unit_test_setup_teardown(test_not_ours, fresh, gone),
		cmocka_unit_test_setup_teardown(test_open_to_others, fresh, gone),
		cmocka_unit_test_setup_teardown(test_makes_parents, fresh, gone),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
