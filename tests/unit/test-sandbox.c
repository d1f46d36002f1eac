/* base/sandbox: what a process cannot do any more. Each case in a process of its own, for there is no way back. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
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

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Bits of what could be done. */
static int try_files(void)
{
	char file[128], inside[128], made[128], outside[128];
	struct err e = ERR_INIT;
	int can = 0;

	path_in(file, "file");
	path_in(inside, "in/old");
	path_in(made, "in/new");
	path_in(outside, "new");
	if (!opens(file, O_CREAT | O_RDWR) || !opens(inside, O_CREAT | O_RDWR))
		return 128;
	path_in(outside, "in");
	if (sandbox_files(file, outside, &e) != 0)
		return 129;
	path_in(outside, "new");
	can |= opens(file, O_RDONLY) << 0;
	can |= opens(inside, O_RDWR) << 1;
	can |= opens(made, O_CREAT | O_RDWR) << 2;
	can |= (unlink(made) == 0) << 3;
	can |= opens(file, O_RDWR) << 4;
	can |= opens(outside, O_CREAT | O_RDWR) << 5;
	can |= opens("/etc/passwd", O_RDONLY) << 6;
	return can;
}

static int try_calls(void)
{
	struct err e = ERR_INIT;
	int can = 0;
	pid_t child;

	if (sandbox_calls(&e) != 0)
		return 129;
	can |= (socket(AF_UNIX, SOCK_STREAM, 0) >= 0) << 0;
	child = fork();
	if (child == 0)
		_exit(0);
	can |= (child >= 0) << 1;
	can |= (kill(getpid(), 0) == 0) << 2;
	can |= (prctl(PR_SET_DUMPABLE, 1) == 0) << 3;
	execl("/bin/true", "true", (char *)NULL);
	return can;
}

static int status_of(int (*try)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(try());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_files(void **state)
{
	int can = status_of(try_files);

	(void)state;
	if (can == 0x7f) /* a kernel without Landlock, or a build with sanitizers */
		skip();
	assert_int_equal(can, 0x0f);
}

static void test_calls(void **state)
{
	(void)state;
#ifdef ANKISYNC_SANITIZE
	skip();
#endif
	if (prctl(PR_GET_SECCOMP) < 0)
		skip();
	assert_int_equal(status_of(try_calls), 0);
}

static int setup(void **state)
{
	char in[128];

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test-sandbox-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	path_in(in, "in");
	return mkdir(in, 0700);
}

static int teardown(void **state)
{
	static const char *const names[] = { "in/old", "in/new", "in", "file", "new", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		path_in(path, names[i]);
		remove(path);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_files), cmocka_unit_test(test_calls) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
