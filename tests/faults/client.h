/* What a client or an administrator does to a server, from memory, one function per operation of the fault tests. */
#ifndef TESTS_FAULTS_CLIENT_H
#define TESTS_FAULTS_CLIENT_H

#include "core/call.h"

enum { CLIENT_T0_MS_HIGH = 1800000 }; /* × 1,000,000 */
#define CLIENT_T0_MS ((int64_t)CLIENT_T0_MS_HIGH * 1000000)

struct client {
	struct config config;
	struct server server;
	char base[200], key[2][128];
	struct buf reply;
	struct err e; /* of the last call that failed */
};

/* "wal", or "rollback" as on a file system of several machines, where nothing is kept open. */
void client_set_journal(const char *name);
/* 0, or -1 with c->e. */
int client_open(struct client *c, const char *base);
void client_close(struct client *c);

/* Two users with some of everything; shim->uid, client_usn, counts are filled in. To be called once, without faults. */
void client_make_template(struct client *c, const char *base, const char *upload_path);
/* Before operations: the collection that uploads send. */
void client_load_upload(const char *path);

enum operation_flags {
	OPERATION_IN_STEPS = 1, /* an administrator's: it may be half-way, and doing it again does the rest */
	OPERATION_NO_CHANGE = 2,
	OPERATION_LARGE = 4,    /* its states take long to look at */
};
struct operation {
	const char *name;
	unsigned flags;
	bool quiet; /* shim.h */
	/* All calls of the operation; shim_ack() when its end was answered. 0, or -1 with c->e. */
	int (*run)(struct client *c);
};
extern const struct operation operations[];
extern const size_t operations_n;

/* A normal sync of user `u` with one new card, as any device makes it from what `meta` tells. 0 or -1. */
int client_next_sync(struct client *c, int u);
/* The media index and its strays, a day later. */
int client_sweep(struct client *c, int u);

#endif
