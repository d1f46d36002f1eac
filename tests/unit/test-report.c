/* core/report: what the log says about a sync, and what a revoked key does to one. */
#include "core/report.h"

#include "base/digest.h"
#include "core/users.h"
#include "storage/accounts.h"
#include "tests/unit/place.h"

static const char rows[] = "{\"chunk\":{\"done\":true,\"revlog\":[[7,1,0,3,1,0,2500,9,1]],"
			   "\"cards\":[[5,4,1,0,1700000000,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]]}}";
#define FITS "{\"client\":[[0,0,0],1,0,1,0,2,1,1]}"
#define FITS_NOT "{\"client\":[[0,0,0],2,0,1,0,2,1,1]}"
#define META_OF(client) "{\"v\":10,\"cv\":\"" client "\"}"

static void open_log(struct place *p, const char *format)
{
	char path[128];

	snprintf(path, sizeof path, "%s/log", p->base);
	unlink(path);
	assert_int_equal(log_open(path, format, LOG_LEVEL_INFO, NULL), 0);
}

/* The lines since then, from their event on; closes the log. */
static const char *logged(struct place *p)
{
	static char text[4096];
	char path[128], line[2048];
	size_t n = 0;
	FILE *f;

	assert_int_equal(log_open("stderr", "text", LOG_LEVEL_WARN, NULL), 0);
	snprintf(path, sizeof path, "%s/log", p->base);
	f = fopen(path, "r");
	assert_non_null(f);
	text[0] = 0;
	while (fgets(line, sizeof line, f)) {
		const char *event = line[0] == '{' ? strstr(line, "\"event\"") : strstr(line, "] ");

		assert_non_null(event);
		n += (size_t)snprintf(text + n, sizeof text - n, "%s", line[0] == '{' ? event : event + 2);
		assert_true(n < sizeof text);
	}
	fclose(f);
	return text;
}

static struct account account_of(struct place *p)
{
	struct account a;

	assert_int_equal(accounts_find_uid(p->server.accounts, slice_of(p->uid), &a, NULL), 1);
	return a;
}

static int setup(void **state)
{
	struct place *p;

	if (place_setup(state) != 0)
		return -1;
	p = *state;
	p->client = "26.09.3,29bb700b,linux";
	p->address = "192.0.2.7";
	assert_int_equal(log_open("stderr", "text", LOG_LEVEL_WARN, NULL), 0);
	place_begin_account(p);
	return 0;
}

/* The user is renamed while the sync is running: that harms nothing, and the line has the new name. */
static void test_done(void **state)
{
	struct place *p = *state;

	open_log(p, "text");
	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[9],\"decks\":[],\"notes\":[8,7]}}", "null");
	place_must(p, "k", "applyChanges", "{\"changes\":{\"models\":[],\"decks\":[[],[]],\"tags\":[\"a\",\"b\"]}}", NOTHING_NEW);
	assert_int_equal(accounts_rename(p->server.accounts, p->uid, SLICE("new \"name\""), NULL), 0);
	place_must(p, "k", "chunk", "{}", "{\"done\":true}");
	place_must(p, "k", "applyChunk", rows, "null");
	assert_non_null(place_call(p, "k", "sanityCheck2", FITS));
	assert_non_null(place_call(p, "k", "finish", "{}"));
	assert_non_null(place_call(p, "k", "sanityCheck2", FITS)); /* asked again: the same sync */
	assert_string_equal(logged(p), "sync user=\"new \\\"name\\\"\" from=192.0.2.7 client=26.09.3,29bb700b,linux"
				       " cards_in=1 revlog_in=1 graves_in=3 tags_in=2 bytes_in=301 bytes_out=165 ms=0 outcome=done\n");
}

static void test_what_was_sent(void **state)
{
	struct place *p = *state;
	const char *line;

	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[9],\"decks\":[],\"notes\":[]}}", "null");
	place_must(p, "k", "applyChanges", "{\"changes\":{\"models\":[],\"decks\":[[],[]],\"tags\":[\"a\"]}}", NOTHING_NEW);
	place_must(p, "k", "applyChunk", rows, "null");
	assert_non_null(place_call(p, "k", "finish", "{}"));
	open_log(p, "json");
	place_start_sync(p, "k2", 0);
	assert_non_null(place_call(p, "k2", "applyChanges", NO_CHANGES));
	assert_non_null(place_call(p, "k2", "chunk", "{}"));
	assert_non_null(place_call(p, "k2", "finish", "{}"));
	line = logged(p);
	static const char *const parts[] = {
		"\"event\":\"sync\",\"user\":\"user\",\"from\":\"192.0.2.7\",", "\"cards_in\":0,", "\"cards_out\":1,", "\"revlog_out\":1,",
		"\"notes_out\":0,", "\"graves_out\":1,", "\"decks_out\":1,", "\"notetypes_out\":2,", "\"options_out\":1,", "\"tags_out\":1,",
		"\"outcome\":\"done\"}\n",
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strstr(line, parts[i]))
			fail_msg("no %s in %s", parts[i], line);
}

