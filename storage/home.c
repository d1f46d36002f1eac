/* A user's folder: cache of open homes, creation and removal, slots and lock. See home.h. Keys are in keys.c, generations in generations.c. */
#include "storage/home.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdarg.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/digest.h"
#include "storage/base_dir.h"
#include "storage/collection.h"
#include "storage/home_priv.h"
#include "storage/media.h"

#define GONE "gone-" /* what a home is called while it is being removed */
enum { HOMES_CACHED = 24 }; /* about ten descriptors and 0.3 MB each; a school that syncs at once should not open databases anew */

struct homes {
	struct homes_options o;
	char base[PATH_MAX]; /* real path: SQLite refuses symbolic links on the way */
	struct home cache[HOMES_CACHED];
	struct home *last;   /* that was asked for */
	int64_t rested_ms;   /* all of them */
};

/* A path, or an error instead of a cut one. */
static int __attribute__((format(printf, 3, 4))) make_path(char path[PATH_MAX], struct err *e, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, PATH_MAX, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PATH_MAX)
		return err_set(e, ERR_INTERNAL, "path too long: %.200s…", path);
	return 0;
}

static void home_zero(struct home *h, struct homes *owner)
{
	*h = (struct home){ .owner = owner, .dirfd = -1, .lock_fd = -1, .slot = -1, .current = -1, .current_read = -1, .session_fd = -1 };
	for (int i = 0; i < SLOTS_MAX; i++)
		h->slot_fd[i] = -1;
}

static void home_close(struct home *h)
{
	home_unlock(h);
	home_close_collection(h);
	home_close_media(h);
	home_close_session(h);
	sql_close(&h->user);
	for (int i = 0; i < SLOTS_MAX; i++)
		if (h->slot_fd[i] >= 0)
			close(h->slot_fd[i]);
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	if (h->dirfd >= 0)
		close(h->dirfd);
	home_zero(h, h->owner);
}

static int make_private_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(e, "%s: cannot make the folder", path);
	return 0;
}

struct homes *homes_open(const struct homes_options *o, struct err *e)
{
	struct homes *hs = xcalloc(1, sizeof *hs);
	char users[PATH_MAX];

	hs->o = *o;
	for (int i = 0; i < HOMES_CACHED; i++)
		home_zero(&hs->cache[i], hs);
	if (base_dir_make(o->base, e) != 0)
		goto fail;
	if (!realpath(o->base, hs->base)) {
		err_errno(e, "%s", o->base);
		goto fail;
	}
	if (strlen(hs->base) > PATH_MAX - 256) {
		err_set(e, ERR_INTERNAL, "%.200s…: path too long", hs->base);
		goto fail;
	}
	if (make_path(users, e, "%s/users", hs->base) != 0 || make_private_dir(users, e) != 0)
		goto fail;
	return hs;
fail:
	free(hs);
	return NULL;
}

void homes_close(struct homes *hs)
{
	if (!hs)
		return;
	for (int i = 0; i < HOMES_CACHED; i++)
		home_close(&hs->cache[i]);
	free(hs);
}

void homes_limit_steps(int64_t ms)
{
	sql_limit_steps(ms);
}

static void home_rest(struct home *h)
{
	sql_rest(&h->user);
	if (h->collection)
		collection_rest(h->collection);
	media_rest(h);
}

void homes_rest(struct homes *hs, int64_t idle_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (hs->last && hs->last->uid[0])
		home_rest(hs->last);
	/* This is called after every request: the others can wait a little. */
	if (now_ms - hs->rested_ms < idle_ms / 60)
		return;
	hs->rested_ms = now_ms;
	for (int i = 0; i < HOMES_CACHED; i++) {
		struct home *h = &hs->cache[i];

		if (!h->uid[0])
			continue;
		home_rest(h);
		if (now_ms - h->used_ms >= idle_ms)
			home_close(h);
	}
}

