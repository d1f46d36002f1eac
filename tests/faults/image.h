/* A folder's content in memory, so that it can be put back thousands of times. */
#ifndef TESTS_FAULTS_IMAGE_H
#define TESTS_FAULTS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

struct image_file {
	char *path; /* below the folder, "" itself excluded */
	bool is_dir;
	char *data;
	size_t len;
};
struct image {
	struct image_file *files; /* a folder before what it holds */
	size_t n;
};

/* These end the program when they fail. */
void image_load(struct image *i, const char *dir);
void image_write(const struct image *i, const char *dir); /* dir is made anew */
void image_release(struct image *i);
void remove_folder(const char *dir); /* may be absent */

#endif
