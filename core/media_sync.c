/* See media_sync.h. No account has media yet: their usn is 0 and nothing has changed. */
#include "core/media_sync.h"

#include "base/json.h"

int media_begin(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct json_object *o;
	struct slice client;
	int rc = -1;

	(void)s;
	(void)h;
	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (json_need_str(o, "v", &client, e) != 0)
		goto out;
	if (client.len == 0) {
		err_set(e, ERR_BAD_REQUEST, "begin: v is empty");
		goto out;
	}
	/* Old clients show this key again as part `sk`, which is the same thing as `k`. */
	buf_puts(&r->body, "{\"data\":{\"usn\":0,\"sk\":");
	json_put_str(&r->body, c->key);
	buf_puts(&r->body, "},\"err\":\"\"}");
	rc = 0;
out:
	json_object_put(o);
	return rc;
}

int media_changes(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct json_object *o;
	int64_t last_usn;
	int rc = -1;

	(void)s;
	(void)h;
	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (json_need_int(o, "lastUsn", INT32_MIN, INT32_MAX, &last_usn, e) == 0) {
		buf_puts(&r->body, "{\"data\":[],\"err\":\"\"}");
		rc = 0;
	}
	json_object_put(o);
	return rc;
}