static bool uid_fits(struct slice uid)
{
	if (uid.len < UID_MIN_CHARS || uid.len > UID_MAX_CHARS)
		return false;
	for (size_t i = 0; i < uid.len; i++)
		if (!((uid.p[i] >= 'a' && uid.p[i] <= 'z') || (uid.p[i] >= '0' && uid.p[i] <= '9')))
			return false;
	return true;
}

/* A place in the cache: a free one, else the one that was used longest ago. */
static struct home *take_place(struct homes *hs)
{
	struct home *oldest = &hs->cache[0];

	for (int i = 0; i < HOMES_CACHED; i++) {
		if (!hs->cache[i].uid[0])
			return &hs->cache[i];
		if (hs->cache[i].used_ms < oldest->used_ms)
			oldest = &hs->cache[i];
	}
	home_close(oldest);
	return oldest;
}

/*
 * There is no such folder, says the system (errno): is it this user who is gone, or all of them? A disk that is not mounted
 * must not look like that: clients forget their login when they are told that nobody knows it. 0, or -1.
 */
static int check_users(const struct homes *hs, struct err *e)
{
	int error = errno, fd;
	char users[PATH_MAX];
	struct stat st;

	if (make_path(users, e, "%s/users", hs->base) != 0)
		return -1;
	if (error != ENOENT && error != ENOTDIR) {
		fd = error == EACCES ? open(users, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		if (fd < 0 && error == EACCES)
			return err_set(e, ERR_CUT_OFF, "%s may not be opened (any more): was the disk mounted anew, or the folder"
				       " replaced? A new worker may be luckier", users);
		if (fd >= 0)
			close(fd);
		errno = error;
		return err_errno(e, "%s: a user's folder", users);
	}
	if (stat(users, &st) == 0)
		return 0;
	return err_set(e, ERR_CUT_OFF, "%s is missing: is the disk mounted?", users);
}

/* Open the folder of `uid` into a place of the cache. 1, 0 when there is none, -1. */
static int home_open(struct homes *hs, struct slice uid, struct home **out, struct err *e)
{
	struct home *h = take_place(hs);

	if (make_path(h->path, e, "%s/users/%.2s/%.*s", hs->base, uid.p, (int)uid.len, uid.p) != 0)
		return -1;
	h->dirfd = open(h->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->dirfd < 0)
		return check_users(hs, e);
	h->lock_fd = openat(h->dirfd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (h->lock_fd < 0) {
		err_errno(e, "%s/lock", h->path);
		home_close(h);
		return -1;
	}
	memcpy(h->uid, uid.p, uid.len);
	h->uid[uid.len] = 0;
	h->used_ms = clock_mono_ms();
	hs->last = *out = h;
	return 1;
}

/*
 * Does the path still lead to the lock file that we have open? 1; 0 when it leads to another one (the home was set back from
 * a backup) or, *gone, nowhere (the user was deleted); -1 when nobody can tell.
 */
static int same_lock(const struct home *h, bool *gone, struct err *e)
{
	struct stat ours, theirs;
	char path[PATH_MAX];

	*gone = false;
	home_file(h, "lock", path);
	if (fstat(h->lock_fd, &ours) != 0)
		return err_errno(e, "%s", path);
	if (lstat(path, &theirs) == 0)
		return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
	*gone = true;
	return check_users(h->owner, e);
}

/* The error for a home that is not where it was. */
static int not_there(const struct home *h, struct err *e)
{
	bool gone;

	if (same_lock(h, &gone, e) < 0)
		return -1;
	if (gone)
		return err_set(e, ERR_BAD_LOGIN, "%s: the user was deleted", h->uid);
	return err_set(e, ERR_BUSY, "%s: the home was replaced at this moment", h->uid);
}

int homes_get(struct homes *hs, struct slice uid, struct home **h, struct err *e)
{
	bool gone;

	if (!uid_fits(uid))
		return 0;
	for (int i = 0; i < HOMES_CACHED; i++) {
		struct home *cached = &hs->cache[i];

		if (!cached->uid[0] || !slice_eq_str(uid, cached->uid))
			continue;
		if (hs->o.shared || same_lock(cached, &gone, NULL) != 1) {
			home_close(cached);
			break;
		}
		cached->used_ms = clock_mono_ms();
		hs->last = *h = cached;
		return 1;
	}
	return home_open(hs, uid, h, e);
}

static int fsync_dir(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = err_errno(e, "%s: fsync", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* What somebody else removes at the same time is just as well gone. */
static int remove_tree(const char *path, struct err *e)
{
	char *paths[] = { (char *)path, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *f;
	int rc = 0;

	if (!walk)
		return err_errno(e, "%s", path);
	while ((f = fts_read(walk)) != NULL) {
		if (f->fts_info == FTS_D)
			continue;
		if ((f->fts_info == FTS_DP ? rmdir(f->fts_accpath) : unlink(f->fts_accpath)) != 0 && errno != ENOENT)
			rc = err_errno(e, "%s: cannot remove it", f->fts_path);
	}
	fts_close(walk);
	return rc;
}

/* The folder and what is in it; *h is set as soon as there is something to close. */
static int fill_new_home(struct homes *hs, const char *uid, const char *dir, struct home **h, struct err *e)
{
	char lock[PATH_MAX];
	int fd;

	if (make_path(lock, e, "%s/lock", dir) != 0)
		return -1;
	fd = open(lock, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "%s", lock);
	close(fd);
	switch (home_open(hs, slice_of(uid), h, e)) {
	case 0:
		return err_set(e, ERR_INTERNAL, "%s: somebody removed it at this moment", dir);
	case -1:
		return -1;
	}
	return home_make_user_db(*h, e);
}

int homes_create(struct homes *hs, struct home **h, struct err *e)
{
	char uid[HOME_UID_CHARS + 1], parent[PATH_MAX], dir[PATH_MAX], users[PATH_MAX];

	*h = NULL;
	random_name(uid, HOME_UID_CHARS);
	if (make_path(users, e, "%s/users", hs->base) != 0 || make_path(parent, e, "%s/%.2s", users, uid) != 0 ||
	    make_path(dir, e, "%s/%s", parent, uid) != 0)
		return -1;
	if (make_private_dir(parent, e) != 0)
		return -1;
	if (mkdir(dir, 0700) != 0)
		return err_errno(e, "%s: cannot make the folder", dir);
	if (fill_new_home(hs, uid, dir, h, e) == 0 && fsync_dir(dir, e) == 0 && fsync_dir(parent, e) == 0 && fsync_dir(users, e) == 0)
		return 0;
	/* Nobody knows its name. */
	if (*h)
		home_close(*h);
	*h = NULL;
	remove_tree(dir, NULL);
	return -1;
}

const char *home_uid(const struct home *h)
{
	return h->uid;
}

const char *home_path(const struct home *h)
{
	return h->path;
}

int home_dirfd(const struct home *h)
{
	return h->dirfd;
}

bool home_rollback_journal(const struct home *h)
{
	return h->owner->o.rollback_journal;
}

int home_kept_generations(const struct home *h)
{
	return h->owner->o.kept_generations;
}

void home_file(const struct home *h, const char *name, char path[PATH_MAX])
{
	int rc = make_path(path, NULL, "%s/%s", h->path, name);

	assert(rc == 0); /* homes_open saw to it that there is room behind the base */
}

int home_slot(struct home *h, struct err *e)
{
	int n = h->owner->o.workers / 2;

	if (h->slot >= 0)
		return 0;
	if (n < 1)
		n = 1;
	if (n > SLOTS_MAX)
		n = SLOTS_MAX;
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof name, "slot-%d", i);
		if (h->slot_fd[i] < 0)
			h->slot_fd[i] = openat(h->dirfd, name, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (h->slot_fd[i] < 0)
			return errno == ENOENT ? not_there(h, e) : err_errno(e, "%s/%s", h->path, name);
		if (flock(h->slot_fd[i], LOCK_EX | LOCK_NB) == 0) {
			h->slot = i;
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(e, "%s/%s: flock", h->path, name);
	}
	return err_set(e, ERR_BUSY, "%s: %d requests of this user are being served already", h->uid, n);
}

static int wait_for_lock(struct home *h, struct err *e)
{
	int64_t end = clock_mono_ms() + h->owner->o.lock_ms;
	long pause_us = 500;

	while (flock(h->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(e, "%s/lock: flock", h->path);
		if (clock_mono_ms() >= end)
			return err_set(e, ERR_BUSY, "%s: in use for more than %d s by another request (LOCK_SECONDS)", h->path,
				       h->owner->o.lock_ms / 1000);
		nanosleep(&(struct timespec){ .tv_nsec = pause_us * 1000 }, NULL);
		if (pause_us < 16000)
			pause_us *= 2;
	}
	return 0;
}

int home_lock(struct home *h, struct err *e)
{
	bool gone;

	assert(!h->locked);
	if (home_slot(h, e) != 0)
		return -1;
	if (wait_for_lock(h, e) != 0)
		goto fail;
	h->locked = true;
	if (same_lock(h, &gone, NULL) != 1) {
		not_there(h, e);
		goto fail;
	}
	if (!h->temps_swept)
		home_sweep_temps(h);
	return 0;
fail:
	home_unlock(h);
	return -1;
}

bool home_is_locked(const struct home *h)
{
	return h->locked;
}

bool home_try_lock(struct home *h)
{
	bool gone;

	assert(!h->locked);
	if (flock(h->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return false;
	h->locked = true;
	if (same_lock(h, &gone, NULL) == 1)
		return true;
	home_unlock(h);
	return false;
}

void home_unlock(struct home *h)
{
	if (h->collection)
		collection_view_end(h->collection);
	/* Also when it was not locked: user.db is open since the key was looked for. */
	if (h->owner->o.shared) {
		home_close_collection(h);
		home_close_media(h);
		home_close_session(h);
		sql_close(&h->user);
	}
	if (h->locked)
		flock(h->lock_fd, LOCK_UN);
	h->locked = false;
	h->current = h->current_read = -1;
	h->user_seen = h->collection_seen = h->session_seen = false;
	if (h->slot >= 0)
		flock(h->slot_fd[h->slot], LOCK_UN);
	h->slot = -1;
}

int home_remove(struct home *h, struct err *e)
{
	char gone[PATH_MAX], parent[PATH_MAX];

	assert(h->locked);
	if (make_path(parent, e, "%.*s", (int)(strlen(h->path) - strlen(h->uid) - 1), h->path) != 0 ||
	    make_path(gone, e, "%s/" GONE "%s", parent, h->uid) != 0)
		return -1;
	home_close_collection(h);
	home_close_media(h);
	home_close_session(h);
	sql_close(&h->user);
	/* At once and whole: whoever waits for the lock then sees that the path leads nowhere. */
	if (rename(h->path, gone) != 0)
		return err_errno(e, "%s: cannot rename", h->path);
	if (fsync_dir(parent, e) != 0 || remove_tree(gone, e) != 0)
		return -1;
	/* Nobody would look for it after a power loss: the account goes next. */
	return fsync_dir(parent, e);
}

static int sweep_gone(const char *folder, struct err *e)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(folder);
	bool found = false;
	int rc = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "%s", folder);
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, GONE, strlen(GONE)) != 0)
			continue;
		found = true;
		if (make_path(path, e, "%s/%s", folder, entry->d_name) != 0 || remove_tree(path, e) != 0)
			rc = -1;
	}
	closedir(dir);
	return found && fsync_dir(folder, e) != 0 ? -1 : rc;
}

int homes_sweep(struct homes *hs, struct err *e)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (make_path(path, e, "%s/users", hs->base) != 0)
		return -1;
	dir = opendir(path);
	if (!dir)
		return err_errno(e, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (make_path(path, e, "%s/users/%s", hs->base, entry->d_name) != 0 || sweep_gone(path, e) != 0)
			rc = -1;
	}
	closedir(dir);
	return rc;
}
