/*
 * How a password hash is written: `$scheme$v=…$parameters$salt$tag` (PHC strings), or the 80 hex digits of the Python
 * servers. For core/password.c alone.
 */
#ifndef CORE_PHC_H
#define CORE_PHC_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum phc_scheme { PHC_ARGON2ID, PHC_PBKDF2_SHA256, PHC_PBKDF2_SHA512, PHC_PYTHON };
enum { PHC_SALT_MAX = 64, PHC_TAG_MAX = 64 };

struct phc {
	enum phc_scheme scheme;
	uint32_t rounds; /* argon2: t */
	uint32_t kib;    /* argon2: m */
	uint32_t lanes;  /* argon2: p */
	uint8_t salt[PHC_SALT_MAX]; /* PHC_PYTHON: its 16 digits as text */
	size_t salt_len;
	uint8_t tag[PHC_TAG_MAX];
	size_t tag_len;
};

/* 0, or -1 with ERR_BAD_REQUEST: not such a string, or dearer to verify than password.h allows. */
int phc_parse(struct slice text, struct phc *phc, struct err *e);

#endif
