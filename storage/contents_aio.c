/*
 * Many syncs at once, by Linux' own asynchronous calls. Alone in its file, so that the fault tests can put one in its place
 * whose syncs they count. See contents_sync.h.
 */
#include "storage/contents_sync.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storage/contents.h"

enum { CALLS_MAX = CONTENTS_PUT_MAX + 1 };

/* One for the process, and kept: giving one back takes milliseconds. */
static aio_context_t context;

/* How many the kernel took; the others are ours. */
static size_t submit(struct iocb **list, size_t n)
{
	long taken;

	if (!context && syscall(SYS_io_setup, CALLS_MAX, &context) != 0)
		context = 0;
	taken = context ? syscall(SYS_io_submit, context, n, list) : 0;
	return taken > 0 ? (size_t)taken : 0;
}

/* Until all of them are through. 0, or the errno of one that failed. */
static int collect(size_t n)
{
	struct io_event events[CALLS_MAX];
	int error = 0;

	while (n) {
		long got = syscall(SYS_io_getevents, context, n, n, events, NULL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			error = got ? errno : EIO;
			syscall(SYS_io_destroy, context); /* the events would be taken for those of the next ones */
			context = 0;
			return error;
		}
		for (long i = 0; i < got; i++)
			if (events[i].res != 0)
				error = (int)-events[i].res;
		n -= (size_t)got;
	}
	return error;
}

int sync_at_once(const int *fds, size_t n, int folder)
{
	struct iocb calls[CALLS_MAX] = { 0 }, *list[CALLS_MAX];
	size_t taken;
	int error = 0, rc;

	for (size_t i = 0; i <= n; i++) {
		calls[i].aio_lio_opcode = i < n ? IOCB_CMD_FDSYNC : IOCB_CMD_FSYNC;
		calls[i].aio_fildes = (__u32)(i < n ? fds[i] : folder);
		list[i] = &calls[i];
	}
	n += folder >= 0;
	taken = submit(list, n);
	/* An old kernel, or a container that forbids it: one after the other. */
	for (size_t i = taken; i < n; i++) {
		int fd = (int)calls[i].aio_fildes;

		if ((fd == folder ? fsync(fd) : fdatasync(fd)) != 0)
			error = errno;
	}
	rc = collect(taken);
	return rc ? rc : error;
}
