/* See confine.h. */
#include "fcgi/confine.h"

#include <limits.h>
#include <link.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/sandbox.h"

enum {
	FILES = 512,                 /* 24 cached homes have up to 14 each, and a download of media opens 25 */
	ADDRESSES_MEGS = 512,        /* besides payloads */
};

struct allowing {
	struct sandbox box;
	struct err *e;
};

/* The folder that a file lies in, links followed. A file that is not there is no error. */
static int allow_folder_of(struct sandbox *box, const char *file, unsigned may, struct err *e)
{
	char path[PATH_MAX];
	char *slash;

	if (!realpath(file, path))
		return 0;
	slash = strrchr(path, '/');
	slash[slash == path] = 0;
	return sandbox_allow(box, path, may, e);
}

/* Folders, since an update of the system replaces the files, and the next child must find them. */
static int allow_library(struct dl_phdr_info *library, size_t size, void *arg)
{
	struct allowing *a = arg;

	(void)size;
	/* Without a name: the program itself. */
	return library->dlpi_name[0] ? allow_folder_of(&a->box, library->dlpi_name, SANDBOX_READ | SANDBOX_RUN, a->e) : 0;
}

/* A file is opened anew after it was rotated away; anything else (a terminal, a pipe) as it is. */
static int allow_log(struct sandbox *box, const char *target, struct err *e)
{
	struct stat st;

	if (target[0] != '/')
		return 0;
	if (stat(target, &st) == 0 && S_ISREG(st.st_mode))
		return allow_folder_of(box, target, SANDBOX_WRITE, e);
	return sandbox_allow(box, target, SANDBOX_WRITE, e);
}

static int confine_files(const struct config *c, struct err *e)
{
	static const struct {
		const char *path;
		unsigned may;
	} system[] = {
		{ "/proc/self/exe", SANDBOX_READ | SANDBOX_RUN },
		{ "/etc/ld.so.cache", SANDBOX_READ },
		{ "/dev/null", SANDBOX_READ | SANDBOX_WRITE },
		{ "/dev/urandom", SANDBOX_READ },
		{ "/proc/meminfo", SANDBOX_READ }, /* is the disk busy? */
	};
	struct allowing a = { .e = e };
	int rc = -1;

	if (sandbox_begin(&a.box, e) != 0)
		return -1;
	for (size_t i = 0; i < sizeof system / sizeof *system; i++)
		if (sandbox_allow(&a.box, system[i].path, system[i].may, e) != 0)
			goto out;
	if (dl_iterate_phdr(allow_library, &a) != 0 || allow_log(&a.box, c->log_target, e) != 0 ||
	    sandbox_allow(&a.box, c->sync_base, SANDBOX_READ | SANDBOX_WRITE | SANDBOX_REMOVE | SANDBOX_FOLDERS, e) != 0)
		goto out;
	rc = sandbox_enter(&a.box, e);
out:
	sandbox_end(&a.box);
	return rc;
}

static void limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(what, &r) != 0 || r.rlim_max <= most)
		return;
	r.rlim_max = most;
	if (r.rlim_cur > most)
		r.rlim_cur = most;
	setrlimit(what, &r);
}

static void tell(const char *what, int rc, const struct err *e)
{
#ifdef ANKISYNC_SANITIZE
	(void)what, (void)rc, (void)e; /* as it has to be */
#else
	if (rc <= 0)
		log_line(LOG_LEVEL_WARN, "this worker is less confined than it could be: %s: %s", what,
			 rc < 0 ? e->msg : "not in this kernel");
#endif
}

void confine(const struct server *s)
{
	struct err e = ERR_INIT;

	limit(RLIMIT_NOFILE, FILES);
#ifndef ANKISYNC_SANITIZE
	/* A payload is held as text, whose buffer grows by halves, and as a tree. */
	limit(RLIMIT_AS, ((rlim_t)ADDRESSES_MEGS << 20) + 3 * (rlim_t)server_max_payload(s));
#endif
	tzset(); /* syslog writes local times */
	tell("files (Landlock)", confine_files(s->config, &e), &e);
	tell("calls (seccomp)", sandbox_calls(strcmp(s->config->log_target, "syslog") == 0 ? SANDBOX_SYSLOG : 0, &e), &e);
}
