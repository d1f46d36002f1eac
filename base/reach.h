/* Folders that this process cannot get at, in words for an administrator. */
#ifndef BASE_REACH_H
#define BASE_REACH_H

#include <sys/types.h>

#include "base/err.h"

/* "alice", or the number of a user without a name. */
const char *user_name(uid_t uid, char *text, size_t size);

/*
 * May this process read, write and enter the folder `path`? As access(2) sees it, which is how SQLite looks for journals: a
 * capability that lets files be opened all the same would let it overlook them. 0, or -1: *e says which folder on the way is
 * shut, and what to do.
 */
int reach_folder(const char *path, struct err *e);

#endif
