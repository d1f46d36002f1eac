/* `media export`: the files under their own names, as in the media folder of a client. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "admin/media.h"

enum { PIECE_BYTES = 128 << 10 };

struct export {
	const char *path;
	int dirfd;
	struct contents contents;
	struct media_files files;
	struct progress progress;
	char *piece;
	int64_t done_bytes;
	size_t missing, failed;
	bool made; /* the folder is new */
};

static bool is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	bool empty = dir != NULL;

	while (dir && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			empty = false;
	if (dir)
		closedir(dir);
	return empty;
}

/*
 * The folder, made while we still are who was asked: where the data's owner may write, a new folder need not be. A new one
 * is given to that owner, as whom the files are written. 0 or an exit code.
 */
static int open_target(struct admin *a, struct export *x)
{
	struct stat st;

	x->made = mkdir(x->path, 0700) == 0;
	if (!x->made && errno != EEXIST)
		return fail_with(EX_CANTCREAT, "cannot make %s: %s", x->path, strerror(errno));
	x->dirfd = open(x->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->dirfd < 0)
		return fail_with(EX_CANTCREAT, "cannot write to %s: %s", x->path, strerror(errno));
	if (!is_empty(x->dirfd))
		return fail_with(EX_CANTCREAT, "%s is not empty; name a folder that is not there yet", x->path);
	if (x->made && geteuid() == 0 && stat(a->config.sync_base, &st) == 0 && fchown(x->dirfd, st.st_uid, st.st_gid) != 0)
		return fail_with(EX_CANTCREAT, "cannot give %s to the owner of the data: %s", x->path, strerror(errno));
	return 0;
}

/* 0, or -1 with errno. */
static int write_all(struct export *x, int to, const char *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t put = write(to, p + at, n - at);

		if (put < 0)
			return -1;
		at += (size_t)put;
	}
	x->done_bytes += (int64_t)n;
	progress_show(&x->progress, x->done_bytes, x->files.bytes);
	return 0;
}

static int copy(struct export *x, int from, int to)
{
	ssize_t got;

	while ((got = read(from, x->piece, PIECE_BYTES)) != 0) {
		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (write_all(x, to, x->piece, (size_t)got) != 0)
			return -1;
	}
	return 0;
}

static void complain(struct export *x, const struct media_file *file, const char *why)
{
	progress_end(&x->progress);
	fputs("ankisync-admin: ", stderr);
	fflush(stdout);
	for (const char *p = file->name; *p; p++)
		fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
	fprintf(stderr, ": %s\n", why);
}

/* One that cannot be written (a name that the file system does not take) must not keep the others back. */
static void export_one(struct export *x, const struct media_file *file)
{
	const struct timespec times[2] = { { .tv_sec = file->changed_s }, { .tv_sec = file->changed_s } };
	struct err e = ERR_INIT;
	int from = -1, to, rc = file->data ? 1 : contents_get(&x->contents, &file->content, &from, &e);

	if (rc != 1) {
		x->missing++;
		complain(x, file, rc == 0 ? "its content is missing" : e.msg);
		return;
	}
	to = openat(x->dirfd, file->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to >= 0)
		rc = file->data ? write_all(x, to, file->data, (size_t)file->content.bytes) : copy(x, from, to);
	if (to < 0 || rc != 0) {
		x->failed++;
		complain(x, file, strerror(errno));
	}
	if (to >= 0) {
		(void)futimens(to, times);
		if (close(to) != 0) {
			x->failed++;
			complain(x, file, strerror(errno));
		}
	}
	if (from >= 0)
		close(from);
}

int media_export(struct admin *a, const struct args *args)
{
	struct export x = { .path = args->words[1], .dirfd = -1, .contents = CONTENTS_INIT, .progress.what = "copying",
			    .files.with_data = true };
	struct err e = ERR_INIT;
	struct home *h;
	int rc = admin_configure(a);

	x.piece = xmalloc(PIECE_BYTES);
	if (rc == 0)
		rc = open_target(a, &x);
	if (rc == 0)
		rc = media_home(a, args->words[0], &h);
	if (rc == 0)
		rc = media_files_read(h, &x.files);
	if (rc != 0 && x.made)
		(void)rmdir(x.path);
	if (rc != 0)
		goto out;
	if (contents_open(&x.contents, h, &e) < 0) {
		rc = say_error(&e);
		goto out;
	}
	for (size_t i = 0; i < x.files.n; i++)
		export_one(&x, &x.files.list[i]);
	progress_end(&x.progress);
	if (args->json)
		printf("{\"files\":%zu,\"bytes\":%" PRId64 ",\"missing\":%zu,\"failed\":%zu}\n", x.files.n - x.missing - x.failed, x.done_bytes,
		       x.missing, x.failed);
	else
		printf("%zu files, %.1f MB\n", x.files.n - x.missing - x.failed, (double)x.done_bytes / 1e6);
	fflush(stdout);
	if (x.missing)
		rc = fail_with(EX_DATAERR, "%zu files are missing; see: ankisync-admin media check %s", x.missing, args->words[0]);
	else if (x.failed)
		rc = fail_with(EX_IOERR, "%zu files could not be written", x.failed);
out:
	media_files_release(&x.files);
	contents_close(&x.contents);
	if (x.dirfd >= 0)
		close(x.dirfd);
	free(x.piece);
	return rc;
}
