/*
 * Errors: a kind for the program, a sentence for the log.
 *
 * Every function that can fail returns 0 or -1 (a lookup: 1 found, 0 absent, -1 failed) and fills *e only when it fails.
 * `e` may be NULL where the caller does not want to know more. The error is set where it is found and logged once at the
 * top. Clients never see `msg`, except for ERR_REFUSED, whose `msg` is a sentence for the user.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_kind {
	ERR_NONE,
	ERR_BAD_REQUEST, /* data of the client that cannot be right */
	ERR_TOO_BIG,     /* a limit of ours; msg names the setting */
	ERR_BAD_LOGIN,   /* wrong name, password or key. The only kind that becomes 403: clients forget their login */
	ERR_CONFLICT,    /* session replaced, collection changed meanwhile */
	ERR_NOT_FOUND,   /* no such path */
	ERR_BAD_METHOD,  /* not POST */
	ERR_VERSION,     /* protocol outside 8..11 */
	ERR_BUSY,        /* lock, slot or hash not to be had in time; try again */
	ERR_REFUSED,     /* msg is shown to the user (upload, meta, media err) */
	ERR_DAMAGED,     /* stored data that is not as we wrote it */
	ERR_FULL,        /* disk full or quota of the file system */
	ERR_CUT_OFF,     /* EIO and the like: this node may not reach its storage any more */
	ERR_INTERNAL,
	ERR_DENIED,      /* a file or folder that is not ours */
};

struct err {
	enum err_kind kind;
	char msg[256];
};

#define ERR_INIT { .kind = ERR_NONE }

/* Fill *e (unless NULL). Returns -1, so that `return err_set(…)` reads well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put `fmt` and ": " before the message of *e; keeps the kind. Returns -1. */
int err_add(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * ENOSPC, EDQUOT -> ERR_FULL; EIO, ESTALE, EROFS, ENODEV, ENXIO, ENOTCONN -> ERR_CUT_OFF; EACCES, EPERM ->
 * ERR_DENIED; all others -> ERR_INTERNAL.
 */
enum err_kind err_kind_of_errno(int code);
/* As err_set, with ": " and the text of errno behind, and the kind that follows from errno. Returns -1. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
