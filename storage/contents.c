/* The folder and what lies in it. See contents.h; what comes in is in contents_put.c. */
#include "storage/contents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FOLDER "media"

void contents_name(const uint8_t sha1_bytes[SHA1_BYTES], char name[CONTENTS_NAME_BYTES])
{
	hex_of(sha1_bytes, SHA1_BYTES, name);
}

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

int contents_make(struct contents *c, const struct home *h, struct err *e)
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
	char name[CONTENTS_NAME_BYTES];
	struct stat st;

	contents_name(content->sha1, name);
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
	char name[CONTENTS_NAME_BYTES];

	contents_name(sha1_bytes, name);
	return contents_stat_name(c, name, bytes, changed_s, e);
}

void contents_touch(const struct contents *c, const uint8_t sha1_bytes[SHA1_BYTES])
{
	char name[CONTENTS_NAME_BYTES];

	contents_name(sha1_bytes, name);
	(void)utimensat(c->dirfd, name, NULL, AT_SYMLINK_NOFOLLOW);
}

int contents_set_aside(const struct contents *c, const uint8_t sha1_bytes[SHA1_BYTES], struct err *e)
{
	char from[CONTENTS_NAME_BYTES], to[CONTENTS_NAME_BYTES + 16];

	contents_name(sha1_bytes, from);
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
		entry.is_temporary = strncmp(d->d_name, CONTENTS_TEMPORARY, strlen(CONTENTS_TEMPORARY)) == 0;
		/* Upper-case digits would name nothing of ours. */
		entry.is_content = hex_parse(slice_of(d->d_name), entry.sha1, SHA1_BYTES) == 0 && !strpbrk(d->d_name, "ABCDEF");
		rc = fn(arg, &entry, e);
		if (rc != 0)
			break;
	}
	closedir(dir);
	return rc;
}
