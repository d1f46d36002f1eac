/* The wall clock, and a monotonic one for waiting. Tests set the wall clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void);  /* Unix time in ms */
int64_t clock_now_s(void);   /* Unix time in s */
int64_t clock_mono_ms(void); /* never goes back; no relation to the date */
/* From now on the wall clock stands still at this time (tests). 0: the real one again. */
void clock_freeze_ms(int64_t unix_ms);

#endif
