/* What the files of the noun `user` share. */
#ifndef ADMIN_USER_H
#define ADMIN_USER_H

#include "admin/admin.h"
#include "storage/accounts.h"

/* user_add.c */
extern const struct flag user_add_flags[], user_passwd_flags[];
int user_add(struct admin *a, const struct args *args);
int user_passwd(struct admin *a, const struct args *args);
/* user_env.c */
int user_import_env(struct admin *a, const struct args *args);
/* user_quota.c */
int user_quota(struct admin *a, const struct args *args);
/* user_show.c */
int user_list(struct admin *a, const struct args *args);
int user_show(struct admin *a, const struct args *args);

/*
 * user.c. What a verb has done to this user, if JSON is wanted: the account as it is now. NULL password: none to show. 0 or an
 * exit code.
 */
int print_changed(struct admin *a, const struct args *args, const char *uid, const char *password);

/* Opens the data and finds the user; 0, or an exit code with the message printed. */
int user_find(struct admin *a, const char *name, struct account *found);
/* The same, and one that is being deleted does not count. */
int user_find_staying(struct admin *a, const char *name, struct account *found);

#endif
