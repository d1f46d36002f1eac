/* base/sandbox: what a process cannot do any more. Each case in a process of its own, for there is no way back. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/test.h"

static char folder[64];

static void path_in(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", folder, name);
}

static bool opens(const char *name, int flags)
{
	char path[128];
	int fd;

	path_in(path, name);
	fd = open(name[0] == '/' ? name : path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool makes_folder(const char *name)
{
	char path[128];

	path_in(path, name);
	return mkdir(path, 0700) == 0;
}

static bool removes(const char *name)
{
	char path[128];

	path_in(path, name);
	return remove(path) == 0;
}

static bool renames(const char *from, const char *to)
{
	char old[128], new[128];

	path_in(old, from);
	path_in(new, to);
	return rename(old, new) == 0;
}

static bool links(const char *name)
{
	char path[128];

	path_in(path, name);
	return symlink("/etc/passwd", path) == 0;
}

static bool runs(const char *program)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		execl(program, program, (char *)NULL);
		_exit(126);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum { NOT_IN_FORCE = 1 << 6, FAILED = 1 << 7 };

/* In `folder`/in it may do as `may` says; `file` it may read. Bits of what could be done; nothing else fits into a status. */
static int try_files(unsigned may)
{
	struct sandbox box;
	struct err e = ERR_INIT;
	char path[128];
	int can = 0, rc;

	if (!opens("file", O_CREAT | O_RDWR) || !opens("in/old", O_CREAT | O_RDWR))
		return FAILED;
	path_in(path, "file");
	if (sandbox_begin(&box, &e) != 0 || sandbox_allow(&box, path, SANDBOX_READ, &e) != 0)
		return FAILED;
	path_in(path, "in");
	if (sandbox_allow(&box, path, may, &e) != 0)
		return FAILED;
	path_in(path, "nothing");
	if (sandbox_allow(&box, path, may, &e) != 0)
		return FAILED;
	rc = sandbox_enter(&box, &e);
	if (rc != 1)
		return rc == 0 ? NOT_IN_FORCE : FAILED;
	/* What nobody was allowed. */
	if (!opens("file", O_RDONLY) || opens("file", O_RDWR) || opens("new", O_CREAT | O_RDWR) || opens("/etc/passwd", O_RDONLY) ||
	    opens("/", O_RDONLY | O_DIRECTORY) || makes_folder("sub") || removes("file") || links("in/link") || runs("/bin/true") ||
	    renames("in/old", "old"))
		return FAILED;
	can |= opens("in/old", O_RDONLY) << 0;
	can |= opens("in", O_RDONLY | O_DIRECTORY) << 1;
	can |= opens("in/new", O_CREAT | O_WRONLY) << 2;
	can |= (makes_folder("in/sub") && removes("in/sub")) << 3;
	can |= (renames("in/new", "in/newer") && removes("in/newer")) << 4;
	return can;
}

static void *nothing(void *arg)
{
	return arg;
}

static bool makes_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0;
}

static int try_calls(unsigned flags)
{
	struct err e = ERR_INIT;
	int can = 0, rc = sandbox_calls(flags, &e);

	if (rc != 1)
		return rc == 0 ? NOT_IN_FORCE : FAILED;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || unshare(CLONE_NEWUSER) == 0 ||
	    syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL) >= 0 || syscall(SYS_ptrace, 0, 0, 0, 0) == 0 ||
	    syscall(SYS_memfd_create, "x", 0) >= 0 || syscall(SYS_clone3, NULL, 0) >= 0)
		return FAILED;
	can |= (socket(AF_UNIX, SOCK_STREAM, 0) >= 0) << 0;
	can |= runs("/bin/true") << 1;
	can |= (kill(getpid(), 0) == 0) << 2;
	can |= (prctl(PR_SET_DUMPABLE, 0) == 0) << 3;
	can |= makes_thread() << 4;
	return can;
}

static int status_of(int (*try)(unsigned), unsigned with)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(try(with));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_files(void **state)
{
	static const struct {
		unsigned may;
		int can;
	} cases[] = {
		{ SANDBOX_READ, 0x03 },
		{ SANDBOX_WRITE, 0x04 },
		{ SANDBOX_READ | SANDBOX_WRITE | SANDBOX_REMOVE, 0x17 },
		{ SANDBOX_READ | SANDBOX_WRITE | SANDBOX_REMOVE | SANDBOX_FOLDERS, 0x1f },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int can = status_of(try_files, cases[i].may);

		removes("in/new");
		if (can == NOT_IN_FORCE) /* a kernel without Landlock, or a build with sanitizers */
			skip();
		assert_int_equal(can, cases[i].can);
	}
}

static void test_calls(void **state)
{
	static const struct {
		unsigned flags;
		int can;
	} cases[] = { { SANDBOX_ALONE, 0 }, { 0, 0x1e }, { SANDBOX_SYSLOG, 0x1f } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int can = status_of(try_calls, cases[i].flags);

		if (can == NOT_IN_FORCE)
			skip();
		assert_int_equal(can, cases[i].can);
	}
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test-sandbox-XXXXXX");
	return mkdtemp(folder) && makes_folder("in") ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "in/old", "in/new", "in/newer", "in/sub", "in/link", "in", "file", "new", "sub", "" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		removes(names[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_files), cmocka_unit_test(test_calls) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
