/* Un-burying on a new day (collection-format.md §7). */
#ifndef FORMAT_DAY_H
#define FORMAT_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The values of table config as stored (JSON text); absent keys are slices with p NULL. */
struct day_config {
	struct slice sched_ver, rollover, creation_offset, local_offset, last_unburied;
};

struct day_plan {
	bool write_rollover;     /* set config rollover = 4 */
	bool unbury;             /* restore buried cards and set lastUnburied = today */
	uint32_t today;
};

void day_plan(int64_t now_s, int64_t crt_s, const struct day_config *c, struct day_plan *plan);
/* The queue that a buried card (queue -2 or -3) goes back to. */
int day_restored_queue(int64_t type, int64_t due);

#endif
