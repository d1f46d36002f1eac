/* storage/sql: a statement without an end. */
#include "storage/sql.h"

#include "tests/unit/files.h"

static const char *const texts[] = {
	"WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
	"WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT count(*) FROM n",
};

static void test_endless_statement(void **state)
{
	struct err e = ERR_INIT;
	struct sql s;
	int64_t n;

	(void)state;
	sql_limit_steps(1);
	assert_int_equal(sql_open(&s, files_path("db"), SQL_CREATE, texts, 2, &e), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sql_begin(&s, &e), 0);
		assert_int_equal(sql_int(&s, sql_stmt(&s, 0, &e), &n, &e), -1);
		assert_int_equal(e.kind, ERR_BUSY);
		assert_non_null(strstr(e.msg, "db: not done within 0 s: WITH RECURSIVE"));
		sql_rollback(&s);
		assert_int_equal(sql_int(&s, sql_stmt(&s, 1, &e), &n, &e), 1);
		assert_int_equal(n, 3);
	}
	assert_int_equal(sql_exec(&s, texts[0], &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	sql_close(&s);
	sql_limit_steps(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_endless_statement) };

	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
