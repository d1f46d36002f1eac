/*
 * Generations of a collection: col-<n>.anki2, never replaced under its name (design.md §4: an old journal beside a new
 * file destroys it), made current by one durable row. Also temporary files, the sweeping of both, and names that objects of
 * the current generation had before. See home.h.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/digest.h"
#include "storage/collection.h"
#include "storage/home_priv.h"
#include "storage/schema18.h"

#define TEMP_PREFIX "tmp-"
/* SQLite's own temporary files lose their name as soon as they are open, unless an importing child dies between the two. */
#define SQLITE_TEMP_PREFIX "etilqs_"

void home_close_collection(struct home *h)
{
	collection_close(h->collection);
	h->collection = NULL;
	h->collection_generation = 0;
}

static void generation_name(int64_t generation, char name[HOME_NAME_MAX])
{
	snprintf(name, HOME_NAME_MAX, "col-%lld.anki2", (long long)generation);
}

void home_generation_path(const struct home *h, int64_t generation, char path[PATH_MAX])
{
	char name[HOME_NAME_MAX];

	generation_name(generation, name);
	home_file(h, name, path);
}

int home_collection(struct home *h, struct collection **c, struct err *e)
{
	char path[PATH_MAX];
	int64_t generation;

	if (home_generation(h, &generation, e) != 0)
		return -1;
	home_generation_path(h, generation, path);
	/* A handle of another generation, or of a file that somebody took away, would lose what is written through it. */
	if (h->collection && (generation != h->collection_generation || collection_is_broken(h->collection) ||
			      (!h->collection_seen && !collection_is_file(h->collection, path))))
		home_close_collection(h);
	if (generation == 0)
		return 0;
	if (!h->collection) {
		struct err why = ERR_INIT;

		h->collection = collection_open(path, home_rollback_journal(h), &why);
		if (!h->collection && why.kind == ERR_NOT_FOUND)
			return err_set(e, ERR_DAMAGED, "%s: generation %lld is current, but its file is missing", h->uid,
				       (long long)generation);
		if (!h->collection) {
			if (e)
				*e = why;
			return -1;
		}
		h->collection_generation = generation;
	}
	h->collection_seen = true;
	*c = h->collection;
	return 1;
}

