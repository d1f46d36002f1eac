/* `ankisync.fcgi --check`: what would keep a worker with these settings from serving? */
#ifndef FCGI_CHECK_H
#define FCGI_CHECK_H

#include "base/config.h"

/* Print every problem with its remedy to stdout. How many there are; warnings are printed and not counted. */
int check_all(const struct config *c);

#endif
