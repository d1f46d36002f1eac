/* See header.h. */
#include "fcgi/header.h"

int sync_header_parse(struct slice text, struct sync_header *h, struct err *e)
{
	int64_t version;

	*h = (struct sync_header){ 0 };
	if (json_parse_object(text, &JSON_LIMITS_SMALL, &h->json, e) != 0 ||
	    json_need_int(h->json, "v", 0, 255, &version, e) != 0)
		goto fail;
	if (version > 11) {
		err_set(e, ERR_VERSION, "version %d", (int)version);
		goto fail;
	}
	if (version < 8) {
		err_set(e, ERR_BAD_REQUEST, "version %d", (int)version);
		goto fail;
	}
	h->version = (int)version;
	if (json_need_str(h->json, "k", &h->key, e) != 0 || json_need_str(h->json, "c", &h->client, e) != 0 ||
	    json_need_str(h->json, "s", &h->session, e) != 0)
		goto fail;
	return 0;
fail:
	err_add(e, "header anki-sync");
	sync_header_release(h);
	return -1;
}

void sync_header_release(struct sync_header *h)
{
	json_object_put(h->json);
	*h = (struct sync_header){ 0 };
}
