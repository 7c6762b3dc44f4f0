/* Two functions that know nothing of any bus: plain C; what becomes of them is said in files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *get_data(const char *param);
char **happy_birthday(const char *name);

/* For free(). */
char *get_data(const char *param)
{
    static const char text[] = "You got remote data => ";
    char *data = malloc(sizeof text + strlen(param));
    if (data != NULL)
        sprintf(data, "%s%s", text, param);
    return data;
}

/* The lines of a song, ended by NULL; the array and each line are for free(). */
char **happy_birthday(const char *name)
{
    static const char line[] = "Happy Birthday to you!", dear[] = "Happy Birthday Dear ";
    char **song = calloc(5, sizeof *song);
    if (song == NULL)
        return NULL;
    for (int i = 0; i < 4; i++) {
        song[i] = malloc(sizeof line + sizeof dear + strlen(name));
        if (song[i] == NULL)
            break;
        if (i == 2)
            sprintf(song[i], "%s%s!", dear, name);
        else
            strcpy(song[i], line);
    }
    return song;
}
