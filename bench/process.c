/* Children of the benchmark, and what /proc says of them. */
#include "bench/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load.h"

enum {
    LIFE_S = 600, /* no child lives longer */
    PATH_MAX_SIZE = 512,
};

pid_t process_fork(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        load_die("fork", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(LIFE_S);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
    }
    return pid;
}

pid_t process_start(char *const *argv, char *const *environment, const char *log)
{
    pid_t pid = process_fork();
    if (pid > 0)
        return pid;
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (output < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(EXIT_FAILURE);
    for (size_t i = 0; environment[i] != NULL; i++)
        putenv(environment[i]);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

void process_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

uint64_t process_cpu_ns(pid_t pid)
{
    char path[64];
    uint64_t sum = 0, used;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char name[PATH_MAX_SIZE];
        snprintf(name, sizeof name, "%s/%s/schedstat", path, entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(name, "re") : NULL;
        if (file == NULL)
            continue;
        if (fscanf(file, "%" SCNu64, &used) == 1)
            sum += used;
        fclose(file);
    }
    closedir(tasks);
    return sum;
}

uint64_t process_peak_kib(pid_t pid)
{
    char line[256];
    uint64_t kib = 0;
    snprintf(line, sizeof line, "/proc/%d/status", (int)pid);
    FILE *file = fopen(line, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
            break;
    }
    fclose(file);
    return kib;
}
