/* See page.h. */
#include "fcgi/page.h"

#include "base/utf8.h"

static void put_escaped(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		size_t used = utf8_sequence(s.p + i, s.len - i);

		switch (s.p[i]) {
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		case '\'':
			buf_puts(out, "&#39;");
			break;
		default:
			if (used)
				buf_put(out, s.p + i, used);
			else
				utf8_put(out, 0xfffd);
		}
		i += used ? used : 1;
	}
}

/* A name or an address, with a port: nothing else is shown as the address of this server. */
static bool is_host(struct slice s)
{
	static const char others[] = ".-_:[]";

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !memchr(others, c, sizeof others - 1))
			return false;
	}
	return s.len > 0;
}

/* The address to type: what the browser asked for, with single slashes and one at the end. */
static void put_address(struct buf *out, const struct request *rq)
{
	char last = '/';

	buf_puts(out, rq->https ? "https://" : "http://");
	buf_put(out, rq->host.p, rq->host.len);
	buf_putc(out, '/');
	for (size_t i = 0; i < rq->path.len; i++) {
		if (rq->path.p[i] != '/' || last != '/')
			buf_putc(out, rq->path.p[i]);
		last = rq->path.p[i];
	}
}

static void put_row(struct buf *out, const char *client, const char *where, struct slice address, const char *ending)
{
	buf_printf(out, "<tr><td>%s<td>%s<td><code>", client, where);
	put_escaped(out, address);
	buf_printf(out, "%s</code>\n", ending);
}

void page_print(struct buf *out, const struct request *rq)
{
	struct buf address = BUF_INIT(BUF_UNBOUNDED);

	if (is_host(rq->host))
		put_address(&address, rq);
	else
		buf_puts(&address, "(the address of this page)");
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Anki sync server</title>\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n"
		      "<style>body{font:16px/1.5 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}"
		      "td,th{text-align:left;vertical-align:top;padding:.3em 1em .3em 0}code{word-break:break-all}</style>\n"
		      "<h1>It works</h1>\n<p>This is an Anki sync server. Type this address into your clients, with the slash at its end:\n"
		      "<p><code>");
	put_escaped(out, buf_slice(&address));
	buf_puts(out, "</code>\n<table>\n<tr><th>Client<th>Where<th>What\n");
	put_row(out, "Anki 2.1.57 and later", "Preferences &rarr; Syncing &rarr; Self-hosted sync server", buf_slice(&address), "");
	put_row(out, "AnkiDroid 2.16 and later", "Settings &rarr; Sync &rarr; Custom sync server &rarr; Sync url",
		buf_slice(&address), "");
	put_row(out, "AnkiMobile", "Settings &rarr; Syncing &rarr; Custom server", buf_slice(&address), "");
	put_row(out, "Anki 2.1.28 to 2.1.56", "environment, <code>SYNC_ENDPOINT</code>", buf_slice(&address), "sync/");
	put_row(out, "", "environment, <code>SYNC_ENDPOINT_MEDIA</code>", buf_slice(&address), "msync/");
	put_row(out, "Older AnkiDroid", "Sync url", buf_slice(&address), "");
	put_row(out, "", "Media sync url", buf_slice(&address), "msync");
	buf_puts(out, "</table>\n<p>Then log in with the name and the password that the administrator of this server gave you.\n");
	if (!rq->https)
		buf_puts(out, "<p>This address is not encrypted: use it at home, or behind a VPN, and <code>https</code> elsewhere.\n");
	buf_puts(out, "</html>\n");
	buf_release(&address);
}
