/* See err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		e->kind = kind;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
	}
	return -1;
}

int err_add(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->msg];
	va_list ap;
	int n;

	if (!e)
		return -1;
	memcpy(old, e->msg, sizeof old);
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof e->msg)
		snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", old);
	return -1;
}

enum err_kind err_kind_of_errno(int code)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case EIO:
	case ESTALE:
	case EROFS:
	case ENODEV:
	case ENXIO:
	case ENOTCONN:
		return ERR_CUT_OFF;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	default:
		return ERR_INTERNAL;
	}
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int code = errno;
	va_list ap;
	int n;

	if (!e)
		return -1;
	e->kind = err_kind_of_errno(code);
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof e->msg)
		snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", strerror(code));
	return -1;
}
