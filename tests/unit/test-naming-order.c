/*
 * core/naming_order: whatever names a client holds, receiving rows in this order it never meets a clash. The client is
 * played by the rules of protocol.md §3.4: an arriving name that another id has gets `+`.
 */
#include "core/naming.h"
#include "tests/unit/test.h"

enum { OBJECTS_MAX = 8 };

struct client {
	int64_t ids[OBJECTS_MAX];
	char names[OBJECTS_MAX][40];
	size_t n, rows;
	bool clashed;
};

static int receive(int64_t id, struct slice name, void *arg, struct err *e)
{
	struct client *c = arg;
	size_t at = c->n;

	(void)e;
	c->rows++;
	for (size_t i = 0; i < c->n; i++) {
		if (c->ids[i] == id)
			at = i;
		else if (slice_eq_str(name, c->names[i]))
			c->clashed = true;
	}
	assert_true(at < OBJECTS_MAX);
	if (at == c->n)
		c->n++;
	c->ids[at] = id;
	snprintf(c->names[at], sizeof c->names[at], "%.*s", (int)name.len, name.p);
	return 0;
}

/* Each text: one letter per object, its name before ('.' for an object that the client does not have) and after. */
static const struct {
	const char *what, *before, *after;
	size_t rows;
} cases[] = {
	{ "nothing", "", "", 0 },
	{ "one stays", "a", "a", 1 },
	{ "one renamed", "a", "b", 1 },
	{ "chain", "ab", "bc", 2 },
	{ "chain, the other way round", "ba", "cb", 2 },
	{ "long chain", "abcde", "bcdef", 5 },
	{ "swap", "ab", "ba", 3 },
	{ "ring of three", "abc", "bca", 4 },
	{ "ring of three and a chain behind it", "abcd", "bcae", 5 },
	{ "chain that ends in a new object", "a.", "ba", 2 },
	{ "two rings", "abcd", "badc", 6 },
	{ "new objects", "..", "ab", 2 },
};

static void check(size_t k, const size_t *perm, size_t n)
{
	struct naming_row rows[OBJECTS_MAX];
	struct naming_hold holds[OBJECTS_MAX];
	struct client c = { .n = 0 };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		size_t o = perm[i];
		bool known = cases[k].before[o] != '.';

		rows[i] = (struct naming_row){
			.id = (int64_t)o + 1,
			.final = { cases[k].after + o, 1 },
		};
		holds[i] = (struct naming_hold){ (int64_t)o + 1, { known ? cases[k].before + o : cases[k].after + o, 1 } };
		if (known) {
			c.ids[c.n] = (int64_t)o + 1;
			snprintf(c.names[c.n++], sizeof c.names[0], "%c", cases[k].before[o]);
		}
	}
	assert_int_equal(naming_order(rows, n, holds, n, receive, &c, &e), 0);
	if (c.clashed || c.rows != cases[k].rows)
		fail_msg("%s: %zu rows%s", cases[k].what, c.rows, c.clashed ? ", clash" : "");
	for (size_t i = 0; i < c.n; i++)
		if (c.names[i][0] != cases[k].after[c.ids[i] - 1] || c.names[i][1])
			fail_msg("%s: object %lld is called %s", cases[k].what, (long long)c.ids[i], c.names[i]);
}

/* Heap's algorithm: the order in which the rows come in must not matter. */
static void permute(size_t k, size_t *perm, size_t n, size_t m)
{
	if (m <= 1) {
		check(k, perm, n);
		return;
	}
	for (size_t i = 0; i < m; i++) {
		size_t j = m % 2 ? 0 : i, swap;

		permute(k, perm, n, m - 1);
		swap = perm[j];
		perm[j] = perm[m - 1];
		perm[m - 1] = swap;
	}
}

static void test_order(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		size_t perm[OBJECTS_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 }, n = strlen(cases[k].before);

		permute(k, perm, n, n);
	}
}

/* A row that the client will not take stands in nobody's way, and waits for nobody. */
static void test_free_rows(void **state)
{
	const struct naming_row rows[] = {
		{ .id = 1, .final = SLICE("b") },
		{ .id = 2, .final = SLICE("a"), .free = true },
	};
	const struct naming_hold holds[] = { { 1, SLICE("a") }, { 2, SLICE("b") } };
	struct client c = { .n = 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(naming_order(rows, 2, holds, 2, receive, &c, &e), 0);
	assert_int_equal(c.rows, 2);
}

/* Names are compared as the collection compares them. */
static void test_case(void **state)
{
	const struct naming_row rows[] = {
		{ .id = 1, .final = SLICE("STRASSE") },
		{ .id = 2, .final = SLICE("y") },
	};
	const struct naming_hold holds[] = { { 1, SLICE("x") }, { 2, SLICE("stra\xc3\x9f" "e") } };
	struct client c = { .n = 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(naming_order(rows, 2, holds, 2, receive, &c, &e), 0);
	assert_int_equal(c.ids[0], 2);
}

/* What is known of a client is not certain: whichever of the names an object has, nothing may clash. */
static void test_uncertain(void **state)
{
	static const struct {
		const char *holds[3], *after; /* each letter of holds is a name that the object may have */
	} uncertain[] = {
		{ { "ab", "bc", "" }, "bc" },  { { "ab", "ba", "" }, "ba" },  { { "abc", "abc", "abc" }, "bca" }, { { "a", "a", "b" }, "bca" },
		{ { "ac", "b", "a" }, "xac" }, { { "ab", "a", "c" }, "cba" }, { { "q", "q", "g" }, "rsq" },
	};

	(void)state;
	for (size_t k = 0; k < sizeof uncertain / sizeof *uncertain; k++) {
		size_t n = strlen(uncertain[k].after), counts[3] = { 1, 1, 1 }, n_holds = 0;
		struct naming_row rows[3];
		struct naming_hold holds[16];

		for (size_t i = 0; i < n; i++) {
			counts[i] = strlen(uncertain[k].holds[i]);
			rows[i] = (struct naming_row){ .id = (int64_t)i + 1, .final = { uncertain[k].after + i, 1 } };
			for (size_t j = 0; j < counts[i]; j++)
				holds[n_holds++] = (struct naming_hold){ (int64_t)i + 1, { uncertain[k].holds[i] + j, 1 } };
		}
		for (size_t pick = 0; pick < counts[0] * counts[1] * counts[2]; pick++) {
			const size_t picks[3] = { pick % counts[0], pick / counts[0] % counts[1], pick / counts[0] / counts[1] };
			struct client c = { .n = n };
			struct err e = ERR_INIT;

			for (size_t i = 0; i < n; i++) {
				c.ids[i] = (int64_t)i + 1;
				snprintf(c.names[i], sizeof c.names[0], "%c", uncertain[k].holds[i][picks[i]]);
			}
			if (c.names[0][0] == c.names[1][0] || (n == 3 && (c.names[2][0] == c.names[0][0] || c.names[2][0] == c.names[1][0])))
				continue; /* no client holds these */
			assert_int_equal(naming_order(rows, n, holds, n_holds, receive, &c, &e), 0);
			if (c.clashed)
				fail_msg("case %zu, pick %zu: clash", k, pick);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(c.names[i][0], uncertain[k].after[c.ids[i] - 1]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_free_rows),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_uncertain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
