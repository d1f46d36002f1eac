/*
 * Functions that have no bound, or that share hidden state, do not compile. The compiler includes this file before
 * every source of ours (AM_CFLAGS), so the system headers come first and the words are poisoned afterwards.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok mktemp tmpnam tempnam
#pragma GCC poison gmtime localtime ctime asctime

#endif
