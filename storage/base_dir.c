/* See base_dir.h. */
#include "storage/base_dir.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/reach.h"

static int check_owner(const char *path, uid_t owner, struct err *e)
{
	char theirs[64], ours[64];

	if (owner == geteuid())
		return 0;
	return err_set(e, ERR_DENIED, "%s belongs to user \"%s\", but this runs as \"%s\": start it as \"%s\", or"
		       " give it the folder (chown -R)", path, user_name(owner, theirs, sizeof theirs), user_name(geteuid(), ours, sizeof ours), theirs);
}

int base_dir_owns(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return err_errno(e, "%s", path);
	return check_owner(path, st.st_uid, e);
}

static int make_parents(const char *base, struct err *e)
{
	char path[PATH_MAX];

	if (strlen(base) >= sizeof path)
		return err_set(e, ERR_INTERNAL, "%s: name too long", base);
	snprintf(path, sizeof path, "%s", base);
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		/* Whatever the umask: others have to get through these to what is theirs. */
		if (mkdir(path, 0755) == 0 ? chmod(path, 0755) != 0 : errno != EEXIST)
			return err_errno(e, "cannot make %s", path);
		*at = '/';
	}
	return 0;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry = NULL;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			break;
	if (dir)
		closedir(dir);
	return dir && !entry;
}

int base_dir_make(const char *base, struct err *e)
{
	struct stat st;

	if (stat(base, &st) != 0) {
		if (errno != ENOENT)
			return reach_folder(base, e);
		if (make_parents(base, e) != 0)
			return -1;
		if (mkdir(base, 0700) != 0 && errno != EEXIST)
			return err_errno(e, "cannot make %s", base);
		if (stat(base, &st) != 0)
			return err_errno(e, "%s", base);
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_INTERNAL, "%s is not a folder", base);
	if (check_owner(base, st.st_uid, e) != 0)
		return -1;
	if (!(st.st_mode & 077) || (is_empty(base) && chmod(base, 0700) == 0))
		return reach_folder(base, e);
	return err_set(e, ERR_DENIED, "%s may be read by others (mode %03o): chmod 700 it", base,
		       (unsigned)st.st_mode & 0777);
}
