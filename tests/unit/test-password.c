/* core/password: hashes of ours and of other servers (vectors of their making), limits, renewal, places to hash. */
#include "core/password.h"
#include "tests/unit/test.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define SALT "AAECAwQFBgcICQoLDA0ODw"
#define PBKDF2_10K "$pbkdf2-sha256$i=10000,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8"

static void test_verifies(void **state)
{
	static const struct {
		const char *name, *password, *hash;
		bool slow; /* 600,000 rounds: right is enough */
	} rows[] = {
		{ "alice", "correct horse", "269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdef" },
		{ "Zo\xc3\xab", "na\xc3\xafve \xe2\x82\xac",
		  "fc395f9395ff0fc5860362942d80db574ad87a3a380f5bd16b26beef93af9f4c0123456789abcdef" },
		{ "carl", "correct horse", PBKDF2_10K },
		{ "x", "correct horse", "$pbkdf2-sha256$l=32,i=10000$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8" },
		{ "x", "correct horse", "$pbkdf2-sha256$i=10000$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8" },
		{ "x", "correct horse", "$pbkdf2-sha256$i=600000,l=32$" SALT "$lqWQTC4IyNpCMF28xdfPGOrSY21J9ZUmtgbyZpYoFHM", true },
		{ "x", "correct horse", "$pbkdf2-sha256$" SALT "$lqWQTC4IyNpCMF28xdfPGOrSY21J9ZUmtgbyZpYoFHM", true },
		{ "x", "correct horse",
		  "$pbkdf2-sha512$i=600000,l=64$" SALT
		  "$QRWzuEKsHePc0aN0CRVWP5b+JflUT4IZpZTCU0dRwV+UnujYtPnhnLxnVGu0oBewgaJzC8FToY/0r8SBpMK/7g", true },
		/* argon2 1.3's own test: m 256, t 2 */
		{ "x", "password",
		  "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;

		assert_int_equal(password_hash_check(slice_of(rows[i].hash), &e), 0);
		assert_int_equal(password_verify(slice_of(rows[i].name), slice_of(rows[i].password), rows[i].hash, &e), 1);
		if (!rows[i].slow) {
			assert_int_equal(password_verify(slice_of(rows[i].name), SLICE("correct Horse"), rows[i].hash, &e), 0);
			assert_int_equal(password_verify(slice_of(rows[i].name), SLICE(""), rows[i].hash, &e), 0);
		}
		assert_true(password_hash_is_old(rows[i].hash));
		assert_int_equal(password_hash_has_name(rows[i].hash), i < 2);
	}
	assert_int_equal(password_verify(SLICE("alicf"), SLICE("correct horse"), rows[0].hash, NULL), 0);
}

static void test_own(void **state)
{
	char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE], longest[PASSWORD_MAX_BYTES + 1];
	struct slice secret = SLICE("secret \0 with a NUL");
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(password_hash(secret, hash, &e), 0);
	assert_int_equal(password_hash(secret, again, &e), 0);
	assert_string_not_equal(hash, again);
	assert_int_equal(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
	assert_false(password_hash_is_old(hash));
	assert_false(password_hash_has_name(hash));
	assert_int_equal(password_verify(SLICE("x"), secret, hash, &e), 1);
	assert_int_equal(password_verify(SLICE("x"), SLICE("secret "), hash, &e), 0);
	hash[strlen(hash) - 2] = hash[strlen(hash) - 2] == 'A' ? 'B' : 'A'; /* still base64 */
	assert_int_equal(password_verify(SLICE("x"), secret, hash, &e), 0);

	memset(longest, 'x', sizeof longest);
	assert_int_equal(password_hash((struct slice){ longest, sizeof longest - 1 }, hash, &e), 0);
	assert_int_equal(password_verify(SLICE("x"), (struct slice){ longest, sizeof longest - 1 }, hash, &e), 1);
	assert_int_equal(password_verify(SLICE("x"), (struct slice){ longest, sizeof longest }, hash, &e), 0);
	assert_int_equal(password_hash((struct slice){ longest, sizeof longest }, hash, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_BIG);
}

static void test_stronger_is_not_old(void **state)
{
	(void)state;
	assert_false(password_hash_is_old("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"));
	assert_true(password_hash_is_old("$argon2id$v=19$m=19456,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"));
	assert_true(password_hash_is_old("rubbish"));
}

static void test_refuses(void **state)
{
	static const char *const rows[] = {
		"", "x", "$", "$$", "$argon2id$", "secret", "$1$salt$hash",
		"269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcde",   /* 79 */
		"269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdefa", /* 81 */
		"269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdeg",
		"g69b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdef",
		/* too dear */
		"$pbkdf2-sha256$i=5000001,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$i=99999999999999999999,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$argon2id$v=19$m=262145,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=11,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=5$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		/* too cheap, incomplete, misspelt */
		"$pbkdf2-sha256$i=0,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=1$c29t$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$pbkdf2-sha256$i=10000,l=64$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$i=010000,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$i=10000,x=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$i=10000,l=32$" SALT "==$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$i=10000,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8=",
		"$pbkdf2-sha256$i=10000,l=32$$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$i=10000,l=32$" SALT "$5RUH",
		"$pbkdf2-sha256$i=10000,l=32$" SALT,
		"$pbkdf2-sha256$i=10000,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8$",
		"$pbkdf2-sha1$i=10000,l=32$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$pbkdf2-sha256$29000$" SALT "$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
		"$$pbkdf2-sha256$$i=10000,l=32$$" SALT "$$5RUHDgNTp9sBOWGYS4e6u57cz/Sq3/TQgaDP/8MW6L8",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;

		if (password_hash_check(slice_of(rows[i]), &e) == 0)
			fail_msg("accepted: %s", rows[i]);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		assert_int_equal(password_verify(SLICE("carl"), SLICE("correct horse"), rows[i], &e), -1);
		assert_int_equal(e.kind, ERR_DAMAGED);
	}
}

/* Nothing that is made of pieces of hashes leads outside of memory (with sanitizers), or past the limits. */
static void test_mutations(void **state)
{
	static const char *const seeds[] = {
		PBKDF2_10K, "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"269b30261b751421d38c38c4473975ecc0c67630c1176df11b1dd2be8f006b960123456789abcdef",
	};
	static const char pieces[] = "$$$,,==mtpilv0199azAZ+/\0\xff";
	unsigned random = 1, accepted = 0;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		const char *seed = seeds[i % 3];
		size_t len = strlen(seed);
		char *text = xmalloc(len); /* of just this size, so that one byte too far is seen */
		struct err e = ERR_INIT;

		memcpy(text, seed, len);
		for (int k = 0; k <= i % 4; k++) {
			random = random * 1103515245 + 12345;
			text[(random >> 16) % len] = pieces[(random >> 8) % (sizeof pieces - 1)];
		}
		random = random * 1103515245 + 12345;
		if (i % 5 == 0)
			len = (random >> 16) % len;
		if (password_hash_check((struct slice){ text, len }, &e) == 0)
			accepted++;
		else
			assert_int_equal(e.kind, ERR_BAD_REQUEST);
		free(text);
	}
	/* Some survive: digits and base64 that became others. */
	assert_in_range(accepted, 1000, 50000);
}

/* How many of four hold a place at the same time, without waiting? */
static int places(const char *dir, int64_t workers, bool lowly)
{
	struct password_slot slots[4];
	int taken = 0;

	for (int i = 0; i < 4; i++) {
		struct err e = ERR_INIT;

		slots[i] = (struct password_slot)PASSWORD_SLOT_INIT;
		if (password_slot_take(&slots[i], dir, workers, lowly, 0, &e) == 0)
			taken++;
		else
			assert_int_equal(e.kind, ERR_BUSY);
	}
	for (int i = 0; i < 4; i++)
		password_slot_leave(&slots[i]);
	return taken;
}

static void test_places(void **state)
{
	char dir[] = "/tmp/test-password-XXXXXX", path[64];
	struct password_slot lowly = PASSWORD_SLOT_INIT, other = PASSWORD_SLOT_INIT;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(places(dir, 1, false), 1);
	assert_int_equal(places(dir, 3, false), 1);
	assert_int_equal(places(dir, 4, false), 2);
	assert_int_equal(places(dir, 64, false), 2);
	assert_int_equal(places(dir, 64, true), 1);

	/* The lowly one leaves a place to others, and another one comes when it is left. */
	assert_int_equal(password_slot_take(&lowly, dir, 4, true, 0, NULL), 0);
	assert_int_equal(places(dir, 4, true), 0);
	assert_int_equal(places(dir, 4, false), 1);
	child = fork();
	if (child == 0) {
		usleep(50000);
		_exit(0); /* the place dies with its holder: the descriptor is shared until then */
	}
	password_slot_leave(&lowly);
	assert_int_equal(password_slot_take(&other, dir, 4, true, 2000, NULL), 0);
	password_slot_leave(&other);
	assert_int_equal(waitpid(child, NULL, 0), child);

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/hashing-%d", dir, i);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verifies), cmocka_unit_test(test_own),    cmocka_unit_test(test_stronger_is_not_old),
		cmocka_unit_test(test_refuses),  cmocka_unit_test(test_places),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
