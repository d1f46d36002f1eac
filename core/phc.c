/* See phc.h. Defaults of absent parameters are those of the official server (tried out: no i is 600,000 rounds). */
#include "core/phc.h"

#include "base/digest.h"

enum {
	ARGON2_KIB_MAX = 256 * 1024, ARGON2_TIMES_MAX = 10, ARGON2_LANES_MAX = 4, ARGON2_VERSION = 19,
	ARGON2_SALT_MIN = 8,
	PBKDF2_ROUNDS_MAX = 5000000, PBKDF2_ROUNDS_DEFAULT = 600000,
	PYTHON_CHARS = 80, PYTHON_DIGEST_CHARS = 64,
};

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_BAD_REQUEST, "password hash: %s", what);
}

/* Take what stands before the next `end` (or before the end of the text) off *rest. */
static struct slice take(struct slice *rest, char end)
{
	const char *at = rest->len ? memchr(rest->p, end, rest->len) : NULL;
	struct slice s = { rest->p, at ? (size_t)(at - rest->p) : rest->len };
	size_t used = s.len + (at ? 1 : 0);

	rest->p += used;
	rest->len -= used;
	return s;
}

/* Decimal without leading zeros, at most 9 digits. */
static bool number(struct slice s, uint32_t *out)
{
	if (s.len == 0 || s.len > 9 || (s.p[0] == '0' && s.len > 1))
		return false;
	*out = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out = *out * 10 + (uint32_t)(s.p[i] - '0');
	}
	return true;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Base64 with the usual alphabet and without padding. */
static bool base64(struct slice s, uint8_t *out, size_t max, size_t *len)
{
	uint32_t bits = 0;
	unsigned have = 0;

	*len = 0;
	if (s.len % 4 == 1)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int d = base64_digit(s.p[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (*len == max)
			return false;
		out[(*len)++] = (uint8_t)(bits >> have);
		bits &= (1u << have) - 1;
	}
	return bits == 0;
}

static int parse_python(struct slice text, struct phc *phc, struct err *e)
{
	struct slice digest = { text.p, PYTHON_DIGEST_CHARS };
	uint8_t unused[PHC_SALT_MAX];

	phc->scheme = PHC_PYTHON;
	phc->salt_len = PYTHON_CHARS - PYTHON_DIGEST_CHARS;
	phc->tag_len = SHA256_BYTES;
	memcpy(phc->salt, text.p + PYTHON_DIGEST_CHARS, phc->salt_len);
	if (hex_parse(digest, phc->tag, phc->tag_len) != 0 ||
	    hex_parse((struct slice){ text.p + PYTHON_DIGEST_CHARS, phc->salt_len }, unused, phc->salt_len / 2) != 0)
		return bad(e, "neither a PHC string nor 80 hex digits");
	return 0;
}

static int parse_parameters(struct slice list, struct phc *phc, struct err *e)
{
	while (list.len) {
		struct slice one = take(&list, ',');
		struct slice key = take(&one, '=');
		uint32_t v;

		if (!number(one, &v))
			return bad(e, "a parameter is not a number");
		if (phc->scheme == PHC_ARGON2ID && slice_eq_str(key, "m"))
			phc->kib = v;
		else if (phc->scheme == PHC_ARGON2ID && slice_eq_str(key, "t"))
			phc->rounds = v;
		else if (phc->scheme == PHC_ARGON2ID && slice_eq_str(key, "p"))
			phc->lanes = v;
		else if (phc->scheme != PHC_ARGON2ID && slice_eq_str(key, "i"))
			phc->rounds = v;
		else if (phc->scheme != PHC_ARGON2ID && slice_eq_str(key, "l"))
			phc->tag_len = v;
		else
			return bad(e, "unknown parameter");
	}
	return 0;
}

static int check_costs(const struct phc *phc, struct err *e)
{
	if (phc->scheme != PHC_ARGON2ID && (phc->rounds < 1 || phc->rounds > PBKDF2_ROUNDS_MAX))
		return bad(e, "number of rounds outside 1 to 5,000,000");
	if (phc->scheme == PHC_ARGON2ID &&
	    (phc->lanes < 1 || phc->lanes > ARGON2_LANES_MAX || phc->kib < 8 * phc->lanes || phc->kib > ARGON2_KIB_MAX ||
	     phc->rounds < 1 || phc->rounds > ARGON2_TIMES_MAX))
		return bad(e, "argon2id with m, t or p outside 8p to 262144, 1 to 10, 1 to 4");
	return 0;
}

int phc_parse(struct slice text, struct phc *phc, struct err *e)
{
	static const char *const schemes[] = {
		[PHC_ARGON2ID] = "argon2id", [PHC_PBKDF2_SHA256] = "pbkdf2-sha256", [PHC_PBKDF2_SHA512] = "pbkdf2-sha512",
	};
	struct slice rest = text, part;
	size_t claimed, scheme;
	uint32_t version = 0;

	*phc = (struct phc){ .rounds = PBKDF2_ROUNDS_DEFAULT };
	if (text.len == PYTHON_CHARS && text.p[0] != '$')
		return parse_python(text, phc, e);
	if (text.len == 0 || text.p[0] != '$')
		return bad(e, "neither a PHC string nor 80 hex digits");
	take(&rest, '$');
	part = take(&rest, '$');
	for (scheme = 0; scheme < sizeof schemes / sizeof *schemes; scheme++)
		if (slice_eq_str(part, schemes[scheme]))
			break;
	if (scheme == sizeof schemes / sizeof *schemes)
		return bad(e, "the scheme is none of argon2id, pbkdf2-sha256, pbkdf2-sha512");
	phc->scheme = (enum phc_scheme)scheme;
	part = take(&rest, '$');
	if (phc->scheme == PHC_ARGON2ID) {
		/* Three parameters, all needed; and only the version of 2015. */
		phc->rounds = 0;
		if (part.len < 2 || memcmp(part.p, "v=", 2) != 0 || !number((struct slice){ part.p + 2, part.len - 2 }, &version) ||
		    version != ARGON2_VERSION)
			return bad(e, "argon2id without v=19");
		part = take(&rest, '$');
	}
	if (part.len && memchr(part.p, '=', part.len)) {
		if (parse_parameters(part, phc, e) != 0)
			return -1;
		part = take(&rest, '$');
	}
	if (check_costs(phc, e) != 0)
		return -1;
	claimed = phc->tag_len;
	if (!base64(part, phc->salt, sizeof phc->salt, &phc->salt_len) ||
	    phc->salt_len < (phc->scheme == PHC_ARGON2ID ? ARGON2_SALT_MIN : 1))
		return bad(e, "the salt is not base64, or not 1 (argon2id: 8) to 64 bytes long");
	if (!base64(rest, phc->tag, sizeof phc->tag, &phc->tag_len) || phc->tag_len < 10)
		return bad(e, "the hash is not base64 of 10 to 64 bytes");
	if (claimed && claimed != phc->tag_len)
		return bad(e, "the hash is not as long as its l= says");
	return 0;
}
