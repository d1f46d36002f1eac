/* See image.h. */
#include "tests/faults/image.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/buf.h"

static void __attribute__((noreturn)) die(const char *path)
{
	perror(path);
	exit(2);
}

static void load_file(struct image_file *f, const char *path, size_t len)
{
	int fd = open(path, O_RDONLY);

	f->data = xmalloc(len + 1);
	f->len = len;
	if (fd < 0 || read(fd, f->data, len) != (ssize_t)len)
		die(path);
	close(fd);
}

void image_load(struct image *i, const char *dir)
{
	char *paths[] = { (char *)(uintptr_t)dir, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	*i = (struct image){ .n = 0 };
	while (walk && (e = fts_read(walk)) != NULL) {
		if (e->fts_level == 0 || e->fts_info == FTS_DP)
			continue;
		i->files = realloc(i->files, (i->n + 1) * sizeof *i->files);
		i->files[i->n] = (struct image_file){ .path = strdup(e->fts_path + strlen(dir) + 1), .is_dir = e->fts_info == FTS_D };
		if (e->fts_info != FTS_D)
			load_file(&i->files[i->n], e->fts_path, (size_t)e->fts_statp->st_size);
		i->n++;
	}
	fts_close(walk);
}

void image_write(const struct image *i, const char *dir)
{
	char path[PATH_MAX];

	remove_folder(dir);
	if (mkdir(dir, 0700) != 0)
		die(dir);
	for (size_t k = 0; k < i->n; k++) {
		const struct image_file *f = &i->files[k];
		int fd;

		snprintf(path, sizeof path, "%s/%s", dir, f->path);
		if (f->is_dir) {
			if (mkdir(path, 0700) != 0)
				die(path);
			continue;
		}
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (fd < 0 || write(fd, f->data, f->len) != (ssize_t)f->len)
			die(path);
		close(fd);
	}
}

void image_release(struct image *i)
{
	for (size_t k = 0; k < i->n; k++) {
		free(i->files[k].path);
		free(i->files[k].data);
	}
	free(i->files);
	*i = (struct image){ .n = 0 };
}

void remove_folder(const char *dir)
{
	char *paths[] = { (char *)(uintptr_t)dir, NULL };
	FTS *walk = access(dir, F_OK) == 0 ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	FTSENT *e;

	while (walk && (e = fts_read(walk)) != NULL)
		if (e->fts_info != FTS_D && (e->fts_info == FTS_DP ? rmdir(e->fts_accpath) : unlink(e->fts_accpath)) != 0)
			die(e->fts_path);
	if (walk)
		fts_close(walk);
}
