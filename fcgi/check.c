/* See check.h. Nothing is made or changed here: an administrator may run this as another user than the workers. */
#include "fcgi/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/reach.h"
#include "fcgi/peers.h"

/* Would a worker be able to make it? It makes missing parents, too. */
static int check_parent(const char *path)
{
	char parent[4096], us[64];
	char *slash;

	snprintf(parent, sizeof parent, "%s", path);
	while ((slash = strrchr(parent, '/')) != NULL) {
		*slash = 0;
		if (faccessat(AT_FDCWD, *parent ? parent : "/", W_OK | X_OK, AT_EACCESS) == 0) {
			printf("note: %s does not exist yet; the first worker makes it\n", path);
			return 0;
		}
		if (errno != ENOENT)
			break;
	}
	user_name(geteuid(), us, sizeof us);
	printf("problem: %s does not exist, and %s cannot make it: install -d -m 700 -o %s %s\n", path, us, us, path);
	return 1;
}

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	int entries = 0;

	if (!d)
		return false;
	while (entries < 3 && readdir(d))
		entries++;
	closedir(d);
	return entries <= 2; /* . and .. */
}

static int check_space(const char *path)
{
	struct statvfs v;
	uint64_t free_bytes, least;

	if (statvfs(path, &v) != 0) {
		printf("problem: %s: %s\n", path, strerror(errno));
		return 1;
	}
	free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	least = (uint64_t)v.f_blocks * v.f_frsize / 20;
	if (least < 64 << 20)
		least = 64 << 20;
	if (free_bytes < least)
		printf("warning: %s: only %llu MiB are free\n", path, (unsigned long long)(free_bytes >> 20));
	return 0;
}

static int check_folder(const char *path)
{
	char owner[64], us[64];
	struct err e = ERR_INIT;
	struct stat st;
	int problems = 0;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return check_parent(path);
		reach_folder(path, &e);
		printf("problem: %s\n", e.msg);
		return 1;
	}
	if (S_ISLNK(st.st_mode) && stat(path, &st) != 0) {
		printf("problem: %s leads nowhere: %s\n", path, strerror(errno));
		return 1;
	}
	if (!S_ISDIR(st.st_mode)) {
		printf("problem: %s is not a folder\n", path);
		return 1;
	}
	if (st.st_mode & 077 && is_empty(path)) {
		printf("note: %s is open to others (mode %03o); the first worker shuts it\n", path, (unsigned)st.st_mode & 0777);
	} else if (st.st_mode & 077) {
		printf("problem: %s is open to others (mode %03o): chmod 700 %s\n", path, (unsigned)st.st_mode & 0777, path);
		problems++;
	}
	if (st.st_uid != geteuid()) {
		user_name(st.st_uid, owner, sizeof owner);
		printf("problem: %s belongs to %s, but this is %s: run the workers (and this check) as %s\n", path, owner,
		       user_name(geteuid(), us, sizeof us), owner);
		problems++;
	} else if (reach_folder(path, &e) != 0) {
		printf("problem: %s\n", e.msg);
		problems++;
	}
	return problems + check_space(path);
}

/* A worker makes accounts.db, but not where it has been lost. */
static int check_accounts(const char *base)
{
	char accounts[4096], users[4096];

	snprintf(accounts, sizeof accounts, "%s/accounts.db", base);
	snprintf(users, sizeof users, "%s/users", base);
	if (access(accounts, F_OK) == 0 || errno != ENOENT || access(users, F_OK) != 0 || is_empty(users))
		return 0;
	printf("problem: %s is missing, but users have folders in %s: put it back from a backup, or see \"accounts.db is lost\" in"
	       " docs/setup.md\n", accounts, users);
	return 1;
}

static int check_log(const char *target)
{
	int fd;

	if (target[0] != '/')
		return 0;
	fd = open(target, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		close(fd);
	else if (errno == ENOENT)
		printf("note: log %s does not exist yet\n", target);
	else {
		printf("problem: log %s: %s\n", target, strerror(errno));
		return 1;
	}
	return 0;
}

static int check_web_users(const char *names)
{
	struct peers peers;
	struct err e = ERR_INIT;

	if (peers_load(&peers, names, &e) == 0)
		return 0;
	printf("problem: %s\n", e.msg);
	return 1;
}

int check_all(const struct config *c)
{
	struct buf settings = BUF_INIT(BUF_UNBOUNDED);
	int problems;

	config_print(c, &settings);
	fputs(buf_str(&settings), stdout);
	buf_release(&settings);
	problems = check_folder(c->sync_base) + check_accounts(c->sync_base) + check_log(c->log_target) +
		   check_web_users(c->web_users);
	if (geteuid() == 0)
		printf("warning: this is root; workers need no rights but on %s\n", c->sync_base);
	if (problems == 0)
		printf("ok: settings and %s are fine\n", c->sync_base);
	return problems;
}
