/* See reach.h. */
#include "base/reach.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>

const char *user_name(uid_t uid, char *text, size_t size)
{
	struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(text, size, "%s", pw->pw_name);
	else
		snprintf(text, size, "%lu", (unsigned long)uid);
	return text;
}

/* `path` up to `end`: is it what shuts us out? 1, with *e set; 0. */
static int is_shut(const char *path, const char *end, struct err *e)
{
	char way[PATH_MAX], us[64], owner[64];
	struct stat st;

	if ((size_t)(end - path) >= sizeof way)
		return 0;
	snprintf(way, sizeof way, "%.*s", (int)(end - path), path);
	if (access(way, X_OK) == 0 || errno != EACCES || stat(way, &st) != 0)
		return 0;
	err_set(e, ERR_INTERNAL, "%s is out of reach: user \"%s\" may not enter %s (mode %03o, of \"%s\"): chmod o+x %s, or choose "
		"another SYNC_BASE", path, user_name(geteuid(), us, sizeof us), way, (unsigned)st.st_mode & 0777,
		user_name(st.st_uid, owner, sizeof owner), way);
	return 1;
}

int reach_folder(const char *path, struct err *e)
{
	int error;

	if (access(path, R_OK | W_OK | X_OK) == 0)
		return 0;
	error = errno;
	if (error == EACCES)
		for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/'))
			if (is_shut(path, at, e))
				return -1;
	errno = error;
	return err_errno(e, "%s: cannot be read, written and entered", path);
}
