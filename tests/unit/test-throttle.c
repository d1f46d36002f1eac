/* core/throttle: a table of tries with a clock that stands still, and what becomes of a damaged file. */
#include "core/throttle.h"
#include "tests/unit/test.h"

#include <sys/stat.h>

#include "base/clock.h"

static char dir[] = "/tmp/test-throttle-XXXXXX";
static const int64_t start_ms = 1700000000000;

static void path_of(char path[64])
{
	snprintf(path, 64, "%s/throttle", dir);
}

static int fresh(void **state)
{
	char path[64];
	struct throttle *t = xcalloc(1, sizeof *t);

	path_of(path);
	unlink(path);
	clock_freeze_ms(start_ms);
	*state = t;
	return throttle_open(t, dir, NULL);
}

static int gone(void **state)
{
	throttle_close(*state);
	free(*state);
	clock_freeze_ms(0);
	return 0;
}

static int try(void *t, const char *address, const char *account)
{
	return throttle_try(t, slice_of(address), slice_of(account), NULL);
}

/* Wrong tries at this address for this account, until one is not let through. */
static int burst(void *t, const char *address, const char *account)
{
	int n = 0;

	while (n < 1000 && try(t, address, account) != THROTTLE_SLOWED)
		n++;
	return n;
}

static void test_pair(void **state)
{
	static const struct {
		int64_t after_s; /* of a burst of ten */
		int more;        /* tries that pass then */
	} rows[] = { { 0, 0 }, { 59, 0 }, { 60, 1 }, { 119, 1 }, { 120, 2 }, { 300, 5 }, { 599, 9 }, { 600, 10 }, { 86400, 10 } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char address[32];

		snprintf(address, sizeof address, "10.0.0.%zu", i);
		clock_freeze_ms(start_ms);
		assert_int_equal(burst(*state, address, "alice"), 10);
		clock_freeze_ms(start_ms + rows[i].after_s * 1000);
		assert_int_equal(burst(*state, address, "alice"), rows[i].more);
	}
}

static void test_pairs_are_apart(void **state)
{
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
	assert_int_equal(burst(*state, "10.0.0.2", "alice"), 10);
	assert_int_equal(burst(*state, "10.0.0.1", "bob"), 10);
	assert_int_equal(burst(*state, "10.0.0.1", ""), 10);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *first, *second;
		bool same;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.2", false },
		{ "10.0.0.1", "::ffff:10.0.0.1", true },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true },
		{ "2001:db8:1:2::1", "2001:DB8:0001:0002::2", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
		{ "", "unix:", false },
		{ "unix:", "unix:", true },
		{ "a name that is far longer than any address can be, and longer than the buffer", "10.0.0.1", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char account[8];

		snprintf(account, sizeof account, "%zu", i);
		assert_int_equal(burst(*state, rows[i].first, account), 10);
		assert_int_equal(burst(*state, rows[i].second, account), rows[i].same ? 0 : 10);
		/* Ten failures each: the address's own hundred must not play a part here. */
		clock_freeze_ms(start_ms + 86400000 * (int64_t)(i + 1));
	}
}

static void test_crowd(void **state)
{
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "pupil%d", i);
		assert_int_equal(try(*state, "10.0.0.1", name), THROTTLE_PASS);
	}
	/* Whoever failed is slowed, whoever did not gets a try. */
	assert_int_equal(try(*state, "10.0.0.1", "pupil7"), THROTTLE_SLOWED);
	assert_int_equal(try(*state, "10.0.0.1", "teacher"), THROTTLE_CROWD);
	assert_int_equal(try(*state, "10.0.0.1", "teacher"), THROTTLE_SLOWED);
	assert_int_equal(try(*state, "10.0.0.2", "teacher"), THROTTLE_PASS);
	/* Who gets it right in the crowd frees no place for others. */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(try(*state, "10.0.0.1", "head"), THROTTLE_CROWD);
		assert_int_equal(throttle_right(*state, SLICE("10.0.0.1"), SLICE("head"), NULL), 0);
	}
	/* A minute later the pairs' failures are forgotten, and ten of the address's. */
	clock_freeze_ms(start_ms + 60000);
	assert_int_equal(try(*state, "10.0.0.1", "pupil7"), THROTTLE_PASS);
	assert_int_equal(try(*state, "10.0.0.1", "pupil7"), THROTTLE_PASS);
}

