/* See digest.h. */
#include "base/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <sys/random.h>

/* Looked up once: libcrypto takes longer to find an algorithm than to digest a short text. */
static const EVP_MD *algorithm(EVP_MD **known, const char *name)
{
	if (!*known)
		*known = EVP_MD_fetch(NULL, name, NULL);
	if (!*known)
		out_of_memory();
	return *known;
}

static const EVP_MD *md_sha1(void)
{
	static EVP_MD *md;

	return algorithm(&md, "SHA1");
}

static const EVP_MD *md_sha256(void)
{
	static EVP_MD *md;

	return algorithm(&md, "SHA256");
}

static void digest_once(const EVP_MD *md, struct slice s, uint8_t *out)
{
	if (EVP_Digest(s.len ? s.p : "", s.len, out, NULL, md, NULL) != 1)
		out_of_memory();
}

void sha1(struct slice s, uint8_t out[SHA1_BYTES])
{
	digest_once(md_sha1(), s, out);
}

void sha256(struct slice s, uint8_t out[SHA256_BYTES])
{
	digest_once(md_sha256(), s, out);
}

struct sha1_state {
	EVP_MD_CTX *ctx;
};

struct sha1_state *sha1_new(void)
{
	struct sha1_state *s = xmalloc(sizeof *s);

	s->ctx = EVP_MD_CTX_new();
	if (!s->ctx || EVP_DigestInit_ex(s->ctx, md_sha1(), NULL) != 1)
		out_of_memory();
	return s;
}

void sha1_add(struct sha1_state *s, const void *p, size_t n)
{
	int ok = EVP_DigestUpdate(s->ctx, p, n);

	assert(ok == 1);
}

void sha1_end(struct sha1_state *s, uint8_t out[SHA1_BYTES])
{
	if (!s)
		return;
	if (out) {
		int ok = EVP_DigestFinal_ex(s->ctx, out, NULL);

		assert(ok == 1);
	}
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

void random_bytes(void *p, size_t n)
{
	char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0) {
			perror("ankisync: getrandom");
			abort();
		}
		at += got;
		n -= (size_t)got;
	}
}

void random_name(char *out, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	enum { LETTERS = sizeof letters - 1 };

	for (size_t i = 0; i < n;) {
		uint8_t byte;

		random_bytes(&byte, 1);
		if (byte < 256 / LETTERS * LETTERS)
			out[i++] = letters[byte % LETTERS];
	}
	out[n] = 0;
}

void hex_of(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_parse(struct slice text, uint8_t *out, size_t n)
{
	if (text.len != 2 * n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(text.p[2 * i]), lo = hex_digit(text.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}
