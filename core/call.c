/* See call.h. */
#include "core/call.h"

#include "base/clock.h"
#include "core/login.h"
#include "core/report.h"
#include "storage/accounts.h"
#include "storage/home.h"

enum {
	IDLE_HANDLES_MS = 60000,
	IGNORED_BODY_MAX = 65536,
	STEP_LIMIT_MS = 20000, /* of a statement: clients wait 30 s */
};

int server_open(struct server *s, const struct config *config, struct err *e)
{
	const struct homes_options options = {
		.base = config->sync_base,
		.kept_generations = (int)config->kept_generations,
		.workers = (int)config->workers,
		.lock_ms = (int)config->lock_seconds * 1000,
		.shared = config->shared_storage,
		.rollback_journal = strcmp(config->journal, "rollback") == 0,
	};

	*s = (struct server){ .config = config };
	s->homes = homes_open(&options, e);
	if (!s->homes)
		return -1;
	s->accounts = accounts_open(config->sync_base, options.rollback_journal, options.shared, e);
	if (s->accounts)
		return 0;
	server_close(s);
	return -1;
}

void server_close(struct server *s)
{
	accounts_close(s->accounts);
	homes_close(s->homes);
	*s = (struct server){ .config = s->config };
}

void server_rest(struct server *s)
{
	homes_rest(s->homes, IDLE_HANDLES_MS);
}

uint64_t server_max_payload(const struct server *s)
{
	return 3 * (uint64_t)s->config->max_payload_megs << 20;
}

void reply_init(struct reply *r)
{
	*r = (struct reply){ .body = BUF_INIT(BUF_UNBOUNDED) };
}

void reply_release(struct reply *r)
{
	if (r->stream_end)
		r->stream_end(r);
	r->stream = NULL;
	r->stream_end = NULL;
	buf_release(&r->body);
}

int call_key_again(struct server *s, struct home *h, struct call *c, struct err *e)
{
	return login_key_again(s, h, c->key_hash, e);
}

uint64_t call_max_payload(const struct server *s, const struct method *m)
{
	if (m->flags & METHOD_NO_BODY)
		return IGNORED_BODY_MAX;
	return m->max_body && m->max_body < server_max_payload(s) ? m->max_body : server_max_payload(s);
}

static int read_payload(struct server *s, const struct method *m, struct call *c, struct err *e)
{
	buf_release(&c->payload);
	buf_init(&c->payload, call_max_payload(s, m));
	return source_to_buf(c->body, &c->payload, e);
}

int call_run(struct server *s, const struct method *m, struct call *c, struct reply *r, struct err *e)
{
	struct home *h = NULL;
	int rc = -1;

	homes_limit_steps(STEP_LIMIT_MS);
	if (!(m->flags & METHOD_NO_KEY)) {
		if (login_key(s, c->key, &h, c->key_hash, e) != 0)
			return -1;
		snprintf(c->user, sizeof c->user, "%s", home_uid(h));
		/* Before the body: a slow one keeps this worker from everybody else. */
		if (home_slot(h, e) != 0)
			goto out;
		/* No whole file is received for a key that has ended. */
		if (m->flags & METHOD_STREAM && call_key_again(s, h, c, e) != 0)
			goto out;
	}
	if ((m->flags & METHOD_SESSION) && c->session_key.len == 0) {
		err_set(e, ERR_CONFLICT, "%s without a session key", m->name);
		goto out;
	}
	if (!(m->flags & METHOD_STREAM) && read_payload(s, m, c, e) != 0)
		goto out;
	if (m->flags & METHOD_LOCKED && (home_lock(h, e) != 0 || call_key_again(s, h, c, e) != 0))
		goto out;
	r->body.max = server_max_payload(s); /* a user's decks can be any number, and of any size */
	rc = m->run(s, h, c, r, e);
	if (rc == 0)
		rc = buf_check(&r->body, e);
out:
	if (rc != 0)
		report_describe(s, h, c);
	if (h)
		home_unlock(h);
	buf_release(&c->payload);
	return rc;
}