static void test_right_forgets(void **state)
{
	struct slice address = SLICE("10.0.0.1"), alice = SLICE("alice");

	for (int i = 0; i < 9; i++)
		try(*state, "10.0.0.1", "alice");
	assert_int_equal(throttle_try(*state, address, alice, NULL), THROTTLE_PASS);
	assert_int_equal(throttle_right(*state, address, alice, NULL), 0);
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
	/* Right logins of a whole school use up nothing. */
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof name, "u%d", i);
		assert_int_equal(try(*state, "10.0.0.9", name), THROTTLE_PASS);
		assert_int_equal(throttle_right(*state, SLICE("10.0.0.9"), slice_of(name), NULL), 0);
	}
}

static void test_undo(void **state)
{
	struct slice address = SLICE("10.0.0.1"), alice = SLICE("alice");

	for (int i = 0; i < 500; i++) {
		assert_int_equal(throttle_try(*state, address, alice, NULL), THROTTLE_PASS);
		assert_int_equal(throttle_undo(*state, address, alice, NULL), 0);
	}
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
}

static void test_clock_set_back(void **state)
{
	const int64_t year_ms = (int64_t)365 * 86400 * 1000;

	clock_freeze_ms(start_ms + 20 * year_ms);
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
	/* Seen from a clock that was set back it is as if all had just happened: slowed, but not for 20 years. */
	clock_freeze_ms(start_ms);
	assert_int_equal(try(*state, "10.0.0.1", "alice"), THROTTLE_SLOWED);
	clock_freeze_ms(start_ms + 60000);
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 1);
	clock_freeze_ms(start_ms + 660000);
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
	/* And forward: forgotten. */
	clock_freeze_ms(start_ms + 20 * year_ms);
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
}

static void test_waits(void **state)
{
	int n = 0;

	while (n < 1000 && throttle_wait(*state, NULL) == 1)
		n++;
	assert_int_equal(n, 100);
	clock_freeze_ms(start_ms + 10000);
	assert_int_equal(throttle_wait(*state, NULL), 1);
	assert_int_equal(throttle_wait(*state, NULL), 0);
}

/* A flood of names does not make a slowed pair forgotten: the table is larger than what two hashes at a time can fill. */
static void test_flood(void **state)
{
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
	for (int i = 0; i < 5000; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%d", i);
		try(*state, "10.0.0.2", name);
	}
	assert_int_equal(try(*state, "10.0.0.1", "alice"), THROTTLE_SLOWED);
}

static void test_file(void **state)
{
	struct throttle second = THROTTLE_INIT;
	struct stat st;
	char path[64];
	FILE *f;

	path_of(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(burst(*state, "10.0.0.1", "alice"), 10);
	/* Another process sees the same. */
	assert_int_equal(throttle_open(&second, dir, NULL), 0);
	assert_int_equal(try(&second, "10.0.0.1", "alice"), THROTTLE_SLOWED);
	throttle_close(&second);
	/* Rubbish, and a file that was cut: begun anew. */
	for (int i = 0; i < 2; i++) {
		if (i == 0) {
			f = fopen(path, "w");
			assert_non_null(f);
			fputs("rubbish", f);
			fclose(f);
		} else {
			assert_int_equal(truncate(path, 200), 0);
		}
		assert_int_equal(throttle_open(&second, dir, NULL), 0);
		assert_int_equal(burst(&second, "10.0.0.1", "alice"), 10);
		throttle_close(&second);
	}
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[64];

	(void)state;
	path_of(path);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pair, fresh, gone),
		cmocka_unit_test_setup_teardown(test_pairs_are_apart, fresh, gone),
		cmocka_unit_test_setup_teardown(test_addresses, fresh, gone),
		cmocka_unit_test_setup_teardown(test_crowd, fresh, gone),
		cmocka_unit_test_setup_teardown(test_right_forgets, fresh, gone),
		cmocka_unit_test_setup_teardown(test_undo, fresh, gone),
		cmocka_unit_test_setup_teardown(test_clock_set_back, fresh, gone),
		cmocka_unit_test_setup_teardown(test_waits, fresh, gone),
		cmocka_unit_test_setup_teardown(test_flood, fresh, gone),
		cmocka_unit_test_setup_teardown(test_file, fresh, gone),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
