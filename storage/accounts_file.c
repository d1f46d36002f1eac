/* See accounts_file.h. */
#include "storage/accounts_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/digest.h"
#include "storage/accounts.h"
#include "storage/sql.h"

static const char schema[] =
	"CREATE TABLE account ("
	" uid TEXT PRIMARY KEY NOT NULL,"
	" name TEXT NOT NULL UNIQUE,"
	" hash TEXT NOT NULL,"
	" state INTEGER NOT NULL,"
	" limit_bytes INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" origin BLOB"
	") WITHOUT ROWID;"
	"CREATE TABLE legacy_key (hash BLOB PRIMARY KEY NOT NULL, uid TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX legacy_key_uid ON legacy_key (uid);"
	"CREATE TABLE format (version INTEGER NOT NULL);"
	"INSERT INTO format VALUES (1);";

/* The whole file under another name first: nobody ever sees half of it, and of two who make it one wins. */
static int make_file(const char *path, unsigned mode, struct err *e)
{
	char temp[PATH_MAX + 16], wal[PATH_MAX + 32], random[11];
	struct sql sql = { .db = NULL };
	int fd, rc = -1;

	random_name(random, sizeof random - 1);
	snprintf(temp, sizeof temp, "%s-%s", path, random);
	snprintf(wal, sizeof wal, "%s-wal", temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "cannot make %s", temp);
	close(fd);
	if (sql_open(&sql, temp, mode, NULL, 0, e) != 0)
		goto out;
	if (sql_begin(&sql, e) != 0 || sql_exec(&sql, schema, e) != 0 || sql_commit(&sql, e) != 0)
		goto out;
	sql_close(&sql);
	/* Closing moved the journal into the file; if it could not, the name alone would be an empty database. */
	if (access(wal, F_OK) == 0)
		err_set(e, ERR_FULL, "cannot make %s: its journal stayed", path);
	else if (link(temp, path) != 0 && errno != EEXIST)
		err_errno(e, "cannot make %s", path);
	else
		rc = 0;
out:
	sql_close(&sql);
	unlink(temp);
	unlink(wal);
	return rc;
}

static int sync_folder(const char *base, struct err *e)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = err_errno(e, "%s", base);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The first entry in a folder whose name is at least so long; false when there is none. */
static bool first_entry(const char *path, size_t least, char name[256])
{
	DIR *dir = opendir(path);
	struct dirent *entry = NULL;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strlen(entry->d_name) >= least && strncmp(entry->d_name, "gone-", 5) != 0)
			break;
	if (entry)
		snprintf(name, 256, "%s", entry->d_name);
	if (dir)
		closedir(dir);
	return entry != NULL;
}

/* Does any user have a folder below SYNC_BASE? Then `home` is one, for the message. */
static bool has_homes(const char *base, char home[PATH_MAX])
{
	char users[PATH_MAX], name[256];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if ((size_t)snprintf(users, sizeof users, "%s/users", base) >= sizeof users)
		return false;
	dir = opendir(users);
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || (size_t)snprintf(home, PATH_MAX, "%s/%s", users, entry->d_name) >= PATH_MAX)
			continue;
		found = first_entry(home, ACCOUNT_UID_MIN, name);
	}
	if (found)
		snprintf(home, PATH_MAX, "users/%.2s/%s", name, name);
	if (dir)
		closedir(dir);
	return found;
}

/*
 * A new accounts.db beside homes would know none of their users: each of them would be told that the password is wrong. And
 * beside a journal of the lost one it would be destroyed by it.
 */
static int check_not_lost(const char *path, const char *base, struct err *e)
{
	char wal[PATH_MAX + 8], home[PATH_MAX];

	snprintf(wal, sizeof wal, "%s-wal", path);
	if (access(wal, F_OK) == 0)
		snprintf(home, sizeof home, "%s", "accounts.db-wal");
	else if (!has_homes(base, home))
		return 0;
	/* Homes are made after the file: whoever sees one of another process's first users sees the file now. */
	if (access(path, F_OK) == 0)
		return 0;
	return err_set(e, ERR_DAMAGED, "%s is missing, but %.64s is there: put accounts.db back from a backup, or see \"accounts.db"
		       " is lost\" in docs/setup.md; it is not made anew", path, home);
}

int accounts_file_make(const char *path, const char *base, unsigned mode, struct err *e)
{
	return check_not_lost(path, base, e) != 0 || make_file(path, mode, e) != 0 || sync_folder(base, e) != 0 ? -1 : 0;
}
