/* Looking up of files and programs. */
#include "objects/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The directory of a file with its last '/'; "" where the name has none. */
static int directory_size(const char *file)
{
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    return slash != NULL ? (int)(slash - file) + 1 : 0;
}

char *path_beside(const char *text, const char *file)
{
    char *path = NULL;
    int size = directory_size(file);
    if (text[0] == '/')
        return strdup(text);
    while (strncmp(text, "./", 2) == 0)
        text += 1 + strspn(text + 1, "/");
    if (size > 0 && file[0] == '/')
        return asprintf(&path, "%.*s%s", size, file, text) >= 0 ? path : NULL;
    CLEANUP(cleanup_free) char *here = getcwd(NULL, 0);
    if (here == NULL)
        return NULL;
    const char *slash = strcmp(here, "/") == 0 ? "" : "/";
    return asprintf(&path, "%s%s%.*s%s", here, slash, size, size > 0 ? file : "", text) >= 0 ? path
                                                                                             : NULL;
}

static int judge(const char *path)
{
    struct stat state;
    if (stat(path, &state) != 0)
        return errno == EACCES ? EACCES : ENOENT;
    return S_ISREG(state.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

/* One entry of the PATH; an empty one is the present directory. */
static int look_in(char **ret, const char *directory, int size, const char *word)
{
    CLEANUP(cleanup_free) char *found = NULL;
    int written = size > 0 ? asprintf(&found, "%.*s/%s", size, directory, word)
                           : asprintf(&found, "./%s", word);
    if (written < 0) {
        found = NULL;
        return ENOMEM;
    }
    int judgement = judge(found);
    if (judgement == 0)
        *ret = path_beside(found, NULL);
    return judgement == 0 && *ret == NULL ? ENOMEM : judgement;
}

static int look_in_path(char **ret, const char *word)
{
    int best = ENOENT;
    const char *directory = getenv("PATH");
    if (directory == NULL)
        directory = "/usr/local/bin:/usr/bin:/bin";
    for (bool more = word[0] != '\0'; more;) {
        int size = (int)strcspn(directory, ":");
        int judgement = look_in(ret, directory, size, word);
        if (judgement == 0 || judgement == ENOMEM)
            return judgement;
        if (judgement == EACCES)
            best = EACCES;
        more = directory[size] != '\0';
        directory += size + 1;
    }
    return best;
}

int path_of_program(char **ret, const char *word, const char *file)
{
    *ret = NULL;
    if (strchr(word, '/') == NULL)
        return look_in_path(ret, word);
    *ret = path_beside(word, file);
    return *ret != NULL ? judge(*ret) : ENOMEM;
}
