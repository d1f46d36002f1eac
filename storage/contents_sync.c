/* See contents_sync.h. */
#include "storage/contents_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "storage/contents.h"

enum {
	MANY_FILES = 4,          /* from here on it is worth while to think */
	STRANGE_KB = 8 << 10,    /* so much that is not ours may go to the disk with it */
};

static int assumed_quiet = -1;

void contents_put_assume_quiet(int quiet)
{
	assumed_quiet = quiet;
}

static bool number_behind(const char *text, const char *key, int64_t *v)
{
	const char *at = strstr(text, key);

	return at && sscanf(at + strlen(key), "%" SCNd64, v) == 1;
}

static bool others_are_quiet(int64_t own_bytes)
{
	int64_t dirty = 0, writeback = 0;
	char text[4096];
	ssize_t n;
	int fd;

	if (assumed_quiet >= 0)
		return assumed_quiet;
	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (!number_behind(text, "\nDirty:", &dirty) || !number_behind(text, "\nWriteback:", &writeback))
		return false;
	return dirty + writeback <= own_bytes / 1024 + STRANGE_KB;
}

bool sync_all_is_cheapest(size_t files, int64_t bytes)
{
	return files >= MANY_FILES && others_are_quiet(bytes);
}

void sync_hint(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int sync_files(const int *fds, size_t n, int folder, const char *what, struct err *e)
{
	int error = 0;

	if (n + (folder >= 0) > 1)
		error = sync_at_once(fds, n, folder);
	else if ((n ? fdatasync(fds[0]) : folder >= 0 ? fsync(folder) : 0) != 0)
		error = errno;
	errno = error;
	return error ? err_errno(e, "%s: new files: sync", what) : 0;
}
