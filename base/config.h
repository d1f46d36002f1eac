/*
 * Settings: ankisync.conf (KEY = value), overridden by the environment under the same names (design.md §9).
 * One table in config.c lists every key with its type, default and meaning.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct config {
	char *sync_base;             /* SYNC_BASE: data folder, absolute */
	int64_t max_payload_megs;    /* MAX_SYNC_PAYLOAD_MEGS: 100; the limits are 3 times that (protocol.md §1.1) */
	int64_t media_file_megs;     /* MEDIA_FILE_MEGS: the largest media file; 100 */
	int64_t keep_free_megs;      /* KEEP_FREE_MEGS: disk space that media and forms leave free; 256 */
	int64_t upload_seconds;      /* UPLOAD_SECONDS: 300 */
	int64_t lock_seconds;        /* LOCK_SECONDS: 20 */
	int64_t workers;             /* WORKERS: how many there are; a user or the hashes take at most half. 4 */
	int64_t kept_generations;    /* KEPT_GENERATIONS: 3 */
	int64_t zstd_level;          /* ZSTD_LEVEL of replies: 3 */
	bool shared_storage;         /* SHARED: several machines on one folder: nothing is cached (design.md §4) */
	char *journal;               /* JOURNAL: "wal" or "rollback" */
	char *web_users;             /* WEB_USERS: who may talk to the workers' socket; "": whom its mode lets in */
	bool login_throttle;         /* LOGIN_THROTTLE: yes */
	char *log_target;            /* LOG: stderr */
	char *log_format;            /* LOG_FORMAT: text */
	char *log_level;             /* LOG_LEVEL: info */
};

/*
 * Defaults, then the file (NULL: the usual place, and its absence is no error), then the environment. An unknown key, or
 * a value that does not fit, is ERR_BAD_REQUEST with file, line and value. SYNC_USER1…N and PASSWORDS_HASHED are read
 * from the environment by the admin command; in the file they are an error that says so. On -1 *c holds nothing.
 */
int config_load(struct config *c, const char *path, struct err *e);
void config_release(struct config *c);
/* All keys with their values, "KEY = value" lines in the order of the table. */
void config_print(const struct config *c, struct buf *out);

#endif
