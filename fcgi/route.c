/* See route.h. */
#include "fcgi/route.h"

/* Take the last segment off `path`, with the slashes around it. "" when there is none. */
static struct slice last_segment(struct slice *path)
{
	struct slice segment;
	size_t end = path->len, start;

	while (end && path->p[end - 1] == '/')
		end--;
	for (start = end; start && path->p[start - 1] != '/';)
		start--;
	segment = (struct slice){ path->p + start, end - start };
	path->len = start;
	return segment;
}

static int area_of(struct slice segment)
{
	return slice_eq_str(segment, "sync") ? AREA_SYNC : slice_eq_str(segment, "msync") ? AREA_MSYNC : 0;
}

/* Clients from 2020 to 2022 ask `begin` with a query (protocol.md §1.2). */
static bool takes_get(const struct method *m)
{
	return m->area == AREA_MSYNC && strcmp(m->name, "begin") == 0;
}

/* Paths that exist, whatever is asked of them. */
static int find(struct slice path, struct route *r, struct err *e)
{
	bool slash = path.len == 0 || path.p[path.len - 1] == '/';
	struct slice last = last_segment(&path), before = last_segment(&path);
	int area = area_of(before);

	*r = (struct route){ .allow = "GET, HEAD" };
	if (slash) {
		/* The page belongs to an address that a client takes: not to one with a method or `sync` at its end. */
		if (area || area_of(last) || method_find_any(last))
			return err_set(e, ERR_NOT_FOUND, "no such path");
		r->kind = ROUTE_PAGE;
		return 0;
	}
	r->method = area ? method_find((enum call_area)area, last) : method_find_any(last);
	if (r->method) {
		r->kind = ROUTE_METHOD;
		r->allow = takes_get(r->method) ? "GET, POST" : "POST";
		return 0;
	}
	if (area)
		return err_set(e, ERR_BAD_REQUEST, "no such method");
	if (slice_eq_str(last, "health")) {
		r->kind = ROUTE_HEALTH;
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND, "no such path");
}

int route_find(struct slice verb, struct slice path, struct route *r, struct err *e)
{
	bool get = slice_eq_str(verb, "GET"), reads = get || slice_eq_str(verb, "HEAD");

	if (find(path, r, e) != 0)
		return -1;
	if (r->kind == ROUTE_METHOD ? slice_eq_str(verb, "POST") || (get && takes_get(r->method)) : reads)
		return 0;
	return err_set(e, ERR_BAD_METHOD, "not %s", r->allow);
}
