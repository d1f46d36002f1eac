/*
 * Faults on order. Linked into a program, this takes the place of libc's file functions, for SQLite and for our own code
 * alike: every call of one kind is counted, and the N-th can end the process or fail. It can also record all calls that
 * change the disk with their bytes, for disk.h to say what a power loss would leave.
 *
 * Built with FAULTS_PRELOAD it is a library for LD_PRELOAD, which does the same to a real worker (server.py); its child
 * gets it too.
 *
 * What it is told and what it counts lie in memory shared by the harness, the worker and the importing child. Nothing is
 * ever synced for real: neither a kill nor the model of the disk depends on that.
 */
#ifndef TESTS_FAULTS_SHIM_H
#define TESTS_FAULTS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum shim_mode {
	SHIM_OFF,
	SHIM_COUNT,
	SHIM_KILL,       /* SIGKILL for the worker before call `at`, also when the importing child makes it */
	SHIM_KILL_CHILD, /* the importing child alone, before its call `at`: only those count */
	SHIM_FAIL,       /* call `at` fails with `error` and does nothing */
	SHIM_SHORT,      /* if call `at` is a write: half of it is written, what follows fails as `sticky` says */
	SHIM_SLOW,       /* no fault: reads and writes do a half of their work, and some are interrupted (EINTR) first */
};

/* Which calls are counted. */
enum shim_kind {
	SHIM_CHANGES, /* what changes the disk */
	SHIM_READS,   /* of files and folders */
	SHIM_OPENS,   /* of whatever exists or not */
	SHIM_LOCKS,   /* flock and fcntl */
	SHIM_MAPS,    /* mmap of files */
	SHIM_MEMORY,  /* malloc and the like; not in the preloaded library */
};

enum shim_op { OP_OPEN = 1, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_SYNC_ALL, OP_RENAME, OP_UNLINK, OP_MKDIR, OP_RMDIR, OP_ACK };

/* A record of the trace; `len` bytes follow (padded to 8): a path, two of them (each with its NUL), or data. */
struct shim_record {
	uint8_t op, child;
	int16_t fd;
	uint32_t len;
	uint64_t at;    /* offset, or new length */
	uint64_t count; /* calls counted so far, this one included */
};

enum { SHIM_TRACE_BYTES = 64 << 20 };

struct shim {
	/* server.py has a copy of these. */
	int32_t mode, error, kind, sticky;
	uint64_t at, count, fired;
	int64_t clock_ms;      /* the worker's clock is ahead by so much */
	int32_t worker, child; /* process ids */
	int32_t kill_wanted;   /* by the child, of the worker or of itself, as `mode` says: it waits for it */
	int32_t quiet;         /* /proc/meminfo says that nobody writes (storage/contents.c) */
	char fired_what[200];
	char root[200];        /* only this folder and what lies below is counted */
	/* Up to here. */
	bool paused;       /* calls of the client itself do not count */
	uint64_t random;   /* state of getrandom() in the worker; 0: the real one */
	bool tracing, trace_full;
	bool loose;        /* syncs of a WAL leave no record: as with synchronous=NORMAL */
	size_t trace_len;
	/* Of the client, which outlives the worker. */
	int acks;
	char key[128], counts[128], uid[2][64];
	int64_t client_usn;
	char message[2048];
	char trace[SHIM_TRACE_BYTES];
};

extern struct shim *shim; /* NULL: nothing is counted */

/* The shared memory as a file, so that the child finds it. 0 or -1. */
int shim_create(const char *path);
int shim_attach(const char *path);
/* A client has been told that its operation is done. */
void shim_ack(void);

#endif
