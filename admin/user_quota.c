/* `user quota`: how much a user may store. */
#include <inttypes.h>
#include <math.h>
#include <sysexits.h>

#include "admin/user.h"

/* "500M", "2.5G", "1000000", "none": 0 or -1. Decimal units, as in what clients show. */
static int parse_size(const char *text, int64_t *bytes)
{
	static const char units[] = "kMGT";
	const char *unit;
	double v, factor = 1;
	char *end;

	*bytes = 0;
	if (strcmp(text, "none") == 0)
		return 0;
	v = strtod(text, &end);
	if (end == text || !isfinite(v) || v <= 0)
		return -1;
	if (*end) {
		unit = strchr(units, *end == 'K' ? 'k' : *end);
		if (!unit || (end[1] && strcmp(end + 1, "B") != 0))
			return -1;
		for (factor = 1000; unit > units; unit--)
			factor *= 1000;
	}
	if (v * factor < 1 || v * factor > 1e18)
		return -1;
	*bytes = (int64_t)(v * factor);
	return 0;
}

int user_quota(struct admin *a, const struct args *args)
{
	struct account account;
	struct err e = ERR_INIT;
	int64_t bytes = 0;
	int rc;

	if (args->n_words == 2 && parse_size(args->words[1], &bytes) != 0)
		return fail_with(EX_USAGE, "\"%s\" is no size; sizes are 500M, 2.5G, none", args->words[1]);
	rc = user_find_staying(a, args->words[0], &account);
	if (rc != 0)
		return rc;
	if (args->n_words == 2 && accounts_set_limit(a->server.accounts, account.uid, bytes, &e) != 0)
		return say_error(&e);
	if (args->n_words == 2 || args->json)
		return print_changed(a, args, account.uid, NULL);
	if (account.limit_bytes)
		printf("%" PRId64 "\n", account.limit_bytes);
	else
		puts("none");
	return 0;
}
