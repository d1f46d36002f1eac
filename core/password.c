/* See password.h. How a hash is spelled is core/phc.c's business. */
#include "core/password.h"

#include <argon2.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/digest.h"
#include "core/phc.h"

/* hardening.md §4: what argon2 costs here, 25 ms each. */
enum { ARGON2_KIB = 19 * 1024, ARGON2_TIMES = 2, ARGON2_LANES = 1, ARGON2_SALT = 16, ARGON2_TAG = 32 };

int password_hash(struct slice password, char hash[PASSWORD_HASH_SIZE], struct err *e)
{
	uint8_t salt[ARGON2_SALT];
	int rc;

	if (password.len > PASSWORD_MAX_BYTES)
		return err_set(e, ERR_TOO_BIG, "password of more than %d bytes", PASSWORD_MAX_BYTES);
	random_bytes(salt, sizeof salt);
	rc = argon2id_hash_encoded(ARGON2_TIMES, ARGON2_KIB, ARGON2_LANES, password.p, password.len, salt, sizeof salt,
				   ARGON2_TAG, hash, PASSWORD_HASH_SIZE);
	if (rc != ARGON2_OK)
		return err_set(e, ERR_INTERNAL, "argon2: %s", argon2_error_message(rc));
	return 0;
}

int password_hash_check(struct slice hash, struct err *e)
{
	struct phc phc;

	return phc_parse(hash, &phc, e);
}

static int verify_argon2id(struct slice password, const struct phc *phc, struct err *e)
{
	uint8_t tag[PHC_TAG_MAX];
	int rc = argon2id_hash_raw(phc->rounds, phc->kib, phc->lanes, password.p, password.len, phc->salt, phc->salt_len,
				   tag, phc->tag_len);

	if (rc != ARGON2_OK)
		return err_set(e, ERR_INTERNAL, "argon2: %s", argon2_error_message(rc));
	rc = CRYPTO_memcmp(tag, phc->tag, phc->tag_len) == 0;
	explicit_bzero(tag, sizeof tag);
	return rc;
}

static int verify_pbkdf2(struct slice password, const struct phc *phc, struct err *e)
{
	const EVP_MD *md = phc->scheme == PHC_PBKDF2_SHA256 ? EVP_sha256() : EVP_sha512();
	uint8_t tag[PHC_TAG_MAX];
	int rc;

	if (PKCS5_PBKDF2_HMAC(password.len ? password.p : "", (int)password.len, phc->salt, (int)phc->salt_len,
			      (int)phc->rounds, md, (int)phc->tag_len, tag) != 1)
		return err_set(e, ERR_INTERNAL, "PBKDF2 failed");
	rc = CRYPTO_memcmp(tag, phc->tag, phc->tag_len) == 0;
	explicit_bzero(tag, sizeof tag);
	return rc;
}

/* One round over name, password and salt, the salt as text (migration-facts.md §2.2). */
static int verify_python(struct slice name, struct slice password, const struct phc *phc)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	uint8_t digest[SHA256_BYTES];
	int rc;

	/* All at once: a buffer that grew would leave the password in memory that was given back. */
	buf_room(&b, name.len + password.len + phc->salt_len);
	buf_put(&b, name.p, name.len);
	buf_put(&b, password.p, password.len);
	buf_put(&b, phc->salt, phc->salt_len);
	sha256(buf_slice(&b), digest);
	rc = CRYPTO_memcmp(digest, phc->tag, sizeof digest) == 0;
	explicit_bzero(b.data, b.len);
	buf_release(&b);
	/* Microseconds where all others take milliseconds would tell whose hash is of that kind, and so that he exists. */
	password_verify_nobody(password);
	return rc;
}

int password_verify(struct slice name, struct slice password, const char *hash, struct err *e)
{
	struct phc phc;

	if (phc_parse(slice_of(hash), &phc, e) != 0) {
		if (e)
			e->kind = ERR_DAMAGED;
		return -1;
	}
	if (password.len > PASSWORD_MAX_BYTES)
		return 0;
	switch (phc.scheme) {
	case PHC_ARGON2ID:
		return verify_argon2id(password, &phc, e);
	case PHC_PBKDF2_SHA256:
	case PHC_PBKDF2_SHA512:
		return verify_pbkdf2(password, &phc, e);
	case PHC_PYTHON:
		return verify_python(name, password, &phc);
	}
	return err_set(e, ERR_INTERNAL, "no such scheme");
}

void password_verify_nobody(struct slice password)
{
	static const uint8_t salt[ARGON2_SALT] = "nobody's salt...";
	uint8_t tag[ARGON2_TAG];

	if (password.len > PASSWORD_MAX_BYTES)
		return;
	argon2id_hash_raw(ARGON2_TIMES, ARGON2_KIB, ARGON2_LANES, password.p, password.len, salt, sizeof salt, tag, sizeof tag);
	explicit_bzero(tag, sizeof tag);
}

bool password_hash_is_old(const char *hash)
{
	struct phc phc;

	return phc_parse(slice_of(hash), &phc, NULL) != 0 || phc.scheme != PHC_ARGON2ID || phc.kib < ARGON2_KIB ||
	       phc.rounds < ARGON2_TIMES || phc.tag_len < ARGON2_TAG;
}

bool password_hash_has_name(const char *hash)
{
	struct phc phc;

	return phc_parse(slice_of(hash), &phc, NULL) == 0 && phc.scheme == PHC_PYTHON;
}

/* 1 taken, 0 somebody has it, -1. */
static int try_place(struct password_slot *s, const char *base, int n, struct err *e)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/hashing-%d", base, n);
	s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		return err_errno(e, "%s", path);
	if (flock(s->fd, LOCK_EX | LOCK_NB) == 0)
		return 1;
	if (errno != EWOULDBLOCK && errno != EINTR) {
		err_errno(e, "%s", path);
		password_slot_leave(s);
		return -1;
	}
	password_slot_leave(s);
	return 0;
}

int password_slot_take(struct password_slot *s, const char *base, int64_t workers, bool lowly, int64_t wait_ms,
		       struct err *e)
{
	int places = workers >= 4 && !lowly ? 2 : 1;
	int64_t end_ms = clock_mono_ms() + wait_ms;

	for (;;) {
		/* From the top: who may take either place leaves the first to those who may not. */
		for (int n = places - 1; n >= 0; n--) {
			int rc = try_place(s, base, n, e);

			if (rc != 0)
				return rc < 0 ? -1 : 0;
		}
		if (clock_mono_ms() >= end_ms)
			return err_set(e, ERR_BUSY, "%d passwords are being hashed already", places);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
}

void password_slot_leave(struct password_slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