/* Forms name no client, or the library that sent them; `meta` does. Also for requests that fail. */
static void test_old_clients(void **state)
{
	struct place *p = *state;
	struct call c = { .version = 10, .address = SLICE("::1") };
	struct home *h = place_home(p);
	uint8_t hash[HOME_KEY_HASH_BYTES];

	p->version = 10;
	p->client = "python-requests/2.20";
	assert_non_null(place_call(p, "k", "meta", META_OF("ankidesktop,2.1.26 (70784154),lin:debian:12")));
	open_log(p, "text");
	place_start_sync(p, "k", 1);
	assert_non_null(place_call(p, "k", "finish", "{}"));
	assert_non_null(strstr(logged(p), " client=\"ankidesktop,2.1.26 (70784154),lin:debian:12\" "));
	sha256(SLICE("secretsecretsecretsecretsecret00"), hash);
	memcpy(c.key_hash, hash, sizeof c.key_hash);
	snprintf(c.user, sizeof c.user, "%s", p->uid);
	assert_int_equal(home_lock(h, NULL), 0);
	report_describe(&p->server, h, &c);
	home_unlock(h);
	assert_string_equal(c.name, "user");
	assert_true(slice_eq_str(c.client, "ankidesktop,2.1.26 (70784154),lin:debian:12"));
}

static void test_other_ends(void **state)
{
	struct place *p = *state;

	open_log(p, "text");
	place_start_sync(p, "k", 1);
	place_start_sync(p, "k2", 1);
	assert_non_null(place_call(p, "k", "abort", "{}")); /* the loser's */
	assert_non_null(place_call(p, "k2", "abort", "{}"));
	place_start_sync(p, "k3", 1);
	assert_non_null(place_call(p, "k3", "applyChunk", rows));
	assert_non_null(place_call(p, "k3", "sanityCheck2", FITS_NOT));
	assert_non_null(place_call(p, "k3", "abort", "{}"));
	assert_string_equal(logged(p),
			    "sync user=user bytes_in=40 bytes_out=34 ms=0 outcome=\"another sync began before it ended\"\n"
			    "sync user=user from=192.0.2.7 client=26.09.3,29bb700b,linux bytes_in=40 bytes_out=34 ms=0"
			    " outcome=\"aborted by the client\"\n"
			    "sync user=user from=192.0.2.7 client=26.09.3,29bb700b,linux bytes_in=193 bytes_out=110 ms=0"
			    " outcome=\"the counts do not fit\" counts=\"{\\\"status\\\":\\\"bad\\\",\\\"c\\\":[[0,0,0],2,0,1,0,2,1,1],"
			    "\\\"s\\\":[[0,0,0],1,0,1,0,2,1,1]}\"\n");
}

static void test_revoked(void **state)
{
	struct place *p = *state;
	uint8_t ours[HOME_KEY_HASH_BYTES], theirs[HOME_KEY_HASH_BYTES];
	char first[128];
	struct home *h = place_home(p);

	sha256(SLICE("secretsecretsecretsecretsecret00"), ours);
	sha256(SLICE("other"), theirs);
	assert_int_equal(home_lock(h, NULL), 0);
	assert_int_equal(home_key_add(h, theirs, SLICE("test"), 2, NULL), 0);
	home_unlock(h);
	place_start_sync(p, "k", 1);
	assert_non_null(place_call(p, "k", "applyChunk", rows));
	/* Another device's key: this sync goes on. A key that is not there: nothing happens. */
	assert_int_equal(users_revoke(&p->server, p->uid, theirs, NULL), 1);
	assert_int_equal(users_revoke(&p->server, p->uid, theirs, NULL), 0);
	place_must(p, "k", "chunk", "{}", "{\"done\":true}");
	snprintf(first, sizeof first, "%s", p->key);
	snprintf(p->key, sizeof p->key, "%s.other", p->uid);
	place_must_fail(p, "k", "chunk", "{}", ERR_BAD_LOGIN);
	/* Its own: it ends at the next request, and nothing of it stays. */
	snprintf(p->key, sizeof p->key, "%s", first);
	assert_int_equal(users_revoke(&p->server, p->uid, ours, NULL), 1);
	place_must_fail(p, "k", "sanityCheck2", FITS, ERR_BAD_LOGIN);
	assert_int_equal(home_lock(h, NULL), 0);
	assert_int_equal(home_key_add(h, ours, SLICE("test"), 3, NULL), 0);
	home_unlock(h);
	place_must_fail(p, "k", "sanityCheck2", FITS, ERR_CONFLICT);
	assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "0");

	place_start_sync(p, "k", 1);
	assert_int_equal(users_revoke(&p->server, p->uid, NULL, NULL), 1);
	place_must_fail(p, "k", "chunk", "{}", ERR_BAD_LOGIN);
	/* A new password does the same. */
	assert_int_equal(home_lock(h, NULL), 0);
	assert_int_equal(home_key_add(h, ours, SLICE("test"), 3, NULL), 0);
	home_unlock(h);
	place_start_sync(p, "k", 1);
	assert_int_equal(users_set_hash(&p->server, p->uid, account_of(p).hash, NULL, NULL), 0);
	place_must_fail(p, "k", "chunk", "{}", ERR_BAD_LOGIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_done, setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_what_was_sent, setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_old_clients, setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_other_ends, setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_revoked, setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