int home_temp(struct home *h, char name[HOME_NAME_MAX], int *fd, struct err *e)
{
	char random[17];

	random_name(random, sizeof random - 1);
	snprintf(name, HOME_NAME_MAX, TEMP_PREFIX "%s", random);
	*fd = openat(h->dirfd, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		return err_errno(e, "%s/%s", h->path, name);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	/* Between open and flock a sweeper may have taken it: so rare that a failed upload is the right answer. */
	err_errno(e, "%s/%s: flock", h->path, name);
	close(*fd);
	*fd = -1;
	return -1;
}

/* "col-12.anki2" with any ending behind it -> 12, else 0. */
static int64_t generation_of_name(const char *name)
{
	char *end;
	long long n;

	if (strncmp(name, "col-", 4) != 0 || name[4] < '1' || name[4] > '9')
		return 0;
	n = strtoll(name + 4, &end, 10);
	return strncmp(end, ".anki2", 6) == 0 ? n : 0;
}

typedef void name_fn(struct home *h, const char *name, void *arg);

/* -1 also when the list may have ended early: a sweep would take what it did not see for something else. */
static int each_name(struct home *h, name_fn *fn, void *arg, struct err *e)
{
	int fd = openat(h->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int rc = 0;

	if (!dir) {
		err_errno(e, "%s", h->path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		fn(h, entry->d_name, arg);
	}
	if (errno)
		rc = err_errno(e, "%s", h->path);
	closedir(dir);
	return rc;
}

static void note_largest(struct home *h, const char *name, void *arg)
{
	int64_t *largest = arg, n = generation_of_name(name);

	(void)h;
	if (n > *largest)
		*largest = n;
}

static int set_current(struct sql *s, int64_t generation, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(s, USER_SET_CURRENT, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, generation);
	return sql_run(s, st, e);
}

/*
 * A file with the number that would be next: its upload ended after it got its name and before anybody knew that its row is
 * on the disk. That commit may lie complete in the journal, unseen by all who have user.db open; a power loss would bring it
 * to light, and what was synced into the current generation meanwhile would be lost. Any other commit takes its place in the
 * journal: one that changes pages and means nothing.
 */
static int settle(struct home *h, struct sql *s, int64_t generation, struct err *e)
{
	int64_t last = h->settled > generation ? h->settled : generation;
	char name[HOME_NAME_MAX];
	sqlite3_stmt *st;

	generation_name(last + 1, name);
	if (faccessat(h->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	if (each_name(h, note_largest, &last, e) != 0 || sql_begin(s, e) != 0)
		return -1;
	st = sql_stmt(s, USER_NO_CURRENT, e);
	if (!st || sql_run(s, st, e) != 0 || set_current(s, generation, e) != 0) {
		sql_rollback(s);
		return -1;
	}
	if (sql_commit(s, e) != 0)
		return -1;
	h->settled = last;
	return 0;
}

int home_generation(struct home *h, int64_t *generation, struct err *e)
{
	static const uint8_t nobody[HOME_KEY_HASH_BYTES];
	struct sql *s;

	assert(h->locked);
	*generation = 0;
	if (h->current < 0) {
		/* The look at the call's key has found it already, as a rule. */
		if (h->current_read < 0 && home_key_find(h, nobody, e) < 0)
			return -1;
		s = home_user_db(h, e);
		if (!s || settle(h, s, h->current_read, e) != 0)
			return -1;
		h->current = h->current_read;
	}
	*generation = h->current;
	return 0;
}

/* max(folder, user.db) + 1: a number is never used twice, whatever was lost on the way. */
static int next_generation(struct home *h, int64_t *next, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_GENERATION_MAX, e) : NULL;
	int64_t in_db = 0, in_folder = 0, current = 0;

	if (!st || sql_int(s, st, &in_db, e) < 0 || home_generation(h, &current, e) != 0)
		return -1;
	if (each_name(h, note_largest, &in_folder, e) != 0)
		return -1;
	*next = in_db;
	if (in_folder > *next)
		*next = in_folder;
	if (current > *next)
		*next = current;
	++*next;
	return 0;
}

int home_generations(struct home *h, int64_t *list, size_t max, size_t *n, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_GENERATION_LIST, e) : NULL;
	int rc;

	*n = 0;
	if (!st)
		return -1;
	while ((rc = sql_step(s, st, e)) == 1)
		if (*n < max)
			list[(*n)++] = sqlite3_column_int64(st, 0);
	return rc;
}

/* The newest generations that the folder holds, newest first. */
struct newest {
	int64_t numbers[64];
	size_t n, max;
};

static void note_newest(struct home *h, const char *name, void *arg)
{
	struct newest *list = arg;
	int64_t number = generation_of_name(name);
	size_t at = 0;

	(void)h;
	if (!number)
		return;
	while (at < list->n && list->numbers[at] > number)
		at++;
	if (at == list->max || (at < list->n && list->numbers[at] == number))
		return;
	if (list->n < list->max)
		list->n++;
	memmove(list->numbers + at + 1, list->numbers + at, (list->n - at - 1) * sizeof *list->numbers);
	list->numbers[at] = number;
}

static bool is_kept(const struct newest *list, int64_t number)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->numbers[i] == number)
			return true;
	return false;
}

/* Temporary files whose owner is dead. */
static void sweep_temp_name(struct home *h, const char *name, void *unused)
{
	int fd;

	(void)unused;
	if (strncmp(name, SQLITE_TEMP_PREFIX, strlen(SQLITE_TEMP_PREFIX)) == 0)
		unlinkat(h->dirfd, name, 0);
	if (strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) != 0)
		return;
	fd = openat(h->dirfd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(h->dirfd, name, 0);
	close(fd);
}

void home_sweep_temps(struct home *h)
{
	h->temps_swept = true;
	each_name(h, sweep_temp_name, NULL, NULL);
}

static void sweep_name(struct home *h, const char *name, void *arg)
{
	int64_t number = generation_of_name(name);

	if (number && !is_kept(arg, number))
		unlinkat(h->dirfd, name, 0);
	else
		sweep_temp_name(h, name, NULL);
}

/*
 * What nobody needs any more. The numbers in the folder decide, not the rows: should user.db have been set back from a
 * backup, the collections that it does not know stay. Failures wait for the next sweep.
 */
static void sweep(struct home *h)
{
	struct newest keep = { .max = (size_t)home_kept_generations(h) + 1 };
	int64_t rows[64];
	size_t n = 0;
	struct sql *s = home_user_db(h, NULL);

	if (keep.max > 64)
		keep.max = 64;
	if (!s || each_name(h, note_newest, &keep, NULL) != 0 || home_generations(h, rows, 64, &n, NULL) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *st = is_kept(&keep, rows[i]) ? NULL : sql_stmt(s, USER_GENERATION_DROP, NULL);

		if (st) {
			sqlite3_bind_int64(st, 1, rows[i]);
			sql_run(s, st, NULL);
		}
	}
	each_name(h, sweep_name, &keep, NULL);
}

/* *unknown: the commit itself failed, and may have reached the disk all the same: see settle. */
static int record_generation(struct home *h, int64_t generation, bool *unknown, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	struct err why = ERR_INIT;
	sqlite3_stmt *st;

	h->current = h->current_read = -1;
	if (!s || sql_begin(s, e) != 0)
		return -1;
	st = sql_stmt(s, USER_GENERATION_ADD, e);
	if (!st)
		goto fail;
	sqlite3_bind_int64(st, 1, generation);
	sqlite3_bind_int64(st, 2, clock_now_s());
	if (sql_run(s, st, e) != 0 || set_current(s, generation, e) != 0)
		goto fail;
	if (!(st = sql_stmt(s, USER_NAMES_FORGET, e)) || sql_run(s, st, e) != 0)
		goto fail;
	if (sql_commit(s, &why) == 0)
		return 0;
	*unknown = why.kind != ERR_FULL; /* the record of the commit did not get its room */
	sql_close(&h->user);
	if (e)
		*e = why;
	return -1;
fail:
	sql_rollback(s);
	return -1;
}

int home_install(struct home *h, const char *name, int64_t *generation, struct err *e)
{
	char final[HOME_NAME_MAX];
	bool unknown = false;

	assert(h->locked);
	if (next_generation(h, generation, e) != 0)
		return -1;
	generation_name(*generation, final);
	/* Not renameat2(NOREPLACE), which not every file system has: the number is new and we hold the lock. */
	if (renameat(h->dirfd, name, h->dirfd, final) != 0)
		return err_errno(e, "%s/%s: cannot rename to %s", h->path, name, final);
	if (fsync(h->dirfd) != 0) {
		err_errno(e, "%s: fsync", h->path);
		goto fail;
	}
	if (record_generation(h, *generation, &unknown, e) != 0)
		goto fail;
	home_close_collection(h);
	sweep(h);
	return 0;
fail:
	/* If the row may be on the disk although its commit failed, the file must be there. A later sweep takes it. */
	if (!unknown)
		unlinkat(h->dirfd, final, 0);
	return -1;
}

int home_first_collection(struct home *h, struct err *e)
{
	char name[HOME_NAME_MAX], path[PATH_MAX];
	int64_t generation;
	int fd, rc;

	if (home_generation(h, &generation, e) != 0)
		return -1;
	if (generation != 0)
		return 0;
	if (home_temp(h, name, &fd, e) != 0)
		return -1;
	home_file(h, name, path);
	rc = collection_create(path, clock_now_ms(), e);
	if (rc == 0)
		rc = home_install(h, name, &generation, e);
	if (rc != 0)
		unlinkat(h->dirfd, name, 0);
	close(fd);
	return rc;
}

/* In one transaction: renaming a deck renames all below it, and each commit of its own would wait for the disk. */
int home_names_note(struct home *h, int kind, int64_t usn, const struct home_old_name *list, size_t n, struct err *e)
{
	struct sql *s;

	assert(h->locked);
	if (n == 0)
		return 0;
	s = home_user_db(h, e);
	if (!s || sql_begin(s, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *st = sql_stmt(s, USER_NAME_NOTE, e);

		if (!st)
			goto fail;
		sqlite3_bind_int(st, 1, kind);
		sqlite3_bind_int64(st, 2, list[i].id);
		sqlite3_bind_int64(st, 3, usn);
		sql_bind_text(st, 4, list[i].name);
		if (sql_run(s, st, e) != 0)
			goto fail;
	}
	return sql_commit(s, e);
fail:
	sql_rollback(s);
	return -1;
}

int home_names_each(struct home *h, int kind, int64_t min_usn, home_name_fn *fn, void *arg, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_NAMES_SINCE, e) : NULL;
	int rc;

	if (!st)
		return -1;
	sqlite3_bind_int(st, 1, kind);
	sqlite3_bind_int64(st, 2, min_usn);
	while ((rc = sql_step(s, st, e)) == 1)
		if (fn(sqlite3_column_int64(st, 0), sql_column(st, 1), arg, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	return rc;
}
