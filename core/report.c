/* See report.h. */
#include "core/report.h"

#include "base/clock.h"
#include "storage/accounts.h"
#include "storage/home.h"

enum { VERSION_WITH_HEADER = 11 };

static void find_name(struct server *s, const char *uid, char *name, size_t size)
{
	struct account account;

	if (*uid && accounts_find_uid(s->accounts, slice_of(uid), &account, NULL) == 1)
		snprintf(name, size, "%s", account.name);
}

/* Forms name no client, or the library that sent them. */
static void find_client(struct home *h, struct call *c)
{
	const struct session_device *device;
	struct session session;

	if (c->version >= VERSION_WITH_HEADER || !home_is_locked(h) || session_load(h, &session, NULL) != 0)
		return;
	device = session_device(&session, c->key_hash);
	if (!device || !*device->client)
		return;
	snprintf(c->client_text, sizeof c->client_text, "%s", device->client);
	c->client = slice_of(c->client_text);
}

void report_describe(struct server *s, struct home *h, struct call *c)
{
	if (!*c->name)
		find_name(s, c->user, c->name, sizeof c->name);
	if (h && !*c->client_text)
		find_client(h, c);
}

bool report_begin(struct server *s, struct home *h, struct call *c, enum log_level level, const char *event)
{
	report_describe(s, h, c);
	if (!log_begin(level, event))
		return false;
	log_put("user", slice_of(*c->name ? c->name : c->user));
	log_put("from", c->address);
	log_put("client", c->client);
	return true;
}

static void put_moved(const struct session_moved *in, const struct session_moved *out)
{
	log_put_count("cards_in", in->cards);
	log_put_count("notes_in", in->notes);
	log_put_count("revlog_in", in->revlog);
	log_put_count("graves_in", in->graves);
	log_put_count("decks_in", in->decks);
	log_put_count("notetypes_in", in->notetypes);
	log_put_count("options_in", in->options);
	log_put_count("tags_in", in->tags);
	log_put_int("bytes_in", in->bytes);
	log_put_count("cards_out", out->cards);
	log_put_count("notes_out", out->notes);
	log_put_count("revlog_out", out->revlog);
	log_put_count("graves_out", out->graves);
	log_put_count("decks_out", out->decks);
	log_put_count("notetypes_out", out->notetypes);
	log_put_count("options_out", out->options);
	log_put_count("tags_out", out->tags);
	log_put_int("bytes_out", out->bytes);
}

static void put_end(const struct session *session, const char *outcome, const char *counts)
{
	int64_t ms = clock_now_ms() - session->began_ms;

	put_moved(&session->in, &session->out);
	log_put_int("ms", ms > 0 ? ms : 0);
	log_put("outcome", slice_of(outcome));
	if (counts)
		log_put("counts", slice_of(counts));
	log_end();
}

void report_sync(struct server *s, struct home *h, struct call *c, const struct session *session, const char *outcome,
		 const char *counts)
{
	if (report_begin(s, h, c, counts ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "sync"))
		put_end(session, outcome, counts);
}

void report_overtaken(struct server *s, struct home *h, const struct session *session)
{
	const struct session_device *device = session_device(session, session->owner);
	char name[ACCOUNT_NAME_MAX + 1] = "";

	find_name(s, home_uid(h), name, sizeof name);
	if (!log_begin(LOG_LEVEL_INFO, "sync"))
		return;
	log_put("user", slice_of(*name ? name : home_uid(h)));
	if (device)
		log_put("client", slice_of(device->client));
	put_end(session, "another sync began before it ended", NULL);
}
