/* Collection files for tests: a folder of their own, the golden ones unpacked into it, changed by SQL, compared. */
#ifndef TESTS_UNIT_FILES_H
#define TESTS_UNIT_FILES_H

#include "base/buf.h"
#include "tests/unit/test.h"

/* For cmocka_run_group_tests. */
int files_setup(void **state);
int files_teardown(void **state);
int files_clear(void **state); /* before each test: an empty folder */

/* The path of a file in the folder, for ever. */
const char *files_path(const char *name);
const char *files_folder(void);
/* Is there anything in the folder but the `n` named files? */
void files_expect_only(size_t n, const char *const *names);

/* Unpack a golden collection ("rich-18") to files_path(name), which it returns. */
const char *files_golden(const char *golden, const char *name);
/* Run SQL on a file as a careless program would: no limits, any schema change. */
void files_sql(const char *path, const char *sql);
/* The first column of the first row as text ("NULL" for none), in a buffer of its own that the next call reuses. */
const char *files_ask(const char *path, const char *sql);
/* All tables with their rows, without indexes, into a new file with that text encoding. */
void files_recode(const char *from, const char *to, const char *encoding);
void files_write(const char *path, size_t at, const void *bytes, size_t n);
void files_cut(const char *path, size_t length);
size_t files_size(const char *path);

/*
 * Fail unless both files (schema 18) hold the same. In `want` a usn of -1 counts as col.usn, and in blobs the order of
 * unknown keys is of no matter. `clock`: mtimes of decks may be those of today on both sides, and usn and mtime of config
 * and `collapsed` of tags are not compared.
 */
void files_same(const char *got, const char *want, bool clock);
/* The same for files of schema 11: every row, and the JSON of table col whatever the order of its keys. */
void files_same_11(const char *got, const char *want);

#endif
