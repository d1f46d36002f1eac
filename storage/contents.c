/* See contents.h. */
#include "storage/contents.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <zlib.h>

#define FOLDER "media"
#define TEMPORARY "tmp-"

enum {
	NAME_BYTES = 64,
	TEMPORARY_CHARS = 16,
	BULK_FILES = 4,             /* from here on one syncfs is cheaper than a sync per file */
	BULK_STRANGE_KB = 8 << 10,  /* so much that is not ours may go to the disk with it */
};

struct staged {
	struct content content;
	int fd; /* -1 when it is empty */
	bool kept;
};

struct contents_put {
	struct contents folder;
	char random[TEMPORARY_CHARS + 1];
	struct staged files[CONTENTS_PUT_MAX];
	size_t n;
	struct sha1_state *sha1; /* of the one between begin and end */
	int64_t bytes;           /* of all */
	bool bulk, renamed;
};

static void content_name(const uint8_t sha1_bytes[SHA1_BYTES], char name[NAME_BYTES])
{
	hex_of(sha1_bytes, SHA1_BYTES, name);
}

/* Files of a put are called tmp-<random>-<number>. */
static void temporary_name(const struct contents_put *p, size_t i, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, TEMPORARY "%s-%zu", p->random, i);
}

/* --- the folder --- */

int contents_open(struct contents *c, const struct home *h, struct err *e)
{
	snprintf(c->path, sizeof c->path, "%s/" FOLDER, home_path(h));
	c->dirfd = openat(home_dirfd(h), FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dirfd >= 0)
		return 1;
	return errno == ENOENT ? 0 : err_errno(e, "%s", c->path);
}

void contents_close(struct contents *c)
{
	if (c->dirfd >= 0)
		close(c->dirfd);
	c->dirfd = -1;
}

