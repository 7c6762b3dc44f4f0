/* Where files lie that a configuration names: relative to it, or by the PATH. */
#ifndef OBJECTS_PATH_H
#define OBJECTS_PATH_H

/*
 * The absolute path of what `text` names, relative to the directory of the configuration `file`, or
 * to the present one where that is NULL or was no file; for free(). NULL when out of memory, or if
 * there is no present directory.
 */
char *path_beside(const char *text, const char *file);

/*
 * Looks a program up as a shell does: as a path if there is a '/' in it, else in the directories of
 * $PATH. 0, ENOENT, EACCES if what is there cannot be executed, or ENOMEM. On success, and for a
 * path, `ret` receives an absolute one, for free().
 */
int path_of_program(char **ret, const char *word, const char *file);

#endif
