/* Who may talk to the workers' socket, besides what its mode says (WEB_USERS). */
#ifndef FCGI_PEERS_H
#define FCGI_PEERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum { PEERS_MAX = 18 };

struct peers {
	uid_t uids[PEERS_MAX];
	size_t n; /* 0: everybody */
};

/* Names or numbers of users, between spaces; root and this process's own user come with them. 0, or -1: ERR_BAD_REQUEST. */
int peers_load(struct peers *p, const char *names, struct err *e);
/* May the other end of this connection? An address has no user: TCP is for FCGI_WEB_SERVER_ADDRS. */
bool peers_allow(const struct peers *p, int fd);

#endif
