/*
 * Who is called what after a merge (design.md §5, "Names"). Names of decks and of note types are unique under unicase. The
 * incoming list counts as a whole, so names may change hands in it; only a clash in the end result renames, and then it is
 * our object that gets `+`, since the client has just made the other one and will rename what arrives in the same way.
 *
 * The plan depends on the collection, the incoming objects and a time only. It is made twice, for the reply to applyChanges
 * and for the commit, and comes out the same.
 */
#ifndef CORE_NAMING_H
#define CORE_NAMING_H

#include "base/buf.h"
#include "base/err.h"
#include "core/graves.h"
#include "storage/objects.h"

struct naming_in { /* one incoming object */
	int64_t id;
	int64_t mod_s;       /* as sent; after the plan what is to be stored, which may be later (verdict.h) */
	struct slice wanted; /* borrowed; must outlive the plan */
	bool here;           /* we have one of this id */
	struct buf here_name;
	bool accept;         /* the incoming one is to be stored */
	struct buf name;     /* its final name */
	struct buf folded;   /* of the final name */
};

struct naming_ours { /* one of ours that has to give its name away */
	int64_t id, mod_s;
	bool news; /* the client has not seen its present state */
	struct buf old_name, name, folded;
};

struct naming {
	enum named_kind kind;
	struct naming_in *in;
	size_t n_in;
	size_t *by_id; /* indexes of in, by id */
	struct naming_ours *ours; /* by id; at most n_in */
	size_t n_ours;
};

/* n_in entries to be filled with id, mod_s and wanted. */
void naming_init(struct naming *p, enum named_kind kind, size_t n_in);
void naming_release(struct naming *p);
/*
 * Decide. `deleted`: what the same sync deletes, if the collection does not know yet (else NULL). min_usn tells what was
 * news to the client (verdict.h). Renamed objects get the time max(now_s, their own + 1), so that every client takes the
 * new name. Of two incoming objects with one name, which no client sends, the second is renamed.
 */
int naming_plan(struct naming *p, struct collection *c, struct graves *deleted, int64_t min_usn, int64_t now_s, struct err *e);
/* The incoming object of this id (the one that counts, should there be several), or NULL. */
const struct naming_in *naming_incoming(const struct naming *p, int64_t id);
const struct naming_ours *naming_renamed(const struct naming *p, int64_t id);

/*
 * Carry out the part of the plan that concerns names alone: notes old names for later readers, gets names out of the way,
 * and renames ours. Afterwards every accepted object can be stored in any order.
 */
int naming_apply(const struct naming *p, struct home *h, struct collection *c, int64_t usn, struct err *e);

/*
 * The order in which a client must receive rows so that none of them clashes on its way: the row that frees a name before
 * the one that takes it. Where names go round in a ring, one id comes twice, first under a temporary name.
 */
struct naming_row {
	int64_t id;
	struct slice final; /* the name that we give it; borrowed */
	bool free;          /* takes no part (the client will not take this row) */
};
/*
 * A name that the client has for this id at the moment, or may have; borrowed. Where nobody knows which of several names it
 * has seen last, all of them are given, and count as held: a row may then go out under a temporary name that would have been
 * spared by knowing better. Ids that are no row's are passed over.
 */
struct naming_hold {
	int64_t id;
	struct slice name;
};
typedef int naming_emit(int64_t id, struct slice name, void *arg, struct err *e);
int naming_order(const struct naming_row *rows, size_t n, const struct naming_hold *holds, size_t n_holds, naming_emit *emit,
		 void *arg, struct err *e);

#endif
