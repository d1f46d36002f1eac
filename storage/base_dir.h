/* SYNC_BASE, the folder of everything that stays: made when it is not there, and refused when it is somebody else's. */
#ifndef STORAGE_BASE_DIR_H
#define STORAGE_BASE_DIR_H

#include "base/err.h"

/*
 * Make the folder (0700; missing parents 0755) unless it is there, and see that it is a folder of the user that this process
 * runs as, and shut to all others: files that root or another user made in it would lock out the workers later. An open
 * folder is shut if it is empty (a new volume of a container), never if there is something in it, which somebody else may
 * need. Folders above it must let this process in. 0, or -1 with a message that says whose it is and what to do.
 */
int base_dir_make(const char *base, struct err *e);
/* Does this file belong to the user that this process runs as? */
int base_dir_owns(const char *path, struct err *e);

#endif
