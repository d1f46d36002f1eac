/* Digests, random bytes and hex (libcrypto, getrandom). */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SHA1_BYTES = 20, SHA256_BYTES = 32 };

void sha1(struct slice s, uint8_t out[SHA1_BYTES]);
void sha256(struct slice s, uint8_t out[SHA256_BYTES]);

/* Incremental SHA-1 of what is written piece by piece. */
struct sha1_state;
struct sha1_state *sha1_new(void);
void sha1_add(struct sha1_state *s, const void *p, size_t n);
void sha1_end(struct sha1_state *s, uint8_t out[SHA1_BYTES]); /* frees; out may be NULL */

/* Cryptographic random bytes; ends the process if the kernel has none. */
void random_bytes(void *p, size_t n);
/* n characters of [a-z0-9], without bias, and a NUL. */
void random_name(char *out, size_t n);

/* Lower-case hex of n bytes and a NUL: out has room for 2n + 1. */
void hex_of(const uint8_t *bytes, size_t n, char *out);
/* 0, or -1 when the text is not exactly 2n lower- or upper-case hex digits. */
int hex_parse(struct slice text, uint8_t *out, size_t n);

#endif