static int make_folder(struct contents *c, const struct home *h, struct err *e)
{
	int rc = contents_open(c, h, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (mkdirat(home_dirfd(h), FOLDER, 0700) != 0 && errno != EEXIST)
		return err_errno(e, "%s: cannot make the folder", c->path);
	if (fsync(home_dirfd(h)) != 0)
		return err_errno(e, "%s: fsync", home_path(h));
	rc = contents_open(c, h, e);
	return rc == 0 ? err_set(e, ERR_INTERNAL, "%s: gone again", c->path) : rc < 0 ? -1 : 0;
}

int contents_get(const struct contents *c, const struct content *content, int *fd, struct err *e)
{
	char name[NAME_BYTES];
	struct stat st;

	content_name(content->sha1, name);
	*fd = openat(c->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s/%s", c->path, name);
	if (fstat(*fd, &st) != 0) {
		err_errno(e, "%s/%s", c->path, name);
		close(*fd);
		return -1;
	}
	if (S_ISREG(st.st_mode) && st.st_size == content->bytes)
		return 1;
	close(*fd);
	return 0;
}

int contents_stat_name(const struct contents *c, const char *name, int64_t *bytes, int64_t *changed_s, struct err *e)
{
	struct stat st;

	if (fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s/%s", c->path, name);
	*bytes = S_ISREG(st.st_mode) ? st.st_size : -1;
	*changed_s = st.st_mtime;
	return 1;
}

int contents_stat(const struct contents *c, const uint8_t sha1_bytes[SHA1_BYTES], int64_t *bytes, int64_t *changed_s,
		  struct err *e)
{
	char name[NAME_BYTES];

	content_name(sha1_bytes, name);
	return contents_stat_name(c, name, bytes, changed_s, e);
}

void contents_touch(const struct contents *c, const uint8_t sha1_bytes[SHA1_BYTES])
{
	char name[NAME_BYTES];

	content_name(sha1_bytes, name);
	(void)utimensat(c->dirfd, name, NULL, AT_SYMLINK_NOFOLLOW);
}

int contents_set_aside(const struct contents *c, const uint8_t sha1_bytes[SHA1_BYTES], struct err *e)
{
	char from[NAME_BYTES], to[NAME_BYTES + 16];

	content_name(sha1_bytes, from);
	snprintf(to, sizeof to, "damaged-%s", from);
	if (renameat(c->dirfd, from, c->dirfd, to) == 0 || errno == ENOENT)
		return 0;
	return err_errno(e, "%s/%s: cannot rename to %s", c->path, from, to);
}

int contents_delete(const struct contents *c, const char *name, struct err *e)
{
	if (unlinkat(c->dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_errno(e, "%s/%s: cannot remove it", c->path, name);
}

int contents_list(const struct contents *c, contents_fn *fn, void *arg, struct err *e)
{
	int fd = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (!dir) {
		err_errno(e, "%s", c->path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (;;) {
		struct contents_entry entry;

		errno = 0;
		d = readdir(dir);
		if (!d) {
			if (errno)
				rc = err_errno(e, "%s", c->path);
			break;
		}
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		entry = (struct contents_entry){ .name = d->d_name };
		entry.is_temporary = strncmp(d->d_name, TEMPORARY, strlen(TEMPORARY)) == 0;
		/* Upper-case digits would name nothing of ours. */
		entry.is_content = hex_parse(slice_of(d->d_name), entry.sha1, SHA1_BYTES) == 0 && !strpbrk(d->d_name, "ABCDEF");
		rc = fn(arg, &entry, e);
		if (rc != 0)
			break;
	}
	closedir(dir);
	return rc;
}

/* --- on their way in --- */

struct contents_put *contents_put_new(struct home *h, struct err *e)
{
	struct contents_put *p = xcalloc(1, sizeof *p);

	p->folder.dirfd = -1;
	if (make_folder(&p->folder, h, e) != 0) {
		free(p);
		return NULL;
	}
	random_name(p->random, TEMPORARY_CHARS);
	return p;
}

void contents_put_free(struct contents_put *p)
{
	char name[NAME_BYTES];

	if (!p)
		return;
	sha1_end(p->sha1, NULL);
	for (size_t i = 0; i < p->n; i++) {
		if (p->files[i].fd < 0)
			continue;
		close(p->files[i].fd);
		temporary_name(p, i, name);
		if (!p->files[i].kept)
			unlinkat(p->folder.dirfd, name, 0);
	}
	contents_close(&p->folder);
	free(p);
}

int contents_put_begin(struct contents_put *p, struct err *e)
{
	assert(!p->sha1);
	if (p->n == CONTENTS_PUT_MAX)
		return err_set(e, ERR_BAD_REQUEST, "more than %d files", CONTENTS_PUT_MAX);
	p->files[p->n++] = (struct staged){ .fd = -1 };
	p->sha1 = sha1_new();
	return 0;
}

int contents_put_write(struct contents_put *p, const void *data, size_t n, struct err *e)
{
	struct staged *f = &p->files[p->n - 1];
	const char *at = data;
	char name[NAME_BYTES];

	assert(p->sha1);
	if (n == 0)
		return 0;
	temporary_name(p, p->n - 1, name);
	if (f->fd < 0)
		f->fd = openat(p->folder.dirfd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_errno(e, "%s/%s", p->folder.path, name);
	sha1_add(p->sha1, data, n);
	f->content.crc32 = (uint32_t)crc32_z(f->content.crc32, data, n);
	f->content.bytes += (int64_t)n;
	p->bytes += (int64_t)n;
	while (n) {
		ssize_t put = write(f->fd, at, n);

		if (put < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(e, "%s/%s: write", p->folder.path, name);
		}
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

int contents_put_end(struct contents_put *p, struct err *e)
{
	struct staged *f = &p->files[p->n - 1];

	(void)e;
	sha1_end(p->sha1, f->content.sha1);
	p->sha1 = NULL;
	/* A hint: the disk works while we go on. */
	if (f->fd >= 0)
		(void)sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

size_t contents_put_count(const struct contents_put *p)
{
	return p->n;
}

const struct content *contents_put_content(const struct contents_put *p, size_t i)
{
	assert(i < p->n);
	return &p->files[i].content;
}

static bool number_behind(const char *text, const char *key, int64_t *v)
{
	const char *at = strstr(text, key);

	return at && sscanf(at + strlen(key), "%" SCNd64, v) == 1;
}

/*
 * Would a sync of the whole file system write hardly anything but our own files? Then it is the cheapest way: one flush
 * of the disk for all of them. While others write, it would make this user wait for them.
 */
static bool others_are_quiet(int64_t own_bytes)
{
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	int64_t dirty = 0, writeback = 0;
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (!number_behind(text, "\nDirty:", &dirty) || !number_behind(text, "\nWriteback:", &writeback))
		return false;
	return dirty + writeback <= own_bytes / 1024 + BULK_STRANGE_KB;
}

static int sync_file(struct contents_put *p, size_t i, struct err *e)
{
	if (p->files[i].fd >= 0 && fdatasync(p->files[i].fd) != 0)
		return err_errno(e, "%s: a new file: fdatasync", p->folder.path);
	return 0;
}

int contents_put_sync(struct contents_put *p, struct err *e)
{
	p->bulk = p->n >= BULK_FILES && others_are_quiet(p->bytes);
	for (size_t i = 0; i < p->n && !p->bulk; i++)
		if (sync_file(p, i, e) != 0)
			return -1;
	return 0;
}

int contents_put_keep(struct contents_put *p, size_t i, struct err *e)
{
	char from[NAME_BYTES], to[NAME_BYTES];

	assert(i < p->n && !p->sha1);
	if (p->files[i].kept || p->files[i].fd < 0)
		return 0;
	temporary_name(p, i, from);
	content_name(p->files[i].content.sha1, to);
	/* Others may rely on the file that is there, so its successor must be on the disk before it takes the name. */
	if (p->bulk && faccessat(p->folder.dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && sync_file(p, i, e) != 0)
		return -1;
	if (renameat(p->folder.dirfd, from, p->folder.dirfd, to) != 0)
		return err_errno(e, "%s/%s: cannot rename to %s", p->folder.path, from, to);
	p->files[i].kept = p->renamed = true;
	return 0;
}

int contents_put_settle(struct contents_put *p, struct err *e)
{
	if (!p->renamed)
		return 0;
	if ((p->bulk ? syncfs(p->folder.dirfd) : fsync(p->folder.dirfd)) != 0)
		return err_errno(e, "%s: %s", p->folder.path, p->bulk ? "syncfs" : "fsync");
	return 0;
}
