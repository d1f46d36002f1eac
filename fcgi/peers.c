/* See peers.h. */
#include "fcgi/peers.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"

static int uid_of(const char *name, uid_t *uid)
{
	struct passwd *pw = getpwnam(name);
	char *end;

	if (pw) {
		*uid = pw->pw_uid;
		return 0;
	}
	errno = 0;
	*uid = (uid_t)strtoul(name, &end, 10);
	return errno || end == name || *end ? -1 : 0;
}

int peers_load(struct peers *p, const char *names, struct err *e)
{
	char name[64];
	int used;

	*p = (struct peers){ .n = 0 };
	for (; sscanf(names, " %63s%n", name, &used) == 1; names += used) {
		if (p->n == PEERS_MAX - 2)
			return err_set(e, ERR_BAD_REQUEST, "WEB_USERS: more than %d", PEERS_MAX - 2);
		if (uid_of(name, &p->uids[p->n++]) != 0)
			return err_set(e, ERR_BAD_REQUEST, "WEB_USERS: there is no user %s", name);
	}
	if (p->n) {
		p->uids[p->n++] = 0;
		p->uids[p->n++] = geteuid();
	}
	return 0;
}

bool peers_allow(const struct peers *p, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	int family;

	if (p->n == 0)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof family }) == 0 && family != AF_UNIX)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (p->uids[i] == peer.uid)
			return true;
	log_line(LOG_LEVEL_WARN, "user %lu (process %ld) may not talk to the workers: WEB_USERS", (unsigned long)peer.uid, (long)peer.pid);
	return false;
}
