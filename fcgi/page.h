/* The page for people who open the server's address in a browser: it works, and what to type where. */
#ifndef FCGI_PAGE_H
#define FCGI_PAGE_H

#include "fcgi/request.h"

/* Append the page (HTML, UTF-8) for the address that was asked for; rq->path ends with a slash or is empty. */
void page_print(struct buf *out, const struct request *rq);

#endif
