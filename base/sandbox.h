/*
 * Rights given up for good, as far as the kernel can (hardening.md §2). Whatever the process starts later inherits it. Builds
 * with sanitizers do without: the leak check at the end starts a process that traces this one.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdint.h>

#include "base/err.h"

enum {
	SANDBOX_READ = 1,    /* open files for reading, list folders */
	SANDBOX_RUN = 2,     /* execute */
	SANDBOX_WRITE = 4,   /* open files for writing, make regular ones */
	SANDBOX_REMOVE = 8,  /* remove files; rename them within their folder, with SANDBOX_WRITE */
	SANDBOX_FOLDERS = 16 /* make and remove folders */
};

struct sandbox {
	int ruleset;      /* -1: the kernel has no Landlock */
	uint64_t handled; /* what is forbidden unless it is allowed */
};

/* begin, allow what is needed, enter; or leave it with end. All but `enter` and `end` return 0 or -1. */
int sandbox_begin(struct sandbox *s, struct err *e);
/* The file `path`, or all below the folder `path`. A path that is not there is no error. Links are followed, now and once. */
int sandbox_allow(struct sandbox *s, const char *path, unsigned may, struct err *e);
/*
 * From now on nothing can be opened, made or removed but what was allowed; descriptors that are open stay so. No network, no
 * signal to processes that are not in here, where the kernel is new enough. 1; 0 when the kernel has none of this; -1.
 */
int sandbox_enter(struct sandbox *s, struct err *e);
void sandbox_end(struct sandbox *s);

enum {
	SANDBOX_ALONE = 1, /* starts no process, sends no signal, changes no limit */
	SANDBOX_SYSLOG = 2 /* may make a Unix socket and connect it */
};

/*
 * From now on no connection is made, no other process is looked into, no namespace, mount or kernel service that servers
 * never need is asked for: EPERM. 1; 0 when there is no such filter here; -1.
 */
int sandbox_calls(unsigned flags, struct err *e);

#endif
